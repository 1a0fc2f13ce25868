"""What the Python tests share: running programs under `mtrace run`, and a folder for each test."""
import collections
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import unittest

from tests.python import failures, tracefile

MTRACE = os.environ["MTRACE"]
HOME = os.environ["MTRACE_HOME"]
PYTHONS = os.environ["PYTHONS_ALL"].split(":")
TIMEOUT = 120

# Is this a build without a GIL?
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

# Is a sanitizer's runtime preloaded (.bazelrc)? Its shadow memory is terabytes of address space.
SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")
# Are objects, too, in memory that it keeps for a while when they are freed (--config=asan-python)?
KEEPS_FREED = SANITIZED and os.environ.get("PYTHONMALLOC") == "malloc"

# Before 3.11.4 the hook of the frame engine is not called for __getitem__ (gh-104405).
HAS_FRAME = sys.version_info < (3, 12) and not (3, 11) <= sys.version_info < (3, 11, 4)

# The engines that this interpreter has, by whether C functions are recorded. With the first the
# others are compared; the last is what `auto` takes.
_REFERENCE = [] if FREE_THREADED else ["setprofile"]
_MONITORING = ["monitoring"] if sys.version_info >= (3, 12) else []
ENGINES = {True: _REFERENCE + _MONITORING, False: _REFERENCE + _MONITORING + (["frame"] if HAS_FRAME else [])}


class Case(unittest.TestCase):
    """A test with a folder of its own (self.folder, short enough for Unix sockets)."""

    maxDiff = None  # the exception shortens it
    failureException = failures.Failure

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for kind in (dict, collections.Counter):
            self.addTypeEqualityFunc(kind, "assert_alike")
        self.addTypeEqualityFunc(str, "assert_same_text")

    def assert_alike(self, first, second, msg=None):
        """assertEqual that shows the entries that differ, where unittest shows all."""
        if first != second:
            self.fail(failures.differing(first, second) + (" : %s" % msg if msg else ""))

    def assert_same_text(self, first, second, msg=None):
        """The same for lines."""
        if first != second:
            self.fail(failures.differing_lines(first, second) + (" : %s" % msg if msg else ""))

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mt")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.traces = os.path.join(self.folder, "traces")

    def write(self, name, text):
        """A file in the folder; returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(textwrap.dedent(text))
        return path

    def untraced(self, *command, **options):
        """The same program without mtrace: what a traced run must look like."""
        return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, **{"cwd": self.folder, "timeout": TIMEOUT, **options})

    def command(self, *command, options=()):
        """The words of `mtrace run` into self.traces, quietly."""
        return [MTRACE, "run", "-q", "-d", self.traces, *options, "--", *[str(c) for c in command]]

    def run_traced(self, *command, options=(), status=0, **kwargs):
        """Runs a program under `mtrace run` and checks its status; returns the finished process."""
        done = self.untraced(*self.command(*command, options=options), **kwargs)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def run_script(self, text, *args, name="script.py", **kwargs):
        """The same for the text of a Python program, under this test's interpreter."""
        return self.run_traced(sys.executable, self.write(name, text), *args, **kwargs)

    def read(self):
        """What was recorded: a list of tracefile.Trace, in the order in which they began."""
        return tracefile.read_all(self.traces)

    def read_one(self):
        traces = self.read()
        self.assertEqual(len(traces), 1, [t.path for t in traces])
        return traces[0]

    def mtrace(self, *args, status=0, **kwargs):
        """Runs the program itself; returns the finished process."""
        done = self.untraced(MTRACE, *args, **kwargs)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def check(self):
        """`mtrace check` finds nothing wrong with anything recorded."""
        self.mtrace("check", self.traces)

    def merge(self, *options):
        """The events of the merged timeline."""
        return json.loads(self.mtrace("merge", *options, self.traces).stdout)

    def assert_nested(self, traces=None):
        """Begin and end nest on every track of every file."""
        for trace in traces if traces is not None else self.read():
            for thread in trace.threads:
                thread.calls()


def main():
    unittest.main(module="__main__")
