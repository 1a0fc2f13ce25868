"""When the tracer runs into a limit it gives up, says so in the trace, and the program goes on as if
nothing had happened: the same output and status as untraced. Disk full: test_disk_full.py."""
import glob
import os
import subprocess
import sys
import unittest

from tests.python import harness, tracefile

# Without C functions a loop over f() has exactly two events a round, so losses can be counted.
WORK = """
import os, resource, signal, sys, threading, time
def f(): pass
def work(n):
    for _ in range(n):
        f()
def g(): pass
def until_recorded():
    '''Waits for longer than the recorder waits before it tries again (50 ms).'''
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    g()
"""
NO_MEMORY, FILE_LIMIT, DENIED, GONE, FILES = 3, 2, 4, 5, 6


class Limits(harness.Case):
    def run_both(self, text, *before, status=0, **kwargs):
        """Runs WORK and `text` untraced and traced (without C functions), perhaps behind another
        command; compares what can be seen from outside."""
        path = os.path.join(self.folder, "script.py")
        with open(path, "w") as f:
            f.write(WORK + text)
        command = [*before, sys.executable, path]
        untraced = self.untraced(*command, **kwargs)
        traced = self.run_traced(*command, options=["--no-c"], status=status, **kwargs)
        end = untraced.returncode if untraced.returncode >= 0 else 128 - untraced.returncode
        self.assertEqual((end, untraced.stdout, untraced.stderr), (status, traced.stdout, traced.stderr))
        return traced.stdout

    def limited(self, text, ulimit, **kwargs):
        """The same under a limit that is set before the interpreter starts."""
        return self.run_both(text, "bash", "-c", "ulimit %s || exit 99; exec \"$@\"" % ulimit, "bash", **kwargs)

    def parts(self):
        """The files of the one process that was recorded, in order; each is whole."""
        traces = sorted(self.read(), key=lambda t: t.part)
        self.assertEqual(len({t.pid for t in traces}), 1)
        self.assertEqual([t.part for t in traces], list(range(len(traces))))
        self.assert_nested(traces)
        self.check()
        return traces

    def ends(self, traces, name):
        return sum(t.count(name) + t.count(name, tracefile.PY_END) for t in traces)

    def assert_lost(self, trace, reason):
        """A loss that is marked where it happened, and in the summary of `mtrace info`."""
        self.assertGreater(trace.n_lost, 0)
        self.assertEqual(trace.loss_reason, reason)
        self.assertEqual(trace.n_lost, sum(t.lost() for t in trace.threads))
        self.assertIn("{:,} events".format(trace.n_lost), self.mtrace("info", trace.path).stdout)


class FileSize(Limits):
    def test_goes_on_in_new_files(self):
        """ulimit -f: each file is filled up to the limit, and then there is another. Nothing is
        lost: it is a limit of each file only."""
        self.limited("work(50000)\n", "-f 100")
        traces = self.parts()
        self.assertEqual(sum(t.count("f") for t in traces), 50000)
        self.assertEqual(sum(t.n_lost for t in traces), 0)
        self.assertGreater(len(traces), 7)
        sizes = [os.path.getsize(t.path) for t in traces]
        self.assertLessEqual(max(sizes), 100 << 10)
        self.assertGreater(min(sizes[:-1]), 95 << 10)
        self.assertEqual([t.origin for t in traces], [1] + [4] * (len(traces) - 1))
        # The timeline has each call once, and again, marked as such, where it was open at a change.
        begins = [e["args"].get("open", False) for e in self.merge() if e["ph"] == "B" and e["name"] == "f"]
        self.assertEqual(begins.count(False), 50000)
        self.assertLess(begins.count(True), len(traces))

    def test_threads(self):
        """Several at once, each in the middle of its own chunk when the file changes."""
        self.limited("""
threads = [threading.Thread(target=work, args=(20000,)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
""", "-f 100")
        traces = self.parts()
        self.assertEqual(sum(t.count("f") for t in traces), 80000)
        self.assertEqual(sum(t.n_lost for t in traces), 0)

    def test_too_small_for_anything(self):
        """Not even a header: the program runs untraced, and there is no room for saying so."""
        for blocks in (0, 1, 3):
            with self.subTest(blocks):
                self.limited("work(1000); print('done')\n", "-f %d" % blocks)
                self.assertEqual([t.count("f") for t in self.read()], [])

    def test_the_programs_own_files(self):
        """It meets the limit itself: an error, or the signal if it wants that."""
        own = """
work(50000)
if len(sys.argv) > 1: signal.signal(signal.SIGXFSZ, %s)
try:
    with open("own", "wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
except OSError as error:
    print(error, os.path.getsize("own"))
"""
        self.assertIn("File too large", self.limited(own % "0", "-f 100"))
        handler = "lambda *args: print('signal')"
        self.limited("sys.argv.append('')" + own % handler, "-f 100")
        self.limited("sys.argv.append('')" + own % "signal.SIG_DFL", "-f 100", status=128 + 25)

    def test_the_signal_is_not_ours(self):
        """A program that dies of SIGXFSZ does not die of our file, whatever it has done with the
        signal: default, blocked, waited for, pending already."""
        self.limited("""
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
work(50000)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ])
work(50000)
print(signal.sigpending())
os.kill(os.getpid(), signal.SIGXFSZ)
work(50000)
print(signal.sigpending(), signal.sigwait([signal.SIGXFSZ]), signal.sigpending())
""", "-f 100")
        self.assertEqual(sum(t.count("f") for t in self.parts()), 150000)


