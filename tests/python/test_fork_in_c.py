"""Forks and threads that Python is not told of: made by C code (native.c), with and without the
GIL, by libc and by the bare system call, and in a signal handler in the middle of a record."""
import json
import os

from tests.python import harness, tracefile

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "native.so")
LATE, FORK = 6, 2  # enum mt_resync

COMMON = """
import ctypes, json, os, sys, threading, time

with_gil, without_gil = ctypes.PyDLL(%r), ctypes.CDLL(%r)
for library in (with_gil, without_gil):
    library.native_fork.restype = library.native_fork_and_leave.restype = ctypes.c_long

def leaf():
    pass

def step():
    leaf()

def in_child():
    step()
    step()

def ended(pid):
    if os.waitpid(pid, 0)[1] != 0:
        raise SystemExit("child %%d: status %%d" %% os.waitpid(pid, 0))
    return pid
""" % (LIBRARY, LIBRARY)

# fork() in C by a process with one thread, before and after it has called something.
PLAIN = COMMON + """
def forking(library, raw):
    pid = library.native_fork(raw)
    if pid == 0:
        in_child()
        os._exit(0)
    return ended(pid)

print(json.dumps([forking(library, int(sys.argv[1])) for library in (with_gil, without_gil) * 5]))
"""

# Four threads call while a fifth forks. Three ways: os.fork(); C code with the GIL, whose child goes
# on in Python; C code without, which finds the others in the middle of a record. In the second, no
# thread may ask for the GIL by the clock: in the child nobody is left to take what was asked for.
# What they do is dealt out fork by fork, that it does not grow with the time that forks take.
WHILE = COMMON + """
import queue

def worker(told):
    n = 0
    while todo.get():
        for _ in range(50):
            step()
        n += 50
        time.sleep(0)
    told[threading.get_native_id()] = n

def forking(way, raw):
    if way == "c without GIL":
        return without_gil.native_fork_and_leave(raw)
    pid = os.fork() if way == "os" else with_gil.native_fork(raw)
    if pid == 0:
        in_child()
        os._exit(0)
    return pid

way, raw = sys.argv[1], int(sys.argv[2])
sys.setswitchinterval(1000 if way == "c with GIL" else 0.0002)
told, todo, children = {}, queue.SimpleQueue(), []
threads = [threading.Thread(target=worker, args=(told,)) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(60):
    for _ in range(20):
        todo.put(True)
    children.append(ended(forking(way, raw)))
for _ in threads:
    todo.put(False)
for thread in threads:
    thread.join()
print(json.dumps([children, [[tid, n] for tid, n in told.items()]]))
"""

# Forks in a handler of SIGALRM, at a random place of the tightest loop.
HANDLER = COMMON + """
def run():
    n = 0
    while with_gil.native_n_forks() < 200:
        step()
        n += 1
        if with_gil.native_is_child():
            in_child()
            os._exit(0)
    return n

step()
with_gil.native_start_forking(200, int(sys.argv[1]))
n = run()
print(json.dumps([n + 1, [ended(with_gil.native_child(i)) for i in range(200)]]))
"""

# A thread of C calls back: it is met when it waits, by the next call of a thread that is followed.
THREADS = COMMON + """
import _thread
callback_type = ctypes.CFUNCTYPE(None, ctypes.c_int)

class Thread(ctypes.Structure):
    _fields_ = [("thread", ctypes.c_ulong), ("callback", callback_type), ("argument", ctypes.c_int),
                ("n_calls", ctypes.c_int), ("name", ctypes.c_char * 16)]

entered, go = _thread.allocate_lock(), [_thread.allocate_lock() for _ in range(3)]
entered.acquire()
for lock in go:
    lock.acquire()
tids = []

def called_back(i):
    waiting(i)
    for _ in range(10 + i):
        step()

def waiting(i):
    tids.append(threading.get_native_id())
    entered.release()
    go[i].acquire()

def tick():
    pass

callback = callback_type(called_back)
threads = [Thread(0, callback, i, 1, b"c-thread-%d" % i) for i in range(3)]
for i, thread in enumerate(threads):
    assert without_gil.native_thread_start(ctypes.byref(thread)) == 0
    entered.acquire()
    tick()
    go[i].release()
    assert without_gil.native_thread_join(ctypes.byref(thread)) == 0
print(json.dumps(tids))
"""


