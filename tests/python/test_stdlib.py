"""CPython's own tests of what tracing could disturb: each has the same outcome untraced and traced.

Every name in NAMES is run twice, by the same program (RUNNER), and the outcomes of the single tests
are compared: ok, failed, skipped and why. That a test fails is no matter, as long as it fails both
times: many do on one machine or another. The traced run must have been recorded as a whole: of each
process there is a sound file without losses, and in the main one there is each call of a test
method, in the order in which they were made.

The tests come with CPython; Debian has them in a package of their own, libpython3.X-testsuite.
"""
import collections
import glob
import itertools
import json
import os
import sys

from tests.python import harness, tracefile

V = sys.version_info[:2]
OLD, NEW = (3, 9), (3, 15)

Names = collections.namedtuple("Names", "group names since until")


def names(group, text, since=OLD, until=NEW):
    return Names(group, ["test." + name for name in text.split()], since, until)


# Modules, or classes of them where the rest takes long. A group is run in one process. Left out are
#   test_monitoring      counts events of sys.monitoring from the middle of a function on, which
#                        differ by one when another tool has instrumented that function before
#   test_dis, test_opcache, test_type_cache
#                        look at the bytecode of functions that have run; profiling changes that
#   test_tracemalloc     wants that no memory is taken between two calls; test_snapshot differs from
#                        run to run, untraced too
NAMES = (
    names("calls", "test_abc test_builtin test_call test_class test_contextlib test_dataclasses "
          "test_decorators test_descr test_dynamic test_enum test_funcattrs test_functools "
          "test_grammar test_inspect test_iter test_operator test_ordered_dict test_property "
          "test_scope test_super test_types"),
    names("generators", "test_asyncgen test_contextlib_async test_coroutines test_generators "
          "test_yield_from"),
    names("generators", "test_genexps", since=(3, 11)),  # nothing but doctests, not run before
    names("exceptions", "test_baseexception test_exception_variations test_exceptions test_raise "
          "test_traceback test_warnings test_with"),
    names("exceptions", "test_except_star test_exception_group", since=(3, 11)),
    # 3.15 crashes in test_invalid_bytecode under any profile function.
    names("objects", "test_code", until=(3, 14)),
    names("objects", "test_finalization test_frame test_gc test_weakset"),
    names("hooks", "test_audit test_bdb test_doctest test_profile test_sys_setprofile "
          "test_sys_settrace test_trace"),
    names("hooks", "test_cprofile", since=(3, 12), until=(3, 14)),
    names("hooks", "test_profiling.test_tracing_profiler", since=(3, 15)),
    names("displaced", "test_cprofile", until=(3, 11)),
    names("interpreter", "test_atexit test_code_module test_pkgutil test_runpy test_sys "
          "test_signal.PosixTests test_signal.WakeupFDTests test_signal.RaiseSignalTest"),
    names("threads", "test_thread test_threading.ThreadTests "
          "test_threading.SubinterpThreadingTests test_threading.ExceptHookTests "
          "test_threading.InterruptMainTests test_threading_local test_threadedtempfile "
          "test_context test_queue.CSimpleQueueTest "
          # Not test_4_daemon_threads, which on some CPythons (3.11.2) does not end, untraced too.
          "test_threading.ThreadJoinOnShutdown.test_1_join_on_shutdown "
          "test_threading.ThreadJoinOnShutdown.test_2_join_in_forked_process "
          "test_threading.ThreadJoinOnShutdown.test_3_join_in_forked_from_thread"),
    names("asyncio", "test_asyncio.test_base_events test_asyncio.test_futures "
          "test_asyncio.test_locks test_asyncio.test_pep492 test_asyncio.test_queues "
          "test_asyncio.test_streams test_asyncio.test_threads test_asyncio.test_unix_events"),
    names("asyncio", "test_asyncio.test_timeouts", since=(3, 11)),
    names("processes", "test_posix", until=(3, 14)),
    names("processes", "test_popen test_tempfile test_subprocess.RunFuncTestCase "
          "test_subprocess.ContextManagerTests test_subprocess.MiscTests"),
    Names("multiprocessing", [
        "mp_fork.WithProcessesTestPool", "mp_fork.WithProcessesTestQueue",
        "mp_fork.WithProcessesTestSubclassingProcess",
        "mp_forkserver.WithProcessesTestSubclassingProcess",
        "mp_spawn.WithProcessesTestSubclassingProcess"], OLD, NEW),
)

