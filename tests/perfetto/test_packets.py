"""The Perfetto format, read by Perfetto's own schema and by its trace processor: the same timeline as the
one in Chrome's format, as what was recorded, and as what the program itself says that it did."""
import collections
import json
import os
import re
import subprocess
import sys

from tests.perfetto import browser, packets
from tests.python import harness, tracefile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
GOLDEN = os.path.join(TOP, "tests/golden")

NAMES = ['"', "'", "\\", "a\nb\r\tc", "\x01\x1f\x7f", "<b>&amp;</b>", "\u202eright to left\u202c", "\U0001f600\u0301",
         "\u00e9" * 5000, "x" * 10000, "lone \udc80 surrogate", "%s%n{}"]

# Functions of these names, each called a different number of times; a thread with such a name; generators,
# exceptions; a child that is killed in the middle of nested calls, and one that becomes another program.
PROGRAM = """
import json, os, signal, sys, threading

NAMES = json.loads(sys.argv[1])

def named(name):
    code = compile("def f(n): return n and f(n - 1)", "dir/" + name.replace(chr(0), "")[:200], "exec")
    scope = {}
    exec(code, scope)
    f = scope["f"]
    f.__qualname__ = f.__name__ = name
    f.__code__ = f.__code__.replace(co_name=name, **({"co_qualname": name} if hasattr(f.__code__, "co_qualname") else {}))
    return f

def numbers():
    yield 1
    yield 2

def raising():
    raise ValueError

def caught():
    try:
        raising()
    except ValueError:
        return sum(numbers())

def down(n):
    if n:
        down(n - 1)
    os.kill(os.getpid(), signal.SIGKILL)

def child(what):
    pid = os.fork()
    if not pid:
        what()
    return os.waitpid(pid, 0)

def execute():
    os.execv(sys.executable, [sys.executable, "-c", "def after(): pass\\nafter()"])

def in_thread():
    for number, name in enumerate(NAMES):
        named(name)(number)

thread = threading.Thread(target=in_thread, name="\\U0001f600 \\"thread\\"")
thread.start()
thread.join()
for _ in range(10):
    caught()
child(lambda: down(5))
child(execute)
"""

ROWS = """select pid, tid, ts, depth, slice.name, dur, category = 'c' from slice join thread_track t on track_id = t.id
          join thread using (utid) join process using (upid) order by 1, 2, 3, 4, dur = 0, 5"""
PLACES = """select slice.name, (select string_value from args where arg_set_id = slice.arg_set_id and key = 'source.file_name')
            || ':' || (select int_value from args where arg_set_id = slice.arg_set_id and key = 'source.line_number'),
            count(*) from slice group by 1, 2"""
STATS = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
FLOWS = """select s1.ts, s1.name, s2.ts, s2.name from flow join slice s1 on slice_out = s1.id
           join slice s2 on slice_in = s2.id order by 1, 3"""
PROCESSES = "select pid, name from process where pid > 0 order by 1"
THREADS = "select pid, tid, thread.name from thread join process using (upid) where pid > 0 order by 1, 2"
OTHER = """select s.name, s.ts, s.dur, pid from slice s join process_track t on s.track_id = t.id
           join process using (upid) order by 4, 2"""
CLOCK = "select clock_value from clock_snapshot where clock_name = 'REALTIME' and ts = 0"
BOTH = ROWS, STATS, FLOWS, PROCESSES, THREADS, OTHER


