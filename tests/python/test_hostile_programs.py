"""Programs that use the interpreter's odd corners: signals at a high rate, no memory, limits, switches,
code and names of every kind."""
import os
import sys
import unittest
import zipfile

from tests.python import compared, harness, tracefile

V = sys.version_info


class Signals(compared.Case):
    def test_timer_that_raises(self):
        """setitimer() at a high rate, whose handler calls and raises wherever the program is."""
        for run in self.run_text("""
            import signal
            class Alarm(Exception):
                pass
            caught = called = 0
            def handler(number, frame):
                global called
                called += 1
                leaf()
                raise Alarm
            def work():
                while True:
                    step()
            signal.signal(signal.SIGALRM, handler)
            def one():
                global caught
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0002)
                    work()
                except Alarm:
                    caught += 1
            for _ in range(100):
                one()
            print(caught, called)
            """, nested=False):
            self.assert_calls(run, {"handler": 100, "one": 100})
            for name in "step", "leaf", "work":  # at the entry of a function CPython may leave out its begin
                begins, ends = compared.calls(run.traces, name)
                self.assertTrue(ends - 100 <= begins <= ends, (name, begins, ends))


def twice(traces, names):
    """Calls of functions, none of which calls itself, that begin right inside of themselves."""
    found = []
    for thread in [t for trace in traces for t in trace.threads]:
        stack = []
        for r in thread.records:
            name = r.function.name if r.function else None
            if r.kind == tracefile.EXT and r.id >> 12 == tracefile.RESYNC:
                stack = []
            elif r.kind in tracefile.BEGINS:
                found += [name] if stack[-1:] == [name] and name in names else []
                stack.append(name)
            elif r.kind in tracefile.ENDS and name in stack:
                while stack.pop() != name:
                    pass
    return found


class AtTheEntry(harness.Case):
    """A handler runs at the entry of a function, before the interpreter tells of its begin (3.11, 3.13
    and later): that call is not open yet when the handler has us state the open calls."""
    PROGRAM = """
        import os, signal, sys
        todo = 40
        def h():
            return []
        def g():
            return h()
        def f():
            return g()
        def handler(number, frame):
            global todo
            act()
            todo -= 1
            if todo > 0:
                signal.setitimer(signal.ITIMER_REAL, 0.0001)
        def run():
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, 0.0001)
            while todo > 0:
                f()
        """

    def verify(self, traces, engine):
        self.assertGreater(len(traces), 15)
        self.assertEqual(twice(traces, {"f", "g", "h"}), [], engine)
        self.check()

    def test_recordings_that_start_there(self):
        """While another tool has events, so that functions have a begin to come."""
        for engine, _options in compared.ENGINES:
            if engine == "frame":
                continue  # sees no end of what was open, see docs/limits.md
            self.traces = os.path.join(self.folder, engine)
            path = self.write("script.py", self.PROGRAM + """
        sys.path.insert(0, %r)
        import mtrace
        tracer = mtrace.Tracer(%r, engine=%r, children=False)
        def act():
            if tracer.recording:
                tracer.stop()
            else:
                tracer.start()
        sys.settrace(lambda *args: None)
        run()
        tracer.stop()
        """ % (harness.HOME, self.traces, engine))
            done = self.untraced(sys.executable, path)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.verify(self.read(), engine)

    def test_forks_there(self):
        """os.fork() in a Python handler, whose child goes on where the parent was."""
        for engine, options in compared.ENGINES:
            self.traces = os.path.join(self.folder, engine)
            self.run_script(self.PROGRAM + """
        def act():
            pid = os.fork()
            if pid == 0:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, lambda *args: None)
                global todo
                todo = 0
            else:
                os.waitpid(pid, 0)
        run()
        """, options=options)
            self.verify(self.read(), engine)


