"""Runs one file of CPython's own tests by regrtest, and notes what became of each of its tests.

    python collect.py OUTCOMES NAME [OPTION OF REGRTEST...]

Does what `python -m test [OPTION...] NAME` does, in the interpreter under test. OUTCOMES gets a line
of JSON for each event, at once, so that all is there up to a crash or a hang:

    ["start", TEST]
    ["end", TEST, OUTCOME, DETAIL]      DETAIL: the reason of a skip, a traceback

The file is opened for each line: tests close descriptors and look for leaked ones. Lines of children
that a test has forked, and which came back here, are left out.
"""
import json
import os
import runpy
import sys


class Notes:
    def __init__(self, path):
        self.path, self.pid = path, os.getpid()
        # What tests put others in the place of.
        self.getpid, self.open, self.write, self.close, self.dumps = os.getpid, os.open, os.write, os.close, json.dumps

    def line(self, *fields):
        if self.getpid() != self.pid:
            return
        fd = self.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self.write(fd, (self.dumps(fields) + "\n").encode("utf-8", "backslashreplace"))
        finally:
            self.close(fd)

    def end(self, test, outcome, detail=""):
        self.line("end", identity(test), outcome, detail)


def identity(test):
    """The test's name. Where setUpClass or setUpModule fails, the test is that."""
    name = getattr(test, "id", None)
    return str(name() if callable(name) else test)


def result_class():
    try:
        from test.libregrtest.testresult import RegressionTestResult
    except ImportError:  # up to 3.10
        from test.support.testresult import RegressionTestResult
    return RegressionTestResult


def watch(notes):
    """Puts what notes outcomes around the methods of regrtest's result class."""
    cls = result_class()

    def around(name, note):
        original = getattr(cls, name)

        def method(self, test, *rest):
            note(self, test, *rest)
            return original(self, test, *rest)
        setattr(cls, name, method)

    def add_subtest(self, test, subtest, error):
        if error is not None:
            text = "%s\n%s" % (identity(subtest), self._exc_info_to_string(error, test))
            notes.end(test, "subtest failed", text)

    around("startTest", lambda self, test: notes.line("start", identity(test)))
    around("addSuccess", lambda self, test: notes.end(test, "ok"))
    around("addError", lambda self, test, error: notes.end(test, "error", self._exc_info_to_string(error, test)))
    around("addFailure", lambda self, test, error: notes.end(test, "failed", self._exc_info_to_string(error, test)))
    around("addSubTest", add_subtest)
    around("addSkip", lambda self, test, reason: notes.end(test, "skipped", reason))
    around("addExpectedFailure", lambda self, test, error: notes.end(test, "expected failure"))
    around("addUnexpectedSuccess", lambda self, test: notes.end(test, "unexpected success"))


def watch_doctests(notes):
    """Up to 3.10 some files run doctests past unittest."""
    from test import support
    original = getattr(support, "run_doctest", None)
    if original is None:
        return

    def run_doctest(module, *rest, **options):
        name = module.__name__ + " (doctests)"
        notes.line("start", name)
        try:
            result = original(module, *rest, **options)
        except Exception as error:
            notes.end(name, "failed", str(error))
            raise
        notes.end(name, "ok")
        return result
    support.run_doctest = run_doctest


def main():
    path, name = sys.argv[1:3]
    notes = Notes(path)
    watch(notes)
    watch_doctests(notes)
    # As `python -m test` would have it; by alter_sys also sys.modules["__main__"], which the children
    # of multiprocessing look at.
    sys.path[0] = os.getcwd()
    sys.argv[:] = ["test", *sys.argv[3:], name]
    runpy.run_module("test", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
