"""`mtrace report` and the formats pstats and callgrind, beside cProfile: the same program, the same calls."""
import json
import os
import pstats
import re
import shutil
import subprocess
import sys

from tests.python import harness

PROGRAM = '''\
    """Calls of every kind that mtrace and cProfile both see."""
    import collections
    import functools
    import math

    class Base:
        def method(self):
            return [x for x in (1, 2)]
        @classmethod
        def make(cls):
            return cls()
        @staticmethod
        def static():
            return 0
        @property
        def attribute(self):
            return 1

    class Derived(Base):
        def __init__(self):
            object.__init__(self)
        def method(self):
            return super().method()
        def __enter__(self):
            return self
        def __exit__(self, *exc):
            return True

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def is_even(n):
        return n == 0 or is_odd(n - 1)

    def is_odd(n):
        return n != 0 and is_even(n - 1)

    def numbers(n):
        for i in range(n):
            yield i

    def delegating(n):
        yield from numbers(n)
        yield from map(abs, numbers(2))

    def endless():
        try:
            while True:
                yield
        finally:
            len("")

    async def coroutine(n):
        if n:
            await coroutine(n - 1)

    def raising(depth):
        if depth:
            raising(depth - 1)
        raise ValueError(depth)

    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper

    @decorated
    def twice(x):
        return 2 * x

    def builtins():
        [].append(1); {}.get(1); {1}.add(2); "a".join(["x"]); "a".upper(); str.upper("a")
        math.sqrt(2); max(1, 2); isinstance(1, int); abs(-1); (1).bit_length(); hash(1); repr([1])
        dict.fromkeys([1]); int.from_bytes(b"a", "big"); bytes.fromhex("00")
        sorted([2, 1], key=abs); [3, 1].sort(key=lambda x: x); list(map(twice, [1, 2]))
        collections.deque().append(1); collections.OrderedDict().popitem if 0 else None
        functools.reduce(lambda a, b: a + b, [1, 2, 3])
        try:
            [].pop()
        except IndexError:
            pass

    def main():
        fib(8); is_even(9); is_odd(4)
        list(numbers(5)); sum(delegating(3)); next(numbers(1))
        e = endless(); next(e); e.send(None); e.close()
        try:
            t = endless(); next(t); t.throw(KeyError())
        except KeyError:
            pass
        c = coroutine(3)
        try:
            c.send(None)
        except StopIteration:
            pass
        try:
            raising(3)
        except ValueError:
            pass
        with Derived() as d:
            d.method(); Base.make().attribute; Base.static()
            raise KeyError
        for i in range(50):
            twice(i)
        builtins()
        [lambda: 0, lambda: 1][1]()
        return {k: v for k, v in zip("ab", numbers(2))}
'''
CPROFILED = '''\
    import cProfile, program
    profile = cProfile.Profile()
    profile.enable()
    program.main()
    profile.disable()
    profile.dump_stats("cprofile.pstats")
'''
TRACED = '''\
    import os, sys
    sys.path.append(os.environ["MTRACE_HOME"])
    import mtrace, program
    tracer = mtrace.Tracer("traces")
    tracer.start()
    program.main()
    tracer.stop()
'''
OWN = ("mtrace/__init__.py", "traced.py")


def is_own(key):
    """Of the tracer's, or the profiler's, own making."""
    return key[0].endswith(OWN) or "_lsprof" in key[2] or "_tracer" in key[2]


def common(key):
    """cProfile's name for a __new__ has an address in it."""
    file, line, name = key
    return file, line, re.sub(r"^<built-in method (__new__ of type object at 0x\w+|\w+\.__new__)>$", "__new__", name)


def counts(stats):
    """{key: (calls, primitive calls)} of the program's functions."""
    return {common(key): value[1::-1] for key, value in stats.items() if not is_own(key)}


def callers(stats):
    """{(caller, callee): (calls, primitive calls)}"""
    return {(common(caller), common(key)): pair[:2]
            for key, value in stats.items() if not is_own(key)
            for caller, pair in value[4].items() if not is_own(caller)}


