"""Costs that are not a slower program: start-up, forks, threads, memory, bytes, the wait for a
timeline. Each function measures one interpreter and returns {figure: list of values}.
"""
import contextlib
import os
import re
import shutil
import tempfile
import time

from pythons import INSIDE, MTRACE, last_json, run
from variants import UNTRACED, VIZTRACER

MTRACE_RUN = "mtrace run"
SHORT, LONG = 10, 160  # times that long.py runs the micro workloads: 0.6 and 9 million events
OPENABLE = 96  # the same, for 2.7 million calls


def _inside(name):
    return os.path.join(INSIDE, name)


def _traces(folder):
    traces = os.path.join(folder, "traces")
    shutil.rmtree(traces, ignore_errors=True)
    return traces


def _mtrace_run(folder, *options):
    return [MTRACE, "run", "-q", *options, "-d", _traces(folder), "--"]


@contextlib.contextmanager
def cores(allowed):
    """Two cores for what is about two cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def startup(python, folder, repetitions, with_viztracer):
    """Seconds of `python -c pass`; "armed": as the child of a traced program, which has the
    environment of `mtrace run` already."""
    env = python.environment()
    nothing = os.path.join(folder, "nothing.py")
    with open(nothing, "w") as f:
        f.write("pass\n")
    # As `mtrace run` would leave it.
    output = run([MTRACE, "run", "-q", "-d", _traces(folder), "--", "env", "-0"], env)
    armed = dict(word.split("=", 1) for word in output.split("\0") if "=" in word)
    commands = {
        UNTRACED: ([python.exe, "-c", "pass"], env),
        "armed": ([python.exe, "-c", "pass"], armed),
        MTRACE_RUN: ([MTRACE, "run", "-q", "-d", armed["MTRACE_DIR"], "--", python.exe, "-c", "pass"], env),
    }
    if with_viztracer:
        commands[VIZTRACER[True]] = ([python.exe, "-m", "viztracer", "--quiet", "-o", os.path.join(folder, "viz.json"),
                                      nothing], env)
    found = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, (command, environment) in commands.items():
            start = time.perf_counter()
            run(command, environment, folder)
            found[name].append(time.perf_counter() - start)
    return found


def fork(python, folder, rounds):
    """Seconds from fork() to the child's answer, every fork's; and "empty file", of making one beside.

    Nothing is deleted here. Of files that were deleted minutes ago ext4 looks at every one before it
    makes a new one (recently_deleted() in its ialloc.c): after some ten thousand, each file that is
    made takes hundreds of microseconds more, and a child's first event makes one.
    """
    found = {UNTRACED: [], MTRACE_RUN: [], "empty file": []}
    program = [python.exe, _inside("fork.py"), "60"]
    for _ in range(rounds):
        traces = tempfile.mkdtemp(dir=folder)
        found[UNTRACED] += last_json(run(program, python.environment(), folder))
        words = [MTRACE, "run", "-q", "-d", traces, "--", *program]
        found[MTRACE_RUN] += last_json(run(words, python.environment(), folder))
        for i in range(20):
            start = time.perf_counter()
            os.close(os.open(os.path.join(traces, "empty%d" % i), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            found["empty file"].append(time.perf_counter() - start)
    return found


def threads(python, folder, rounds, two_cores):
    """Calls per second by number of threads: {"untraced, 16": [...]}."""
    # Long enough for what threads cost to begin, their first chunks among it, not to be what is seen.
    calls, found = 4_000_000, {}
    program = [python.exe, _inside("threads.py"), str(calls)]
    with cores(two_cores):
        for _ in range(rounds):
            for name, words in ((UNTRACED, []), (MTRACE_RUN, _mtrace_run(folder))):
                for n, seconds in last_json(run(words + program, python.environment(), folder)).items():
                    found.setdefault("%s, %s" % (name, n), []).append(calls / seconds)
    return found


def _long(python, folder, words, number):
    """(seconds from the program's last line to the end of the command, peak KiB)."""
    output = run([*words, _inside("long.py"), str(number)], python.environment(), folder)
    done = time.clock_gettime(time.CLOCK_MONOTONIC)
    # Not getrusage(): that has the peak of whoever started the process in it.
    peak = int(re.search(r"^VmHWM:\s+(\d+) kB", output, re.MULTILINE).group(1))
    return done - last_json(output)["ended"], peak


def _events(traces):
    total = run([MTRACE, "info", traces]).rpartition("\ntotal\n")[2]
    return int(re.search(r"^  events +([\d,]+)", total, re.MULTILINE).group(1).replace(",", ""))


def _sizes(traces):
    """(bytes of all files, the same up to the last byte that is not zero). The room that is left in a
    last chunk is not what an event takes: it would make the difference of two traces wrong by up to
    256 KiB, which is more than what there is to see."""
    whole = used = 0
    for name in os.listdir(traces):
        with open(os.path.join(traces, name), "rb") as f:
            content = f.read()
        whole += len(content)
        used += len(content.rstrip(b"\0"))
    return whole, used


def storage(python, folder, rounds, with_viztracer):
    """Of a short and a long program: peak memory in KiB ("short, untraced", ...), events and bytes of
    the trace; and of the long one "SECONDS: TOOL", from its end to a timeline that can be opened."""
    found = {}

    def add(name, value):
        found.setdefault(name, []).append(value)

    timeline = os.path.join(folder, "timeline.json")
    for _ in range(rounds):
        for length, number in (("short", SHORT), ("long", LONG)):
            add(length + ", " + UNTRACED, _long(python, folder, [python.exe], number)[1])
            words = _mtrace_run(folder)
            add(length + ", " + MTRACE_RUN, _long(python, folder, [*words, python.exe], number)[1])
            traces = words[words.index("-d") + 1]
            add(length + ", events", _events(traces))
            whole, used = _sizes(traces)
            add(length + ", bytes", whole)
            add(length + ", used bytes", used)
        words = [MTRACE, "run", "-q", "-o", timeline, "--", python.exe]
        add("seconds: " + MTRACE_RUN, _long(python, folder, words, LONG)[0])
        add("timeline bytes: " + MTRACE_RUN, os.path.getsize(timeline))
    if with_viztracer:  # once: it takes long, and hundreds of megabytes
        for length, number in (("short", SHORT), ("long", LONG)):
            words = [python.exe, "-m", "viztracer", "--quiet", "--tracer_entries", "10000000", "-o", timeline]
            seconds, peak = _long(python, folder, words, number)
            add(length + ", " + VIZTRACER[True], peak)
        add("seconds: " + VIZTRACER[True], seconds)
        add("timeline bytes: " + VIZTRACER[True], os.path.getsize(timeline))
    if os.path.exists(timeline):
        os.unlink(timeline)
    _traces(folder)
    return found


def openable(python, folder, rounds, two_cores):
    """Of a program with 2.7 million calls: {tool, format: seconds from its end to a file that a viewer
    opens}. The merge has two cores, and so has VizTracer."""
    found = {}
    with cores(two_cores):
        for _ in range(rounds):
            for name, suffix in ((MTRACE_RUN + ", JSON", ".json"), (MTRACE_RUN + ", Perfetto", ".perfetto-trace"),
                                 (VIZTRACER[True], ".json")):
                timeline = os.path.join(folder, "openable" + suffix)
                words = [MTRACE, "run", "-q", "-o", timeline, "--", python.exe]
                if name == VIZTRACER[True]:
                    words = [python.exe, "-m", "viztracer", "--quiet", "--tracer_entries", "10000000", "-o", timeline]
                found.setdefault(name, []).append(_long(python, folder, words, OPENABLE)[0])
                os.unlink(timeline)
    return found
