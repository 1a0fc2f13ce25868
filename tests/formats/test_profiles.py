"""pstats, snakeviz, gprof2dot and callgrind_annotate read the profiles as they were recorded."""
import collections
import json
import pstats
import re
import shutil
import subprocess
import unittest

from tests.formats import recorded


class TestProfiles(recorded.Case):
    def setUp(self):
        super().setUp()
        self.report = json.loads(self.mtrace("report", "-f", "json", self.traces).stdout)
        self.expected = sum(self.counts.values(), collections.Counter())
        self.path = self.folder + "/out"

    def merged_as(self, name):
        self.mtrace("merge", "-f", name, "-o", self.path, self.traces)
        return self.path

    def of_program(self, pairs):
        """Calls by name, of (file, name, calls), of what the program counts."""
        counts = collections.Counter()
        for file, name, n in pairs:
            if file.endswith("known.py") and name in self.expected:
                counts[name] += n
        return counts

    def test_report(self):
        rows = self.report["rows"]
        self.assertEqual(self.of_program((r["file"] or "", r["function"], r["ncalls"]) for r in rows), self.expected)
        unfinished = sum(call.outcome == "open" and not call.reopened for trace in self.recorded
                         for thread in trace.threads for call in thread.calls())
        self.assertEqual(self.report["unfinished_calls"], unfinished)
        self.assertGreaterEqual(unfinished, 7)  # never_back
        self.assertEqual(self.report["calls"], sum(r["ncalls"] for r in rows))
        for kind in "process", "thread", "file":
            other = json.loads(self.mtrace("report", "-f", "json", "--by", kind, self.traces).stdout)
            for number in "ncalls", "tottime_ns":
                self.assertEqual(sum(r[number] for r in other["rows"]), sum(r[number] for r in rows), (kind, number))

    def test_pstats(self):
        stats = pstats.Stats(self.merged_as("pstats"))
        counts = self.of_program((file, name, value[1]) for (file, _, name), value in stats.stats.items())
        self.assertEqual(counts, self.expected)
        self.assertEqual(stats.total_calls, self.report["calls"])
        self.assertAlmostEqual(stats.total_tt, sum(r["tottime_ns"] for r in self.report["rows"]) / 1e9, places=6)

    def test_snakeviz(self):
        from snakeviz.stats import json_stats, table_rows
        stats = pstats.Stats(self.merged_as("pstats"))
        rows = table_rows(stats)
        self.assertEqual(len(rows), len(stats.stats))
        self.assertEqual(sum(row[0][1] for row in rows), self.report["calls"])
        graph = json_stats(stats)
        graph = json.loads(graph) if isinstance(graph, str) else graph
        self.assertEqual(len(graph), len(stats.stats))

    def test_gprof2dot(self):
        import gprof2dot
        profile = gprof2dot.PstatsParser(self.merged_as("pstats")).parse()
        functions = [(f.module or "", f.name, f.called) for f in profile.functions.values()]
        self.assertEqual({name.split(":")[-1]: n for _, name, n in functions if name.startswith("known:")
                          and name.split(":")[-1] in self.expected}, self.expected)
        with open(self.merged_as("callgrind")) as f:
            profile = gprof2dot.CallgrindParser(f).parse()
        total = sum(f[gprof2dot.SAMPLES] for f in profile.functions.values())
        self.assertEqual(total, sum(r["tottime_ns"] for r in self.report["rows"]))
        called = {f.name: f.called for f in profile.functions.values() if f.name in self.expected}
        self.assertEqual(called, self.expected)

    def test_callgrind_annotate(self):
        tool = shutil.which("callgrind_annotate")
        if not tool:
            self.skipTest("there is no callgrind_annotate; it is in Debian's package valgrind")
        done = subprocess.run([tool, "--auto=no", "--threshold=100", self.merged_as("callgrind")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        shown = {name: int(n.replace(",", ""))
                 for n, name in re.findall(r"(?m)^ *([0-9,]+) \( *[0-9.]+%\)  \S*known\.py:(.*?)(?: \[.*\])?$", done.stdout)}
        own = collections.Counter()  # it adds up functions of one name in a file
        for row in self.report["rows"]:
            if (row["file"] or "").endswith("known.py"):
                own[row["function"]] += row["tottime_ns"]
        self.assertEqual(shown, own)


if __name__ == "__main__":
    unittest.main()
