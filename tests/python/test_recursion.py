"""Deep recursion: the program gets as deep as untraced, meets the same exception there, and every
begin has its end."""
import sys

from tests.python import harness, shapes

V = sys.version_info

# Each kind of recursion prints how deep it got and what it met there.
PROGRAM = """
    import sys, threading

    def report(name, f):
        global depth
        depth = 0
        try:
            f()
        except RecursionError as error:
            print(name, depth, type(error).__name__, error)
        else:
            print(name, depth, "no exception")

    def step():
        global depth
        depth += 1

    def plain():
        step()
        plain()

    def mutual_a():
        step()
        mutual_b()
    def mutual_b():
        mutual_a()

    def through_c(x=None):
        step()
        sorted([1], key=through_c)

    class Method:
        def m(self):
            step()
            self.m()
        def __getattr__(self, name):
            step()
            return getattr(self, name + "x")
        def __call__(self):
            step()
            self()
        def __repr__(self):
            step()
            return repr([self])
        @property
        def p(self):
            step()
            return self.p
        def __add__(self, other):
            step()
            return self + other

    def generator():
        step()
        yield from generator()

    async def coroutine():
        step()
        await coroutine()

    def finallys():
        try:
            step()
            finallys()
        finally:
            len("")

    def everything():
        report("plain", plain)
        report("mutual", mutual_a)
        report("through_c", through_c)
        report("method", Method().m)
        report("getattr", lambda: Method().missing)
        report("call", Method())
        report("repr", lambda: repr(Method()))
        report("property", lambda: Method().p)
        report("operator", lambda: Method() + 1)
        report("generator", lambda: next(generator()))
        report("coroutine", lambda: coroutine().send(None))
        report("finally", finallys)
    """


