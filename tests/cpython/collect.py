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


def hide_recorder():
    """test_monitoring wants that nobody else has a tool of sys.monitoring, nor events, before and after each
    test, and leaves its own ones when it fails, with which all that follow fail. So that there is something
    to compare, it does not see the recorder where it asks for that, and is cleaned up after."""
    import test.test_monitoring as module
    monitoring = sys.monitoring
    get_events, all_events = monitoring.get_events, monitoring._all_events
    ours = [tool for tool in range(6) if monitoring.get_tool(tool) == "mtrace"]
    mask = ~sum(1 << tool for tool in [*ours, 6])  # 6: profile functions
    monitoring.get_events = lambda tool: 0 if tool in ours else get_events(tool)
    monitoring._all_events = lambda: {name: tools & mask for name, tools in all_events().items() if tools & mask}
    if module.TEST_TOOL3 in ours:
        module.TEST_TOOL3 = 5

    def stop_test(self, test, original=result_class().stopTest):  # noqa: B008
        for tool in range(6):
            if tool not in ours and monitoring.get_tool(tool) is not None:
                monitoring.set_events(tool, 0)
                monitoring.free_tool_id(tool)
        return original(self, test)
    result_class().stopTest = stop_test


def main():
    path, name = sys.argv[1:3]
    notes = Notes(path)
    watch(notes)
    watch_doctests(notes)
    if name == "test_monitoring":
        hide_recorder()
    # As `python -m test` would have it; by alter_sys also sys.modules["__main__"], which the children
    # of multiprocessing look at.
    sys.path[0] = os.getcwd()
    sys.argv[:] = ["test", *sys.argv[3:], name]
    runpy.run_module("test", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
