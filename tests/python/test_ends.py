"""Children end in every way there is; each call that returned before is in their files, and those
that had not returned are open there, not guessed."""
import json
import os
import signal
import sys
import unittest

from tests.python import harness, tracefile

N_STEPS = 700

PROGRAM = """
import ctypes, json, multiprocessing, os, resource, signal, sys

def leaf():
    pass

def step():
    leaf()

def end_by__exit():
    os._exit(3)

def end_by_sys_exit():
    sys.exit(3)

def end_by_exception():
    raise ValueError("on purpose")

def end_by_exec_true():
    os.execv("/bin/true", ["true"])

def end_by_exec_python():
    os.execv(sys.argv[3], ["python", "-c", "def after(): pass" + "\\nfor i in range(5): after()"])

def end_by_segv():
    ctypes.string_at(0)

def end_by_abort():
    os.abort()

def end_by_self_kill():
    os.kill(os.getpid(), signal.SIGKILL)

def wait_for_end(pipe):
    while True:
        step()
        pipe.send_bytes(b".")

def child(how, pipe):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for _ in range(%d):
        step()
        pipe.send_bytes(b".")
    if how in ("kill", "terminate"):
        wait_for_end(pipe)
    globals()["end_by_" + how]()

class Forked:
    "What of multiprocessing.Process is needed here, by os.fork()."
    def __init__(self, target, args):
        self.target, self.args = target, args

    def start(self):
        self.pid = os.fork()
        if self.pid == 0:
            self.target(*self.args)
            sys.exit()

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def join(self):
        status = os.waitpid(self.pid, 0)[1]
        self.exitcode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

def received(pipe, enough):
    "How often the child told that a step was done; at most `enough` times."
    told = 0
    try:
        while told != enough:
            pipe.recv_bytes()
            told += 1
    except (EOFError, ConnectionResetError):
        pass
    return told

def main(starter, how):
    here, there = multiprocessing.Pipe(duplex=False)
    kind = Forked if starter == "os.fork" else multiprocessing.get_context(starter).Process
    process = kind(target=child, args=(how, there))
    process.start()
    there.close()
    told = 0
    if how in ("kill", "terminate"):
        told = received(here, 2 * %d)
        getattr(process, how)()
    told += received(here, None)
    process.join()
    print(json.dumps([os.getpid(), process.pid, process.exitcode, told]), flush=True)

if __name__ == "__main__":
    main(*sys.argv[1:3])
""" % (N_STEPS, N_STEPS)

# What the parent is told, and the outcome of the function that ends it.
ENDS = {
    "_exit": (3, "open"),
    "sys_exit": (3, "exception"),
    "exception": (1, "exception"),
    "exec_true": (0, "open"),
    "exec_python": (0, "open"),
    "segv": (-signal.SIGSEGV, "open"),
    "abort": (-signal.SIGABRT, "open"),
    "self_kill": (-signal.SIGKILL, "open"),
    "kill": (-signal.SIGKILL, None),
    "terminate": (-signal.SIGTERM, None),
}


class Case(harness.Case):
    def end(self, starter, how):
        """Runs it; returns the child's trace and how many steps it has told."""
        others = [p for p in harness.PYTHONS if os.path.realpath(p) != os.path.realpath(sys.executable)]
        done = self.run_script(PROGRAM, starter, how, (others or harness.PYTHONS)[0], name="ends.py")
        pid, child_pid, exitcode, told = json.loads(done.stdout)
        self.assertEqual(exitcode, ENDS[how][0], done.stderr)
        self.check()
        traces = self.read()
        self.assert_nested(traces)
        parent, = [t for t in traces if t.pid == pid]
        self.assertEqual(parent.count("step"), 0)
        trace, *later = [t for t in traces if t.pid == child_pid]
        self.assertEqual(trace.n_lost, 0)
        if starter == "forkserver":
            parent, = [t for t in traces if t.pid == trace.ppid]
        self.assertEqual((trace.ppid, trace.parent_id), (parent.pid, parent.file_id))
        self.verify_after(trace, later, how)
        return trace, told

    def verify_after(self, trace, later, how):
        """What an exec leads to is another image of the same process, and has a file of its own."""
        self.assertEqual(len(later), how == "exec_python")
        for image in later:
            self.assertEqual((image.ppid, image.start_time), (trace.ppid, trace.start_time))
            self.assertGreater(image.image, trace.image)
            self.assertEqual([image.count("after", kind) for kind in (tracefile.PY_BEGIN, tracefile.PY_END)], [5, 5])
            self.assertEqual(image.count("step"), 0)

    def verify_own_end(self, starter, how):
        trace, told = self.end(starter, how)
        self.assertEqual(told, N_STEPS)
        for name in ("step", "leaf"):
            self.assertEqual(trace.count(name, tracefile.PY_BEGIN), N_STEPS)
            self.assertEqual(trace.count(name, tracefile.PY_END), N_STEPS)
        calls = trace.thread().calls()
        child, = [c for c in calls if c.function.name == "child"]
        last, = [c for c in calls if c.function.name == "end_by_" + how]
        self.assertEqual((last.outcome, child.outcome), (ENDS[how][1],) * 2)
        self.assertEqual(last.depth, child.depth + 1)

    def verify_end_by_parent(self, starter, how):
        trace, told = self.end(starter, how)
        self.assertGreaterEqual(told, 2 * N_STEPS)
        ended, begun = trace.count("step", tracefile.PY_END), trace.count("step", tracefile.PY_BEGIN)
        # The child may have died after a step and before it could tell, or within one.
        self.assertIn(ended - told, (0, 1))
        self.assertIn(begun - ended, (0, 1))
        waiting, = [c for c in trace.thread().calls() if c.function.name == "wait_for_end"]
        self.assertEqual(waiting.outcome, "open")


def add_tests(name, starter):
    """A test for each end: TestFork.test_kill and so on."""
    def method(how):
        verify = Case.verify_own_end if ENDS[how][1] else Case.verify_end_by_parent
        return lambda self: verify(self, starter, how)
    globals()[name] = type(name, (Case,), {"test_" + how: method(how) for how in ENDS})


add_tests("TestOsFork", "os.fork")
add_tests("TestFork", "fork")
add_tests("TestSpawn", "spawn")
add_tests("TestForkserver", "forkserver")

if __name__ == "__main__":
    unittest.main()