class Memory(compared.Case):
    @unittest.skipIf(harness.FREE_THREADED, "set_nomemory() is not for threads without a GIL")
    @unittest.skipIf(V >= (3, 15), "CPython crashes where it cannot instrument code, see docs/limits.md")
    def test_none_at_any_moment(self):
        """The allocation number N fails, for each N: the same exception as untraced, and no crash.
        First sights of functions fall into it, too: new code each time."""
        for run in self.run_text("""
            try:
                import _testcapi
            except ImportError:
                sys.exit(0)
            def fresh(i):
                space = {}
                exec("def f(x):\\n return [x, g(x)]\\ndef g(x):\\n return {x: len(str(x))}", space)
                return space["f"]
            # The same program untraced allocates less: so each failure lasts until the function is left.
            n = errors = 0
            for i in range(60):
                f = fresh(i)
                _testcapi.set_nomemory(i, 0)
                try:
                    f(10 ** 30)
                except MemoryError:
                    errors += 1
                finally:
                    _testcapi.remove_mem_hooks()
            step()
            print(errors > 0)
            """, nested=False):
            if run.engine == "setprofile" and (3, 11) <= V < (3, 12):
                continue  # CPython ends all profiling of the thread, see docs/limits.md
            self.assert_calls(run, {"step": 1, "leaf": 1})

    def test_recursion(self):
        """Limits from very low to very high, and recursion through C."""
        for run in self.run_text("""
            import threading
            def down(n):
                return down(n + 1)
            def through_c(n):
                return max([n], key=through_c)
            class Compares:
                def __lt__(self, other):
                    return sorted([self, other])
            def limited(limit, f, *args):
                before = sys.getrecursionlimit()
                try:
                    sys.setrecursionlimit(limit)
                    f(*args)
                except RecursionError as error:
                    print(limit, "RecursionError")
                finally:
                    sys.setrecursionlimit(before)
            for limit in 20, 50, 100, 1000:
                limited(limit, down, 0)
                limited(limit, through_c, 0)
                limited(limit, lambda: Compares() < Compares())
            limited(2 ** 31 - 1, step)
            for limit in 0, -1:
                try:
                    sys.setrecursionlimit(limit)
                except ValueError as error:
                    print(error)
            """, stderr=False):
            self.assert_calls(run, {"limited": 13, "step": 1})
            self.assertEqual(run.output.count("RecursionError"), 12)


class Code(compared.Case):
    def test_odd_names(self):
        """exec and eval, with file names and function names of every kind."""
        for run in self.run_text("""
            names = ["<string>", "", "a\\0b", "\\udc80\\ud800", "x" * 10000, "/" * 5000, "\\n\\t", "é" * 3000, "<frozen x>"]
            for i, name in enumerate(names):
                try:
                    code = compile("def f%d():\\n step()\\nf%d()" % (i, i), name, "exec")
                except (ValueError, UnicodeError) as error:
                    print(type(error).__name__)
                    code = compile("def f%d():\\n step()\\nf%d()" % (i, i), "plain", "exec").replace(co_filename=name)
                exec(code, {"step": step})
                eval(compile("step()", "plain", "eval").replace(co_filename=name, co_name=name))
            def named(text):
                def f():
                    step()
                f.__code__ = f.__code__.replace(co_name=text)
                f()
            for name in names:
                named(name)
            lines = compile("step()", "lines", "exec")
            for line in 0, 1, 2 ** 31 - 1:
                exec(lines.replace(co_firstlineno=line))
            """):
            self.assert_calls(run, dict({"f%d" % i: 1 for i in range(9)}, step=9 + 9 + 9 + 3, named=9))

    def test_long_qualified_names(self):
        for run in self.run_text("""
            deep = "def f0():\\n step()\\n"
            for i in range(1, 18):
                deep = "def f%d():\\n" % i + "".join(" " + line + "\\n" for line in deep.splitlines()) + " f%d()\\n" % (i - 1)
            exec(deep + "f17()")
            name = "n" * 100000
            space = {"step": step}
            exec("def %s():\\n step()\\n%s()" % (name, name), space)
            class_name = "C" * 40000
            exec("class %s:\\n class %s:\\n  def f(self):\\n   step()\\n%s.%s().f()" % ((class_name,) * 4), space)
            """):
            self.assert_calls(run, {"step": 3})

    def test_a_hundred_thousand_functions(self):
        for run in self.run_text("""
            n = 100000
            one = compile("def f():\\n return 1\\n", "many", "exec").co_consts[0]
            Function = type(step)
            total = 0
            kept = [Function(one.replace(co_firstlineno=i + 1), {}) for i in range(n)]
            for f in kept:
                total += f()
            print(total)
            """, engines=(compared.ENGINES[0][0],)):
            self.assert_calls(run, {"f": 100000})
            self.assertEqual(len({f for f in run.traces[0].names.values() if f.name == "f"}), 100000)

    def test_replaced_while_it_runs(self):
        """f.__code__ = g.__code__ inside of f, code.replace, frames that are cleared."""
        for run in self.run_text("""
            def first(n):
                leaf()
                if n:
                    first.__code__ = second.__code__
                    first(n - 1)
                leaf()
            def second(n):
                step()
                if n:
                    first.__code__ = original
                    first(n - 1)
                step()
            original = first.__code__
            for _ in range(10):
                first(5)
                first.__code__ = original
            def failing():
                step()
                raise KeyError
            def cleared():
                try:
                    failing()
                except KeyError as error:
                    frame = error.__traceback__.tb_next.tb_frame
                    frame.clear()
                    try:
                        sys._getframe().clear()
                    except RuntimeError as error:
                        print(type(error))
            cleared()
            def generate():
                yield 1
            def suspended():
                generator = generate()
                next(generator)
                try:
                    generator.gi_frame.clear()
                except RuntimeError as error:
                    print(type(error))
                return list(generator)
            print(suspended())
            """):
            self.assert_calls(run, {"first": 30, "second": 30, "failing": 1, "cleared": 1, "suspended": 1, "step": 61})


