"""What test_hostile_*.py have in common: a program is run twice under the same condition, untraced and
traced, each time in an empty folder. Its output, its errors, its status and the files that it leaves
must be the same, byte for byte; what `mtrace run` says is kept apart, to be looked at."""
import collections
import os
import shutil
import stat
import subprocess
import sys
import textwrap

from tests.python import harness, tracefile

# Without C functions a loop over f() has exactly two events a round, so losses can be counted.
WORK = """
import ctypes, glob, os, resource, signal, sys, threading, time
TRACES = os.environ.get("MTRACE_DIR", "missing")
def f(): pass
def work(n):
    for _ in range(n):
        f()
def g(): pass
def until_recorded():
    '''Waits for longer than the recorder waits before it tries again (50 ms).'''
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        pass
    g()
"""

# enum mt_loss, and what people read of it.
Reason = collections.namedtuple("Reason", "number text")
NO_SPACE = Reason(1, "no space left on the device")
FILE_LIMIT = Reason(2, "the file-size limit was reached")
NO_MEMORY = Reason(3, "no address space or memory for the buffer")
DENIED = Reason(4, "the trace file or directory could not be opened any more")
GONE = Reason(5, "the trace file or directory was removed or replaced")
FILES = Reason(6, "too many open files")
IO = Reason(7, "writing failed")

NOTHING = "mtrace: no process was traced"

_HERE = os.path.dirname(os.path.abspath(__file__))


def library(name):
    """The path of tests/python/NAME.c, compiled."""
    return os.path.join(_HERE, name + ".so")


def surrounded(words):
    """A command in front of another, which is then in the surroundings of surroundings.c."""
    before = os.environ.get("LD_PRELOAD", "")
    return ["env", "MTEST_SURROUNDINGS=" + words,
            "LD_PRELOAD=" + (before + ":" if before else "") + library("surroundings")]


def namespace(*kinds):
    """A command in front of another, which then has namespaces of its own: for root as it is, else with
    those of a user."""
    for words in (["unshare", *kinds], ["unshare", "-Ur", *kinds]):
        if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            return words
    raise AssertionError("neither root nor user namespaces: no unshare " + " ".join(kinds))


def shell(text):
    """A command in front of another: a shell that does `text` first, and then becomes it."""
    return ["bash", "-c", text + '\nexec "$@"', "bash"]


def _files(folder):
    found = {}
    for place, directories, names in os.walk(folder):
        for name in directories + names:
            path = os.path.join(place, name)
            mode = os.lstat(path).st_mode
            content = None
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISREG(mode):
                if not os.access(path, os.R_OK):
                    os.chmod(path, 0o600)  # its own mode is known now
                with open(path, "rb") as f:
                    content = f.read()
            found[os.path.relpath(path, folder)] = (oct(mode), content)
    return found


Seen = collections.namedtuple("Seen", "status output errors files")


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.addTypeEqualityFunc(Seen, "assert_alike")
        os.chmod(self.folder, 0o711)
        self.work = os.path.join(self.folder, "work")
        self.summary = ""

    def run_one(self, command, **kwargs):
        """What can be seen of a command that runs in an empty folder; what mtrace said last is in
        self.summary."""
        shutil.rmtree(self.work, ignore_errors=True)
        os.mkdir(self.work)
        done = subprocess.run([str(c) for c in command], timeout=harness.TIMEOUT,
                              **{"cwd": self.work, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                 "stderr": subprocess.PIPE, **kwargs})
        errors, mark, summary = (done.stderr or b"").partition(b"mtrace: ")
        self.summary = (mark + summary).decode(errors="surrogateescape")
        # `mtrace run` ends as a shell does.
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return Seen(status, done.stdout, errors, _files(self.work))

    def both(self, text, before=(), around=(), options=("--no-c",), status=0, **kwargs):
        """Runs WORK and `text` untraced and traced; returns what it printed. `before`: words of a
        command in front of the interpreter; `around`: in front of mtrace."""
        path = os.path.join(self.folder, "script.py")
        with open(path, "w") as f:
            f.write(WORK + textwrap.dedent(text))
        program = [*before, sys.executable, path]
        untraced = self.run_one([*around, *program], **kwargs)
        self.assertEqual(self.summary, "")
        traced = self.run_one([*around, harness.MTRACE, "run", "-d", self.traces, *options, "--", *program], **kwargs)
        self.assertEqual(untraced, traced)
        self.assertEqual(traced.status, status, traced.errors)
        return (traced.output or b"").decode()

    def trace(self):
        """The one file; it is whole."""
        trace = self.read_one()
        self.check()
        self.assert_nested([trace])
        return trace

    def parts(self):
        """The files of the one process, in order; each is whole, none is missing."""
        traces = sorted(self.read(), key=lambda t: t.part)
        self.assertEqual(len({t.pid for t in traces}), 1)
        self.assertEqual([t.part for t in traces], list(range(len(traces))))
        self.check()
        self.assert_nested(traces)
        return traces

    def events(self, traces, *names):
        return sum(t.count(name, kind) for t in traces for name in names or ("f", "work")
                   for kind in (tracefile.PY_BEGIN, tracefile.PY_END))

    def assert_nothing_lost(self, n_calls):
        """`n_calls` of f(), in however many files, and not a word of losses."""
        traces = self.parts()
        self.assertEqual(sum(t.count("f") for t in traces), n_calls)
        self.assertEqual([(t.n_lost, t.loss_reason) for t in traces], [(0, 0)] * len(traces))
        self.assertRegex(self.summary, r"^mtrace: 1 process, ")
        self.assertNotIn("lost", self.summary)

    def assert_lost(self, trace, reason, error):
        """A loss that is marked where it happened, in the header, in `mtrace info`, and in the summary of
        the run, always with the reason."""
        self.assertGreater(trace.n_lost, 0)
        self.assertEqual((trace.loss_reason, trace.loss_error), (reason.number, error))
        self.assertEqual(trace.n_lost, sum(t.lost() for t in trace.threads))
        events = "{:,} event".format(trace.n_lost)
        info = self.mtrace("info", trace.path).stdout
        self.assertIn(events, info)
        self.assertIn(reason.text, info)
        self.assertRegex(self.summary, r"lost +%ss? in 1 process: %s\n" % (events, reason.text))

    def assert_untraced(self, *words):
        """Nothing was recorded, and the summary says so, with the reason."""
        if os.path.isdir(self.traces):
            self.assertEqual([n for n in os.listdir(self.traces) if n.endswith(".trace")], [])
        self.assertTrue(self.summary.startswith(NOTHING), self.summary)
        for word in words:
            self.assertIn(word, self.summary)
