"""The comparison itself: that it sees what tracing changes, tells it from chance, and ends what hangs."""
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from unittest import mock

from tests.cpython import compare, files, known

HERE = os.path.dirname(os.path.abspath(__file__))

# As a file of CPython's own. TRACED is what a test could notice of mtrace.
FILE = """
    import os, signal, subprocess, sys, unittest
    TRACED = "MTRACE_DIR" in os.environ

    class Tests(unittest.TestCase):
        def test_always(self):
            pass

        def test_bad_both_ways(self):
            self.fail()

        @unittest.expectedFailure
        def test_expected(self):
            self.assertFalse(TRACED)

        def test_fails(self):
            self.assertFalse(TRACED)

        def test_subtest(self):
            for i in range(3):
                with self.subTest(i):
                    self.assertFalse(TRACED and i == 1)

        def test_observed(self):
            # mtrace's profile function does not show up in sys.getprofile().
            observed = sys.monitoring.get_tool(4) if sys.version_info >= (3, 12) else sys.getprofile() or TRACED
            self.assertFalse(observed)

        def test_observed_child(self):
            code = ("import os, sys; sys.exit(bool(sys.monitoring.get_tool(4) if sys.version_info >= (3, 12) else "
                    "sys.getprofile() or 'MTRACE_DIR' in os.environ))")
            self.assertEqual(subprocess.call([sys.executable, "-c", code]), 0)

        def test_skips(self):
            if TRACED:
                self.skipTest("is traced")

        def test_skipped_anyway(self):
            self.skipTest("always")

        def test_by_turns(self):
            # Which run of the file this is, of each way.
            path = os.environ["HOME"] + "/%d" % TRACED
            with open(path, "a") as f:
                f.write("x")
            self.assertEqual(os.path.getsize(path) % 2, TRACED)

        def test_z_crashes(self):
            if TRACED and CRASH:
                os.kill(os.getpid(), signal.SIGSEGV)

    if TRACED and NO_CLASS:
        del Tests
"""


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mtc")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.files = os.path.join(self.folder, "files")
        os.mkdir(self.files)

    def compare(self, rows=(), **switches):
        """Compares FILE; returns the problems without their place, the remarks, and the totals."""
        text = "".join("%s = %r\n" % (n, switches.get(n, False)) for n in ("CRASH", "NO_CLASS"))
        with open(os.path.join(self.files, "test_example.py"), "w") as f:
            f.write(text + textwrap.dedent(FILE))
        engine = "monitoring" if sys.version_info >= (3, 12) else "setprofile"
        options = compare.arguments(["--python", sys.executable, "--engine", engine, "-j", "1", "--testdir",
                                     self.files, "test_example"])
        with contextlib.redirect_stdout(io.StringIO()), mock.patch.dict(os.environ, HOME=self.folder), \
                mock.patch.object(known, "ROWS", rows):
            done = compare.compare(options)
        problems, remarks = ([text.split(": ", 1)[1].replace("test_example.Tests.", "") for text in texts]
                             for texts in (done.problems, done.remarks))
        return problems, remarks, next(iter(done.totals.values())).n

    def test_sees_each_difference(self):
        problems, remarks, n = self.compare()
        hook = "; under a hook that does nothing"
        self.assertEqual(problems, [
            "test_expected: untraced unexpected success (4 times); traced expected failure (4 times)%s unexpected success" % hook,
            "test_fails: untraced ok (4 times); traced failed (4 times)%s ok" % hook,
            "test_observed: untraced ok (4 times); traced failed (4 times)%s failed" % hook,
            "test_observed_child: untraced ok (4 times); traced failed (4 times)%s failed" % hook,
            "test_skips: untraced ok (4 times); traced skipped: is traced (4 times)%s ok" % hook,
            "test_subtest: untraced ok (4 times); traced subtest failed (4 times)%s ok" % hook])
        self.assertEqual(len(remarks), 1, remarks)
        self.assertRegex(remarks[0], r"^test_by_turns: .*\(unstable\)$")
        self.assertEqual((n["files"], n["tests"], n["same"], n["unstable"], n["different"], n["trace faults"]),
                         (1, 11, 4, 1, 6, 0))
        self.assertGreater(n["events"], 1000)

    def test_known_differences(self):
        rows = [known.known("test_example.Tests.test_%s" % name, "why") for name in
                ("expected", "fails", "observed", "observed_child", "skips", "subtest", "by_turns", "always")] + [
            known.known("test_example.Tests.test_skipped*", "why")]
        problems, remarks, n = self.compare(rows)
        self.assertEqual(problems, ["no longer different, take it out of known.py: test_always"])
        self.assertEqual([r.rpartition(": ")[2] for r in remarks], ["why"] * 7)
        self.assertEqual((n["explained"], n["unstable"], n["different"]), (7, 0, 0))

    def test_rows_of_other_versions(self):
        rows = [known.known("*", "why", (3, 99), (3, 99)), known.known("*", "why", modes="frame")]
        self.assertEqual(len(self.compare(rows)[0]), 6)

    def test_crash(self):
        rows = [known.known("test_example.Tests.test_[befos]*", "why")]
        problems, _, n = self.compare(rows, CRASH=True)
        self.assertEqual([p.partition(":")[0] for p in problems], ["test_example (the file as a whole)", "test_z_crashes"])
        self.assertRegex(problems[0], r"traced exit status (139|-11)")
        self.assertRegex(problems[1], "traced begun, not ended")
        self.assertEqual(n["different"], 2)

    def test_no_tests(self):
        problems, _, n = self.compare(NO_CLASS=True)
        self.assertEqual(len(problems), 1, problems)
        self.assertRegex(problems[0], r"^test_example \(the file as a whole\): untraced as its tests say .*; traced no tests")

    def test_missing_file(self):
        with contextlib.redirect_stdout(io.StringIO()):
            done = compare.compare(compare.arguments(["--python", sys.executable, "test_there_is_no_such_file"]))
        self.assertEqual(len(done.problems), 1)
        self.assertIn("test_there_is_no_such_file is missing: not installed", done.problems[0])


