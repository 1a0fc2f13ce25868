"""The same number of Python calls by 1, 2 and 16 threads of one process. Prints JSON: by number of
threads, the fewest seconds of several repetitions.

    python threads.py CALLS
"""
import json
import sys
import threading
from time import perf_counter

CALLS = 1973  # of fib(15)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work(times):
    for _ in range(times):
        fib(15)


def run(n_threads, calls):
    threads = [threading.Thread(target=work, args=(calls // CALLS // n_threads,))
               for _ in range(n_threads)]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - start


def main():
    calls = int(sys.argv[1])
    found = {}
    for _ in range(2):
        for n_threads in (1, 2, 16):
            found.setdefault(n_threads, []).append(run(n_threads, calls))
    print(json.dumps({n: min(seconds) for n, seconds in found.items()}))


if __name__ == "__main__":
    main()
