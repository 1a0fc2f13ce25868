"""Programs that forbid themselves, or have been forbidden, what the recorder needs: system calls, their
root directory, their user, the clock. See also test_setuid.py."""
import errno
import glob
import os
import shutil
import sys
import unittest

from tests.python import harness, hostile

NOBODY = 65534
ROOT = os.geteuid() == 0
SANDBOX = "sandbox = ctypes.CDLL(%r, use_errno=True)\n" % hostile.library("refuse")


class Seccomp(hostile.Case):
    def refuse(self, name, error, text="work(12000)"):
        """The calls `name` (refuse.c) fail with `error` from the middle of the program on."""
        return self.both(SANDBOX + "work(1000)\nassert sandbox.refuse(%r, %d) == 0, ctypes.get_errno()\n%s\n"
                         % (name.encode(), error, text))

    def test_refused(self):
        """A chunk cannot be had any more: each event is counted, with the errno."""
        for name, error, reason in (("open", errno.EPERM, hostile.DENIED), ("open", errno.ENOSYS, hostile.IO),
                                    ("open", errno.EMFILE, hostile.FILES), ("stat", errno.EPERM, hostile.DENIED),
                                    ("write", errno.EDQUOT, hostile.NO_SPACE),
                                    ("mmap", errno.ENOMEM, hostile.NO_MEMORY), ("mmap", errno.EPERM, hostile.DENIED)):
            with self.subTest(name=name, error=error):
                self.refuse(name, error, "work(9000); os._exit(0)")
                trace = self.trace()
                self.assert_lost(trace, reason, error)
                self.assertEqual(self.events([trace]) + trace.n_lost, 2 * 10002)
                os.unlink(trace.path)

    # What the recorder asks for and can do without.
    DISPENSABLE = ("madvise", "limits", "pending", "uname", "random", "getppid", "geteuid", "getpid", "gettid", "clock")

    def test_not_missed(self):
        """All of these at once, and blocking signals, and unmapping."""
        names = self.DISPENSABLE + ("futex", "mask")
        if sys.version_info < (3, 15):  # which says on standard error what it could not unmap, with the address
            names += ("munmap",)
        self.both(SANDBOX + "work(1000)\nfor name in %r: assert sandbox.refuse(name.encode(), 1) == 0\nwork(12000)\n"
                  % (names,))
        self.assert_nothing_lost(13000)

    def test_from_the_start(self):
        """The same for a program that is started so, and forks."""
        start = "import ctypes, os, sys\n" \
            "for name in %r: assert ctypes.CDLL(%r).refuse(name.encode(), 38) == 0\n" \
            "os.execv(sys.argv[1], sys.argv[1:])" % (self.DISPENSABLE[:6], hostile.library("refuse"))
        self.both("""
            work(1000)
            pid = os.fork()
            work(2000)
            if pid == 0: os._exit(0)
            print(os.waitpid(pid, 0)[1])
            """, before=[sys.executable, "-I", "-c", start])
        parent, child = self.read()
        self.check()
        self.assertEqual([(t.origin, t.count("f"), t.n_lost) for t in (parent, child)], [(1, 3000, 0), (2, 2000, 0)])

    def test_forked_child(self):
        """One that may not make a file of its own: its parent's says so."""
        self.refuse("open", errno.EPERM, """
pid = os.fork()
work(10)
if pid == 0: os._exit(0)
print(os.waitpid(pid, 0)[1])
""")
        trace = self.trace()
        self.assertIn("  untraced  1 forked process could make no file: %s\n" % hostile.DENIED.text, self.summary)
        self.assertIn("1 forked process could make no file", self.mtrace("info", trace.path).stdout)

    def test_killed(self):
        """What is known not to hold (docs/limits.md): a filter that kills for what the program does not do,
        but the recorder does. What was recorded before is there."""
        text = hostile.WORK + SANDBOX + "work(1000)\nassert sandbox.refuse_kill(b'write') == 0\nwork(12000)\n"
        script = self.write("script.py", text)
        self.assertEqual(self.untraced(sys.executable, script).returncode, 0)
        self.run_traced(sys.executable, script, options=["--no-c"], status=128 + 31)
        self.assertGreaterEqual(self.trace().count("f"), 1000)


class Clock(hostile.Case):
    def test_faked(self):
        """Libraries that change what the clocks say, and clocks that are set while a program runs."""
        for how in ("frozen", "set-back", "backwards"):
            with self.subTest(how):
                self.both("work(12000)", before=hostile.surrounded(how))
                self.assert_nothing_lost(12000)
                self.merge()
                os.unlink(self.trace().path)

    def test_time_namespace(self):
        """A child whose CLOCK_MONOTONIC is another one: its calls lie where they were, within its parent's."""
        self.both("""
            import subprocess
            def wait():
                subprocess.run(%r + [sys.executable, "-c", "def child(): pass\\nchild()"], check=True)
            wait()
            """ % [*hostile.namespace("-T"), "--fork", "--monotonic", "1000000", "--boottime", "1000000"])
        events = [e for e in self.merge() if e["ph"] == "B"]
        wait = [e["ts"] for e in events if e.get("name") == "wait"]
        child = [e["ts"] for e in events if e.get("name") == "child"]
        self.assertEqual((len(wait), len(child)), (1, 1))
        self.assertLess(wait[0], child[0])
        self.assertLess(child[0] - wait[0], 100e6)

    def test_counter_forbidden(self):
        """PR_SET_TSC before the start: whether CPython itself survives depends on what libc reads the time
        from; traced it is the same. (The recorder alone: tests/core/test_surroundings.c.)"""
        start = "import ctypes, os, sys\nctypes.CDLL(None).prctl(26, 2, 0, 0, 0)\nos.execv(sys.argv[1], sys.argv[1:])"
        script = self.write("script.py", "print(1)\n")
        command = [sys.executable, "-I", "-c", start, sys.executable, script]
        untraced = self.run_one(command)
        traced = self.run_one([harness.MTRACE, "run", "-d", self.traces, "--", *command])
        self.assertEqual(untraced, traced)


