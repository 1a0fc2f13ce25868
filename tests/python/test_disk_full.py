"""A full disk, and one that cannot be written to: small tmpfs in a mount namespace of the test's own,
so "no-sandbox". Needs root, or user namespaces; says so where it has neither."""
import os
import re
import subprocess
import sys

from tests.python import harness, tracefile

NO_SPACE = 1

# As in test_limits.py: without C functions a loop over f() has two events a round.
WORK = """
import os, sys, threading, time
place = os.environ.get("MTRACE_DIR", ".")
def f(): pass
def work(n):
    for _ in range(n):
        f()
def fill(leave=0):
    '''Uses up the disk but for so many bytes.'''
    with open(place + "/ballast", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(b"x" * size): pass
            except OSError:
                pass
        if leave:
            file.truncate(os.path.getsize(file.name) - leave)
def free(seconds=0.2):
    '''The recorder tries again after 50 ms; to make the file of a child, after a second.'''
    os.unlink(place + "/ballast")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
"""


def namespace():
    """The words before a command that give it mounts of its own; None if it cannot have them."""
    for words in (["unshare", "-m"], ["unshare", "-Urm"]):
        if subprocess.run(words + ["mount", "-t", "tmpfs", "none", "/mnt"], stderr=subprocess.DEVNULL).returncode == 0:
            return words
    return None


class DiskFull(harness.Case):
    def run_there(self, text, size="256k", options="rw", status=0):
        """Runs WORK and `text` traced into a small tmpfs; what was recorded ends up in self.traces,
        what `mtrace info` says of it is returned with what the program printed."""
        words = namespace()
        self.assertIsNotNone(words, "neither root nor user namespaces: a tmpfs cannot be mounted")
        self.write("script.py", WORK + text)
        os.makedirs(self.traces)
        os.makedirs(self.folder + "/small")
        done = self.untraced(*words, "bash", "-c", """
            mount -t tmpfs -o size=%s,%s none small || exit 98
            "$@"
            status=$?
            cp small/*.trace traces
            umount small
            exit $status
            """ % (size, options), "bash", harness.MTRACE, "run", "--no-c", "-d", "small", "--",
            sys.executable, "script.py")
        self.assertEqual(done.returncode, status, done.stderr)
        if self.read():
            self.check()
            self.assert_nested()
        return done

    def ends(self, traces):
        return sum(t.count(name, kind) for t in traces for name in ("f", "work")
                   for kind in (tracefile.PY_BEGIN, tracefile.PY_END))

    def test_until_the_end(self):
        """Every event is in the file or counted, and where the loss began is marked."""
        done = self.run_there("work(1000)\nfill()\nwork(50000)\nprint('done')\nsys.stdout.flush()\nos._exit(3)\n",
                              status=3)
        self.assertEqual(done.stdout, "done\n")
        trace = self.read_one()
        self.assertEqual((trace.loss_reason, trace.loss_error), (NO_SPACE, 28))
        # Not f or work: fill() may have ended after the loss began.
        self.assertIn(self.ends([trace]) + trace.n_lost - 2 * 51002, (0, 1))
        self.assertEqual(trace.n_lost, trace.thread().lost())
        self.assertRegex(done.stderr, r"lost +{:,} events in 1 process: no space left".format(trace.n_lost))
        self.assertIn("no space left", self.mtrace("info", self.traces).stdout)

    def test_grows_until_full(self):
        """Nobody else fills it: the trace does. It takes all there is, to the last page."""
        self.run_there("work(50000)\n")
        trace = self.read_one()
        size = os.path.getsize(trace.path)
        self.assertGreater(size, 250 << 10)
        self.assertGreaterEqual(self.ends([trace]) + trace.n_lost, 2 * 50001)
        self.assertGreater(self.ends([trace]), 20000)

    def test_room_again(self):
        """Twice. Each time recording goes on with the open calls stated anew."""
        self.run_there("""
for _ in range(2):
    work(1000)
    fill()
    work(50000)
    free()
work(1000)
""", size="1m")
        trace = self.read_one()
        self.assertEqual(trace.n_lost, trace.thread().lost())
        lost = [r for r in trace.thread().records if r.kind == tracefile.EXT]
        self.assertEqual([r.id >> 12 for r in lost], [tracefile.LOST, tracefile.RESYNC] * 2)
        self.assertEqual([r.payload[0] & 0xFFFFFFFF for r in lost[1::2]], [3, 3])  # MT_RESYNC_LOSS
        # The last thousand is there, whole.
        after = trace.thread().records[trace.thread().records.index(lost[-1]):]
        self.assertEqual(sum(1 for r in after if r.function and r.function.name == "f" and r.kind == 1), 1000)
        marks = [e for e in self.merge() if re.search("lost", str(e.get("name")) + str(e.get("cat")))]
        self.assertEqual(len(marks), 2)

    def test_names_do_not_fit(self):
        """Full before functions are met: their events are written as of unknown functions, or lost;
        afterwards they have their names."""
        self.run_there("""
fill(4096)
for i in range(3000):
    exec("def new_%d(): pass\\nnew_%d()" % (i, i))
free()
exec("def last(): pass\\nlast()")
work(10)
""", size="1m")
        trace = self.read_one()
        self.assertEqual((trace.count("last"), trace.count("f")), (1, 10))
        self.assertGreater(trace.n_lost, 0)

    def test_threads(self):
        self.run_there("""
work(10)
fill()
threads = [threading.Thread(target=work, args=(20000,)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
""")
        trace = self.read_one()
        self.assertEqual(trace.loss_reason, NO_SPACE)
        self.assertGreaterEqual(self.ends([trace]) + trace.n_lost, 2 * (80010 + 5))

    def test_forks(self):
        """A child has no room for a file: it runs, unrecorded, and tries again later."""
        done = self.run_there("""
work(10)
fill()
pid = os.fork()
work(5000)
if pid == 0:
    free(1.2)
    work(5000)
    os._exit(4)
print(os.waitpid(pid, 0)[1] >> 8)
""", size="1m")
        self.assertEqual(done.stdout, "4\n")
        child, = [t for t in self.read() if t.origin == 2]
        self.assertEqual(child.count("f"), 5000)

    def test_full_from_the_start(self):
        """Not even room for the header: untraced, and `mtrace run` says what it knows."""
        for size in ("4k", "8k"):
            with self.subTest(size):
                done = self.run_there("work(1000)\nprint('done')\n", size=size)
                self.assertEqual(done.stdout, "done\n")
                os.rmdir(self.folder + "/small")
                for trace in self.read():
                    os.unlink(trace.path)
                os.rmdir(self.traces)

    def test_read_only(self):
        """`mtrace run` refuses to begin: nothing could be recorded."""
        done = self.run_there("print('done')\n", options="ro", status=1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, "small: no trace files can be made here: Read-only file system")

    def test_becomes_read_only_for_children(self):
        """Another mount hides the directory: the program and its children go on; its own losses are
        counted in the header, which is still mapped."""
        done = self.run_there("""
import subprocess
work(1000)
subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "none", place], check=True)
work(50000)
print(subprocess.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout)
subprocess.run(["umount", place], check=True)
""", size="1m")
        self.assertEqual(done.stdout, "b'1\\n'\n")
        trace = self.read_one()
        self.assertGreaterEqual(self.ends([trace]) + trace.n_lost, 2 * 51002)
        self.assertGreater(trace.n_lost, 10000)


if __name__ == "__main__":
    harness.main()