def printable(name):
    """As the recorder writes what cannot be UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def plain(name):
    """Without the difference that this trace processor leaves some escapes of JSON as they are."""
    return re.sub(r"\\+(u[0-9a-f]{4}|[nrt])", lambda found: json.loads(r'"\%s"' % found.group(1)), name)


def repeated(name):
    """As the JSON, which has a name with each call, writes one of more than 1000 bytes."""
    text = name.encode(errors="surrogatepass")
    return name if len(text) <= 1000 else text[:1000].decode(errors="ignore") + "..."


class Case(harness.Case):
    def merged(self, form, traces, options=()):
        return subprocess.run([harness.MTRACE, "merge", "-f", form, *options, traces], check=True,
                              stdout=subprocess.PIPE, timeout=harness.TIMEOUT).stdout

    def assert_rows(self, found, expected):
        """assertEqual() would look for the differences of long lists for minutes."""
        for i, (row, wanted) in enumerate(zip(found, expected)):
            self.assertEqual(row, wanted, "row %d" % i)
        self.assertEqual(len(found), len(expected))

    def both(self, *what):
        """The timelines in both formats, without what they say in different ways."""
        chrome = packets.read_chrome(json.loads(self.merged("chrome", *what)))
        perfetto = packets.read(self.merged("perfetto", *what))
        self.assertEqual({c.category for c in perfetto.calls} - {"c", None}, set())
        self.assertEqual({c.category for c in chrome.calls} - {"c", "python"}, set())
        return chrome, perfetto

    def assert_same(self, *what):
        chrome, perfetto = self.both(*what)
        self.assert_rows([c._replace(name=repeated(c.name), category=c.category or "python",
                                     args={"open": True} if "open" in c.args else {})
                          for c in perfetto.calls], chrome.calls)
        for what in "marks", "flows", "processes":
            self.assertEqual(getattr(perfetto, what), getattr(chrome, what))
        self.assertEqual({key: name for key, name in perfetto.threads.items() if name}, chrome.threads)
        return perfetto

    def ask(self, data, queries):
        with browser.perfetto(data) as page:
            return {sql: browser.ask(page, sql) for sql in queries}

    def assert_same_in_trace_processor(self, traces):
        """All rows, and nothing to complain of; returns the answers."""
        chrome = self.ask(self.merged("chrome", traces), BOTH)
        perfetto = self.ask(self.merged("perfetto", traces), BOTH + (PLACES, CLOCK))
        for row in chrome[ROWS] + perfetto[ROWS]:
            row[4] = repeated(plain(row[4]))
        for sql in BOTH:
            self.assert_rows([row[:6] for row in perfetto[sql]], [row[:6] for row in chrome[sql]])
        self.assert_rows([row[6] or 0 for row in perfetto[ROWS]], [row[6] for row in chrome[ROWS]])
        self.assertEqual(perfetto[STATS], [])
        return perfetto


class TestProgram(Case):
    def setUp(self):
        super().setUp()
        self.run_script(PROGRAM, json.dumps(NAMES), name="all_names.py")
        self.timeline = self.assert_same(self.traces)

    def test_what_was_recorded(self):
        counts = collections.Counter(call.name for call in self.timeline.calls)
        for number, name in enumerate(NAMES):
            self.assertEqual(counts[printable(name)], number + 1, name)
        self.assertEqual((counts["raising"], counts["caught"], counts["numbers"]), (10, 10, 30))
        self.assertEqual([c.duration for c in self.timeline.calls if c.name == "down"], [None] * 6)
        self.assertEqual(counts["after"], 1)
        self.assertEqual(sum("exception" in c.args for c in self.timeline.calls if c.name == "raising"), 10)
        self.assertEqual(sum("exception" in c.args for c in self.timeline.calls if c.name == "caught"), 0)
        self.assertEqual(len(self.timeline.flows), 2)
        self.verify_totals()

    def test_slices(self):
        """Names are there also where a function's first call is not."""
        whole = len(self.timeline.calls)
        middle = "%.6f" % (sorted(call.ts for call in self.timeline.calls)[whole // 2] / 1e9)
        for options in (("--from", middle), ("--to", middle), ("--max-depth", "3"), ("--exclude", "caught"),
                        ("--include", "numbers"), ("--min-duration", "0.0005"), ("--thread", "*thread*"), ("--pid", "1")):
            sliced = self.assert_same(self.traces, options)
            self.assertLess(len(sliced.calls), whole, options)
            self.assertEqual(bool(sliced.calls), options != ("--pid", "1"), options)

    def verify_totals(self):
        """`info` counts calls; on the timeline, a generator's every part and what a child inherits are calls, too."""
        total = self.mtrace("info", self.traces).stdout.split("\ntotal\n")[1]
        n_python, n_c, n_open = [int(s.replace(",", "")) for s in re.search(
            r"calls +([\d,]+) Python, ([\d,]+) C, ([\d,]+) unfinished", total).groups()]
        n_resumed = sum(r.kind == tracefile.PY_RESUME for t in self.read() for thread in t.threads for r in thread.records)
        n_reopened = sum("open" in call.args for call in self.timeline.calls)
        self.assertEqual(len(self.timeline.calls) - n_resumed - n_reopened, n_python + n_c)
        self.assertEqual(sum(c.category == "c" for c in self.timeline.calls), n_c)
        self.assertEqual(sum(c.duration is None for c in self.timeline.calls), n_open)
        self.assertEqual(n_reopened, 4)  # <module> and child, in each child

    def test_trace_processor(self):
        answers = self.assert_same_in_trace_processor(self.traces)
        self.assertEqual(len(answers[ROWS]), len(self.timeline.calls))
        self.assertEqual(sum(row[5] == -1 for row in answers[ROWS]),
                         sum(c.duration is None for c in self.timeline.calls))
        self.assertEqual(sum(row[5] for row in answers[ROWS] if row[5] > 0),
                         sum(c.duration for c in self.timeline.calls if c.duration))
        places = collections.Counter((call.name, call.place and call.place.replace("\\", "/"))  # as in Windows's paths
                                     for call in self.timeline.calls)
        found = {(name, place): n for name, place, n in answers[PLACES]}
        self.assertEqual(found.items() ^ places.items(), set())
        self.assertEqual(len(answers[FLOWS]), 2)
        self.assertEqual(len(answers[PROCESSES]), 3)
        self.assertIn("\U0001f600 \"thread\"", [name for _, _, name in answers[THREADS]])
        files = [t for t in self.read()]
        self.assertEqual(len(files), 4)
        [[real_ns]] = answers[CLOCK]
        self.assertLess(abs(real_ns / 1e9 - os.stat(files[0].path).st_mtime), 3600)


class TestGolden(Case):
    """A tid that is used again, losses of a thread and of a process, repaired calls."""

    def test_packets(self):
        timeline = self.assert_same(GOLDEN)
        self.assertEqual([(m.tid, m.args["count"]) for m in timeline.marks], [(100, 12), (None, 2)])
        self.assertEqual(sum("repaired" in c.args for c in timeline.calls), 3)
        self.assertEqual(sum("open" in c.args for c in timeline.calls), 4)
        with open(os.path.join(GOLDEN, "merged.perfetto-trace"), "rb") as f:
            self.assertEqual(packets.read(f.read()).calls, timeline.calls)

    def test_trace_processor(self):
        answers = self.assert_same_in_trace_processor(GOLDEN)
        self.assertEqual(answers[OTHER], [["events lost", 24300, 0, 101]])
        self.assertEqual(len(answers[FLOWS]), 1)


class TestExample(Case):
    def test_web_pool(self):
        self.run_traced(sys.executable, os.path.join(TOP, "examples/web_pool.py"))
        timeline = self.assert_same(self.traces)
        self.assertEqual(len(timeline.flows), 3)
        answers = self.assert_same_in_trace_processor(self.traces)
        self.assertEqual(len(answers[ROWS]), len(timeline.calls))


class TestNoCalls(Case):
    def test_nothing_but_a_header(self):
        self.run_script("pass")
        [name] = os.listdir(self.traces)
        path = os.path.join(self.traces, name)
        os.truncate(path, 4096)
        timeline = packets.read(self.merged("perfetto", self.traces))
        self.assertEqual((timeline.calls, timeline.processes), ([], {timeline_pid(path): "script"}))
        answers = self.ask(self.merged("perfetto", self.traces), (ROWS, STATS, PROCESSES))
        self.assertEqual(answers, {ROWS: [], STATS: [], PROCESSES: [[timeline_pid(path), "script"]]})


def timeline_pid(path):
    return int(re.search(r"\.(\d+)\.trace$", path).group(1))


if __name__ == "__main__":
    harness.main()