class Switches(compared.Case):
    def test_switches(self):
        """Each as it comes, and all that make the interpreter do more than usual."""
        path = self.program("""
            def f():
                "doc"
                assert step() is None
            f()
            step()
            print(__debug__, f.__doc__)
            """)
        for switch in (["-O"], ["-OO", "-B", "-u", "-q", "-bb", "-W", "error", "-s"], ["-X", "dev"],
                       ["-X", "faulthandler", "-X", "tracemalloc=5", "-X", "utf8"]):
            for run in self.run_both(sys.executable, *switch, path, stderr=switch != ["-X", "dev"]):
                n = 1 if switch[0].startswith("-O") else 2
                self.assert_calls(run, {"f": 1, "step": n})

    def test_importtime(self):
        """The same modules in the same order, but for what is ours: nothing."""
        path = self.program("import json; step()")
        for run in self.run_both(sys.executable, "-X", "importtime", path, stderr=False):
            self.assert_calls(run, {"step": 1})

    def test_without_our_way_in(self):
        """-S, -E and -I: not followed, not changed."""
        path = self.program("print(sorted(k for k in sys.modules if 'mtrace' in k), sys.flags)")
        for switch in "-S", "-E", "-I", "-IS":
            untraced = self.untraced(sys.executable, switch, path)
            self.traces = os.path.join(self.folder, switch)
            traced = self.untraced(*self.command(sys.executable, switch, path))
            self.assertEqual((traced.stdout, traced.stderr, traced.returncode),
                             (untraced.stdout, untraced.stderr, untraced.returncode))
            self.assertEqual(self.read(), [])

    def test_modules_and_archives(self):
        """-m, -c, runpy, a folder and an archive with __main__, and a program on standard input."""
        text = compared.START + "def f():\n    step()\nf()\nprint(sys.argv, __name__, __spec__ is None)\n"
        package = os.path.join(self.folder, "package")
        os.mkdir(package)
        for name in "__init__.py", "__main__.py", "module.py":
            with open(os.path.join(package, name), "w") as f:
                f.write("" if name == "__init__.py" else text)
        archive = os.path.join(self.folder, "archive.pyz")
        with zipfile.ZipFile(archive, "w") as z:
            z.writestr("__main__.py", text)
        runner = self.write("runner.py", "import runpy\n"
                            "runpy.run_module('package.module', run_name='__main__', alter_sys=True)\n"
                            "runpy.run_path('archive.pyz')\n")
        for command, n in ((("-m", "package"), 1), (("-m", "package.module", "x"), 1), (("-c", text, "x"), 1),
                           ((package,), 1), ((archive,), 1), ((runner,), 2)):
            for run in self.run_both(sys.executable, *command):
                self.assert_calls(run, {"f": n, "step": n})

    def test_standard_input(self):
        text = compared.START + "def f():\n    step()\n\nf()\nprint(sys.argv, __name__)\n"
        for run in self.run_both(sys.executable, "-", "x", input=text):
            self.assert_calls(run, {"f": 1, "step": 1})

    def test_exec_in_a_thread(self):
        """os.execv in a thread while others call: the new program is another file of the process."""
        for run in self.run_text("""
            import threading
            if len(sys.argv) > 1:
                step()
                print("again")
                sys.exit(3)
            started = threading.Semaphore(0)
            def call():
                started.release()
                while True:
                    leaf()
                    time.sleep(0)
            import time
            for _ in range(3):
                threading.Thread(target=call, daemon=True).start()
                started.acquire()
            def replace():
                os.execv(sys.executable, [sys.executable, __file__, "x"])
            threading.Thread(target=replace).start()
            while True:
                time.sleep(0)
            """, nested=False):
            self.assertEqual(len(run.traces), 2)
            self.assertEqual({t.pid for t in run.traces}, {run.traces[0].pid})
            self.assert_calls(run, {"replace": (1, 0), "step": 1})


if __name__ == "__main__":
    harness.main()
