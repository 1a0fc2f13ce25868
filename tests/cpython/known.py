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


ROWS = (
)

# What traces of a file may have lost, and why: (test file, words of `mtrace info`, reason).
LOSSES = (
)


def rows(version, mode, table=ROWS):
    """The rows that hold for a version, a tuple of three numbers, and a mode."""
    return [row for row in table if row.since <= version[:len(row.since)] and version[:len(row.until)] <= row.until and
            (not row.modes or mode in row.modes)]


def explains(row, test):
    return fnmatch.fnmatchcase(test, row.test)


def loss_is_known(piece, text):
    return any(fnmatch.fnmatchcase(piece, pattern) and words in text for pattern, words, _ in LOSSES)