class Memory(Limits):
    @staticmethod
    def full(text):
        """`text` while the address space cannot grow, not even by a page."""
        return """
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages << 12, resource.RLIM_INFINITY))
%s
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
""" % text

    def test_lost_and_found(self):
        """No room for a chunk for a while: the loss is counted to the event, and marked where it
        was; afterwards recording goes on with the open calls stated anew."""
        self.run_both("work(1000)\n" + self.full("work(60000)") + "until_recorded()\nwork(1000)\n")
        trace, = self.parts()
        self.assert_lost(trace, NO_MEMORY)
        records = trace.thread().records
        at = [i for i, r in enumerate(records) if r.kind == tracefile.EXT and r.id >> 12 == tracefile.LOST]
        self.assertEqual(len(at), 1)
        resync = [r for r in records[at[0]:] if r.kind == tracefile.EXT and r.id >> 12 == tracefile.RESYNC]
        self.assertEqual(resync[0].payload[0] & 0xFFFFFFFF, 3)  # MT_RESYNC_LOSS
        # Every event of f and g was written or counted; the end of until_recorded() was written.
        text = [r.function.name for r in records[at[0]:] if r.function]
        self.assertEqual(text.count("f"), 2000)
        self.assertGreater(text.count("g"), 0)
        self.assertGreaterEqual(self.ends([trace], "f") + trace.n_lost, 2 * 62000)
        # The timeline shows it.
        self.assertTrue([e for e in self.merge() if "lost" in json_text(e)])

    def test_until_the_end(self):
        self.run_both("work(1000)\n" + self.full("work(60000)\nsys.stdout.flush(); os._exit(0)"))
        trace, = self.parts()
        self.assert_lost(trace, NO_MEMORY)
        self.assertEqual(self.ends([trace], "f") + self.ends([trace], "work") + trace.n_lost, 2 * 61000 + 4)

    def test_new_threads(self):
        """Threads that are waiting when it happens, with no more than their first chunk."""
        self.run_both("""
start, done = threading.Event(), threading.Event()
def run():
    start.wait()
    work(10000)
threads = [threading.Thread(target=run) for _ in range(3)]
for t in threads: t.start()
""" + self.full("start.set()\nfor t in threads: t.join()") + "until_recorded()\nwork(10)\n")
        trace, = self.parts()
        self.assertEqual(trace.loss_reason, NO_MEMORY)
        self.assertGreater(trace.n_lost, 0)
        self.assertGreaterEqual(self.ends([trace], "f") + trace.n_lost, 2 * 30010)

    @unittest.skipIf(harness.SANITIZED, "a sanitizer does not start with so little address space")
    def test_from_the_start(self):
        """ulimit -v so tight that the interpreter just runs: it does so traced, or its own
        MemoryError looks the same."""
        self.limited("work(20000)\nprint('done')\n", "-v 200000")
        self.assertEqual(sum(t.count("f") for t in self.read()), 20000)

    def test_locked_memory(self):
        """mlockall(MCL_FUTURE) makes mappings fail, with another error, where the limit on locked
        memory is reached. (Not for root with all its capabilities: then nothing is lost.)"""
        output = self.run_both("""
import ctypes
resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 16, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]))
print(ctypes.CDLL(None).mlockall(2), flush=True)
work(60000)
os._exit(0)
""")
        self.assertEqual(output, "0\n")
        trace, = self.parts()
        self.assertEqual(self.ends([trace], "f") + self.ends([trace], "work") + trace.n_lost, 120002)
        self.assertIn(trace.loss_reason, (0, NO_MEMORY))


