"""What the tests of the page share: making one, and the numbers of `mtrace report`."""
import collections
import csv
import io
import os
import shutil
import tempfile

from tests.python import harness
from tests.view import page

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
GOLDEN = os.path.join(TOP, "tests/golden")


class Case(harness.Case):
    def view(self, *options, traces=None):
        """The path of the page."""
        path = os.path.join(self.folder, "page.html")
        self.mtrace("view", "-q", "-o", path, *options, traces or self.traces)
        return path

    def report(self, *options):
        """{(name, place): [calls, total ns, self ns]} by `mtrace report`."""
        text = self.mtrace("report", "-f", "csv", "-n", "0", *options, self.traces).stdout
        found = collections.defaultdict(lambda: [0, 0, 0])
        for row in csv.DictReader(io.StringIO(text)):
            key = row["function"], row["file"] + ":" + row["line"] if row["file"] else "C function"
            for i, column in enumerate(("ncalls", "cumtime_ns", "tottime_ns")):
                found[key][i] += int(row[column])
        return found

    def assert_functions(self, view, wanted):
        shown = view.functions()
        self.assertGreater(len(shown), 0)
        self.assertEqual({key: value for key, value in shown.items() if wanted[key] != value}, {})
        n_calls = sum(calls for calls, _, _ in wanted.values())
        self.assertEqual(page.number(view.text("stats-note").split(": ")[1]), n_calls)


class RecordedOnce(Case):
    """What `record` leaves in `traces` is there for all tests of the class, each with a page of its own at `path`."""
    recorded = None

    def setUp(self):
        super().setUp()
        cls = type(self)
        is_new = not cls.recorded
        if is_new:
            cls.recorded = tempfile.mkdtemp(prefix="mt")
            cls.addClassCleanup(shutil.rmtree, cls.recorded)
        self.traces = os.path.join(cls.recorded, "traces")
        if is_new:
            self.record()
        self.path = self.view()

    def record(self):
        raise NotImplementedError