class Recursion(harness.Case):
    def same(self, text):
        """Runs it untraced and traced; returns what both have printed."""
        path = self.write("script.py", text)
        untraced = self.untraced(sys.executable, path)
        traced = self.run_traced(sys.executable, path, status=untraced.returncode)
        self.assertEqual(untraced.stderr, traced.stderr)
        self.assertEqual(untraced.stdout, traced.stdout)
        return untraced.stdout

    def whole(self, name):
        """How often that function began; each call must have its end, by an exception."""
        calls = [c for t in self.read_one().threads for c in t.calls() if c.function.name == name]
        self.assertEqual({c.outcome for c in calls}, {"exception"})
        return len(calls)

    def kinds(self, end):
        """What traced PROGRAM prints, each line the same as untraced.

        3.11 and 3.12 do not count calls of C functions by specialised instructions as recursion,
        and use none where any profile function is set. There, what goes through C functions is as
        deep as under cProfile's hook, which is C like ours: it is the interpreter, not mtrace.
        """
        plain = self.write("script.py", PROGRAM + end)
        hooked = self.write("hooked.py", PROGRAM + """
    import _lsprof
    _lsprof.Profiler().enable()
    """ + end)
        untraced = self.untraced(sys.executable, plain)
        profiled = self.untraced(sys.executable, hooked).stdout.splitlines()
        traced = self.run_traced(sys.executable, plain, status=untraced.returncode)
        self.assertEqual(untraced.stderr, traced.stderr)
        exempt = () if V < (3, 11) or V >= (3, 13) else ("through_c", "getattr", "finally")
        for line in range(len(profiled)):
            expected = [untraced.stdout.splitlines()[line]]
            if expected[0].split()[0] in exempt:
                expected.append(profiled[line])
            self.assertIn(traced.stdout.splitlines()[line], expected)
        return traced.stdout.splitlines()

    def test_up_to_the_limit(self):
        output = self.kinds("everything()\n")
        self.assertEqual(len(output), 12, output)
        depths = {line.split()[0]: int(line.split()[1]) for line in output}
        self.assertGreater(min(depths.values()), 100)
        self.assert_nested()
        # The innermost call of each kind begins, or is refused before it does, by version.
        self.assertIn(self.whole("plain") - depths["plain"], (0, 1))
        self.assertIn(self.whole("finallys") - depths["finally"], (0, 1))
        self.check()

    def test_twice(self):
        """The way out leaves nothing behind that would change the second time and the third. (The
        first differs on 3.11 and 3.12: nothing is specialised yet.)"""
        output = self.kinds("for _ in range(3):\n        everything()\n")
        self.assertEqual((len(output), output[12:24]), (36, output[24:]))

    def test_uncaught(self):
        """The same traceback, with its 'previous line repeated' note, and the same status."""
        path = self.write("script.py", "def f(n):\n    return f(n + 1)\nf(0)\n")
        untraced = self.untraced(sys.executable, path)
        traced = self.run_traced(sys.executable, path, status=1)
        self.assertIn("RecursionError", untraced.stderr)
        self.assertEqual(untraced.stderr, traced.stderr)
        self.assertGreaterEqual(self.whole("f"), 990)

    def test_a_higher_limit(self):
        """6000 levels fit into 8 MiB of stack on every version, with the hook's share (facts: 3.10
        overflows at 16 195 levels traced, at 20 091 untraced)."""
        output = self.same("""
            import sys
            sys.setrecursionlimit(6000)
            def f(n):
                return 0 if n == 0 else 1 + f(n - 1)
            print(f(5900))
            def g(n): g(n + 1)
            try:
                g(0)
            except RecursionError as error:
                print(error)
            """)
        self.assertTrue(output.startswith("5900\n"))
        calls = [c for c in self.read_one().thread().calls() if c.function.name == "f"]
        self.assertEqual((len(calls), {c.outcome for c in calls}), (5901, {"return"}))
        self.assertEqual(max(c.depth for c in calls) - min(c.depth for c in calls), 5900)
        self.check()

    def test_threads_with_small_stacks(self):
        """256 KiB. Up to 3.10 a call of a Python function takes stack, and more where any profile
        function is set: on 3.10, 613 levels work untraced and 497 traced. From 3.11 on it takes
        none. Through sorted(), 44 levels work on every version, both ways."""
        output = self.same("""
            import sys, threading
            threading.stack_size(256 << 10)
            sys.setrecursionlimit(%d)
            def f(n):
                f(n + 1)
            def g(n):
                if n < 30:
                    sorted([n], key=lambda x: g(x + 1) or 0)
                else:
                    print("bottom")
            def run():
                g(0)
                try:
                    f(0)
                except RecursionError as error:
                    print(error)
            for _ in range(4):
                thread = threading.Thread(target=run)
                thread.start()
                thread.join()
            """ % (400 if V < (3, 11) else 5000))
        self.assertEqual(len(output.splitlines()), 8)
        trace = self.read_one()
        self.assert_nested([trace])
        counts = [(t.count("f"), t.count("g")) for t in trace.threads if t.count("g")]
        self.assertEqual([g for _, g in counts], [31] * 4)
        self.assertGreater(min(f for f, _ in counts), 350)
        self.check()

    def test_first_sight_at_the_bottom(self):
        """What the hook does for a function that it has not met costs stack; the deepest call is
        such a function, every time, and a definition chunk is taken there as well."""
        output = self.same("""
            import sys
            def f(n):
                exec("def new_%d(): pass\\nnew_%d()" % (n, n), {})
                f(n + 1)
            try:
                f(0)
            except RecursionError as error:
                print(error)
            """)
        self.assertIn("recursion", output)
        self.assert_nested()

    def test_started_deep_inside(self):
        """A recording that begins 900 levels down states them all."""
        self.write("script.py", """
            import sys
            sys.path.insert(0, %r)
            import mtrace
            def f(n):
                if n:
                    return f(n - 1)
                with mtrace.Tracer(%r):
                    len("")
            f(900)
            """ % (harness.HOME, self.traces))
        done = self.untraced(sys.executable, self.folder + "/script.py")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        thread = self.read_one().thread()
        stated = [w for w in shapes.words(thread.records) if w.startswith("<f:")]
        self.assertEqual(len(stated), 901)
        self.assertEqual(thread.calls()[-1].function.kind, "c")


if __name__ == "__main__":
    harness.main()
