"""The page of `mtrace view` with many events: all of them are there, and can be reached; what is too much
for it is said and not tried."""
import csv
import io
import os
import subprocess

from tests.python import harness
from tests.view import page

MAKE_TRACES = os.environ["MAKE_TRACES"]


class TestScale(harness.Case):
    def make(self, **wanted):
        os.mkdir(self.traces)
        done = subprocess.run([MAKE_TRACES, self.traces, *["%s=%d" % item for item in wanted.items()]], check=True,
                              stdout=subprocess.PIPE, universal_newlines=True)
        return int(done.stdout)

    def counts(self, *options):
        """Calls by the name of the function."""
        text = self.mtrace("report", "-q", "-f", "csv", "-n", "0", *options, self.traces).stdout
        return {row["function"]: int(row["ncalls"]) for row in csv.DictReader(io.StringIO(text))}

    def test_ten_million(self):
        n_events = self.make(files=10, threads=10, names=500, events=10_000_000)
        wanted, path = self.counts(), os.path.join(self.folder, "page.html")
        self.mtrace("view", "-q", "-o", path, self.traces)
        self.assertLess(os.path.getsize(path), 4 * n_events)
        with page.opened(path) as view:
            summary = view.summary()
            self.assertEqual((summary["process"], summary["thread"], summary["call"]), (10, 100, n_events // 2))
            name = "Class4.method_4"
            self.assertEqual(view.search("=" + name), "%s calls" % format(wanted[name], ","))
            view.page.focus("#timeline")
            view.press("n", "n", "p")
            self.assertEqual(view.text("count"), "1 of %s calls" % format(wanted[name], ","))
            first = view.page.evaluate("view.picked.track.start[view.picked.index]")
            self.assertEqual(first, view.page.evaluate("""name => { let first = Infinity;
                for (const t of model.tracks) for (let i = 0; i < t.n; i++)
                    if (funcs.name(funcAt(t, i)) === name) first = Math.min(first, t.start[i]);
                return first; }""", name))
            self.zoom(view)
            view.stats()
            shown = {row[0]: page.number(row[1]) for row in view.table("rows")}
            self.assertEqual(shown, {name: wanted[name] for name in shown})
            self.assertGreaterEqual(len(shown), 500)

    def zoom(self, view):
        """To a µs, with the calls that are there, and back to all."""
        view.press("Escape", "Escape", "Escape", "0")
        at = view.page.evaluate("model.end / 2")
        view.page.evaluate("at => setTime(at - 500, at + 500)", at)
        inside = view.in_view()
        self.assertEqual(inside, view.page.evaluate("""() => { let n = 0;
            for (const {track} of visibleLanes()) for (let i = 0; track && i < track.n; i++)
                n += track.start[i] <= view.to && endAt(track, i) > view.from;
            return n; }"""))
        self.assertGreater(inside, 20)
        view.press("0")
        self.assertGreater(view.in_view(), 1_000_000)

    def test_too_many(self):
        self.make(files=1, threads=1, names=10, events=50_000_100)
        path = os.path.join(self.folder, "page.html")
        done = self.mtrace("view", "-o", path, self.traces, status=1)
        self.assertIn("a page holds at most 50 million events, and these are more: take a part of them, by --from", done.stderr)
        self.assertEqual(os.listdir(self.folder), ["traces"])
        self.mtrace("view", "-q", "-o", path, "--to", "1ms", self.traces)
        with page.opened(path) as view:
            counts = self.counts("--to", "1ms")
            self.assertEqual(view.summary()["call"], sum(counts.values()))


if __name__ == "__main__":
    harness.main()
