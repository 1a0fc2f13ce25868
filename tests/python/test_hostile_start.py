"""Where mtrace itself finds less than it needs: descriptors, /proc, room in the environment, a home, a
place for the files. Either the program runs as ever and mtrace says what is missing, or `mtrace run`
says why it does not begin."""
import glob
import os
import shutil
import sys

from tests.python import harness, hostile


class Start(hostile.Case):
    def test_few_descriptors(self):
        """Enough for the interpreter, not for mtrace: it becomes the program, which is recorded."""
        for n in (8, 12, 16):
            with self.subTest(n):
                self.both("work(1000); print(sorted(os.listdir('/proc/self/fd')))",
                          around=hostile.shell("ulimit -n %d" % n))
                self.assertEqual(self.summary, "mtrace: cannot stay with the program: Too many open files; there "
                                               "will be no summary\n")
                self.assertEqual(self.trace().count("f"), 1000)
                os.unlink(self.trace().path)

    def test_few_descriptors_and_a_timeline(self):
        """With -o: where the files are is said, since there will be no timeline."""
        done = self.untraced("bash", "-c", "ulimit -n 12; exec \"$@\"", "bash", harness.MTRACE, "run", "-o", "all.json",
                             "--", sys.executable, "-c", "print(1)", env=dict(os.environ, TMPDIR=self.folder))
        self.assertEqual((done.returncode, done.stdout), (0, "1\n"))
        self.assertRegex(done.stderr, "^mtrace: cannot stay with the program: Too many open files; there will be no "
                                      "summary, and the trace files are kept in " + self.folder + "/mtrace-......\n$")

    def test_ignored_signals_without_descriptors(self):
        """What mtrace ignores for itself is not passed on."""
        self.both("print([line for line in open('/proc/self/status') if line[:6] in ('SigBlk', 'SigIgn', 'SigCgt')])",
                  around=hostile.shell("ulimit -n 12; trap '' USR1"))

    def test_environment_too_large(self):
        """One variable takes all that a variable may: there is no place for the boot directory."""
        grow = "import os, sys\n" \
            "os.environ['PYTHONPATH'] = 'x' * (131072 - len('PYTHONPATH=') - 1)\n" \
            "os.execvp(sys.argv[1], sys.argv[1:])"
        output = self.both("work(10); print(len(os.environ['PYTHONPATH']), 'MTRACE_DIR' in os.environ)",
                           around=[sys.executable, "-I", "-c", grow])
        self.assertEqual(output, "131060 False\n")
        self.assertEqual(self.summary, "mtrace: the environment is too large with mtrace's variables: %s runs "
                                       "unrecorded\n" % sys.executable)
        self.assertFalse(os.path.exists(self.traces))

    def test_python_path_huge(self):
        """As long as it goes."""
        value = ":".join("/missing/%d" % i for i in range(800))
        self.both("print(len(sys.path)); work(1000)", env=dict(os.environ, PYTHONPATH=value))
        self.assert_nothing_lost(1000)

    def test_no_proc(self):
        """Nothing of /proc, neither for mtrace nor for the interpreter."""
        words = [*hostile.namespace("-m"), *hostile.shell("mount -t tmpfs none /proc || exit 98")]
        self.both("work(1000); print(os.listdir('/proc'))", around=words)
        self.assert_nothing_lost(1000)
        self.assertEqual(self.trace().start_time, 0)
        self.assertEqual(self.trace().program, "script" if sys.version_info >= (3, 10) else "python")

    def test_no_proc_for_the_program(self):
        """In a container or a chroot that has none."""
        words = [*hostile.namespace("-m"), *hostile.shell("mount -t tmpfs none /proc || exit 98")]
        self.both("work(1000); print(os.listdir('/proc'))", before=words)
        self.assert_nothing_lost(1000)

    def test_no_current_directory(self):
        """Removed by the program, or before: -d is absolute, and so is what the recorder uses."""
        self.both("""
            os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone")
            work(60000)
            pid = os.fork()
            work(1000)
            if pid == 0: os._exit(0)
            print(os.waitpid(pid, 0)[1])
            """)
        self.assertEqual(sorted((t.count("f"), t.n_lost) for t in self.read()), [(1000, 0), (61000, 0)])

    def test_no_current_directory_to_start_in(self):
        """Without -d the files would go there: it says so and does not begin."""
        done = self.untraced("bash", "-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$@\"", "bash",
                             harness.MTRACE, "run", "--", sys.executable, "-c", "print(1)")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "mtrace: the current directory: No such file or directory; name another with -d\n")

    def test_no_home_no_temporary_directory(self):
        """HOME does not matter; TMPDIR only for -o without -d, which says so."""
        env = {k: v for k, v in os.environ.items() if k != "HOME"}
        env["TMPDIR"] = "/missing"
        self.both("work(1000)", env=env)
        self.assert_nothing_lost(1000)
        done = self.untraced(harness.MTRACE, "run", "-o", "all.json", "--", sys.executable, "-c", "print(1)", env=env)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "mtrace: /missing: cannot make a temporary directory: No such file or directory; "
                                      "name another in TMPDIR, or use -d\n")


