"""What the tests of `mtrace top` share: programs that wait at known points, and what top says of them."""
import collections
import contextlib
import json
import struct
import sys
import time

from tests.python import harness, served, tracefile

# Each line that it reads is a number of calls to make; then it waits again.
WORKER = """
import sys
def leaf():
    pass
def middle(n):
    for _ in range(n):
        leaf()
def wait():
    print("ready", flush=True)
    return sys.stdin.readline()
def serve():
    while True:
        line = wait()
        if not line.strip():
            return
        middle(int(line))
serve()
"""
# The last is where the main thread waits for others at its end, from 3.13 on.
WAITING = {"TextIOWrapper.readline", "lock.acquire", "_thread._shutdown"}
INSIDE = ["<module>", "serve", "wait", "TextIOWrapper.readline"]


class Worker:
    """One that was started; `calls` makes it call `leaf` so often and wait again."""

    def __init__(self, case, process):
        self.case, self.process = case, process
        self.ready()

    def ready(self):
        self.case.assertEqual(self.process.stdout.readline(), "ready\n")

    def calls(self, n):
        self.process.stdin.write("%d\n" % n)
        self.process.stdin.flush()
        self.ready()

    def finish(self):
        served.finish(self.case, self.process)


class Case(harness.Case):
    @contextlib.contextmanager
    def worker(self, text=WORKER, name="worker.py", args=(), **kwargs):
        with served.started(self, sys.executable, self.write(name, text), *args, **kwargs) as process:
            yield Worker(self, process)

    def look(self, *options, inside=WAITING):
        """One look, of all that happened in the last hour; with `inside` when every thread that has calls open waits in
        one of those: a program may still be on its way there when it has said that it is ready."""
        end = time.monotonic() + harness.TIMEOUT
        while True:
            done = self.mtrace("top", "--once", "--json", "--interval", "3600", *options, self.traces)
            self.assertEqual(done.stdout.count("\n"), 1)
            look = json.loads(done.stdout)
            found = {stack(thread)[-1] for thread in look["threads"] if thread["stack"]}
            if not inside or found <= inside:
                return look
            self.assertLess(time.monotonic(), end, found)

    def grow_old(self, seconds=1000):
        """Whatever was recorded until now was recorded that long ago: all readings of the clock are so much less."""
        for trace in self.read():
            with open(trace.path, "r+b") as f:
                for at in [152] + [chunk[0] + 24 for chunk in trace._chunks()]:
                    mono_ns, = struct.unpack_from("<Q", trace.data, at + 8)
                    f.seek(at + 8)
                    f.write(struct.pack("<Q", mono_ns - seconds * 10**9))

    def one(self, items):
        self.assertEqual(len(items), 1, items)
        return items[0]


def stack(thread):
    return [call["function"] for call in thread["stack"]]


Sum = collections.namedtuple("Sum", "calls self")


def expected(trace):
    """{(name, file, line): Sum} of a file, time in ticks, worked out from its records; calls still open have theirs
    up to their thread's last event."""
    calls, times = collections.Counter(), collections.Counter()
    for thread in trace.threads:
        open_calls, last, skip = [], None, 0
        for r in thread.records:
            if open_calls and last is not None:
                times[open_calls[-1]] += r.tick - last
            last = r.tick
            if r.kind == tracefile.EXT and r.id >> 12 == tracefile.RESYNC:
                open_calls, skip = [], r.payload[0] >> 32
            elif r.kind in tracefile.BEGINS:
                open_calls.append(r.function)
                if skip:
                    skip -= 1
                elif r.kind != tracefile.PY_RESUME:
                    calls[r.function] += 1
            elif r.kind in tracefile.ENDS and r.function in open_calls:
                while open_calls.pop() != r.function:
                    pass
    return {(f.name, f.file, f.line if f.file else None): Sum(calls[f], times[f]) for f in calls | times}
