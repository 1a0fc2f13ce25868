"""How fast traces of any size become numbers: `mtrace report` over files that make_traces makes, which are
in memory when it begins. As merge.py, which measures timelines."""
import shutil
import subprocess
import time
from collections import namedtuple

from costs import cores
from merge import Row, make, peak_kib
from pythons import MTRACE, Failed

ROUNDS = 5

# `mtrace report` over 100 M events shall take so many seconds on two cores.
Case = namedtuple("Case", "what threads names target")
CASES = (
    Case("report, 2000 names", 16, 2_000, 0.8),
    Case("report, 50000 names", 16, 50_000, 1.8),
    Case("report, one thread", 1, 2_000, 1.5),
)


def _words(traces, n_cores):
    return [MTRACE, "report", "-q", "-j", str(n_cores), traces]


def _seconds(traces, n_cores, two_cores):
    with cores(two_cores if n_cores == 2 else {min(two_cores)}):
        start = time.perf_counter()
        status = subprocess.call(_words(traces, n_cores), stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
    if status:
        raise Failed("mtrace report: exit status %d" % status)
    return seconds


def measure(folder, quick, two_cores, say):
    """Rows of the report."""
    n_wanted = 20_000_000 if quick else 100_000_000
    sets = {case: make(folder, "report%d" % i, files=1, threads=case.threads, names=case.names, events=n_wanted)
            for i, case in enumerate(CASES)}
    best = {}
    for i in range(3 if quick else ROUNDS):
        for case in CASES:
            say("report, round %d: %s" % (i + 1, case.what))
            for n_cores in 1, 2:
                seconds = _seconds(sets[case][0], n_cores, two_cores) * 100e6 / sets[case][1]
                best[case, n_cores] = min(best.get((case, n_cores), seconds), seconds)
    for (case, n_cores), seconds in best.items():
        yield Row("%s, 100 M events, %d core%s" % (case.what, n_cores, "s" if n_cores > 1 else ""), seconds, "s", True,
                  case.target if n_cores == 2 else None)
    for traces, _ in sets.values():
        shutil.rmtree(traces)
    say("report: memory")
    traces, n_events = make(folder, "wide_report", files=200, threads=1, names=50_000, events=n_wanted)
    yield Row("peak memory, report, %.0f M events in 200 files, 50000 names" % (n_events / 1e6),
              peak_kib(_words(traces, 2), two_cores) / 1024, "MB", True, 200)
    shutil.rmtree(traces)