class Variables(hostile.Case):
    """What stands in MTRACE_* before: none of it keeps the program from running, or its words the same."""

    NONSENSE = ("", "x", "relative/path", "/missing", "/dev/null", "/proc/self", "a\nb", "/a\nb", "\udcff\udcfe",
                "/\udcff", "x" * 100000, "-1", "99999999999999999999", "00", ",,,=,engine=,engine", "%s%n", "$(id)")

    def plain(self, **changes):
        """Without `mtrace run`: the variables as they are given."""
        os.makedirs(self.traces, mode=0o700, exist_ok=True)
        env = dict(os.environ, MTRACE_DIR=self.traces, MTRACE_HOME=harness.HOME, PYTHONPATH=harness.HOME + "/boot")
        env.update(changes)
        seen = self.run_one([sys.executable, "-c", "import os; print(os.getcwd())"], env=env)
        self.assertEqual((seen.status, seen.errors, seen.files), (0, b"", {}), changes)
        self.assertEqual(os.path.realpath(seen.output.strip()), os.path.realpath(self.work).encode())

    def test_seen_by_the_boot_code(self):
        """Without a directory that makes sense nothing is recorded; with it, whatever the others say."""
        for value in self.NONSENSE:
            self.plain(MTRACE_DIR=value)
        self.assertEqual(os.listdir(self.traces), [])
        for value in self.NONSENSE:
            self.plain(**dict.fromkeys(("MTRACE_RUN", "MTRACE_PARENT", "MTRACE_OPTIONS", "MTRACE_HOME"), value))
        traces = self.read()
        self.assertEqual(len(traces), len(self.NONSENSE))
        self.assertEqual({t.run_id for t in traces}, {bytes(16)})
        self.check()

    def test_seen_by_run(self):
        """`mtrace run` sets them all anew; what is no home is not taken for one."""
        for value in ("", "/a\nb", "/\udcff", "x" * 100000):
            nonsense = dict.fromkeys(("MTRACE_DIR", "MTRACE_RUN", "MTRACE_PARENT", "MTRACE_OPTIONS"), value)
            self.both("work(100)", env=dict(os.environ, **nonsense))
            self.assert_nothing_lost(100)
            os.unlink(self.trace().path)

    def test_directories_with_strange_names(self):
        """Line ends, blanks, bytes that are no text, a colon, in -d."""
        for name in ("a\nb", " ", "\udcff", "a:b", "'\"$(id)", "-d", "x" * 200):
            with self.subTest(name):
                self.traces = os.path.join(self.folder, name)
                self.both("work(1000)")
                os.rename(self.traces, self.folder + "/plain")
                self.traces = self.folder + "/plain"
                self.assert_nothing_lost(1000)
                shutil.rmtree(self.traces)


class Home(hostile.Case):
    def home(self, name="home"):
        """A copy, to be damaged."""
        home = os.path.join(self.folder, name)
        shutil.copytree(harness.HOME + "/boot", home + "/boot", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(harness.HOME + "/mtrace", home + "/mtrace", ignore=shutil.ignore_patterns("__pycache__"))
        return home

    def test_name_that_is_no_text(self):
        """The home in a directory whose name is not UTF-8."""
        self.both("work(1000)", env=dict(os.environ, MTRACE_HOME=self.home("\udcff")))
        if sys.version_info >= (3, 12) and self.summary.startswith(hostile.NOTHING):
            self.assert_untraced("'utf-8' codec can't encode")  # CPython loads no extension from there
        else:
            self.assert_nothing_lost(1000)

    def test_colon_in_its_name(self):
        """PYTHONPATH has no way to write it, so nothing would be recorded: it does not begin."""
        done = self.untraced(harness.MTRACE, "run", "-d", self.traces, "--", sys.executable, "-c", "print(1)",
                             env=dict(os.environ, MTRACE_HOME=self.home("a:b")))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "mtrace: %s/a:b: mtrace's home cannot be in PYTHONPATH, because of the colon in its "
                                      "name; install it elsewhere\n" % os.path.realpath(self.folder))

    def test_extension_missing(self):
        home = self.home()
        for path in glob.glob(home + "/mtrace/_tracer*"):
            os.unlink(path)
        self.both("work(1000)", env=dict(os.environ, MTRACE_HOME=home))
        self.assert_untraced("this mtrace has no extension for CPython %d.%d " % sys.version_info[:2])

    def test_extension_unreadable(self):
        """A directory under its name: also root cannot read that."""
        home = self.home()
        for path in glob.glob(home + "/mtrace/_tracer*.so"):
            os.unlink(path)
            os.mkdir(path)
        self.both("work(1000)", env=dict(os.environ, MTRACE_HOME=home))
        self.assert_untraced("  untraced  script.")

    def test_removed_during_the_run(self):
        """Children find nothing to be recorded by; nor do they notice."""
        home = self.home()
        self.both("""
            import shutil, subprocess
            work(1000)
            if TRACES != "missing": shutil.rmtree(os.environ["MTRACE_HOME"])
            print(subprocess.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE).stdout)
            work(60000)
            """, env=dict(os.environ, MTRACE_HOME=home))
        self.assert_nothing_lost(61000)

    def test_no_boot_file(self):
        """`mtrace run` itself says that it is not whole."""
        home = self.home()
        os.unlink(home + "/boot/sitecustomize.py")
        program = shutil.copy(harness.MTRACE, self.folder + "/mtrace")
        done = self.untraced(program, "run", "--", sys.executable, "-c", "print(1)", env=dict(os.environ, MTRACE_HOME=home))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, "^mtrace: mtrace is not installed completely: there is no boot/sitecustomize.py in ")

    def test_broken_sitecustomize_beside(self):
        """Of the program's own, behind mtrace's: its error is said as without mtrace."""
        os.mkdir(self.folder + "/site")
        self.write("site/sitecustomize.py", "raise ValueError('mine')\n")
        env = dict(os.environ, PYTHONPATH=self.folder + "/site")
        self.both("work(1000)", env=env)
        self.assert_nothing_lost(1000)


if __name__ == "__main__":
    harness.main()
