"""Measures what mtrace costs, beside VizTracer and cProfile, in one run.

    ./bazelw run //bench -- [--rounds N] [--python EXE]... [--json FILE] [--core K]

Every variant is a process of its own on one core; rounds are interleaved, so that what else the
machine does hits all alike; a figure is the median over rounds of the best repetition in each.
Prints Markdown; absolute times are of this machine, the ratios are what to hold on to.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPETITIONS = 5
UNTRACED, MTRACE, NO_C, VIZTRACER, CPROFILE = "untraced", "mtrace", "mtrace --no-c", "VizTracer", "cProfile"


def run(command, env=None, cwd=None):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd,
                          universal_newlines=True)


class Python:
    """One interpreter and its variants."""

    def __init__(self, exe, packages, core, folder):
        self.exe, self.core, self.folder = exe, core, folder
        self.packages = packages
        self.version = run([exe, "-c", "import sys; print(sys.version.split()[0])"]).stdout.strip()
        self.results = {}
        self.events = None
        self.variants = [UNTRACED, MTRACE, NO_C, CPROFILE]
        probe = run([exe, "-c", "import viztracer; print(viztracer.__version__)"], env=self.environment())
        if probe.returncode == 0:
            self.variants.insert(3, VIZTRACER)
            self.viztracer = probe.stdout.strip()

    def environment(self):
        env = dict(os.environ)
        env.pop("PYTHONPATH", None)
        if self.packages:
            env["PYTHONPATH"] = self.packages
        return env

    def command(self, variant):
        work = [os.path.join(HERE, "workloads.py"), str(REPETITIONS)]
        traces = os.path.join(self.folder, "traces")
        shutil.rmtree(traces, ignore_errors=True)
        return {
            UNTRACED: [self.exe, *work],
            MTRACE: [os.environ["MTRACE"], "run", "-q", "-d", traces, "--", self.exe, *work],
            NO_C: [os.environ["MTRACE"], "run", "-q", "--no-c", "-d", traces, "--", self.exe, *work],
            VIZTRACER: [self.exe, "-m", "viztracer", "-q", "-o", os.path.join(self.folder, "viz.json"), *work],
            CPROFILE: [self.exe, "-m", "cProfile", "-o", os.path.join(self.folder, "out.pstats"), *work],
        }[variant]

    def measure(self):
        """One round of every variant."""
        for variant in self.variants:
            done = run(["taskset", "-c", str(self.core), *self.command(variant)], self.environment(), self.folder)
            lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode != 0 or not lines:
                sys.exit("%s: %s failed: %s" % (self.version, variant, done.stderr[-2000:]))
            got = json.loads(lines[-1])
            row = self.results.setdefault(variant, {"peak_kib": []})
            row["peak_kib"].append(got["peak_kib"])
            for name, seconds in got["seconds"].items():
                row.setdefault(name, []).append(min(seconds))
            if variant == MTRACE and self.events is None:
                info = run([os.environ["MTRACE"], "info", os.path.join(self.folder, "traces")])
                self.events = info.stdout

    def median(self, variant, name):
        return statistics.median(self.results[variant][name])

    def table(self):
        """Rows of Markdown: ms, and the added time as a share of the others'."""
        names = [n for n in self.results[UNTRACED] if n != "peak_kib"]
        yield "### CPython %s" % self.version
        yield ""
        yield "| workload | %s | added / VizTracer's | added / cProfile's |" % " | ".join(self.variants)
        yield "|---|%s---|---|" % ("---|" * len(self.variants))
        for name in names:
            base = self.median(UNTRACED, name)
            added = {v: self.median(v, name) - base for v in self.variants}
            cells = ["%.1f ms" % (1e3 * self.median(v, name)) for v in self.variants]
            ratios = ["%.2f" % (added[MTRACE] / added[v]) if v in added else "–" for v in (VIZTRACER, CPROFILE)]
            yield "| %s | %s |" % (name, " | ".join(cells + ratios))
        memory = ["%.1f MB" % (self.median(v, "peak_kib") / 1024) for v in self.variants]
        yield "| peak memory | %s | | |" % " | ".join(memory)
        yield ""


def measure_core(core, folder, rounds):
    runs = []
    for _ in range(rounds):
        done = run(["taskset", "-c", str(core), os.environ["EMIT_BENCH"], folder])
        if done.returncode != 0:
            sys.exit("emit_bench: " + done.stderr)
        runs.append(json.loads(done.stdout))
    return {key: statistics.median(r[key] for r in runs) for key in runs[0]}


def measure_merge(exe, core, folder):
    """A few million events of a real program, merged to /dev/null."""
    traces = os.path.join(folder, "merge")
    shutil.rmtree(traces, ignore_errors=True)
    run([os.environ["MTRACE"], "run", "-q", "-d", traces, "--", exe, os.path.join(HERE, "workloads.py"), "9"])
    size = sum(os.path.getsize(os.path.join(traces, f)) for f in os.listdir(traces))
    best, out_bytes, lines = None, 0, 0
    for _ in range(5):
        start = time.perf_counter()
        with open(os.devnull, "wb") as null:
            subprocess.run(["taskset", "-c", str(core), os.environ["MTRACE"], "merge", traces], stdout=null, check=True)
        seconds = time.perf_counter() - start
        best = seconds if best is None else min(best, seconds)
    merged = os.path.join(folder, "merged.json")
    subprocess.run([os.environ["MTRACE"], "merge", "-o", merged, traces], check=True, stderr=subprocess.DEVNULL)
    out_bytes = os.path.getsize(merged)
    with open(merged, "rb") as f:
        lines = sum(chunk.count(b'"ph":"B"') + chunk.count(b'"ph":"E"') for chunk in f)
    os.unlink(merged)
    shutil.rmtree(traces)
    return {"events": lines, "seconds": best, "events_per_s": lines / best, "in_mb_per_s": size / best / 1e6,
            "out_mb_per_s": out_bytes / best / 1e6, "trace_bytes_per_event": size / lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", action="append", help="an interpreter; default: all that were found")
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    packages = dict(p.split("=", 1) for p in os.environ.get("BENCH_PACKAGES", "").split(":") if p)
    with tempfile.TemporaryDirectory(prefix="mtbench") as folder:
        pythons = [Python(exe, packages.get(exe), options.core, folder)
                   for exe in options.python or os.environ["PYTHONS_ALL"].split(":")]
        for i in range(options.rounds):
            for python in pythons:
                print("round %d of %d: %s" % (i + 1, options.rounds, python.version), file=sys.stderr)
                python.measure()
        core = measure_core(options.core, folder, 3)
        merge = measure_merge(pythons[-1].exe, options.core, folder)
    print("Added time, median of %d interleaved rounds on one core.\n" % options.rounds)
    for python in pythons:
        print("\n".join(python.table()))
    print("### One event in C\n")
    print("| clock alone | record, chunk there | everything |\n|---|---|---|")
    print("| %(clock_ns).1f ns | %(chunk_there_ns).1f ns | %(everything_ns).1f ns |\n" % core)
    print("### Merge to /dev/null, one core\n")
    print("| events | events/s | read | written | trace bytes per event |\n|---|---|---|---|---|")
    print("| %d | %.1f M | %.0f MB/s | %.0f MB/s | %.2f |" % (
        merge["events"], merge["events_per_s"] / 1e6, merge["in_mb_per_s"], merge["out_mb_per_s"],
        merge["trace_bytes_per_event"]))
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"pythons": {p.version: p.results for p in pythons}, "core": core, "merge": merge}, f, indent=1)


if __name__ == "__main__":
    main()
