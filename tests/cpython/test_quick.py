"""Some files of CPython's own tests, untraced and traced with each engine: the same outcomes.

    ./bazelw run //tests/cpython -- --all

runs all of them. Which tests may differ, and why, is in known.py.
"""
import sys
import unittest

from tests.cpython import compare, files


class Quick(unittest.TestCase):
    def test_quick(self):
        done = compare.compare(compare.arguments(["--python", sys.executable, "-j", "2", *files.QUICK]))
        done.table()
        self.assertEqual(done.problems, [], "\n" + "\n".join(done.problems))


if __name__ == "__main__":
    unittest.main()