class TestForkInC(harness.Case):
    def split(self, pids):
        """The parent's trace, and the children's, all whole."""
        traces = self.read()
        self.check()
        self.assert_nested(traces)
        for trace in traces:
            self.assertEqual(trace.n_lost, 0)
        parent, = [t for t in traces if t.pid not in pids]
        children = [t for t in traces if t.pid in pids]
        self.assertEqual({(t.ppid, t.parent_id) for t in children} - {(parent.pid, parent.file_id)}, set())
        return parent, children

    def verify_child(self, trace, raw, n_steps=(2, 2)):
        """One thread, which has the process's id, and nothing but what the child did."""
        thread, = trace.threads
        self.assertEqual((thread.tid, trace.origin), (trace.pid, 2))
        self.assertEqual(trace.fork_tick == 0, raw)
        self.assertEqual(thread.count("in_child"), 1)
        self.assertIn((thread.count("step"), thread.count("step", tracefile.PY_END)), [n_steps, (2, 3), (3, 3)])
        first = thread.records[0]
        self.assertEqual((first.kind, first.id >> 12, first.payload[0] & 0xffffffff),
                         (tracefile.EXT, tracefile.RESYNC, FORK))

    def verify_plain(self, raw):
        pids = json.loads(self.run_script(PLAIN, int(raw), name="plain.py").stdout)
        parent, children = self.split(pids)
        self.assertEqual(sorted(t.pid for t in children), sorted(pids))
        for trace in children:
            self.verify_child(trace, raw)
            calls = trace.thread().calls()
            reopened = [c.function.name for c in calls if c.reopened]
            self.assertEqual((reopened[0], reopened[-1]), ("<module>", "forking"))
        self.assertEqual((parent.count("forking"), parent.count("in_child"), parent.count("step")), (10, 0, 0))
        arrows = [(e["ph"], e["pid"]) for e in self.merge() if e["ph"] in "sf"]
        self.assertEqual(sorted(arrows), sorted([("s", parent.pid)] * 10 + [("f", pid) for pid in pids]))

    def test_fork(self):
        self.verify_plain(False)

    def test_raw_fork(self):
        self.verify_plain(True)

    def verify_while_threads_call(self, way, raw):
        pids, told = json.loads(self.run_script(WHILE, way, int(raw), name="while.py").stdout)
        parent, children = self.split(pids)
        self.assertEqual(sorted(t.pid for t in children), [] if way == "c without GIL" else sorted(pids))
        for trace in children:
            self.verify_child(trace, raw)
        self.assertEqual(parent.count("in_child"), 0)
        self.assertEqual(sum(n for _, n in told), 60 * 20 * 50)
        for kind in (tracefile.PY_BEGIN, tracefile.PY_END):
            self.assertEqual({t.tid: t.count("step", kind) for t in parent.threads if t.tid != parent.pid}, dict(told))
        self.assertEqual(parent.thread().count("step"), 0)

    def test_os_fork_while_threads_call(self):
        self.verify_while_threads_call("os", False)

    def test_fork_with_gil_while_threads_call(self):
        self.verify_while_threads_call("c with GIL", False)

    def test_raw_fork_with_gil_while_threads_call(self):
        self.verify_while_threads_call("c with GIL", True)

    def test_fork_without_gil_while_threads_call(self):
        self.verify_while_threads_call("c without GIL", False)

    def test_raw_fork_without_gil_while_threads_call(self):
        self.verify_while_threads_call("c without GIL", True)

    def verify_in_handler(self, raw):
        n_steps, pids = json.loads(self.run_script(HANDLER, int(raw), name="handler.py").stdout)
        parent, children = self.split(pids)
        self.assertEqual(sorted(t.pid for t in children), sorted(pids))
        for trace in children:
            self.verify_child(trace, raw)
        for kind in (tracefile.PY_BEGIN, tracefile.PY_END):
            self.assertEqual([parent.count(name, kind) for name in ("step", "leaf", "in_child")], [n_steps, n_steps, 0])

    def test_fork_in_a_signal_handler(self):
        self.verify_in_handler(False)

    def test_raw_fork_in_a_signal_handler(self):
        self.verify_in_handler(True)


class TestThreadsOfC(harness.Case):
    def test_from_the_next_event_of_a_followed_thread(self):
        tids = json.loads(self.run_script(THREADS).stdout)
        self.check()
        trace = self.read_one()
        self.assert_nested([trace])
        self.assertEqual(len(trace.threads), 4)
        for i, tid in enumerate(tids):
            thread = trace.thread(tid)
            self.assertEqual(thread.name, "c-thread-%d" % i)
            self.assertEqual([thread.count("step", kind) for kind in (tracefile.PY_BEGIN, tracefile.PY_END)], [10 + i] * 2)
            calls = thread.calls()
            reopened = [(c.function.name, c.outcome) for c in calls if c.reopened]
            if trace.engine == "monitoring":  # sees it from its first frame
                self.assertEqual(reopened, [])
                continue
            self.assertEqual(reopened, [("called_back", "return"), ("waiting", "return")])
            self.assertEqual(thread.records[0].payload[0] & 0xffffffff, LATE)


if __name__ == "__main__":
    harness.main()
