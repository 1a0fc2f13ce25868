"""Known differences between untraced and traced runs, each with its reason.

A row names tests by a pattern of fnmatch, the first and the last version (of two numbers or of three)
and the modes of recording for which it holds (none: all). A difference that no row explains is a
failure of the comparison; so is a row of which nothing is seen any more, unless it says `sometimes`:
then it depends on the machine, on chance or on the release, and the reason says on what.

`observed` rows say that any profile function, or tool of sys.monitoring, has this effect. That is looked
at each time: they hold where the outcome is the same under one that does nothing.
"""
import collections
import fnmatch

Known = collections.namedtuple("Known", "test since until modes sometimes observed why")

OLD, NEW = (3, 9), (3, 15)


def known(test, why, since=OLD, until=NEW, modes="", sometimes=False, observed=False):
    return Known(test, since, until, modes.split(), sometimes, observed, why)


def observed(test, why, since=OLD, until=NEW, modes="", sometimes=False):
    return known(test, why, since, until, modes, sometimes, True)


_MIDDLE = ("wants no event between set_events() and the next call, but sees set_events() return: its caller is "
           "instrumented already (docs/limits.md)")
_BYTECODE = "wants bytecode that is specialized, which CPython does not do where calls are observed"
# Under cProfile and under a trace function just as well, but not under the profile function in Python.
_PENDING = ("hangs, by chance: a pending call in Python, during which another is asked for, does not end under any profile "
            "function in C (docs/limits.md)")

ROWS = (
    observed("test.test_frame.TestIncompleteFrameAreInvisible.test_sneaky_frame_object",
             "wants a frame object that is made late; for a profile function it is made at once",
             (3, 11), (3, 12), "setprofile"),

    # Looks at sys.monitoring itself.
    observed("test.test_monitoring.MonitoringCountTest.test_c_return_count", _MIDDLE, (3, 12)),
    observed("test.test_monitoring.SimulateProfileTest.test_frame_stack", _MIDDLE, (3, 12)),
    observed("test.test_monitoring.TestLoadSuperAttr.*", _MIDDLE, (3, 12)),
    observed("test.test_monitoring.TestManyEvents.*", _MIDDLE, (3, 12)),
    observed("test.test_monitoring.ExceptionMonitoringTest.test_no_unwind_for_shim_frame", _BYTECODE, (3, 13)),

    # Look at what becomes of code that has run.
    observed("test.test_dis.Dis*Tests.test_*_specialize", _BYTECODE, (3, 11)),
    observed("test.test_dis.Dis*Tests.test_loop_quicken", _BYTECODE, (3, 11)),
    observed("test.test_dis.Dis*Tests.test_super_instructions", _BYTECODE, (3, 11)),
    observed("test.test_dis.Dis*Tests.test_show_caches", _BYTECODE, (3, 12), (3, 12)),
    observed("test.test_opcache.*", _BYTECODE, (3, 13)),
    observed("test.test_type_cache.TypeCacheWithSpecializationTests.*", _BYTECODE, (3, 13)),
    observed("test.test_sys.TestSysJIT.test_jit_is_active",
             "wants code that the JIT has compiled, which it does not do with code that is observed", (3, 14)),

    observed("test.test_doctest.test_doctest.test_pdb_set_trace*", "pdb stops once more, at the return of the line in "
             "which it was started", (3, 13)),
    observed("test.test_pdb.test_*", "pdb stops once more, at the return of the line in which it was started", (3, 13)),
    observed("test.test_pdb.PdbTestInline.test_set_trace_with_skip", "pdb, which skips the line, stops where it should not, as "
             "under any tool of sys.monitoring", (3, 14)),
    observed("test.test_external_inspection.TestGetStackTrace.test_remote_stack_trace", "wants the caller of a thread's "
             "function, but reads no further than a call that CPython makes by way of C, as it does with an observed one "
             "that has *args", (3, 14), (3, 14)),
    # Under cProfile as well, at any number of objects before; a profile function in Python has other allocations between.
    known("test.test_queue.CSimpleQueueTest.test_reentrancy", "wants no collection between a number and its put(), but where "
          "C calls are observed CPython makes a method object, which the collector counts, for each call of a C method",
          (3, 9), (3, 11), "setprofile", sometimes=True),
    known("test.test_capi.test_misc.TestPendingCalls.test_pendingcalls_threaded", _PENDING, (3, 11), (3, 11), "setprofile",
          sometimes=True),
    known("test_capi (the file as a whole)", _PENDING, (3, 11), (3, 11), "setprofile", sometimes=True),
    observed("test.test_remote_pdb.PdbConnectTestCase.test_connect_and_basic_commands", "pdb stops at the return of the "
             "line in which it was started", (3, 14)),
    observed("test.test_support.TestSupport.test_recursion", "sets the least recursion limit there is; on 3.11 a call of "
             "a builtin function that is not specialized, and so an observed one, takes one level more",
             (3, 11), (3, 11)),
    observed("test.test_tracemalloc.TestTracemallocEnabled.test_get_traced_memory", "wants that nothing is allocated "
             "between two calls, but a hook is called with new objects", (3, 12), (3, 13)),
)

# What traces of a file may have lost, and why: (test file, words of `mtrace info`, reason).
LOSSES = (
)


def rows(version, mode):
    """The rows that hold for a version, a tuple of three numbers, and a mode."""
    return [row for row in ROWS if row.since <= version[:len(row.since)] and version[:len(row.until)] <= row.until and
            (not row.modes or mode in row.modes)]


def explains(row, test):
    return fnmatch.fnmatchcase(test, row.test)


def loss_is_known(piece, text):
    return any(fnmatch.fnmatchcase(piece, pattern) and words in text for pattern, words, _ in LOSSES)
