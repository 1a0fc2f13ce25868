"""Exact sequences of events, written down and compared.

A sequence is a list of words, one for each record:

    (NAME:LINE   a Python frame begins      )NAME   it returns     !NAME   an exception leaves it
    [NAME        a C function is called     ]NAME   it returns     ?NAME   it raises
    )NAME, (NAME:LINE   also where a generator is left and entered again: one engine can tell
                        these from the others (test_engines.py), the comparison does not
    <NAME:LINE   a call that is stated to be open (after a RESYNC)

In a sequence that a test expects, OUTER.<locals>/NAME stands for a name that code objects know from
3.11 on only: OUTER.<locals>.NAME there, and plain NAME before.
"""
import sys
import textwrap

from tests.python import harness, tracefile

_MARKS = {
    tracefile.PY_BEGIN: "(", tracefile.PY_END: ")", tracefile.PY_END_EXC: "!",
    tracefile.C_BEGIN: "[", tracefile.C_END: "]", tracefile.C_END_EXC: "?",
    tracefile.PY_SUSPEND: ")", tracefile.PY_RESUME: "(",
}


def words(records):
    """The records as words; those that are no events are left out."""
    found, stated = [], 0
    for r in records:
        if r.kind == tracefile.EXT and r.id >> 12 == tracefile.RESYNC:
            stated = r.payload[0] >> 32
        if r.kind not in _MARKS:
            continue
        mark, line = _MARKS[r.kind], ""
        if r.kind in (tracefile.PY_BEGIN, tracefile.PY_RESUME):
            line = ":%d" % r.function.line
            if stated:
                mark, stated = "<", stated - 1
        found.append(mark + r.function.name + line)
    return found


def inside(records, name):
    """The records of the first call of the Python function `name`, its begin and end included."""
    first = depth = None
    for i, r in enumerate(records):
        if r.function is None or r.function.name != name or r.function.kind != "python":
            continue
        if r.kind in (tracefile.PY_BEGIN, tracefile.PY_RESUME):
            first = i if first is None else first
            depth = (depth or 0) + 1
        elif r.kind in (tracefile.PY_END, tracefile.PY_END_EXC, tracefile.PY_SUSPEND) and depth:
            depth -= 1
            if depth == 0:
                return records[first:i + 1]
    raise AssertionError("no whole call of %s" % name)


def expected(text):
    """The words of a text that a test has written down, for this interpreter."""
    found = []
    for word in text.split():
        mark, name = word[0], word[1:]
        if "/" in name:
            outer, inner = name.split("/")
            name = outer + "." + inner if sys.version_info >= (3, 11) else inner
        found.append(mark + name)
    return found


class Case(harness.Case):
    """For programs with a function case(), which is called at their end."""

    def assert_events(self, source, text):
        """The first call of case() is recorded as `text` says, from its begin to its end."""
        self.run_script(textwrap.dedent(source) + "\ncase()\n")
        records = inside(self.read_one().thread().records, "case")
        self.assertEqual(words(records), expected(text))
