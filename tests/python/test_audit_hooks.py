"""Audit hooks in Python, which run in the middle of what the recorder asks CPython for, and let other
threads go on meanwhile."""
import sys

from tests.python import harness

# Each time a profile function is set, one thread ends: that for which it is set, and its state is freed.
ENDS_MEANWHILE = """
    import _thread, os, sys, time

    gate, begun = _thread.allocate_lock(), _thread.allocate_lock()
    gate.acquire()
    begun.acquire()
    tids, ended = [], []

    def run():
        tids.append(_thread.get_native_id())
        begun.release()
        gate.acquire()

    def end():
        begun.acquire()
        gate.release()
        while os.path.exists("/proc/self/task/%d" % tids[-1]):
            time.sleep(0.001)
        ended.append(tids[-1])

    def hook(event, args):
        if event == "sys.setprofile" and len(ended) < made:
            end()

    made = 0
    sys.addaudithook(hook)
    for i in range(50):
        made += 1
        _thread.start_new_thread(run, ())
        if len(ended) < made:
            end()
    print(len(ended))
"""

# The same while recording stops and starts again.
WHILE_STOPPING = """
    import _thread, os, sys, time
    sys.path.insert(0, %r)
    import mtrace

    ready, tids, gates = _thread.allocate_lock(), [], []
    ready.acquire()

    def run(gate):
        tids.append(_thread.get_native_id())
        ready.release()
        gate.acquire()

    for i in range(20):
        gates.append(_thread.allocate_lock())
        gates[-1].acquire()
        _thread.start_new_thread(run, (gates[-1],))
        ready.acquire()

    def hook(event, args):
        if event == "sys.setprofile" and gates:
            gates.pop(0).release()
            tid = tids.pop(0)
            while os.path.exists("/proc/self/task/%%d" %% tid):
                time.sleep(0.001)

    sys.addaudithook(hook)
    for i in range(6):
        tracer = mtrace.Tracer(%r, engine=%r)
        tracer.start()
        tracer.stop()
    print(sys.getprofile())
"""


class AuditHooks(harness.Case):
    def test_thread_ends_while_it_gets_its_hook(self):
        for engine in harness.ENGINES[True]:
            with self.subTest(engine):
                done = self.run_script(ENDS_MEANWHILE, name="ends_%s.py" % engine,
                                       options=["--engine", engine])
                self.assertEqual((done.stdout, done.stderr), ("50\n", ""))
        self.check()

    def test_thread_is_recorded(self):
        """Up to 3.11 no audit hook is asked, so that each thread is there from its first call on."""
        self.run_script(ENDS_MEANWHILE)
        trace = self.read_one()
        if harness.FREE_THREADED or sys.version_info >= (3, 12):
            self.assertEqual(sum(t.count("run") for t in trace.threads), 50)
        else:
            # The first step of a thread may come before the walk that finds it.
            self.assertEqual(sum(1 for t in trace.threads if t.tid != trace.pid and t.records), 50)

    def test_threads_end_while_recording_starts_and_stops(self):
        for engine in harness.ENGINES[True]:
            with self.subTest(engine):
                text = WHILE_STOPPING % (harness.HOME, self.folder + "/" + engine, engine)
                done = self.untraced(sys.executable, self.write("stops_%s.py" % engine, text))
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "None\n", ""))


if __name__ == "__main__":
    harness.main()