# Made here, since some CPythons (3.11.7, 3.12.1) do not install test_multiprocessing_fork and its
# like, which consist of this.
MULTIPROCESSING = """
    import test._test_multiprocessing
    test._test_multiprocessing.install_tests_in_module_dict(globals(), %r)
"""

Different = collections.namedtuple("Different", "test since until why")

# Tests whose outcome depends on whether there is a profile function at all, whosever it is.
DIFFERENT = (
    Different("test.test_frame.TestIncompleteFrameAreInvisible.test_sneaky_frame_object", (3, 11), (3, 12),
              "wants a frame object that is made late; for a profile function it is made at once"),
    Different("test.test_queue.CSimpleQueueTest.test_reentrancy", OLD, (3, 10),
              "collections may not fall between two calls of C functions; the bound method that is "
              "made for a profile function lets them"),
    Different("test.test_threading.ThreadTests.test_getprofile_all_threads", (3, 12), NEW,
              "threading.getprofile() shows mtrace's object, see docs/limits.md"),
    Different("test.test_doctest.test_doctest.test_pdb_set_trace", (3, 13), NEW,
              "pdb stops at the return of the line, under any profile function"),
    Different("test.test_doctest.test_doctest.test_pdb_set_trace_nested", (3, 13), NEW,
              "pdb stops at the return of the line, under any profile function"),
    Different("test.test_code.CodeTest.test_stateless", (3, 14), NEW,
              "wants code that nobody has looked at"),
    Different("test.test_sys.TestSysJIT.test_jit_is_active", (3, 14), NEW,
              "wants code that is compiled when it has run, which observed code is not"),
)

# Runs the tests of some names and writes what became of them, and which test methods were called.
RUNNER = """
    import json, os, random, sys, unittest

    class Result(unittest.TestResult):
        def __init__(self):
            super().__init__()
            self.outcomes = {}

        def note(self, test, *outcome):
            self.outcomes.setdefault(test.id(), []).append(outcome)

        def addSuccess(self, test):
            self.note(test, "ok", "")

        def addError(self, test, error):
            self.note(test, "ERROR", self._exc_info_to_string(error, test))

        def addFailure(self, test, error):
            self.note(test, "FAIL", self._exc_info_to_string(error, test))

        def addSubTest(self, test, subtest, error):
            if error is not None:
                self.note(subtest, "FAIL", self._exc_info_to_string(error, test))

        def addSkip(self, test, reason):
            self.note(test, "skipped", reason)

        def addExpectedFailure(self, test, error):
            self.note(test, "expected failure", "")

        def addUnexpectedSuccess(self, test):
            self.note(test, "unexpected success", "")

    called = []

    def call(case, method, original=unittest.TestCase._callTestMethod):
        code = getattr(getattr(method, "__func__", None), "__code__", None)
        called.append(code and [code.co_filename, code.co_firstlineno])
        return original(case, method)

    def main(path, names):
        from test import support
        # Nothing that needs the network, much time or much room; and no chance.
        support.use_resources = []
        random.seed(0)
        result = Result()
        unittest.TestCase._callTestMethod = call
        for name in names:
            unittest.TestLoader().loadTestsFromName(name).run(result)
        with open(path, "w") as f:
            json.dump([os.getpid(), result.outcomes, called], f)

    if __name__ == "__main__":
        path, *names = sys.argv[1:]
        del sys.argv[1:]
        main(path, names)
"""


