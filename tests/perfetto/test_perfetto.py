"""What Perfetto's trace processor makes of a merged timeline: as many slices as calls, processes,
threads and arrows as they were, what was left open, and nothing to complain of."""
import collections
import os
import subprocess
import sys

from tests.perfetto import browser
from tests.python import harness, tracefile

# Children by fork and by spawn, threads, exceptions, generators, names that need care, and a child
# that is gone in the middle of nested calls.
PROGRAM = """
import multiprocessing, os, threading, time

def leaf(n):
    return abs(n)

def careful(n):
    try:
        raising(n)
    except ValueError:
        return leaf(n)

def raising(n):
    raise ValueError(int("1" * n))

def numbers(n):
    for i in range(n):
        yield leaf(i)

def work(n):
    for i in range(1, n):
        careful(i)
    return sum(numbers(n))

def never_back(depth):
    if depth:
        never_back(depth - 1)
    os._exit(0)

def forked():
    work(20)
    never_back(7)

def spawned():
    threading.current_thread().name = "main of the \\"spawned\\" <one>"
    work(30)

def in_thread(n):
    work(n)
    barrier.wait()

barrier = threading.Barrier(4)

if __name__ == "__main__":
    children = [multiprocessing.get_context(method).Process(target=target, name=name) for method, target, name in
                (("fork", forked, "the forked one"), ("fork", forked, "another"), ("spawn", spawned, "sp\\u00e4wned"))]
    for child in children:
        child.start()
    threads = [threading.Thread(target=in_thread, args=(n,), name="worker %d" % n) for n in (40, 50, 60, 70)]
    for thread in threads:
        thread.start()
    for each in threads + children:
        each.join()
"""

SLICES = "select name, count(*), sum(dur = -1) from slice group by name order by name"
STATS = "select name, value from stats where severity in ('error', 'data_loss') and value > 0"
PROCESSES = "select pid, name from process where pid > 0"
THREADS = """select pid, tid, thread.name, (select count(*) from slice join thread_track t on slice.track_id = t.id
             where t.utid = thread.utid) from thread join process using (upid) where pid > 0"""
FLOWS = """select p1.pid, p2.pid from flow
           join slice s1 on slice_out = s1.id join thread_track t1 on s1.track_id = t1.id
           join thread h1 on t1.utid = h1.utid join process p1 on h1.upid = p1.upid
           join slice s2 on slice_in = s2.id join thread_track t2 on s2.track_id = t2.id
           join thread h2 on t2.utid = h2.utid join process p2 on h2.upid = p2.upid"""
RANGE = "select min(ts), max(ts + max(dur, 0)) from slice"


class TestPerfetto(harness.Case):
    def record(self):
        self.run_script(PROGRAM, name="all_kinds.py")
        self.check()
        return self.read()

    def ask(self, *options):
        """What Perfetto answers to each query, of the timeline as these options of merge make it."""
        path = os.path.join(self.folder, "all.json")
        self.mtrace("merge", "-o", path, *options, self.traces)
        with open(path, "rb") as f, browser.perfetto(f.read()) as page:
            return {sql: browser.ask(page, sql) for sql in (SLICES, STATS, PROCESSES, THREADS, FLOWS, RANGE)}

    def test_timeline(self):
        traces = self.record()
        answers = self.ask()
        self.assertEqual(answers[STATS], [])
        self.verify_slices(answers, traces)
        self.verify_names(answers, traces)
        self.verify_flows(answers, traces)
        self.verify_other_formats(answers)

    def verify_slices(self, answers, traces):
        begun, left_open = collections.Counter(), collections.Counter()
        for trace in traces:
            for thread in trace.threads:
                for call in thread.calls():
                    begun[call.function.name] += 1
                    left_open[call.function.name] += call.outcome == "open"
        self.assertEqual(sum(begun.values()),
                         sum(r.kind in tracefile.BEGINS for t in traces for thread in t.threads for r in thread.records))
        self.assertEqual({name: n for name, n, _ in answers[SLICES]}, dict(begun))
        self.assertEqual({name: n for name, _, n in answers[SLICES] if n}, dict(+left_open))
        self.assertEqual(left_open["never_back"], 16)
        self.assertEqual(begun["raising"], 2 * 19 + 29 + 39 + 49 + 59 + 69)
        first, last = answers[RANGE][0]
        self.assertTrue(0 <= first < 1e9 and first < last < 120e9, (first, last))

    def verify_names(self, answers, traces):
        names = dict(answers[PROCESSES])
        self.assertEqual(set(names), {t.pid for t in traces})
        shown = sorted(names.values())
        for name in ("all_kinds", "another", "sp\u00e4wned", "the forked one"):
            self.assertEqual(len([s for s in shown if name in s]), 1, shown)
        for trace in traces:
            expected = {(t.tid, t.name, sum(r.kind in tracefile.BEGINS for r in t.records)) for t in trace.threads}
            self.assertEqual({(tid, name, n) for pid, tid, name, n in answers[THREADS] if pid == trace.pid}, expected)
        self.assertEqual({"worker 40", "worker 50", "worker 60", "worker 70", "main of the \"spawned\" <one>"}
                         - {row[2] for row in answers[THREADS]}, set())

    def verify_flows(self, answers, traces):
        """One arrow for each child, from its parent's track to its own."""
        by_id = {t.file_id: t for t in traces}
        children = [t for t in traces if t.parent_id in by_id]
        self.assertEqual(len(children), len(traces) - 1)
        self.assertEqual(sorted(map(tuple, answers[FLOWS])), sorted((t.ppid, t.pid) for t in children))

    def verify_other_formats(self, answers):
        """With X in place of B and E, and in Perfetto's own format, the timeline is the same."""
        self.assertEqual(self.ask("--events", "complete"), answers)
        self.assertEqual(self.ask("-f", "perfetto"), answers)


class TestExample(harness.Case):
    def test_web_pool(self):
        """The README's first command, and that Perfetto can read what it makes."""
        example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/web_pool.py")
        done = subprocess.run([harness.MTRACE, "run", "--python", sys.executable, "-o", "all.json", example],
                              cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=harness.TIMEOUT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^web_pool: 4 visitors, 32 requests, 28 of them fine")
        with open(os.path.join(self.folder, "all.json"), "rb") as f, browser.perfetto(f.read()) as page:
            self.assertEqual(browser.ask(page, STATS), [])
            counts = dict(browser.ask(page, "select name, count(*) from slice where name in ('draw_chart', "
                                            "'render_chart', 'render_page', 'Site.do_GET', 'visit') group by name"))
            self.assertEqual(counts, {"draw_chart": 16, "render_chart": 16, "render_page": 12, "Site.do_GET": 32,
                                      "visit": 4})
            self.assertEqual(len(browser.ask(page, PROCESSES)), 4)
            self.assertEqual(browser.ask(page, "select count(*) from flow"), [[3]])


if __name__ == "__main__":
    harness.main()
