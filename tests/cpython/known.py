"""Known differences between untraced and traced runs, each with its reason.

A row names tests by a pattern of fnmatch, the first and the last version (of two numbers or of three)
and the modes of recording for which it holds (none: all). A difference that no row explains is a
failure of the comparison; so is a row of which nothing is seen any more, unless it says `sometimes`:
then it depends on the machine, on chance or on the release, and the reason says on what.
"""
import collections
import fnmatch

Known = collections.namedtuple("Known", "test since until modes sometimes why")

OLD, NEW = (3, 9), (3, 15)


def known(test, why, since=OLD, until=NEW, modes="", sometimes=False):
    return Known(test, since, until, modes.split(), sometimes, why)


# A tool sees the return of the set_events() by which it was turned on, since the calling function has been
# instrumented before (docs/limits.md).
_MIDDLE = "wants no event between set_events() and the next call, but sees set_events() return: its caller is instrumented"

_OBSERVED = "wants specialized bytecode, which CPython does not make where calls are observed"

ROWS = (
    # Depends on whether there is a profile function at all, whosever it is.
    known("test.test_frame.TestIncompleteFrameAreInvisible.test_sneaky_frame_object",
          "wants a frame object that is made late; for a profile function it is made at once",
          (3, 11), (3, 12), "setprofile"),

    # Looks at sys.monitoring itself.
    known("test.test_monitoring.MonitoringCountTest.test_c_return_count", _MIDDLE, (3, 12)),
    known("test.test_monitoring.SimulateProfileTest.test_frame_stack", _MIDDLE, (3, 12)),
    known("test.test_monitoring.TestLoadSuperAttr.*", _MIDDLE, (3, 12)),
    known("test.test_monitoring.TestManyEvents.*", _MIDDLE, (3, 12)),
    known("test.test_monitoring.ExceptionMonitoringTest.test_no_unwind_for_shim_frame",
          _OBSERVED, (3, 13)),

    # Look at what becomes of code that has run.
    known("test.test_dis.Dis*Tests.test_*_specialize", _OBSERVED, (3, 11)),
    known("test.test_dis.Dis*Tests.test_loop_quicken", _OBSERVED, (3, 11)),
    known("test.test_dis.Dis*Tests.test_super_instructions", _OBSERVED, (3, 11)),
    known("test.test_opcache.*", _OBSERVED, (3, 13)),
    known("test.test_code.CodeTest.test_stateless", "wants functions that nobody has looked at: extra data of a code "
          "object counts as its state", (3, 14)),
    known("test.test_sys.TestSysJIT.test_jit_is_active", "wants code that the JIT has compiled, which it does not do "
          "with code that is observed", (3, 14)),

    known("test.test_doctest.test_doctest.test_pdb_set_trace*", "pdb stops once more, at the return of the line in which "
          "it was started, as under any profile function", (3, 13)),
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