class Files(Limits):
    def test_too_many_open(self):
        """A program that uses up every descriptor has nothing left for ours, which is opened for a
        moment whenever the file grows."""
        self.run_both("""
work(1000)
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError as error:
    print(error, len(held))
work(100000)
for fd in held: os.close(fd)
until_recorded()
work(10)
""", stdin=subprocess.DEVNULL)
        trace, = self.parts()
        self.assert_lost(trace, FILES)
        self.assertGreaterEqual(self.ends([trace], "f") + trace.n_lost, 2 * 101010)

    def test_directory_removed(self):
        """With the file in it: nothing can be said any more, and the program does not notice."""
        self.run_both("""
import shutil
work(1000)
shutil.rmtree(os.environ.get("MTRACE_DIR", "missing"), ignore_errors=True)
work(60000)
pid = os.fork()
work(10000)
if pid == 0:
    os._exit(7)
print(os.waitpid(pid, 0)[1])
""")
        self.assertFalse(os.path.exists(self.traces))

    def test_file_removed(self):
        """Only the file: recording goes on in a new one."""
        self.run_both("""
import glob
work(1000)
for path in glob.glob(os.environ.get("MTRACE_DIR", "missing") + "/*"): os.unlink(path)
work(60000)
""")
        trace = self.read_one()
        self.assertEqual(trace.part, 1)
        self.assertGreater(trace.count("f"), 40000)
        self.check()

    def test_file_renamed(self):
        """The part that was taken away is whole, and so is the one that follows: no loss."""
        self.run_both("""
import glob
work(1000)
for path in glob.glob(os.environ.get("MTRACE_DIR", "missing") + "/*"): os.rename(path, "away.trace")
work(60000)
""")
        os.rename(self.folder + "/away.trace", self.traces + "/away.trace")
        traces = self.parts()
        self.assertEqual(len(traces), 2)
        self.assertEqual(sum(t.count("f") for t in traces), 61000)

    def test_directory_replaced(self):
        """Another directory takes its place at one stroke, with a file of the same name in it: that
        is not touched, and a third file begun."""
        self.run_both("""
import ctypes
work(1000)
place = os.environ.get("MTRACE_DIR")
if place:
    os.mkdir("away")
    with open(os.path.join("away", os.listdir(place)[0]), "w") as file: file.write("mine")
    exchange = 2
    assert ctypes.CDLL(None).renameat2(-100, b"away", -100, place.encode(), exchange) == 0
work(60000)
""")
        mine, = glob.glob(self.traces + "/*[0-9][0-9].trace")
        with open(mine) as f:
            self.assertEqual(f.read(), "mine")
        traces = [tracefile.read(p) for p in glob.glob(self.folder + "/away/*.trace") +
                  glob.glob(self.traces + "/*.2.trace")]
        self.assertEqual(sum(t.count("f") for t in traces), 61000)

    def test_link_in_the_way(self):
        """A link of the file's name, to a file of the user's: not followed."""
        target = self.write("target", "precious")
        self.run_both("""
work(1000)
place = os.environ.get("MTRACE_DIR")
if place:
    path = os.path.join(place, *os.listdir(place))
    os.rename(path, "away.trace")  # No Python function is called before the link is there.
    os.symlink(%r, path)
work(60000)
""" % target)
        with open(target) as f:
            self.assertEqual(f.read(), "precious")
        traces = [tracefile.read(p) for p in [self.folder + "/away.trace"] + glob.glob(self.traces + "/*.2.trace")]
        self.assertEqual(sum(t.count("f") for t in traces), 61000)


if os.geteuid() != 0:  # root writes everywhere: see test_disk_full.py, test_setuid.py
    class ReadOnly(Limits):
        def test_directory_read_only(self):
            """After the start: the file that is there goes on, children get none."""
            self.run_both("""
import subprocess
place = os.environ.get("MTRACE_DIR")
work(1000)
if place: os.chmod(place, 0o500)
work(60000)
print(subprocess.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE).stdout)
if place: os.chmod(place, 0o700)
""")
            trace, = self.parts()
            self.assertEqual(trace.count("f"), 61000)


def json_text(event):
    return str(event.get("name")) + str(event.get("args"))


if __name__ == "__main__":
    harness.main()
