"""Compares the runs of a file, test by test.

A test that differs is run again, both ways: first alone, then within its file. It is *caused* by
tracing if no outcome was ever seen both ways, else *unstable*: chance decides. A crash or a hang is
never put down to chance, unless it was seen untraced, too.
"""
import collections
import re

from tests.cpython import known

ROUNDS = 3

Difference = collections.namedtuple("Difference", "test untraced traced control detail row unstable")


def shown(rows):
    """What is compared of the outcomes of one test: with the reason where it was skipped."""
    return tuple(outcome + ": " + re.sub(r"0x[0-9a-f]+|\d{4,}", "N", detail) if outcome == "skipped" else outcome
                 for outcome, detail in rows) or ("not run",)


def outcomes(run):
    """By test, the file as a whole included."""
    found = {test: shown(rows) for test, rows in run.outcomes.items()}
    if run.open and not run.outcomes[run.open]:
        found[run.open] = ("begun, not ended",)
    found[run.file] = (run.end,)
    return found


def fatal(outcome):
    """Did the whole process end before its time?"""
    return outcome[0].startswith(("exit status", "time limit", "begun"))


def differing(untraced, traced):
    """The tests that differ. Where one run was cut short, not those that it did not get to."""
    a, b = outcomes(untraced), outcomes(traced)
    cut = fatal(a[untraced.file]) or fatal(b[traced.file]) or len(a) == 1 or len(b) == 1
    return [test for test in sorted(set(a) | set(b)) if a.get(test, ("not run",)) != b.get(test, ("not run",)) and
            (not cut or test in a and test in b)]


class Seen:
    """Every outcome of the tests of interest, by way of running."""

    def __init__(self):
        self.rows = {}

    def add(self, tests, untraced, traced):
        for way, run in enumerate((untraced, traced)):
            found = outcomes(run)
            for test in tests:
                counts = self.rows.setdefault(test, (collections.Counter(), collections.Counter()))[way]
                counts[found.get(test, ("not run",))] += 1

    def unstable(self, test):
        untraced, traced = self.rows[test]
        return bool(set(untraced) & set(traced)) and not any(map(fatal, set(traced) - set(untraced)))

    def text(self, test, way):
        counts = self.rows[test][way]
        return ", ".join(" + ".join(outcome) + (" (%d times)" % n if sum(counts.values()) > 1 else "")
                         for outcome, n in counts.most_common())


def again(seen, tests, run):
    """Decides about tests that differ; `run(way, matches)` runs the file once more: 0 untraced, 1 traced, 2
    under a hook that does nothing."""
    # Alone only where regrtest can find them: not what fails in setUpClass, not the file.
    alone = [t for t in tests if re.fullmatch(r"[\w.]+", t)]
    if alone and len(alone) == len(tests):
        for _ in range(ROUNDS):
            apart = Seen()
            apart.add(alone, run(0, alone), run(1, alone))
            for test in alone:
                for way in 0, 1:
                    seen.rows[test][way].update(apart.rows[test][way])
        # Those that are the same alone may differ in company.
        tests = [t for t in alone if seen.unstable(t)]
    for _ in range(ROUNDS - 1 if tests else 0):
        seen.add(tests, run(0, []), run(1, []))


def under_control(tests, run):
    """The outcomes under a hook that does nothing; {}: this mode knows no such hook."""
    control = run(2, []) if tests else None
    return outcomes(control) if control else {}


def row_of(test, rows, control, traced):
    """The row of known.py that explains a difference, or None."""
    as_control = not control or control.get(test) == outcomes(traced).get(test)
    return next((row for row in rows if known.explains(row, test) and (as_control or not row.observed)), None)


def compare(version, mode, untraced, traced, run):
    """Returns the list of Difference, and the rows of known.py whose difference is gone. `run`: see again()."""
    rows = known.rows(version, mode)
    tests = differing(untraced, traced)
    control = under_control(tests, run)
    by_test = {test: row_of(test, rows, control, traced) for test in tests}
    seen = Seen()
    seen.add(tests, untraced, traced)
    unexplained = [test for test in tests if not by_test[test]]
    if unexplained:
        again(seen, unexplained, run)
    found = []
    for test in tests:
        row = by_test[test]
        detail = "\n".join(text for r in (untraced, traced) for _, text in r.outcomes.get(test, []) if text)
        if test == traced.file:
            detail = traced.text[-4000:]
        found.append(Difference(test, seen.text(test, 0), seen.text(test, 1),
                                " + ".join(control.get(test, ())), detail, row,
                                row is None and seen.unstable(test)))
    same = [test for test, outcome in outcomes(untraced).items() if test not in tests and
            not all(word.startswith("skipped") for word in outcome)]
    gone = [row for row in rows if not row.sometimes and not any(known.explains(row, t) for t in tests) and
            any(known.explains(row, t) for t in same)]
    return found, gone
