"""Measures what mtrace costs, beside hooks that do nothing, VizTracer, cProfile and others, in one run.

    ./bazelw run //bench -- [--rounds N] [--python EXE|VERSION]... [--only GROUP]... [--quick]
                            [--json FILE] [--markdown FILE] [--core K]

Every variant is a process of its own on one core. Rounds are interleaved: each measures every variant
of every interpreter once, so that what else the machine does hits all alike. Prints Markdown; --json
keeps every single value. The default takes about twenty minutes for five interpreters on two cores
without other work; --quick takes a quarter, with wider spreads.

    bench.py      this: options, rounds, what is written
    pythons.py    the interpreters            inside/   what runs in them: workloads, tools, programs
    variants.py   ways to run a program       hooks.c   hooks that do nothing, or read the clock
    costs.py      start-up, forks, memory     emit_bench.c  one event without an interpreter
    merge.py      timelines of big traces     make_traces.c  those traces
    sums.py       reports on them            write_traces.c  processes that record as fast as they can
    live.py       `mtrace top` beside those
    view.py       pages of them, browser.py in a browser
    figures.py    medians, ratios, targets    tables.py     Markdown
"""
import argparse
import json
import os
import platform
import sys
import tempfile

import costs
import figures
import live
import merge
import sums
import tables
import variants
import view
from pythons import INSIDE, Failed, Python, chosen, found, last_json, run

GROUPS = ("micro", "macro", "startup", "fork", "threads", "storage", "openable", "emit", "merge", "top", "view")
REPETITIONS = {"micro": 4, "macro": 1}  # after one that warms up


def say(text):
    print(text, file=sys.stderr, flush=True)


class Measured:
    """All that is known of one interpreter."""

    def __init__(self, python, folder):
        self.python, self.folder = python, folder
        self.variants, self.missing = variants.available(python, folder)
        self.seconds = {"micro": {}, "macro": {}}
        self.costs = {}

    def measure_round(self, group):
        for variant in self.variants:
            if group == "macro" and not variant.macro:
                continue
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                output = run([*variant.wrap(self.python, folder), os.path.join(INSIDE, "timed.py"), group,
                              variant.tool, str(REPETITIONS[group]), self.python.suite or ""],
                             self.python.environment(), folder)
            for workload, metrics in last_json(output).items():
                for metric, seconds in metrics.items():
                    row = self.seconds[group].setdefault(variant.name, {}).setdefault(workload, {})
                    row.setdefault(metric, []).append(seconds)

    def groups(self):
        return {name: figures.Results(seconds) for name, seconds in self.seconds.items() if seconds}

    def targets(self):
        return figures.targets(self.python, self.groups(), self.costs)

    def report(self):
        yield "### CPython " + self.python.title
        yield ""
        for name, why_not in self.missing.items():
            yield "- not measured: %s: %s" % (name, why_not)
        if self.missing:
            yield ""
        for name, results in self.groups().items():
            yield from tables.times(name.capitalize(), results, self.variants, self.python)
        if "micro" in self.groups():
            yield from tables.ratios(self.groups()["micro"], self.variants, self.python)
        if self.costs:
            yield from tables.costs(self.costs)
        yield from tables.targets(self.targets())

    def data(self):
        return {
            "not measured": self.missing, "seconds": self.seconds, "costs": self.costs,
            "targets": [dict(t._asdict(), figure=t.figure._asdict(), met=figures.is_met(t)) for t in self.targets()],
        }


def measure_costs(measured, only, options, two_cores):
    viztracer = any(v.name == variants.VIZTRACER[True] for v in measured.variants)
    rounds = 1 if options.quick else 3
    python, folder = measured.python, measured.folder
    if "startup" in only:
        measured.costs["startup"] = costs.startup(python, folder, 8 if options.quick else 25, viztracer)
    if "threads" in only:
        measured.costs["threads"] = costs.threads(python, folder, rounds, two_cores)
    if "storage" in only:
        measured.costs["storage"] = costs.storage(python, folder, rounds, viztracer and not options.quick)
    if "openable" in only and viztracer:
        measured.costs["openable"] = costs.openable(python, folder, rounds, two_cores)