class Ignored(unittest.TestCase):
    """Which single tests are left out: rows of two numbers hold for a whole version, rows of three for one release."""
    def test_version(self):
        self.assertEqual(files.ignored("test__xxsubinterpreters", (3, 10, 13)), [])
        self.assertEqual(files.ignored("test__xxsubinterpreters", (3, 11, 7)), ["test_in_thread*", "test_from_other_thread"])
        self.assertEqual(files.ignored("test__xxsubinterpreters", (3, 12, 0)), [])

    def test_release(self):
        pattern = ["*.WithThreadsTestPool.test_terminate"]
        for release, patterns in (((3, 11, 6), []), ((3, 11, 7), pattern), ((3, 11, 8), []),
                                  ((3, 12, 0), []), ((3, 12, 1), pattern), ((3, 12, 2), []), ((3, 13, 0), [])):
            self.assertEqual(files.ignored("test_multiprocessing_fork.test_threads", release), patterns)

    def test_file(self):
        for piece in ("test_multiprocessing_spawn", "made_test_multiprocessing_forkserver"):
            self.assertEqual(len(files.ignored(piece, (3, 12, 1))), 1)
        self.assertEqual(files.ignored("test_threading", (3, 12, 1)), [])


class Supervise(unittest.TestCase):
    def supervise(self, limit, *command):
        """What it printed, and the end."""
        with tempfile.NamedTemporaryFile("r") as end:
            done = subprocess.run([sys.executable, os.path.join(HERE, "supervise.py"), end.name, str(limit), *command],
                                  stdout=subprocess.PIPE, universal_newlines=True, timeout=60)
            return done.stdout, end.read()

    def test_status(self):
        self.assertEqual(self.supervise(60, "sh", "-c", "echo a; exit 3"), ("a\n", "3"))
        self.assertEqual(self.supervise(60, "sh", "-c", "kill -TERM $$"), ("", "-%d" % signal.SIGTERM))

    def test_limit(self):
        self.assertEqual(self.supervise(0.2, "sleep", "1000"), ("", "limit"))

    def test_forgotten_processes(self):
        """A child in a session of its own, whose parent has ended."""
        pid, end = self.supervise(60, "sh", "-c", "setsid sleep 1000 >/dev/null & echo $!")
        self.assertEqual(end, "0")
        self.assertFalse(os.path.exists("/proc/" + pid.strip()))


if __name__ == "__main__":
    unittest.main()
