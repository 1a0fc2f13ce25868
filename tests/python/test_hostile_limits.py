"""Limits of the process, small stacks, and descriptors that come and go: the program sees what it would
see untraced, and what is lost is counted. See also test_limits.py."""
import os
import subprocess
import sys

from tests.python import harness, hostile

# A limit of 100 KiB for files: how the program itself meets it.
OWN_FILE = """
work(22000)
%s
try:
    with open("own", "wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
except OSError as error:
    print(error, os.path.getsize("own"))
"""


class FileSize(hostile.Case):
    def test_goes_on(self):
        """Ignored, as CPython has it; with a handler; with the default action, which ends the program."""
        for how, status in (("", 0), ("signal.signal(signal.SIGXFSZ, lambda *_: print('signal'))", 0),
                            ("signal.signal(signal.SIGXFSZ, signal.SIG_DFL)", 128 + 25)):
            with self.subTest(how):
                self.both(OWN_FILE % how, around=hostile.shell("ulimit -f 100"), status=status)
                traces = self.parts()
                self.assertGreater(len(traces), 3)
                self.assertEqual(sum(t.count("f") for t in traces), 22000)
                self.assertEqual(sum(t.n_lost for t in traces), 0)
                self.assertNotIn("lost", self.summary)
                for trace in traces:
                    os.unlink(trace.path)

    def test_nothing_may_be_written(self):
        """Neither a trace nor the reason why there is none."""
        self.both("work(1000); print('done')", around=hostile.shell("ulimit -f 0"))
        self.assert_untraced("  untraced  script.", ": no space for a trace file, nor for the reason\n")

    def test_the_note_raises_no_signal(self):
        """Also where SIGXFSZ is not ignored, as in an interpreter that is embedded: a .pth, which runs
        before mtrace's boot code, sees to that."""
        self.untraced(sys.executable, "-m", "venv", "--without-pip", "--symlinks", "venv")
        packages = [p for p, _, _ in os.walk(self.folder + "/venv/lib") if p.endswith("site-packages")]
        for place in packages:
            with open(place + "/first.pth", "w") as f:
                f.write("import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n")
        self.write("show.py", "import signal; print(signal.getsignal(signal.SIGXFSZ) == signal.SIG_DFL, signal.sigpending(), "
                              "signal.pthread_sigmask(signal.SIG_BLOCK, []))")
        command = [*hostile.shell("ulimit -f 0"), self.folder + "/venv/bin/python", self.folder + "/show.py"]
        untraced = self.run_one(command)
        traced = self.run_one([harness.MTRACE, "run", "-d", self.traces, "--", *command])
        self.assertEqual(untraced, traced)
        self.assertEqual(untraced.status, 0)
        self.assertIn(b"True", untraced.output)
        self.assert_untraced(": no space for a trace file, nor for the reason\n")


class Memory(hostile.Case):
    def test_address_space(self):
        """Full for a while: lost, counted, and then it goes on."""
        self.both("""
            work(1000)
            pages = int(open("/proc/self/statm").read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages << 12, resource.RLIM_INFINITY))
            work(13000)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            until_recorded()
            work(777)
            """)
        trace = self.trace()
        self.assert_lost(trace, hostile.NO_MEMORY, 12)
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * (14777 + 3))
        self.assertEqual([c.outcome for c in trace.thread().calls() if c.function.name == "f"][-777:], ["return"] * 777)

    def test_address_space_from_the_start(self):
        for kib in (100000, 400000):
            with self.subTest(kib):
                self.both("work(9000)", around=hostile.shell("ulimit -v %d" % kib))
                self.assert_nothing_lost(9000)
                os.unlink(self.trace().path)

    def test_locked_memory(self):
        """mlockall with hardly any memory that may be locked: chunks become small, and with one page they
        cannot be had. Root of a user namespace has no right to lock more."""
        words = ["unshare", "-Ur"]
        probe = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL)
        self.assertEqual(probe.returncode, 0, "no user namespaces")
        for limit in (1 << 16, 4096):
            with self.subTest(limit):
                output = self.both("""
                    work(1000)
                    resource.setrlimit(resource.RLIMIT_MEMLOCK, (%d, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]))
                    libc = ctypes.CDLL(None, use_errno=True)
                    print(libc.mlockall(1 | 2), ctypes.get_errno(), libc.mlockall(2), flush=True)
                    work(13000)
                    os._exit(0)
                    """ % limit, around=words)
                self.assertEqual(output, "-1 12 0\n")
                trace = self.trace()
                self.assertEqual(self.events([trace]) + trace.n_lost, 2 * 14002)
                if limit == 4096 or trace.n_lost:
                    self.assert_lost(trace, hostile.NO_MEMORY, 11)
                os.unlink(trace.path)

    def test_all_memory_locked(self):
        """mlockall(MCL_CURRENT | MCL_FUTURE) where it is allowed."""
        self.both("""
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.getrlimit(resource.RLIMIT_MEMLOCK)[1],) * 2)
            ctypes.CDLL(None).mlockall(1 | 2)
            work(13000)
            """)
        trace = self.trace()
        self.assertEqual(self.events([trace]) + trace.n_lost >= 2 * 13001, True)
        self.assertIn(trace.loss_reason, (0, hostile.NO_MEMORY.number))