def measure_emit(folder, rounds):
    runs = [json.loads(run([os.environ["EMIT_BENCH"], folder])) for _ in range(rounds)]
    return {key: [r[key] for r in runs] for key in runs[0]}


def measure(everyone, only, options, two_cores, folder):
    """Fills all of `everyone`; returns what emit_bench, merge.py with sums.py and live.py, and view.py say."""
    if "fork" in only:  # first: before anything has been deleted
        for measured in everyone:
            say("forks: CPython %s" % measured.python.title)
            measured.costs["fork"] = costs.fork(measured.python, folder, 2 if options.quick else 6)
    # A round of programs takes as long as four of the micro workloads.
    plan = [("micro", i) for i in range(options.rounds)] + [("macro", i) for i in range((options.rounds + 1) // 2)]
    for group, i in plan:
        if group in only:
            for measured in everyone:
                say("%s, round %d: CPython %s" % (group, i + 1, measured.python.title))
                measured.measure_round(group)
    for measured in everyone:
        say("the rest: CPython %s" % measured.python.title)
        measure_costs(measured, only, options, two_cores)
    emitted = measure_emit(folder, 3) if "emit" in only else None
    merged = None
    if "merge" in only:
        merged = [row for part in (merge, sums) for row in part.measure(folder, options.quick, two_cores, say)]
    if "top" in only:
        merged = (merged or []) + list(live.measure(folder, options.quick, say))
    viewed = view.measure(folder, options.quick, two_cores, say) if "view" in only else None
    return emitted, merged, viewed


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="of the micro workloads (5); half as many of programs")
    parser.add_argument("--python", action="append", default=[], help="an interpreter: path or version; default: all")
    parser.add_argument("--only", action="append", choices=GROUPS, help="measure this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="three rounds, and less of the rest")
    parser.add_argument("--json", metavar="FILE", help="write every value to this file")
    parser.add_argument("--markdown", metavar="FILE", help="write the report there, not to standard output")
    parser.add_argument("--core", type=int, help="the core that all is measured on; default: the last one")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 5)
    return options


def main():
    options = parse(sys.argv[1:])
    allowed = sorted(os.sched_getaffinity(0))
    core = allowed[-1] if options.core is None else options.core
    two_cores = {core, next((c for c in reversed(allowed) if c != core), core)}
    os.sched_setaffinity(0, {core})
    only = options.only or GROUPS
    pythons = found(os.environ["BENCH_PYTHONS"], os.environ["BENCH_ROOT"])
    if options.python:
        pythons = chosen(pythons, options.python)
    with tempfile.TemporaryDirectory(prefix="mtbench") as folder:
        Python.cache = os.path.join(folder, "compiled")
        everyone = [Measured(python, folder) for python in pythons]
        emitted, merged, viewed = measure(everyone, only, options, two_cores, folder)
    lines = list(tables.legend(options.rounds))
    for measured in everyone:
        lines += measured.report()
    if emitted:
        lines += tables.emit(emitted)
    if merged:
        lines += tables.rows("Big traces: `mtrace merge`, `report` and `top`, the best of interleaved rounds", merged)
    if viewed:
        lines += tables.rows("The page of `mtrace view`, in headless browsers without a GPU", viewed)
    report = "\n".join(lines)
    if options.markdown:
        with open(options.markdown, "w") as f:
            f.write(report)
    else:
        print(report)
    if options.json:
        data = {"machine": {"cores": len(allowed), "kernel": platform.release(), "cpu": platform.machine()},
                "rounds": options.rounds, "pythons": {m.python.title: m.data() for m in everyone}, "emit": emitted,
                "merge": [row._asdict() for row in merged or []], "view": [row._asdict() for row in viewed or []]}
        with open(options.json, "w") as f:
            json.dump(data, f, indent=1)


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit("bench: %s" % error)
