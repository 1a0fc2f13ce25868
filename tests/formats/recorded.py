"""A program whose calls are known, recorded: what each format's reader has to show.

The program counts its calls itself. What the trace files say is read by tests/python/tracefile.py,
which shares no code with the reader; and `mtrace info` has to agree with both.
"""
import collections
import json
import re

from tests.python import harness, tracefile

# Threads, a fork that ends in the middle of nested calls, a pool of processes, exceptions, generators,
# recursion, and names that need care. Each function notes its own calls in `counts`.
PROGRAM = """
import collections, json, multiprocessing, os, threading

def leaf(counts, n):
    counts["leaf"] += 1
    return len(str(n))

def fibonacci(counts, n):
    counts["fibonacci"] += 1
    return n if n < 2 else fibonacci(counts, n - 1) + fibonacci(counts, n - 2)

def failing(counts, n):
    counts["failing"] += 1
    raise ValueError(leaf(counts, n))

def numbers(counts, n):
    counts["numbers"] += 1
    for i in range(n):
        yield leaf(counts, i)
        counts["numbers"] += 1  # goes on

def work(counts, n):
    counts["work"] += 1
    for i in range(n):
        try:
            failing(counts, i)
        except ValueError:
            pass
    fibonacci(counts, n)
    return sum(numbers(counts, n))

def begin(shared):
    global barrier
    barrier = shared

def task(n):
    counts = collections.Counter()
    barrier.wait()  # so that both processes have tasks
    work(counts, n)
    return os.getpid(), counts

def never_back(counts, depth, out):
    counts["never_back"] += 1
    if depth:
        never_back(counts, depth - 1, out)
    os.write(out, json.dumps(counts).encode())
    os._exit(0)

def forked(out):
    counts = collections.Counter()
    work(counts, 5)
    never_back(counts, 6, out)

def main():
    totals = collections.defaultdict(collections.Counter)
    threads = [threading.Thread(target=work, args=(totals[os.getpid(), n], n), name="worker; %d <\\"n\\">" % n)
               for n in (6, 7, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        forked(write_end)
    os.waitpid(child, 0)
    totals[child, 0].update(json.loads(os.read(read_end, 10000)))
    context = multiprocessing.get_context("fork")
    with context.Pool(2, begin, (context.Barrier(2),)) as pool:
        for pid, counts in pool.map(task, range(3, 9), chunksize=1):
            totals[pid, 0].update(counts)
        pool.close()
        pool.join()
    print(json.dumps([[pid, counts] for (pid, _), counts in totals.items()]))

if __name__ == "__main__":
    main()
"""

TOTALS = re.compile(r"^  calls +([0-9,]+) Python, ([0-9,]+) C, ([0-9,]+) unfinished$", re.MULTILINE)


class Case(harness.Case):
    """Records the program once for each test, into self.traces.

    self.stacks    by (pid, tid): how often each stack of functions was entered, a Counter of
                   tuples of tracefile.Function, outermost first
    self.unfinished  how many calls never ended
    self.counts    by pid: what the program counted
    """

    def setUp(self):
        super().setUp()
        done = self.run_script(PROGRAM, name="known.py")
        self.counts = collections.defaultdict(collections.Counter)
        for pid, counts in json.loads(done.stdout):
            self.counts[pid].update(counts)
        self.check()
        self.recorded = self.read()
        self.stacks, self.unfinished = {}, 0
        for trace in self.recorded:
            for thread in trace.threads:
                self.add_thread(trace.pid, thread)
        self.verify_counts()
        self.verify_info()

    def add_thread(self, pid, thread):
        stacks, stack = collections.Counter(), []
        for call in thread.calls():
            del stack[call.depth:]
            stack.append(call.function)
            stacks[tuple(stack)] += 1
            self.unfinished += call.outcome == "open"
        self.assertNotIn((pid, thread.tid), self.stacks)
        self.stacks[pid, thread.tid] = stacks

    def verify_counts(self):
        """What was recorded is what the program did."""
        self.assertEqual(len(self.counts), 4)
        for pid, counts in self.counts.items():
            shown = collections.Counter()
            for (at, _), stacks in self.stacks.items():
                for stack, n in stacks.items():
                    shown[stack[-1].name] += n if at == pid else 0
            self.assertEqual({name: shown[name] for name in counts}, counts)

    def verify_info(self):
        """`mtrace info` knows the same calls, resumed generators and calls that were open at a fork left out."""
        kinds = collections.Counter(r.kind for t in self.recorded for thread in t.threads for r in thread.live())
        found = TOTALS.findall(self.mtrace("info", self.traces).stdout)[-1]
        self.assertEqual([int(n.replace(",", "")) for n in found],
                         [kinds[tracefile.PY_BEGIN], kinds[tracefile.C_BEGIN], self.unfinished])

    def merged(self, *options):
        """The path of the merged timeline."""
        path = self.folder + "/merged"
        self.mtrace("merge", "-o", path, *options, self.traces)
        return path

    def names(self):
        """self.stacks with functions by their names alone."""
        return {track: named(stacks) for track, stacks in self.stacks.items()}


def named(stacks):
    counter = collections.Counter()
    for stack, n in stacks.items():
        counter[tuple(function.name for function in stack)] += n
    return counter
