"""One run of one test file, untraced or traced, in a folder of its own."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

from tests.cpython import files

HERE = os.path.dirname(os.path.abspath(__file__))
ENDS = {"0": "passed", "2": "failed", "3": "environment changed", "4": "no tests", "limit": "time limit"}


class Run:
    """What became of it: file, what the file as a whole is called beside its tests; end, a word; outcomes,
    by test a list of (outcome, detail); open, the test in which it ended; trouble, sentences about the
    traces; seconds; n_events; text, what it printed."""

    def __init__(self, piece, end, outcomes, opened, text):
        self.file = piece + " (the file as a whole)"
        self.end, self.outcomes, self.open, self.text = end, outcomes, opened, text
        self.trouble, self.seconds, self.n_events = [], 0.0, 0


def environment():
    """Without what the caller has of Python and of mtrace; one seed, for names of tests as well."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("PYTHON", "MTRACE_", "TEST_", "BUILD_", "RUNFILES")) and k != "MTRACE"}
    env["MTRACE_HOME"] = os.environ["MTRACE_HOME"]
    env["PYTHONHASHSEED"] = "0"
    # Tests of shells, terminals and messages depend on them.
    env.setdefault("HOME", "/tmp")
    env["LANG"] = env["LC_ALL"] = "C.UTF-8"
    env["TERM"] = "dumb"
    return env


def run(python, piece, options, folder, limit, matches=(), resources="", control=None):
    """Runs a piece under `python`; `options` of `mtrace run` if it is to be traced, else None. With `control`,
    "setprofile" or "monitoring", it and its children run under a profile function or a tool in Python that does
    nothing, which tells what is due to being observed, by whomever."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "tmp"))
    outcomes, traces = os.path.join(folder, "outcomes"), os.path.join(folder, "traces")
    # Also that `mtrace run` in between makes no difference.
    command = [python.exe, os.path.join(HERE, "collect.py"), outcomes, piece, "--fail-env-changed"]
    testdir, text = python.testdir, python.made_here(piece)
    if text:
        testdir = os.path.join(folder, "files")
        os.mkdir(testdir)
        with open(os.path.join(testdir, piece + ".py"), "w") as f:
            f.write(text)
    command += ["--testdir", testdir] if testdir else []
    command += ["-u", resources] if resources else []
    for pattern in files.ignored(piece, python.version):
        command += ["-i", pattern]
    for match in matches:
        command += ["-m", match]
    if options is not None:
        command = [os.environ["MTRACE"], "run", "-q", "-d", traces, *options, "--", *command]
    env = environment()
    env["TMPDIR"] = os.path.join(folder, "tmp")
    if control:
        env.update(MTRACE_TEST_CONTROL=control, PYTHONPATH=os.path.join(HERE, "control"))
    start = time.monotonic()
    end = os.path.join(folder, "end")
    done = subprocess.run([sys.executable, os.path.join(HERE, "supervise.py"), end, str(limit), *command], env=env,
                          cwd=os.path.join(folder, "tmp"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "backslashreplace")
    with open(end) as f:
        result = Run(piece, f.read(), *read(outcomes), text)
    result.seconds = time.monotonic() - start
    result.end = end_word(result)
    if options is not None:
        verify(result, traces)
    return result


def read(path):
    """The outcomes by test, and the test that was begun last and not ended, or ""."""
    outcomes, opened = {}, ""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            lines = f.read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        kind, test, *rest = json.loads(line)
        if kind == "start":
            opened = test
            outcomes.setdefault(test, [])
        else:
            opened = "" if opened == test else opened
            outcomes.setdefault(test, []).append(tuple(rest))
    return outcomes, opened


def end_word(result):
    """How the file as a whole ended, beyond what its tests say."""
    end = ENDS.get(result.end, "exit status " + result.end)
    bad = {"failed", "error", "subtest failed", "unexpected success"}
    if end == "failed" and any(outcome in bad for rows in result.outcomes.values() for outcome, _ in rows):
        return "as its tests say"
    if end == "failed":
        return "failed outside of its tests"
    if end == "passed" and re.search(r"^test\S* ran no tests$", result.text, re.M):
        return "no tests"  # 3.11.2, for one, has no exit status for it
    skipped = re.search(r"^test\S* skipped -- (.*)$", result.text, re.M)
    if end == "passed" and skipped:
        return "skipped: " + skipped.group(1)
    return "as its tests say" if end == "passed" else end


def tool(*words):
    done = subprocess.run([os.environ["MTRACE"], *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=1800)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def verify(result, traces):
    """Notes what is wrong with the traces."""
    if not glob.glob(os.path.join(traces, "*.trace")):
        result.trouble.append("nothing was recorded")
        return
    status, text = tool("check", "-q", traces)
    if status:
        result.trouble.append("mtrace check: " + text.strip())
    status, text = tool("info", traces)
    if status:
        result.trouble.append("mtrace info: " + text.strip()[-400:])
        return
    total = text[text.rindex("\ntotal\n"):] if "\ntotal\n" in text else text
    match = re.search(r"^  events +([\d ,]+)$", total, re.M)
    result.n_events = int(re.sub(r"\D", "", match.group(1))) if match else 0
    for part in re.split(r"^(?=process )", text[:len(text) - len(total)], flags=re.M):
        for line in re.findall(r"^  lost .*$", part, re.M):
            if not line.split()[1:2] == ["0"]:
                result.trouble.append("lost: " + " ".join(line.split()[1:]))
    for path in sorted(glob.glob(os.path.join(traces, "*.untraced"))):
        with open(path, errors="replace") as f:
            result.trouble.append("not recorded: " + f.read().strip())
