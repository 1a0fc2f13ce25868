"""Runs one group of workloads in this process, with one tool on; prints one line of JSON:
{workload: {"all": seconds, "slice": seconds}}.

    python timed.py micro|macro TOOL REPETITIONS [FOLDER OF THE PUBLIC PROGRAMS]

"all" is the best repetition of several (what the machine does beside only makes it longer), "slice"
the median slice times their number: of a recorder that takes a new chunk now and then, what an event
costs while the chunk is there.
"""
import gc
import json
import os
import statistics
import sys
from time import perf_counter

HERE = os.path.dirname(os.path.abspath(__file__))
SLICES = 24


def micro(tool, repetitions, _):
    import micro
    found = {}
    for workload in micro.WORKLOADS:
        tool.start()
        for _ in range(SLICES // 4):
            workload()
        best, slices = None, []
        for _ in range(repetitions):
            total = 0.0
            for _ in range(SLICES):
                start = perf_counter()
                workload()
                seconds = perf_counter() - start
                slices.append(seconds)
                total += seconds
            best = total if best is None else min(best, total)
        tool.stop()
        found[workload.__name__] = {"all": best, "slice": statistics.median(slices) * SLICES}
    return found


def macro(tool, repetitions, suite):
    import macro
    found = {}

    def measure(name, once):
        """once() runs the program and returns its seconds, as it measures itself."""
        gc.collect()
        tool.start()
        once()
        found[name] = {"all": min(once() for _ in range(repetitions))}
        tool.stop()

    macro.run(suite, measure)
    return found


def main():
    group, tool_name, repetitions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    suite = sys.argv[4] if len(sys.argv) > 4 else None
    # Under other tools the first entry may be the tool's.
    sys.path.insert(0, HERE)
    import tools
    found = {"micro": micro, "macro": macro}[group](tools.tool(tool_name), repetitions, suite)
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
