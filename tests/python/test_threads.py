"""Threads of every kind: their calls, their names, and what was open when recording began."""
import json
import os
import signal
import sys
import unittest

from tests.python import harness, tracefile

COMMON = """
import _thread, json, os, signal, sys, threading

def leaf():
    pass

def step():
    leaf()

def work(n):
    for _ in range(n):
        step()
"""

# Started by threading and by _thread, from the main thread and from another, with other counts.
EVERY_KIND = COMMON + """
told, done = {}, threading.Semaphore(0)

def run(n):
    work(n)
    told[threading.get_native_id()] = n
    done.release()

def start_others():
    for n in (3, 4):
        _thread.start_new_thread(run, (n,))
    threads = [threading.Thread(target=run, args=(n,)) for n in (5, 6)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        done.acquire()
    for thread in threads:
        thread.join()

start_others()
thread = threading.Thread(target=start_others)
thread.start()
thread.join()
timer = threading.Timer(0, run, (7,))
timer.start()
timer.join()
work(8)
told[threading.get_native_id()] = 8
print(json.dumps(list(told.items())))
"""

# Threads that wait in nested calls when recording begins, and never again do anything.
RUNNING = COMMON + """
import mtrace

tids, waiting, never = [], threading.Semaphore(0), _thread.allocate_lock()
never.acquire()

def outer(depth):
    middle(depth)

def middle(depth):
    if depth:
        middle(depth - 1)
    inner()

def inner():
    tids.append(threading.get_native_id())
    waiting.release()
    never.acquire()

def start(depth):
    if depth % 2:
        _thread.start_new_thread(outer, (depth,))
    else:
        threading.Thread(target=outer, args=(depth,), name="waits-%d" % depth).start()
    waiting.acquire()

def record():
    mtrace.Tracer("traces").start()
    start(4)
    work(10)

for depth in range(4):
    start(depth)
record()
print(json.dumps(tids), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

# The same threads go on: the end of a call is there, too, and what comes after.
GOES_ON = COMMON + """
import mtrace

go, waiting = [_thread.allocate_lock() for _ in range(4)], threading.Semaphore(0)
tids, done = {}, threading.Semaphore(0)
for lock in go:
    lock.acquire()

def outer(i):
    inner(i)
    work(10 + i)
    done.release()

def inner(i):
    tids[i] = threading.get_native_id()
    waiting.release()
    go[i].acquire()

def before(i):
    _thread.start_new_thread(outer, (i,))
    waiting.acquire()

for i in range(4):
    before(i)
with mtrace.Tracer("traces"):
    work(5)
    for lock in go:
        lock.release()
    for _ in go:
        done.acquire()
print(json.dumps([tids[i] for i in range(4)]))
"""

NAMES = COMMON + """
def run():
    work(2)
    named.wait()
    threading.current_thread().name = "by itself, \\"\\u00e4\\" <&>"
    work(3)
    renamed.set()
    go_on.wait()
    work(4)

named, renamed, go_on = threading.Event(), threading.Event(), threading.Event()
thread = threading.Thread(target=run, name="at first")
thread.start()
thread.name = "by another"
named.set()
renamed.wait()
before = thread.native_id
thread.setName("last") if sys.version_info < (3, 10) else setattr(thread, "name", "last")
go_on.set()
thread.join()
threading.main_thread().name = "boss"
other = threading.Thread(target=work, args=(1,))
other.start()
other.join()
print(json.dumps([before, other.native_id, other.name]))
"""

# The interpreter ends while daemon threads call at full speed, each after 500 calls at least.
DAEMONS = COMMON + """
sys.setswitchinterval(0.0002)  # that the main thread gets to its end

def run(i):
    work(500)
    ready.release()
    while True:
        work(100)

ready = threading.Semaphore(0)
for i in range(4):
    threading.Thread(target=run, args=(i,), daemon=True, name="daemon-%d" % i).start()
for _ in range(4):
    ready.acquire()
work(20)
"""

# The main thread is done before ten others begin; the interpreter waits for them.
AT_EXIT = COMMON + """
def run(n):
    threading.main_thread().join()
    work(n)
    at_exit.append((threading.get_native_id(), n))

import atexit
at_exit = []
atexit.register(lambda: print(json.dumps(at_exit)))
for n in range(101, 111):
    threading.Thread(target=run, args=(n,)).start()
