"""The page of `mtrace view`: how fast and how large it is made, and how fast a browser shows it. The trace is of
a real program (inside/many_calls.py) and, as an upper bound, one whose names are drawn evenly of 20 000."""
import os
import shutil
import subprocess
import time

from costs import cores
from merge import Row, make, peak_kib
from pythons import INSIDE, MTRACE, Failed, last_json, run

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5


def _tools():
    """The interpreter that has Playwright, and where its packages are."""
    with open(os.environ["BENCH_TOOLS"]) as f:
        executable, site = f.read().strip().split("\t")
    return executable, os.path.join(os.environ["BENCH_ROOT"], site)


def _browser(name, page, two_cores):
    """The medians of three: opening is not repeated in a page."""
    executable, site = _tools()
    environment = dict(os.environ, PYTHONPATH=site)
    with cores(two_cores):
        runs = [last_json(run([executable, "-B", os.path.join(HERE, "browser.py"), name, page], environment))
                for _ in range(3)]
    return {key: sorted(r[key] for r in runs)[1] for key in runs[0]}


def _record(folder):
    """A real program's traces, and how many events there are."""
    traces = os.path.join(folder, "real")
    run([MTRACE, "run", "-q", "--python", _tools()[0], "-d", traces, os.path.join(INSIDE, "many_calls.py"), "1"])
    text = run([MTRACE, "info", traces]).split("\ntotal\n")[1]
    return traces, int(next(line.split()[1] for line in text.splitlines() if line.strip().startswith("events")).replace(",", ""))


def _words(traces, page, n_cores):
    return [MTRACE, "view", "-q", "-j", str(n_cores), "-o", page, traces]


def _speed(traces, page, n_events, n_cores, two_cores):
    """M events a second, the best of some."""
    best = 0
    for _ in range(ROUNDS):
        with cores(two_cores if n_cores == 2 else {min(two_cores)}):
            start = time.perf_counter()
            if subprocess.call(_words(traces, page, n_cores)):
                raise Failed("mtrace view does not end well")
            best = max(best, n_events / (time.perf_counter() - start) / 1e6)
    return best


def _made(what, traces, n_events, page, two_cores, most_bytes):
    for n_cores in (1, 2):
        yield Row("page made of %s, %d core%s" % (what, n_cores, "s" * (n_cores > 1)),
                  _speed(traces, page, n_events, n_cores, two_cores), "M events/s", False, 20 if n_cores == 2 else None)
    yield Row("page of %s" % what, os.path.getsize(page) / n_events, "bytes an event", True, most_bytes)


def _shown(what, found, in_targets=True):
    """Rows of what browser.py found; the targets are those for ten million real events."""
    wanted = (("overview painted", "overview", 1000), ("all drawn", "ready", 2000), ("zoom, 95 % of frames", "frame p95", 20),
              ("zoom, 95 % of frames, threads collapsed", "frame p95, collapsed", 20), ("zoom, drawing", "drawing p95", None),
              ("search", "search", 200), ("next match", "next match", 200), ("flame graph of a tenth", "flame, a tenth", 100),
              ("flame graph of all", "flame, all", None))
    for text, key, most in wanted:
        if key in found:
            yield Row("%s: %s" % (what, text), found[key], "ms", True, most if in_targets else None)


def measure(folder, quick, two_cores, say):
    """Rows of the report."""
    page = os.path.join(folder, "page.html")
    say("view: a real program")
    traces, n_events = _record(folder)
    rows = [*_made("%.1f M real events" % (n_events / 1e6), traces, n_events, page, two_cores, 2)]
    rows.append(Row("memory of that", peak_kib(_words(traces, page, 2), two_cores) / 1024, "MB", True, None))
    rows += _shown("Chromium", _browser("chromium", page, two_cores))
    rows += _shown("Firefox", _browser("firefox", page, two_cores), False)
    shutil.rmtree(traces)
    say("view: 20 000 names")
    traces, n_events = make(folder, "hard", files=1, threads=200, names=20_000, events=10_000_000)
    rows += _made("10 M events of 20 000 names", traces, n_events, page, two_cores, 4)
    rows += _shown("Chromium, 20 000 names", _browser("chromium", page, two_cores), False)
    shutil.rmtree(traces)
    if not quick:
        say("view: 50 M events")
        traces, n_events = make(folder, "most", files=10, threads=10, names=500, events=50_000_000)
        run(_words(traces, page, 2))
        rows += _shown("Chromium, 50 M events", _browser("chromium", page, two_cores), False)
        shutil.rmtree(traces)
    return rows