class Report(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("program.py", PROGRAM)

    def trace(self):
        script = self.write("traced.py", TRACED)
        done = self.untraced(sys.executable, script)
        self.assertEqual(done.returncode, 0, done.stderr)

    def report(self, *options):
        return json.loads(self.mtrace("report", "-f", "json", *options, self.traces).stdout)

    def pstats(self):
        path = os.path.join(self.folder, "out.pstats")
        self.mtrace("merge", "-o", path, self.traces)
        return pstats.Stats(path).stats

    def test_calls_as_in_cprofile(self):
        script = self.write("cprofiled.py", CPROFILED)
        done = self.untraced(sys.executable, script)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.trace()
        expected = pstats.Stats(os.path.join(self.folder, "cprofile.pstats")).stats
        found = self.pstats()
        self.assertEqual(counts(found), counts(expected))
        self.assertEqual(callers(found), callers(expected))
        self.assertGreater(len(counts(found)), 30)

    def test_pstats_is_what_report_says(self):
        self.trace()
        stats = self.pstats()
        rows = self.report()["rows"]
        sums = {}
        for row in rows:
            key = (row["file"], row["line"], row["function"].split(".")[-1]) if row["kind"] == "python" \
                else ("~", 0, row["function"])
            sums[key] = (row["ncalls"], row["primitive_calls"], row["tottime_ns"], row["cumtime_ns"])
        self.assertEqual(len(sums), len(rows))
        python = {key: value for key, value in stats.items() if key[0] != "~"}
        for key, (primitive, calls, self_s, cum_s, _) in python.items():
            found = sums[key]
            self.assertEqual((calls, primitive), found[:2], key)
            self.assertAlmostEqual(self_s, found[2] / 1e9, places=12)
            self.assertAlmostEqual(cum_s, found[3] / 1e9, places=12)
        self.assertEqual(sum(v[1] for v in stats.values()), sum(v[0] for v in sums.values()))
        self.assertAlmostEqual(sum(v[2] for v in stats.values()), sum(v[2] for v in sums.values()) / 1e9, places=9)

    def test_report_prints_as_pstats_does(self):
        self.trace()
        self.assertEqual(self.report("--callers", "fib")["rows"][0]["function"].rsplit("(")[-1], "fib)")
        by_caller = {row["caller"].rsplit("(")[-1]: (row["ncalls"], row["primitive_calls"])
                     for row in self.report("--callers", "fib")["rows"]}
        self.assertEqual(by_caller, {"main)": (1, 1), "fib)": (66, 2)})
        callees = {row["function"].rsplit("(")[-1]: row["ncalls"] for row in self.report("--callees", "is_*")["rows"]}
        self.assertEqual(callees, {"is_odd)": 7, "is_even)": 6})
        fib, = [row for row in self.report()["rows"] if row["function"] == "fib"]
        self.assertEqual((fib["ncalls"], fib["primitive_calls"], fib["timed_calls"]), (67, 1, 67))
        self.assertLessEqual(fib["p50_ns"], fib["p95_ns"])
        self.assertLessEqual(fib["p99_ns"], fib["max_ns"])
        self.assertEqual(fib["cumtime_ns"], fib["max_ns"])
        generator, = [row for row in self.report()["rows"] if row["function"] == "endless"]
        # The profile hook is not told that a generator goes on and does not begin.
        resumed = 3 if sys.version_info >= (3, 12) else 0
        self.assertEqual((generator["ncalls"], generator["resumed_calls"]), (5, resumed))
        slowest = self.report("--slowest", "1")["rows"]
        self.assertEqual([row["pid"] == row["tid"] for row in slowest], [True])

    def test_callgrind_adds_up(self):
        tool = shutil.which("callgrind_annotate")
        if not tool:
            self.skipTest("there is no callgrind_annotate; it is in Debian's package valgrind")
        self.trace()
        path = os.path.join(self.folder, "out.callgrind")
        self.mtrace("merge", "-o", path, self.traces)
        text = subprocess.run([tool, "--auto=no", "--threshold=100", path], stdout=subprocess.PIPE,
                              universal_newlines=True, check=True).stdout
        rows = self.report()["rows"]
        total = sum(row["tottime_ns"] for row in rows)
        self.assertIn("%s (100.0%%)  PROGRAM TOTALS" % format(total, ","), text)
        fib, = [row for row in rows if row["function"] == "fib"]
        self.assertRegex(text, r"(?m)^\s*%s \(.*program\.py:fib" % format(fib["tottime_ns"], ","))
        inclusive = subprocess.run([tool, "--auto=no", "--threshold=100", "--inclusive=yes", path],
                                   stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
        main, = [row for row in rows if row["function"] == "main"]
        self.assertRegex(inclusive, r"(?m)^\s*%s \(.*program\.py:main" % format(main["cumtime_ns"], ","))


if __name__ == "__main__":
    harness.main()