"""


class TestThreads(harness.Case):
    def counts(self, trace, name="step"):
        """Begins of a function by tid, and that as many have ended."""
        begun, ended = ({t.tid: t.count(name, kind) for t in trace.threads if t.count(name, kind)}
                        for kind in (tracefile.PY_BEGIN, tracefile.PY_END))
        self.assertEqual(begun, ended)
        return begun

    def one(self):
        trace = self.read_one()
        self.check()
        self.assert_nested([trace])
        self.assertEqual(trace.n_lost, 0)
        return trace

    def run_api(self, text, status=0):
        """A program that records itself."""
        done = self.untraced(sys.executable, self.write("script.py", text),
                             env={**os.environ, "PYTHONPATH": harness.HOME})
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def test_every_kind(self):
        told = dict(json.loads(self.run_script(EVERY_KIND).stdout))
        self.assertEqual(sorted(told.values()), [3, 3, 4, 4, 5, 5, 6, 6, 7, 8])
        trace = self.one()
        self.assertEqual(self.counts(trace), told)
        self.assertEqual(self.counts(trace, "leaf"), told)
        self.assertEqual(len(trace.threads), len(told) + 1)  # the one that started half of them
        for tid, n in told.items():
            run = "run" if n < 8 else "<module>"
            # Near the outermost: below threading's frames, among them, from 3.14 on, Context.run.
            self.assertIn(run, [c.function.name for c in trace.thread(tid).calls() if c.depth < 5])

    @unittest.skipIf(harness.FREE_THREADED, "without a GIL a thread states its calls at its next event; "
                     "these have none")
    def test_open_calls_of_running_threads(self):
        tids = self.run_api(RUNNING, status=-signal.SIGKILL)
        trace = self.one()
        self.assertEqual(trace.origin, 3)
        for depth, tid in enumerate(tids):
            thread = trace.thread(tid)
            calls = [c for c in thread.calls() if c.outcome == "open" and c.function.kind == "python"]
            names = [c.function.name.split(".")[-1] for c in calls]
            of_threading = ["_bootstrap", "_bootstrap_inner", "run"] if depth % 2 == 0 else []
            self.assertEqual(names, of_threading + ["outer"] + ["middle"] * (depth + 1) + ["inner"])
            # Started before recording: all stated anew; after: all seen as they began.
            self.assertEqual({c.reopened for c in calls}, {depth < 4})
            if depth % 2 == 0:
                self.assertEqual(thread.name, "waits-%d" % depth)
        main = [(c.function.name, c.outcome) for c in trace.thread().calls() if c.reopened]
        self.assertEqual(main, [("<module>", "open"), ("record", "return")])
        self.assertEqual(self.counts(trace), {trace.pid: 10})

    def test_running_threads_go_on(self):
        tids = self.run_api(GOES_ON)
        trace = self.one()
        self.assertEqual(self.counts(trace), {trace.pid: 5, **{tid: 10 + i for i, tid in enumerate(tids)}})
        for tid in tids:
            calls = trace.thread(tid).calls()
            self.assertEqual([(c.function.name, c.outcome) for c in calls if c.reopened and c.depth][-1:],
                             [("inner", "return")])
            self.assertEqual([c.depth for c in calls if c.function.name == "work"], [1])

    def test_names(self):
        tid, other_tid, other_name = json.loads(self.run_script(NAMES).stdout)
        trace = self.one()
        self.assertEqual(trace.thread(tid).names, ["at first", "by another", "by itself, \"\u00e4\" <&>", "last"])
        self.assertEqual(trace.thread(other_tid).names, [other_name])
        self.assertEqual(trace.thread().names, ["MainThread", "boss"])
        shown = {e["tid"]: e["args"]["name"] for e in self.merge() if e["ph"] == "M" and e["name"] == "thread_name"}
        self.assertEqual(shown, {tid: "last", other_tid: other_name, trace.pid: "boss"})

    def test_daemon_threads_at_exit(self):
        done = self.untraced(*self.command(sys.executable, self.write("script.py", DAEMONS)))
        # CPython 3.10 itself crashes in one of some hundred such ends. The trace is whole all the same.
        self.assertIn(done.returncode, (0, 139) if sys.version_info[:2] == (3, 10) else (0,), done.stderr)
        trace = self.one()
        self.assertEqual(trace.thread().count("step"), 20)
        daemons = [t for t in trace.threads if t.tid != trace.pid]
        self.assertEqual(sorted(t.name for t in daemons), ["daemon-%d" % i for i in range(4)])
        for thread in daemons:
            self.assertGreaterEqual(thread.count("step", tracefile.PY_END), 500)
            run, = [c for c in thread.calls() if c.function.name == "run" and c.function.file.endswith("script.py")]
            self.assertEqual(run.outcome, "open")

    def test_ten_threads_at_exit(self):
        told = dict(json.loads(self.run_script(AT_EXIT).stdout))
        self.assertEqual(sorted(told.values()), list(range(101, 111)))
        self.assertEqual(self.counts(self.one()), told)


class InPendingCalls(harness.Case):
    def test_starts_a_thread(self):
        """On 3.11 a profiled call in a pending call does not end when another one has been asked for."""
        output = self.run_script("""
            import ctypes, threading
            ran = []
            def g(): pass
            @ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
            def pending(_):
                thread = threading.Thread(target=g)
                thread.start()
                thread.join()
                g()
                ran.append(1)
                return 0
            ctypes.pythonapi.Py_AddPendingCall(pending, None)
            while not ran:
                g()
            print(ran)
            """).stdout
        self.assertEqual(output, "[1]\n")
        self.assertEqual(self.read_one().count("pending"), 1)


if __name__ == "__main__":
    harness.main()