class Begins(tracefile.Trace):
    """A trace of which only the order of Python functions begun is kept: these are large files."""

    def _records(self, thread, chunk):
        words = iter(memoryview(self.data)[chunk[0] + 64:chunk[0] + chunk[1]].cast("Q"))
        ids = thread.records
        thread.skip = getattr(thread, "skip", 0)  # calls that were open already
        for word in words:
            if word == 0:
                break
            kind = word >> 28 & 15
            if kind == tracefile.PY_BEGIN:
                if thread.skip:
                    thread.skip -= 1
                else:
                    ids.append(word & 0xFFFFFFF)
            elif kind == tracefile.EXT:
                payload = list(itertools.islice(words, word & 0xFFF))
                if word >> 12 & 0xFFFF == tracefile.RESYNC:
                    thread.skip = payload[0] >> 32
            elif kind == tracefile.GAP:
                collections.deque(itertools.islice(words, word & 0xFFFFFFF), 0)

    def test_methods(self):
        """The places of the functions that unittest called as tests, in order."""
        ids = iter(self.thread().records)
        callers = {i for i, f in self.names.items() if f.name.endswith("_callTestMethod") and
                   f.file.endswith("/unittest/case.py")}
        return [list(self.names[next(ids)][2:4]) for i in ids if i in callers]


Run = collections.namedtuple("Run", "pid outcomes called status stderr")


class Stdlib(harness.Case):
    def run_tests(self, prefix, names, label):
        """Runs tests behind the words of `prefix`; returns a Run."""
        folder, path = (os.path.join(self.folder, label + suffix) for suffix in ("", ".json"))
        os.mkdir(folder)
        done = self.untraced(*prefix, sys.executable, os.path.join(self.folder, "runner.py"), path,
                             *names, cwd=folder, env=dict(os.environ, PYTHONHASHSEED="0"))
        self.assertTrue(os.path.exists(path), "%s: status %d\n%s" % (label, done.returncode, done.stderr))
        with open(path) as f:
            return Run(*json.load(f), done.returncode, done.stderr)

    def compare(self, group):
        names = [name for row in NAMES if row.group == group and row.since <= V <= row.until
                 for name in row.names]
        self.write("runner.py", RUNNER)
        for method in "fork", "forkserver", "spawn":
            self.write("mp_%s.py" % method, MULTIPROCESSING % method)
        untraced = self.run_tests([], names, "untraced")
        missing = [test for test in untraced.outcomes if "_FailedTest" in test]
        self.assertEqual(missing, [], "no such tests; on Debian install libpython%d.%d-testsuite" % V)
        self.assertIn("ok", [outcome for rows in untraced.outcomes.values() for outcome, _ in rows])
        traced = self.run_tests(self.command(), names, "traced")

        different = {row.test for row in DIFFERENT if row.since <= V <= row.until}
        texts = []
        for test in sorted(set(untraced.outcomes) | set(traced.outcomes)):
            if test.partition(" ")[0] in different:  # a part of it, perhaps: "test.x [...]"
                continue
            rows = [run.outcomes.get(test, []) for run in (untraced, traced)]
            if shown(rows[0]) != shown(rows[1]):
                texts.append("%s: %s untraced, %s traced" % (test, *map(shown, rows)))
                texts += [text for _, text in rows[0] + rows[1] if text]
        self.assertEqual(texts, [], "\n" + "\n".join(texts))
        self.assertEqual(traced.status, untraced.status, traced.stderr)
        self.assertEqual(traced.called, untraced.called)
        self.verify_recorded(traced, group)

    def verify_recorded(self, run, group):
        self.check()
        traces = [Begins(path) for path in glob.glob(os.path.join(self.traces, "*.trace"))]
        self.assertEqual([t.path for t in traces if t.n_lost], [])
        main, = [t for t in traces if t.pid == run.pid]
        # What is called as a test may be no function of Python's.
        methods = main.test_methods()
        if group == "displaced":
            # The end of a Profiler in test_bad_counter_during_dealloc takes ours away a second time,
            # without an event: the next test method is not seen.
            left = iter(run.called)
            self.assertTrue(methods and all(method in left for method in methods), methods)
            return
        self.assertEqual([method if expected else None for method, expected in
                          itertools.zip_longest(methods, run.called)], run.called)


def shown(rows):
    """What is compared of the outcomes of one test: with the reason, where it was skipped."""
    return [(outcome, text) if outcome == "skipped" else outcome for outcome, text in rows]


for group in sorted({row.group for row in NAMES if row.since <= V <= row.until}):
    setattr(Stdlib, "test_" + group, lambda self, group=group: self.compare(group))


if __name__ == "__main__":
    harness.main()
