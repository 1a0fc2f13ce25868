"""SIGKILL at random moments of a program with threads, forks and started interpreters (killed.py), of single processes
and of all: every call that had returned is recorded, under its name, and at most one more of each thread.

KILLS in the environment says how many programs are killed with each engine."""
import ctypes
import mmap
import os
import random
import signal
import subprocess
import sys

from tests.python import harness, killed, tracefile

ROUNDS = int(os.environ.get("KILLS", "2"))
CALLS_MAX = 3000  # of all threads together, before the last kill
PR_SET_CHILD_SUBREAPER = 36


class Kills(harness.Case):
    @classmethod
    def setUpClass(cls):
        # Who outlives its parent becomes ours, so that we know when all are dead.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        cls.kills = cls.processes = cls.calls = 0

    @classmethod
    def tearDownClass(cls):
        if "KILLS" in os.environ:
            print("%d kills, %d processes with files, %d calls verified" % (cls.kills, cls.processes, cls.calls))

    def start(self, engine):
        """Starts the program; returns it and its slots."""
        path = os.path.join(self.folder, "slots")
        with open(path, "wb") as f:
            f.write(bytes(killed.BYTES))
        with open(path, "r+b") as f:
            view = memoryview(mmap.mmap(f.fileno(), killed.BYTES)).cast("Q")
        words = self.command(sys.executable, "-W", "ignore", os.path.abspath(killed.__file__), path,
                             options=("--engine", engine))
        return subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL), view

    def wait_for_calls(self, program, view, n):
        """Until so many have returned, of all threads together."""
        while sum(view[2::3]) < n:
            self.assertIsNone(program.poll(), "it has ended by itself")
            os.sched_yield()

    def wait_for_all(self, program, view):
        """Until every thread of every process has begun."""
        while not all(view[2::3]):
            self.assertIsNone(program.poll(), "it has ended by itself")
            os.sched_yield()

    def kill(self, program, view, seed):
        """Some single processes, at last all that are left; one time in four perhaps before all have begun."""
        choose = random.Random(seed)
        if choose.randrange(4):
            self.wait_for_all(program, view)
        n = sum(view[2::3])
        for _ in range(choose.randrange(3)):
            n += choose.randrange(CALLS_MAX // 3)
            self.wait_for_calls(program, view, n)
            # Not the first, of slots 0 and 1: `mtrace run` ends with it, and is asked whether it runs.
            pids = sorted({pid for pid in view[6::3] if pid})
            if pids:
                os.kill(choose.choice(pids), signal.SIGKILL)
        self.wait_for_calls(program, view, n + choose.randrange(CALLS_MAX))
        for _ in range(choose.randrange(20000)):
            pass
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        while True:
            try:
                os.waitpid(-program.pid, 0)
            except ChildProcessError:
                break
        with self.assertRaises(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)

    def check_thread(self, thread, slot, done):
        """Its calls of the slot's functions, one after the other, each with its end, but for the last."""
        prefix = "w%d_" % slot
        records = [r for r in thread.live() if r.function and r.function.name.startswith(prefix)]
        for n, r in enumerate(records):
            i = n // 2
            end = tracefile.PY_END_EXC if i % killed.RAISES == 0 else tracefile.PY_END
            self.assertEqual((r.function.name, r.kind),
                             (prefix + str(i // killed.FRESH), end if n % 2 else tracefile.PY_BEGIN))
        self.assertIn(len(records) // 2, (done, done + 1))
        type(self).calls += len(records) // 2

    def check_all(self, view):
        traces = {}
        for name in os.listdir(self.traces):
            self.assertRegex(name, r"^killed\.\d+\.trace$")
            path = os.path.join(self.traces, name)
            with open(path, "rb") as f:
                if not any(f.read(8)):
                    continue  # killed while it was being made
            trace = tracefile.read(path)
            self.assertEqual(name, "killed.%d.trace" % trace.pid)
            self.assertEqual((trace.n_lost, trace.part), (0, 0))
            traces[trace.pid] = trace
        for slot in range(killed.SLOTS):
            pid, tid, done = view[3 * slot:3 * slot + 3]
            if done:
                self.check_thread(traces[pid].thread(tid), slot, done)
        self.assert_nested(traces.values())
        type(self).processes += len(traces)
        type(self).kills += sum(1 for pid in set(view[0::3]) if pid)
        if traces:
            self.check()

    def test_every_engine(self):
        for engine in harness.ENGINES[True]:
            for n in range(ROUNDS):
                with self.subTest(engine=engine, n=n):
                    self.traces = os.path.join(self.folder, "%s-%d" % (engine, n))
                    program, view = self.start(engine)
                    self.kill(program, view, "%s %d" % (engine, n))
                    self.check_all(view)
                    subprocess.run(["rm", "-r", self.traces])


if __name__ == "__main__":
    harness.main()
