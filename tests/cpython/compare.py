"""CPython's own tests, untraced and traced, compared test by test.

    ./bazelw run //tests/cpython -- [OPTION...] [FILE...]

FILE is the name of a test file, test_gc; the default are those that tracing could disturb most
(files.py), --all takes every one that makes sense. Exit status 1: a difference, a fault in a trace
or a file that is missing, and no explanation in known.py.
"""
import argparse
import concurrent.futures
import os
import shutil
import tempfile
import threading

from tests.cpython import files, interpreters, job, known, verdict

COLUMNS = ("CPython", "engine", "files", "tests", "same", "explained", "unstable", "different", "trace faults",
           "events")


def indented(text, n_lines=30):
    """The end of a text, behind something."""
    return "\n".join("    " + line for line in text.rstrip().splitlines()[-n_lines:])


class Totals:
    """One line of the table."""

    def __init__(self):
        self.n = dict.fromkeys(COLUMNS[2:], 0)


class Comparison:
    """What is to be done, and what was found so far. Its methods are called on several threads."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.totals, self.problems, self.remarks = {}, [], []
        self.lock, self.counter = threading.Lock(), 0

    def say(self, text, problem=False):
        with self.lock:
            print(text, flush=True)
            (self.problems if problem else self.remarks).append(text)

    def run(self, python, piece, modes, mode, matches=(), control=None):
        with self.lock:
            self.counter += 1
            folder = os.path.join(self.folder, str(self.counter))
        limit = self.options.limit * (2 if mode else 1)
        use = ",".join(filter(None, (self.options.use, files.RESOURCES.get(piece))))
        try:
            return job.run(python, piece, modes[mode] if mode else None, folder, limit, matches, use,
                           control)
        finally:
            if not self.options.keep:
                shutil.rmtree(folder, ignore_errors=True)

    def piece(self, python, piece, modes):
        """All runs of one piece."""
        untraced = self.run(python, piece, modes, None)
        self.progress(python, piece, "untraced", untraced, untraced)
        for mode in modes:
            traced = self.run(python, piece, modes, mode)
            self.progress(python, piece, mode, untraced, traced)
            self.judge(python, piece, modes, mode, untraced, traced)

    def progress(self, python, piece, mode, untraced, run):
        with self.lock:
            print("%-8s %-12s %-40s %5d tests %7.1f s  %s" % (python.title, mode, piece, len(run.outcomes),
                                                             run.seconds, run.end), flush=True)

    def judge(self, python, piece, modes, mode, untraced, traced):
        def run(way, matches):
            if way < 2:
                return self.run(python, piece, modes, mode if way else None, matches)
            control = interpreters.CONTROLS.get(mode)
            return self.run(python, piece, modes, None, matches, control) if control else None
        where = "%s %s %s" % (python.title, mode, piece)
        found, gone = verdict.compare(python.version, mode, untraced, traced, run)
        for row in gone:
            self.say("%s: no longer different, take it out of known.py: %s" % (where, row.test), True)
        for d in found:
            text = "%s: %s: untraced %s; traced %s" % (where, d.test, d.untraced, d.traced)
            if d.control:
                text += "; under a hook that does nothing " + d.control
            if d.row:
                self.say(text + ": " + d.row.why)
            elif d.unstable:
                self.say(text + " (unstable)")
            else:
                self.say(text, True)
                print(indented(d.detail), flush=True)
        trouble = [t for t in traced.trouble if not known.loss_is_known(piece, t)]
        for text in trouble:
            self.say("%s: %s" % (where, text), True)
        self.add(python, mode, untraced, traced, found, len(trouble))

    def add(self, python, mode, untraced, traced, found, n_trouble):
        tests = set(untraced.outcomes) | set(traced.outcomes)
        differing = {d.test for d in found} & tests
        with self.lock:
            n = self.totals.setdefault((python.title, mode), Totals()).n
            n["files"] += 1
            n["tests"] += len(tests)
            n["same"] += len(tests - differing)
            n["explained"] += sum(1 for d in found if d.row)
            n["unstable"] += sum(1 for d in found if d.unstable)
            n["different"] += sum(1 for d in found if not d.row and not d.unstable)
            n["trace faults"] += n_trouble
            n["events"] += traced.n_events

    def table(self):
        rows = [COLUMNS]
        for (title, mode), totals in sorted(self.totals.items(), key=lambda item: item[0]):
            rows.append((title, mode, *["{:,}".format(totals.n[c]) for c in COLUMNS[2:]]))
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        for row in rows:
            print("  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def jobs_of(comparison, options):
    """(python, piece, modes) for all that is to be run; says what is missing and why."""
    for exe in options.python:
        try:
            python = interpreters.Python(exe, options.testdir)
        except LookupError as error:
            comparison.say(str(error), True)
            continue
        modes = {name: words for name, words in python.modes().items()
                 if not options.engine or name in options.engine}
        names = options.files or (python.all_files() if options.all else files.NAMED)
        for name in names:
            try:
                for piece in python.pieces(name):
                    yield python, piece, modes
            except LookupError as error:
                comparison.say("%s: %s is missing: %s" % (python.title, name, error), "not installed" in str(error))


def arguments(words):
    """The options; `words` as of the command line."""
    parser = argparse.ArgumentParser(prog="cpython", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--all", action="store_true", help="all files")
    parser.add_argument("--python", action="append", metavar="EXE",
                        help="this interpreter, not those found (repeatable)")
    parser.add_argument("--testdir", default="", metavar="DIR",
                        help="the test files in this folder, not CPython's installed ones")
    parser.add_argument("--engine", action="append", help="setprofile, monitoring, frame or all-calls (repeatable)")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--limit", type=float, default=900,
                        help="seconds for a file untraced; traced it may take twice that")
    parser.add_argument("-u", "--use", default="", help="resources, as of regrtest: cpu,subprocess,network,...")
    parser.add_argument("--keep", action="store_true", help="keep the folders with outcomes and traces")
    options = parser.parse_args(words)
    options.python = options.python or os.environ["PYTHONS_ALL"].split(":")
    return options


def compare(options):
    """Runs all of it; returns the Comparison."""
    folder = tempfile.mkdtemp(prefix="mtc")
    comparison = Comparison(options, folder)
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for done in [pool.submit(comparison.piece, *words) for words in jobs_of(comparison, options)]:
                done.result()
    finally:
        if options.keep:
            print("kept:", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return comparison


def main(words):
    comparison = compare(arguments(words))
    print("\n" + "\n".join(["Without explanation:", *comparison.problems] if comparison.problems else
                           ["All is explained."]) + "\n")
    comparison.table()
    return 1 if comparison.problems else 0


