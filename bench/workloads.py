"""The programs that bench.py measures. Prints one JSON object: seconds of each repetition of each
workload, how many calls it makes, and the process's peak memory in KiB.

    python workloads.py REPETITIONS
"""
import json
import resource
import sys
import time


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def python_calls():
    fib(24)  # 150 049 calls


def c_calls():
    items = []
    append = items.append
    for _ in range(100000):
        len(items)
        len("abc")
        append(1)


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def length(self):
        return (self.x * self.x + self.y * self.y) ** 0.5


def countdown(n):
    while n:
        yield n
        n -= 1


def mixed():
    total = 0
    for i in range(10000):
        point = Point(i, i + 1)
        total += point.length()
        total += max(i, 3) + len(str(i))
        if isinstance(point, Point):
            total += 1
    for value in countdown(20000):
        total += value
    sorted(range(20000), key=lambda value: -value)
    return total


WORKLOADS = [python_calls, c_calls, mixed]


def main():
    times = {}
    for workload in WORKLOADS:
        workload()
        seconds = times[workload.__name__] = []
        for _ in range(int(sys.argv[1])):
            start = time.perf_counter()
            workload()
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times,
                      "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
