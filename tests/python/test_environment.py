"""The program is not changed: what it can see of its process is the same traced and untraced."""
import os
import shutil
import subprocess
import sys

from tests.python import harness

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py")


class Same(harness.Case):
    def compare(self, *command, **kwargs):
        """Standard output and error, and status, of a command untraced and traced."""
        untraced = self.untraced(*command, **kwargs)
        traced = self.run_traced(*command, status=untraced.returncode, **kwargs)
        self.assertEqual(untraced.stdout.splitlines(), traced.stdout.splitlines())
        self.assertEqual(untraced.stderr, traced.stderr)
        self.assertEqual(untraced.returncode, 0, untraced.stderr)
        return untraced.stdout

    def test_plain(self):
        """probe.py says what is compared. One known difference is left out of it:
        threading._profile_hook, by which the threads that the program starts get ours."""
        output = self.compare(sys.executable, PROBE, "a", "-b")
        self.assertIn("\nsignals {", output)
        self.assertEqual(self.read_one().program, "probe")

    def test_options(self):
        for options in (["-O"], ["-B", "-u"], ["-s"], ["-W", "error"], ["-X", "dev"], ["-X", "utf8", "-q"]):
            with self.subTest(options):
                self.compare(sys.executable, *options, PROBE)

    def test_as_a_module(self):
        """-m: runpy is on the stack, and sys.argv[0] is '-m' while site runs."""
        shutil.copy(PROBE, self.folder + "/probed.py")
        self.compare(sys.executable, "-m", "probed", "a", "-b")
        self.assertEqual(self.read_one().program, "probed")

    def test_as_text(self):
        """-c, and a program on standard input."""
        with open(PROBE) as f:
            text = f.read()
        self.compare(sys.executable, "-c", text, "a")
        self.compare(sys.executable, "-", "a", input=text)
        self.compare(sys.executable, input=text)
        self.assertEqual([t.program for t in self.read()], ["python"] * 3)

    def test_inherited_state(self):
        """What the program had before: masks, ignored signals, descriptors. It is traced before,
        too: two images of one process, two files."""
        script = self.write("inherit.py", """
            import os, signal, sys
            os.umask(0o027)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN])
            os.dup2(0, 77)
            os.execv(sys.executable, [sys.executable, %r])
            """ % PROBE)
        self.compare(sys.executable, script, stdin=subprocess.DEVNULL)
        self.assertEqual([t.program for t in self.read()], ["inherit", "probe"])

    def test_closed_streams(self):
        """The numbers 0, 1 and 2 are free: nothing of ours may take one and stay there."""
        program = self.write("program.py", """
            import os, sys
            f = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o600)
            seen = [f, os.listdir("/proc/self/fd"), str(sys.stdin), str(sys.stdout), str(sys.stderr)]
            os.write(f, repr(seen).encode())
            """)
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                seen = []
                for run in (self.untraced, self.run_traced):
                    run("sh", "-c", 'exec "$@" %s' % closed, "sh", sys.executable, program, "seen")
                    with open(os.path.join(self.folder, "seen")) as f:
                        seen.append(f.read())
                    os.unlink(f.name)
                self.assertEqual(*seen)
                self.assertTrue(seen[0])
        self.assertEqual(len(self.read()), 4)

    def test_output_that_cannot_be_written(self):
        """/dev/full: the same message and status."""
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-c", "print('x')"]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
            traced = subprocess.run(self.command(*command), stdout=full, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (traced.returncode, traced.stderr))
        self.assertNotEqual(done.returncode, 0)

    def test_python_path(self):
        """The user's PYTHONPATH goes on to work, in the program and in what it starts."""
        os.mkdir(self.folder + "/sub")
        self.write("sub/mine.py", "print('mine')\n")
        script = self.write("script.py", """
            import os, subprocess, sys, mine
            print(sys.path)
            print(subprocess.run([sys.executable, "-c", "import sys, mine; print(sys.path)"],
                                 stdout=subprocess.PIPE).stdout)
            """)
        for value in (self.folder + "/sub", "sub", "/missing:sub/", ":sub:"):
            with self.subTest(value):
                output = self.compare(sys.executable, script, env=dict(os.environ, PYTHONPATH=value))
                self.assertEqual(output.count("mine\\n"), 1)  # the child's, as bytes
                self.assertTrue(output.startswith("mine\n"))

    def test_cleared_environment(self):
        """What a program starts without our variables is not recorded, and works."""
        script = self.write("script.py", """
            import os, subprocess, sys
            show = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
            print(subprocess.run(show, env={}, stdout=subprocess.PIPE).stdout)
            os.environ.clear()
            print(subprocess.run(show, stdout=subprocess.PIPE).stdout)
            """)
        self.compare(sys.executable, script)
        self.read_one()

    def test_forked_child(self):
        """A child sees what it would see: run by fork, without exec."""
        script = self.write("script.py", """
            import os, runpy, sys
            pid = os.fork()
            if pid == 0:
                runpy.run_path(%r, run_name="__main__")
                sys.stdout.flush()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            """ % PROBE)
        self.compare(sys.executable, script)
        self.assertEqual(len(self.read()), 2)


if __name__ == "__main__":
    harness.main()