@unittest.skipUnless(ROOT, "only root can change its user or its root directory")
class Root(hostile.Case):
    def test_user_without_rights(self):
        """A directory of root's that was there: the new user cannot write."""
        os.mkdir(self.traces, 0o755)
        self.both("work(1000); os.setuid(%d); work(12000); os._exit(0)" % NOBODY)
        trace = self.trace()
        self.assert_lost(trace, hostile.DENIED, 13)
        self.assertEqual(self.events([trace]) + trace.n_lost, 2 * 13002)

    def test_child_without_rights(self):
        """Forked afterwards: there is no file for it, and its parent's says so."""
        os.mkdir(self.traces, 0o755)
        self.both("""
            work(10)
            os.setuid(%d)
            pid = os.fork()
            work(10000)
            if pid == 0: os._exit(5)
            print(os.waitpid(pid, 0)[1] >> 8)
            """ % NOBODY)
        self.assert_lost(self.trace(), hostile.DENIED, 13)
        self.assertIn("  untraced  1 forked process could make no file: %s\n" % hostile.DENIED.text, self.summary)

    def test_home_of_root(self):
        """What the new user starts finds no boot directory, and cannot say so: `mtrace run` does."""
        home = self.folder + "/home"
        shutil.copytree(harness.HOME + "/boot", home + "/boot", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(harness.HOME + "/mtrace", home + "/mtrace", ignore=shutil.ignore_patterns("__pycache__"))
        hidden = "  untraced  what user %d started anew: other users cannot read %s\n" % (NOBODY, os.path.realpath(home))
        for mode in (0o700, 0o755):
            os.chmod(home, mode)
            for path in glob.glob(home + "/boot") + glob.glob(home + "/boot/*"):
                os.chmod(path, 0o755)
            self.both("os.setuid(%d); work(13000)" % NOBODY, env=dict(os.environ, MTRACE_HOME=home))
            self.assertEqual(hidden in self.summary, mode == 0o700, self.summary)

    def test_there_and_back(self):
        """setresuid to somebody who cannot write, and back to root."""
        os.mkdir(self.traces, 0o755)
        self.both("""
            work(1000)
            os.setresuid(%d, %d, 0)
            work(12000)
            os.setresuid(0, 0, 0)
            until_recorded()
            work(777)
            """ % (NOBODY, NOBODY))
        trace = self.trace()
        self.assert_lost(trace, hostile.DENIED, 13)
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * (13777 + 3))
        self.assertEqual([c.outcome for c in trace.thread().calls() if c.function.name == "f"][-777:], ["return"] * 777)

    def test_chroot(self):
        """The path leads nowhere: nothing is made in the new root, and losses are counted; a child's, too."""
        jail = self.folder + "/jail"
        os.mkdir(jail)
        self.both("""
            work(1000)
            os.chroot(%r)
            os.chdir("/")
            work(12000)
            pid = os.fork()
            work(10)
            if pid == 0: os._exit(0)
            print(os.waitpid(pid, 0)[1], os.listdir("/"))
            os._exit(0)
            """ % jail)
        trace = self.trace()
        self.assert_lost(trace, hostile.GONE, 2)
        self.assertEqual(self.events([trace]) + trace.n_lost, 2 * (13010 + 3))
        self.assertIn("  untraced  1 forked process could make no file: %s\n" % hostile.GONE.text, self.summary)
        self.assertEqual(os.listdir(jail), [])

    def test_real_time(self):
        """SCHED_FIFO: nothing in the recorder spins while it waits."""
        self.both("""
            threads = [threading.Thread(target=work, args=(5000,)) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(os.sched_getscheduler(0))
            """, before=["chrt", "-f", "1"])
        self.assert_nothing_lost(20000)


class Stopped(hostile.Case):
    def test_stopped_and_continued(self):
        """SIGSTOP at any moment, here from a child, that waits until it is done."""
        self.both("""
            pid = os.fork()
            if pid == 0:
                parent = os.getppid()
                for _ in range(5):
                    os.kill(parent, signal.SIGSTOP)
                    while open("/proc/%d/stat" % parent).read().rpartition(")")[2].split()[0] != "T": pass
                    os.kill(parent, signal.SIGCONT)
                os._exit(0)
            n = 0
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                work(5)
                n += 5
                os.sched_yield()
            open(TRACES + "/n", "w").write(str(n)) if TRACES != "missing" else None
            """)
        with open(self.traces + "/n") as f:
            n = int(f.read())
        parent = [t for t in self.read() if t.origin == 1]
        self.assertEqual([(t.count("f"), t.n_lost) for t in parent], [(n, 0)])
        self.assert_nested()


if __name__ == "__main__":
    harness.main()
