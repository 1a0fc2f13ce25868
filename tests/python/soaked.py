"""What test_soak.py traces: threads, forks, exceptions, and code that comes and goes, round after round.

    soaked.py ROUNDS SECONDS FORKS    at least so many rounds, and so long; in one of FORKS rounds a child

Prints one JSON object: how many calls of each kind there were in all processes, and what the process took
of the machine after a third of it and at the end.
"""
import collections
import json
import os
import sys
import threading
import time

CALLS = 40  # by a thread, or a child
counts = collections.Counter()  # of what all processes did; the main thread's alone


def leaf():
    pass


def work():
    for _ in range(CALLS):
        leaf()


def fail():
    raise ValueError("on purpose")


def yields():
    yield 1
    yield 2


def run_threads():
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    return threads


def run_child():
    """While other threads of this process run."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
    counts["work"] += 1
    counts["children"] += 1


def fresh_code(n):
    """A function that was not there before, and is gone afterwards; all have one name, since CPython keeps names."""
    space = {"leaf": leaf}
    exec("\n" * (n % 100) + "def fresh():\n    leaf()\n    return len('')\n", space)
    space["fresh"]()
    counts["fresh"] += 1
    counts["leaf"] += 1


def one_round(n, forks):
    threads = run_threads()
    counts["work"] += len(threads)
    for k in range(5):
        fresh_code(5 * n + k)
    try:
        fail()
    except ValueError:
        counts["fail"] += 1
    list(yields())
    if n % forks == 0:
        run_child()
    for t in threads:
        t.join()


def use():
    """What of memory is the process's own, and how many mappings it has."""
    with open("/proc/self/status") as f:
        fields = dict(line.split(":", 1) for line in f)
    with open("/proc/self/maps") as f:
        n_maps = sum(1 for _ in f)
    return {"own_kb": int(fields["RssAnon"].split()[0]), "all_kb": int(fields["VmRSS"].split()[0]), "n_maps": n_maps}


def main():
    n_rounds, n_seconds, forks = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    started, n, before = time.monotonic(), 0, None
    while n < n_rounds or time.monotonic() - started < n_seconds:
        one_round(n, forks)
        n += 1
        if before is None and n >= n_rounds / 3 and time.monotonic() - started >= n_seconds / 3:
            before = use()
    counts["leaf"] += counts["work"] * CALLS
    print(json.dumps({"rounds": n, "counts": counts, "before": before, "after": use()}))


main()
