"""The end of what `.ci/run` prints is enough to know what failed, and how: .ci/failures."""
import os
import subprocess
import tempfile
import unittest

from tests.arch.house import TOP

LOG = """\
==================== Test output for {target}:
{lines}
================================================================================
"""
UNITTEST = """\
======================================================================
FAIL: test_a (Case)
----------------------------------------------------------------------
AssertionError: 1 != 2"""


class Failures(unittest.TestCase):
    def said(self, *parts):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("".join(parts))
            f.flush()
            done = subprocess.run([os.path.join(TOP, ".ci/failures"), "Here", f.name], check=True, stdout=subprocess.PIPE,
                                  universal_newlines=True)
        return done.stdout.splitlines()

    def test_short_log(self):
        """All of it, with its lines of =, and nothing of what passed."""
        wanted = ["Here: the end of the log of //a:b"] + ["  " + line for line in UNITTEST.splitlines()] + ["Here: //a:b: FAILED in 1.3s"]
        self.assertEqual(self.said("FAIL: //a:b (see /r/test.log)\n", LOG.format(target="//a:b", lines=UNITTEST),
                                   "//a:a     (cached) PASSED in 0.3s\n//a:b      FAILED in 1.3s\n  /r/test.log\n"), wanted)

    def test_long_log(self):
        """Its end, and what failed before."""
        lines = ["FAIL: test_first (Case)", *["line %d" % n for n in range(100)], "x" * 1000]
        said = self.said(LOG.format(target="//a:b (run 2 of 3)", lines="\n".join(lines)))
        self.assertEqual(said[:4], ["Here: the end of the log of //a:b (run 2 of 3)", "  FAIL: test_first (Case)", "  ...", "  line 81"])
        self.assertEqual(said[-2:], ["  line 99", "  " + "x" * 240 + "..."])
        self.assertEqual(len(said), 23)

    def test_many_logs(self):
        """Of the first; all are named."""
        targets = ["//a:t%02d" % n for n in range(40)]
        said = self.said(*[LOG.format(target=target, lines=UNITTEST) for target in targets],
                         *["%s     FAILED in 1 out of 3 in 1.3s\n" % target for target in targets])
        self.assertEqual(sum("the end of the log" in line for line in said), 6)
        self.assertEqual(said[-40:], ["Here: %s: FAILED in 1 out of 3 in 1.3s" % target for target in targets])

    def test_other_than_failed(self):
        words = ["TIMEOUT in 300.1s", "FAILED TO BUILD", "NO STATUS", "SKIPPED"]
        said = self.said(*["//a:b        %s\n" % word for word in words])
        self.assertEqual(said, ["Here: //a:b: " + word for word in words])

    def test_nothing_built(self):
        """What the compiler says, once."""
        error = ["ERROR: /x/BUILD:3:1: Compiling a.c failed: (Exit 1)", "a.c:3: error: y", "  3 | y"]
        said = self.said("\n".join(error), "\nINFO: Elapsed time\nERROR: Build did NOT complete successfully\n")
        self.assertEqual(said, ["Here: " + error[0]] + ["  " + line for line in error[1:]])

    def test_nothing_of_bazel(self):
        said = self.said(*["Get:%d\n" % n for n in range(100)], "bazelw: apt-get could not install these packages: x\n")
        self.assertEqual(said[:2] + said[-1:], ["Here: it ended with", "  Get:81", "  bazelw: apt-get could not install these packages: x"])


if __name__ == "__main__":
    unittest.main()
