"""A program of any length: runs each micro workload NUMBER times, then says on standard output when
it ended, as JSON, and as its last deed what the kernel knows of its memory.

    python long.py NUMBER
"""
import atexit
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import micro  # noqa: E402


def say_memory(open=open, write=os.write):
    """Bound to what it needs: some tools have emptied this module by then."""
    with open("/proc/self/status", "rb") as status:
        write(1, status.read())


def main():
    atexit.register(say_memory)
    for _ in range(int(sys.argv[1])):
        for workload in micro.WORKLOADS:
            workload()
    print(json.dumps({"ended": time.clock_gettime(time.CLOCK_MONOTONIC)}), flush=True)


if __name__ == "__main__":
    main()
