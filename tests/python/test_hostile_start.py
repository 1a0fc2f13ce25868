"""Where mtrace itself finds less than it needs: descriptors, /proc, room in the environment, a home, a
place for the files. Either the program runs as ever and mtrace says what is missing, or `mtrace run`
says why it does not begin."""
import os
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
        self.both("print([line for line in open('/proc/self/status') if line.startswith('Sig')])",
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


if __name__ == "__main__":
    harness.main()
