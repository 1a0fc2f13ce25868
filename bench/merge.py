"""How fast traces of any size become timelines: `mtrace merge` over files that make_traces makes, which
are in memory when it begins. Rounds are interleaved; what counts is the best, since all else is noise of
the machine. No interpreter has a part in it."""
import os
import re
import shutil
import subprocess
import time
from collections import namedtuple

from costs import cores
from pythons import MTRACE, Failed, run

FEW, MANY = 2_000, 50_000  # names
ROUNDS = 5
PIPE = "| cat"  # instead of options: the timeline goes through a pipe
NEED_FREE = 40 << 30  # bytes, for 10 GB twice

# One measurement: M events a second by `merge OPTIONS`, which should be `target` or more.
Case = namedtuple("Case", "what format names n_cores target")
# One line of the report. most: True if the value must not be above the target.
Row = namedtuple("Row", "what value unit most target")

CASES = (
    Case("Chrome JSON, %d names" % FEW, "chrome", FEW, 1, 80),
    Case("Chrome JSON, %d names" % MANY, "chrome", MANY, 1, 60),
    Case("Chrome JSON, %d names" % FEW, "chrome", FEW, 2, 140),
    Case("Chrome JSON, %d names" % MANY, "chrome", MANY, 2, 110),
    Case("Chrome JSON through a pipe", "chrome " + PIPE, FEW, 2, 40),
    Case("Chrome JSON, X events", "chrome-complete", FEW, 1, None),
    Case(".json.gz", "chrome.gz", FEW, 2, 15),
    Case(".json.zst", "chrome.zst", FEW, 2, None),
    Case("Perfetto, %d names" % FEW, "perfetto", FEW, 1, 100),
    Case("Perfetto, %d names" % MANY, "perfetto", MANY, 1, None),
    Case("Perfetto, %d names" % FEW, "perfetto", FEW, 2, None),
    Case("Perfetto, .gz", "perfetto.gz", FEW, 2, 40),
)


def _formats():
    """Names from the lines "  NAME  .SUFFIX  ..."."""
    return set(re.findall(r"^  ([a-z-]+) +\.", run([MTRACE, "merge", "--help"]), re.MULTILINE))


def _make(folder, name, **wanted):
    """Returns the folder and the number of events."""
    traces = os.path.join(folder, name)
    os.mkdir(traces)
    words = ["%s=%d" % pair for pair in wanted.items()]
    return traces, int(run([os.environ["MAKE_TRACES"], traces, *words]))


def _merge(format_, traces, n_cores):
    return [MTRACE, "merge", "-q", "-f", format_.split()[0], "-j", str(n_cores), traces]


def _seconds(case, traces, two_cores):
    """Of one run. A pipe's reader shares the cores."""
    with cores(two_cores if case.n_cores == 2 else {min(two_cores)}):
        start = time.perf_counter()
        if case.format.endswith(PIPE):
            reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            status = subprocess.call(_merge(case.format, traces, case.n_cores), stdout=reader.stdin)
            reader.stdin.close()
            status = reader.wait() or status
        else:
            status = subprocess.call(_merge(case.format, traces, case.n_cores), stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
    if status:
        raise Failed("mtrace merge -f %s: exit status %d" % (case.format, status))
    return seconds


def _peak_kib(format_, traces, two_cores):
    """Its memory, read while it runs: what wait() tells has the peak of whoever started it in it."""
    with cores(two_cores):
        merge = subprocess.Popen(_merge(format_, traces, 2), stdout=subprocess.DEVNULL)
    peak = 0
    while merge.poll() is None:
        with open("/proc/%d/status" % merge.pid) as status:
            peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
        time.sleep(0.005)
    return peak


def _best(case, seconds, n_events):
    return Row("%s, %d core%s" % (case.what, case.n_cores, "s" if case.n_cores > 1 else ""), n_events / seconds / 1e6,
               "M events/s", False, case.target)


# -------------------------------------------------------------------------------------------------- disk

def _timed(words, path, flags, two_cores):
    os.sync()
    with cores(two_cores):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
        start = time.perf_counter()
        status = subprocess.call(words, stdout=fd)
        os.close(fd)
        seconds = time.perf_counter() - start
    if status:
        raise Failed("%s: exit status %d" % (words[0], status))
    return seconds


def _against_cat(folder, what, gigabytes, fresh, rounds, target, two_cores):
    """A timeline to the disk, and `cat` of it: fresh files, or over what is there already."""
    traces, _ = _make(folder, "disk", files=1, threads=4, names=FEW, events=int(gigabytes * 1e9 / 96))
    first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
    ours, cats = [], []
    merge = _merge("chrome", traces, 2)
    if not fresh:
        _timed(merge, first, 0, two_cores)
        shutil.copy(first, second)
    for _ in range(rounds):
        if fresh:
            for path in first, second:
                if os.path.exists(path):
                    os.unlink(path)
        ours.append(_timed(merge, first, 0, two_cores))
        cats.append(_timed(["cat", first], second, 0, two_cores))
    size = os.path.getsize(first)
    for path in first, second:
        os.unlink(path)
    shutil.rmtree(traces)
    return Row("%s, %.1f GB: time / that of `cat`" % (what, size / 1e9), min(ours) / min(cats), "", True, target)


# ---------------------------------------------------------------------------------------------- together

def measure(folder, quick, two_cores, say):
    """Rows of the report."""
    formats = _formats()
    cases = [c for c in CASES if c.format.split()[0].split(".")[0] in formats]
    n_wanted = 20_000_000 if quick else 50_000_000
    sets = {names: _make(folder, "names%d" % names, files=1, threads=4, names=names, events=n_wanted)
            for names in (FEW, MANY)}
    seconds = {}
    for i in range(3 if quick else ROUNDS):
        for case in cases:
            say("merge, round %d: %s" % (i + 1, case.what))
            seconds.setdefault(case, []).append(_seconds(case, sets[case.names][0], two_cores))
    rows = [_best(case, min(seconds[case]), sets[case.names][1]) for case in cases]
    if "perfetto" in formats:
        traces, n_events = sets[FEW]
        output = os.path.join(folder, "timeline")
        run([MTRACE, "merge", "-f", "perfetto", "-o", output, traces])
        rows.append(Row("Perfetto, an event", os.path.getsize(output) / n_events, "bytes", True, 13.5))
        os.unlink(output)
    for traces, _ in sets.values():
        shutil.rmtree(traces)
    rows += _memory(folder, quick, formats, two_cores, say)
    say("merge: disk")
    rows.append(_against_cat(folder, "over a file", 1 if quick else 2.1, False, 3 if quick else ROUNDS, 1.3, two_cores))
    if not quick and shutil.disk_usage(folder).free > NEED_FREE:
        rows.append(_against_cat(folder, "to a new file", 10, True, 2, 0.5, two_cores))
    return rows


def _memory(folder, quick, formats, two_cores, say):
    traces, n_events = _make(folder, "wide", files=200, threads=1, names=FEW, events=(20 if quick else 100) * 1_000_000)
    for format_ in ("chrome", "perfetto"):
        if format_ in formats:
            say("merge: memory, %s" % format_)
            yield Row("peak memory, %s, %.0f M events in 200 files" % (format_, n_events / 1e6),
                      _peak_kib(format_, traces, two_cores) / 1024, "MB", True, 64)
    shutil.rmtree(traces)
