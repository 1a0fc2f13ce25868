"""Programs that give up root, or their root directory, while they are recorded. Only root can do so:
run by another user these tests are skipped, with that reason."""
import os
import sys
import unittest

from tests.python import harness, tracefile

NOBODY = 65534
DENIED, GONE = 4, 5

# As in test_limits.py: without C functions a loop over f() has two events a round.
WORK = """
import os, sys, threading
def f(): pass
def work(n):
    for _ in range(n):
        f()
"""


@unittest.skipUnless(os.geteuid() == 0, "only root can change its uid")
class Setuid(harness.Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o711)  # so that others reach what is in it

    def run_text(self, text, **kwargs):
        path = os.path.join(self.folder, "script.py")
        with open(path, "w") as f:
            f.write(WORK + text)
        done = self.run_traced(sys.executable, path, options=["--no-c"], **kwargs)
        self.assertEqual(done.stderr, "")
        self.check()
        self.assert_nested()
        return done.stdout

    def events(self, traces):
        return sum(t.count(name, kind) for t in traces for name in ("f", "work")
                   for kind in (tracefile.PY_BEGIN, tracefile.PY_END))

    def test_for_good(self):
        """`mtrace run` as root makes a directory in which others may create files: the program goes
        on in one of its new self, and nothing is lost."""
        self.run_text("work(1000)\nos.setgid(%d)\nos.setuid(%d)\nwork(50000)\n" % (NOBODY, NOBODY))
        self.assertEqual(os.stat(self.traces).st_mode & 0o7777, 0o1733)
        first, second = sorted(self.read(), key=lambda t: t.part)
        self.assertEqual([t.uid for t in (first, second)], [0, NOBODY])
        self.assertEqual([os.stat(t.path).st_uid for t in (first, second)], [0, NOBODY])
        self.assertEqual([os.stat(t.path).st_mode & 0o777 for t in (first, second)], [0o600] * 2)
        self.assertEqual((first.pid, first.run_id), (second.pid, second.run_id))
        self.assertEqual(self.events((first, second)), 2 * 51002)
        self.assertEqual((first.n_lost, second.n_lost), (0, 0))
        begins = [e for e in self.merge() if e["ph"] == "B" and e["name"] == "f" and not e["args"].get("open")]
        self.assertEqual(len(begins), 51000)

    def test_there_and_back(self):
        """seteuid for a while: whichever file can be opened is used."""
        self.run_text("""
for _ in range(3):
    work(10000)
    os.seteuid(%d)
    work(10000)
    os.seteuid(0)
work(10000)
""" % NOBODY)
        traces = self.read()
        self.assertEqual(self.events(traces), 2 * (70000 + 7))
        self.assertEqual(sum(t.n_lost for t in traces), 0)

    def test_threads(self):
        """All threads of a process change at once; each moves over in the middle of its chunk."""
        self.run_text("""
barrier = threading.Barrier(5)
def run():
    barrier.wait()
    work(20000)
threads = [threading.Thread(target=run) for _ in range(4)]
for t in threads: t.start()
barrier.wait()
os.setuid(%d)
for t in threads: t.join()
""" % NOBODY)
        traces = self.read()
        self.assertEqual(self.events(traces), 2 * 80004)
        self.assertEqual(sum(t.n_lost for t in traces), 0)

    def test_children_afterwards(self):
        """Forked by the changed program: files of their own, of the new user."""
        output = self.run_text("""
work(10)
os.setuid(%d)
pid = os.fork()
work(10000)
if pid == 0:
    os._exit(5)
print(os.waitpid(pid, 0)[1] >> 8)
""" % NOBODY)
        self.assertEqual(output, "5\n")
        traces = self.read()
        child = [t for t in traces if t.origin == 2]
        self.assertEqual([(t.uid, t.count("f")) for t in child], [(NOBODY, 10000)])
        self.assertEqual(self.events([t for t in traces if t.pid != child[0].pid]), 2 * 10012)

    def test_directory_of_the_user(self):
        """One that was there before is left as it is, and so may be closed to the new user: the loss
        is counted to the event, in the header that is still mapped."""
        os.mkdir(self.traces, 0o755)
        self.run_text("work(1000)\nos.setuid(%d)\nwork(50000)\nprint('done')\n" % NOBODY)
        self.assertEqual(os.stat(self.traces).st_mode & 0o7777, 0o755)
        trace = self.read_one()
        self.assertEqual((trace.loss_reason, trace.loss_error), (DENIED, 13))
        self.assertGreater(trace.n_lost, 10000)
        self.assertEqual(trace.n_lost, sum(t.lost() for t in trace.threads))
        # What else is lost: functions that run at the end of the interpreter.
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * 51002)
        self.assertIn("{:,} events".format(trace.n_lost), self.mtrace("info", self.traces).stdout)

    def test_chroot(self):
        """The path leads nowhere, or elsewhere: nothing is made there, and the loss is counted."""
        jail = self.folder + "/jail"
        os.makedirs(jail)
        self.run_text("work(1000)\nos.chroot(%r)\nos.chdir('/')\nwork(50000)\nos._exit(0)\n" % jail)
        trace = self.read_one()
        self.assertEqual(trace.loss_reason, GONE)
        # After the chroot only f, work, and what os.chdir's path may call: nothing in Python.
        self.assertEqual(self.events([trace]) + trace.n_lost, 2 * 51002)
        self.assertEqual(os.listdir(jail), [])

    def test_umask(self):
        """A file has mode 0600 whatever the program's umask takes: else it could not be opened a
        second time, but by root."""
        self.run_text("""
os.setuid(%d)
pid = os.fork()
if pid == 0:
    os.umask(0o777)
    if os.fork() == 0:
        work(50000)
        os._exit(0)
    os.wait()
    os._exit(0)
os.waitpid(pid, 0)
""" % NOBODY)
        child, = [t for t in self.read() if t.count("f")]
        self.assertEqual((child.count("f"), child.n_lost), (50000, 0))
        self.assertEqual(os.stat(child.path).st_mode & 0o7777, 0o600)


if __name__ == "__main__":
    harness.main()