class Stack(hostile.Case):
    def test_small_main_stack(self):
        """With every kind of slow path on it: new chunks, new functions, a fork."""
        self.both("""
            for i in range(300): exec("def new_%d(): pass\\nnew_%d()" % (i, i))
            work(12000)
            pid = os.fork()
            work(1000)
            if pid == 0: os._exit(0)
            print(os.waitpid(pid, 0)[1])
            """, around=hostile.shell("ulimit -s 256"))
        self.assertEqual(sorted((t.count("f"), t.n_lost) for t in self.read()), [(1000, 0), (13000, 0)])
        self.check()

    def test_small_threads(self):
        """The smallest that threading makes, 32 KiB where it can. New chunks, new files, new functions, losses, a fork."""
        self.both("""
            def run():
                for i in range(50): exec("def new_%d(): pass" % i)
                work(6000)
                resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
                work(20000)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
                work(1000)
                pid = os.fork()
                work(1000)
                if pid == 0: os._exit(0)
                print(os.waitpid(pid, 0)[1])
            import warnings
            warnings.simplefilter("ignore")  # of a fork while there are threads: it has the pid
            threading.stack_size(SMALLEST)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            """.replace("SMALLEST", str(1 << 15 if (3, 11) <= sys.version_info < (3, 14) else 1 << 16)))
        self.check()
        self.assert_nested()
        child, = [t for t in self.read() if t.origin == 2]
        self.assertEqual((child.count("f"), child.n_lost), (1000, 0))
        self.assertRegex(self.summary, "lost .* in 1 process: " + hostile.FILE_LIMIT.text)


class Descriptors(hostile.Case):
    def test_none_left(self):
        self.both("""
            work(1000)
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            held = []
            try:
                while True: held.append(os.dup(0))
            except OSError as error:
                print(error, held)
            work(13000)
            for fd in held: os.close(fd)
            until_recorded()
            work(777)
            """)
        trace = self.trace()
        self.assert_lost(trace, hostile.FILES, 24)
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * (14777 + 3))

    def test_closed_and_used_again(self):
        """Every number is closed, and taken, again and again: what the program writes is its own, and no
        number is ever ours."""
        self.both("""
            for round in range(5):
                work(1000)
                os.closerange(3, 256)
                fds = [os.open("own%d" % i, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600) for i in range(10)]
                work(1000)
                for fd in fds: os.write(fd, b"%d" % fd)
                for fd in range(20, 40): os.dup2(fds[0], fd)
                work(1000)
                print(fds, sorted(map(int, os.listdir("/proc/self/fd"))))
            """)
        self.assert_nothing_lost(15000)

    def test_closed_while_threads_record(self):
        """The same while other threads take chunks. In between one of their numbers may be in use."""
        self.both("""
            sys.setswitchinterval(1e-4)
            def run():
                for _ in range(30): work(100)
            threads = [threading.Thread(target=run) for _ in range(3)]
            for t in threads: t.start()
            while any(t.is_alive() for t in threads):
                os.close(os.dup2(0, 77))
            for t in threads: t.join()
            print(sorted(map(int, os.listdir("/proc/self/fd"))))
            """)
        self.check()
        self.assert_nested()
        self.assertNotIn("lost", self.summary)

    def test_taken_over(self):
        """C code in another thread closes the number that the recorder has just opened, and opens a file of
        the program's under it: that is not written to, nor closed."""
        self.both("""
            with open("own", "wb") as own: own.write(b"x" * (1 << 20))
            work(13000)
            """, before=hostile.surrounded("taken-over"))
        self.assert_nothing_lost(13000)

    def test_standard_streams(self):
        """Each closed, and all: for mtrace and the program, and by the program itself."""
        report = """
            work(1000)
            %s
            work(13000)
            fd = os.open("own", os.O_CREAT | os.O_RDWR, 0o600)
            os.write(fd, repr([fd, sorted(os.listdir("/proc/self/fd")), str(sys.stdin), str(sys.stderr)]).encode())
            """
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                self.both(report % "", around=hostile.shell("exec " + closed))
                self.assertEqual([(t.count("f"), t.n_lost) for t in self.read()], [(14000, 0)])
                os.unlink(self.trace().path)
        for numbers in ((0,), (1,), (2,), (0, 1, 2)):
            with self.subTest(numbers):
                self.both(report % "\n            ".join("os.close(%d)" % n for n in numbers) + "os._exit(0)\n")
                self.assertEqual([(t.count("f"), t.n_lost) for t in self.read()], [(14000, 0)])
                os.unlink(self.trace().path)


if __name__ == "__main__":
    harness.main()
