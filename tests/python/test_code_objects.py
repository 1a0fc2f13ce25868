"""Programs that make code without end: right names, memory that does not grow with it, and no
mistaking of what was freed for what took its place."""
import collections
import os
import re
import shutil
import sys
import textwrap
import unittest

from tests.python import harness, tracefile

# A million with MTRACE_TEST_FULL=1: a minute more per interpreter.
N = 1000000 if os.environ.get("MTRACE_TEST_FULL") else 200000

# What CPython calls the functions for extra data in code objects.
REQUEST = "PyUnstable_Eval_RequestCodeExtraIndex" if sys.version_info >= (3, 12) else \
    "_PyEval_RequestCodeExtraIndex"
SET, GET = (REQUEST.replace("Eval_RequestCodeExtraIndex", "Code_" + what)
            for what in ("SetExtra", "GetExtra"))


class Code(harness.Case):
    def test_without_end(self):
        """Each is compiled, called once and dropped. Its name is in the trace, in the right place;
        the memory of the process grows by no more than a fixed amount.

        What may be added is the extension itself (0.3 MB), the table of C functions, one chunk of
        definitions and one of records (64 and 256 KiB, pages of the trace file), and the
        allocator's noise: 8 MiB, where remembering each of 200 000 with 48 bytes would be 10.
        """
        path = self.write("script.py", """
            import sys
            def run(n):
                for i in range(n):
                    name = "f%d" % i
                    scope = {}
                    exec(compile("def %s():pass\\n%s()" % (name, name), "file%d" % (i % 1000), "exec"),
                         scope)
            run(int(sys.argv[1]))
            with open("/proc/self/status") as f:
                print(*(line.split()[1] for line in f if line.startswith("VmHWM")))
            """)
        untraced = int(self.untraced(sys.executable, path, N).stdout)
        traced = int(self.run_traced(sys.executable, path, N).stdout)
        self.assertLess(traced - untraced, 8192, "KiB, of %d" % traced)
        trace = self.read_one()
        self.assertEqual(trace.n_lost, 0)
        functions = [f for f in trace.names.values() if f.kind == "python" and
                     re.fullmatch(r"f\d+", f.name)]
        self.assertEqual(len(functions), N)
        # Each was called once, inside the <module> of its file, in order.
        at = 0
        for r in trace.thread().records:
            if r.function and r.kind == 1 and re.fullmatch(r"f\d+", r.function.name):
                self.assertEqual((r.function.name, r.function.file, r.function.line),
                                 ("f%d" % at, "file%d" % (at % 1000), 1))
                at += 1
        self.assertEqual(at, N)

    @unittest.skipIf(harness.KEEPS_FREED, "freed memory is not used again")
    def test_freed_and_made_again(self):
        """Code objects of one size, one at a time, take the same address again and again."""
        output = self.run_script("""
            import collections, gc
            gc.freeze()  # what there is by now: then a collection takes no time
            def make(i):
                return compile("pass", "file%04d" % i, "exec").replace(co_name="n%04d" % i, **QUAL)
            addresses = collections.Counter()
            for i in range(5000):
                code = make(i)
                addresses[id(code)] += 1
                exec(code)
                del code
                gc.collect()  # without a GIL code objects die in one, not before
            print(addresses.most_common(1)[0][1])
            """.replace("**QUAL", '**{"co_qualname": "n%04d" % i}' if sys.version_info >= (3, 11)
                        else "")).stdout
        self.assertGreater(int(output), 100, "addresses were not used again: nothing is tested")
        seen = [r.function for r in self.read_one().thread().records
                if r.kind == 1 and r.function and re.fullmatch(r"n\d{4}", r.function.name)]
        self.assertEqual([(f.name, f.file) for f in seen],
                         [("n%04d" % i, "file%04d" % i) for i in range(5000)])

    @unittest.skipIf(harness.FREE_THREADED, "code objects die in a collection")
    def test_in_place_of_the_dead(self):
        """What a dead code object has left in its memory says nothing about the next one there."""
        output = self.run_script("""
            import collections
            base, addresses = compile("pass", "file", "exec"), collections.Counter()
            names = ["n%03d" % i for i in range(500)]
            for name in names:
                code = base.replace(co_name=name, **QUAL)
                addresses[id(code)] += 1
                exec(code)
                del code
            print(addresses.most_common(1)[0][1])
            """.replace("**QUAL", "co_qualname=name" if sys.version_info >= (3, 11) else "")).stdout
        self.assertGreater(int(output), 400, "addresses were not used again: nothing is tested")
        seen = [r.function.name for r in self.read_one().thread().records
                if r.kind == 1 and r.function and re.fullmatch(r"n\d{3}", r.function.name)]
        self.assertEqual(seen, ["n%03d" % i for i in range(500)])

    def test_copies_do_not_share(self):
        """replace() makes a code object that does not inherit what we keep in the former one."""
        self.run_script("""
            def f(): pass
            f()
            g = f.__code__.replace(co_name="g", **QUAL)
            exec(g)
            f.__code__ = g
            f()
            """.replace("**QUAL", '**{"co_qualname": "g"}' if sys.version_info >= (3, 11) else ""))
        trace = self.read_one()
        self.assertEqual((trace.count("f"), trace.count("g")), (1, 2))

    def test_function_gets_other_code(self):
        """A method is named after its code, not after what the class has under that name now."""
        self.run_script("""
            class A:
                def m(self): pass
                def n(self): pass
            A().m()
            A.m = A.n
            A().m()
            def other(self): pass
            A.m.__code__ = other.__code__
            A().m()
            """)
        trace = self.read_one()
        self.assertEqual([trace.count(n) for n in ("A.m", "A.n", "other")], [1, 1, 1])

    def test_other_users_of_code_extra(self):
        """The interpreter has a few slots in code objects for tools; ours is one of them, and is
        never the one of another."""
        output = self.run_script("""
            import ctypes
            api = ctypes.pythonapi
            free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(0)
            code, void = ctypes.py_object, ctypes.c_void_p
            mine = [api.{0}(free) for _ in range(5)]
            api.{1}.argtypes = [code, ctypes.c_ssize_t, void]
            api.{2}.argtypes = [code, ctypes.c_ssize_t, ctypes.POINTER(void)]
            def f(): pass
            for i in mine:
                assert api.{1}(f.__code__, i, 1000 + i) == 0
            for _ in range(10):
                f()
            value = void()
            for i in mine:
                api.{2}(f.__code__, i, ctypes.byref(value))
                assert value.value == 1000 + i, (i, value)
            print(len(set(mine)))
            """.format(REQUEST, SET, GET)).stdout
        self.assertEqual(output, "5\n")
        self.assertEqual(self.read_one().count("f"), 10)

    def test_free_functions_of_other_users(self):
        """They get what their owner has put into a code object, and nothing for all the others."""
        path = self.write("script.py", """
            import ctypes, gc
            api = ctypes.pythonapi
            freed = []
            free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(freed.append)
            index = api.{0}(free)
            api.{1}.argtypes = [ctypes.py_object, ctypes.c_ssize_t, ctypes.c_void_p]
            def make(value):
                code = compile("x = 1", "file", "exec")
                if value:
                    assert api.{1}(code, index, value) == 0
                exec(code)
            for value in [0] * 10 + [1234] + [0] * 10:
                make(value)
            gc.collect()  # without a GIL code objects die in one, not before
            print(freed)
            """.format(REQUEST, SET))
        self.assertEqual(self.untraced(sys.executable, path).stdout, "[1234]\n")
        self.assertEqual(self.run_traced(sys.executable, path).stdout, "[1234]\n")
        self.assertEqual(self.read_one().count("make"), 21)

    @unittest.skipIf(sys.version_info < (3, 14), "the interpreters came with CPython 3.14")
    @unittest.skipIf(harness.FREE_THREADED, "docs/limits.md")
    def test_given_to_other_interpreters(self):
        """A function that has been called and needs nothing from outside is as portable as before."""
        path = self.write("script.py", """
            import sys
            from concurrent import interpreters
            from concurrent.futures import InterpreterPoolExecutor
            def double(x): return x * 2
            def script(): print("runs", flush=True)
            halve = lambda x: x / 2
            for function in double, halve:
                function(1)
            script()
            inside = interpreters.create()
            print(inside.call(double, 4), inside.call(halve, 4), flush=True)
            inside.exec(script)
            inside.exec(script.__code__)
            inside.close()
            with InterpreterPoolExecutor(1) as pool:
                print(pool.submit(double, 8).result(), pool.submit(halve, 8).result())
            double(1)
            """)
        for engine in harness.ENGINES[True]:
            with self.subTest(engine):
                self.traces = os.path.join(self.folder, engine)
                untraced = self.untraced(sys.executable, path)
                traced = self.run_traced(sys.executable, path, options=["--engine", engine])
                self.assertEqual((untraced.stdout, untraced.stderr), ("runs\n8 2.0\nruns\nruns\n16 4.0\n", ""))
                self.assertEqual((traced.stdout, traced.stderr), (untraced.stdout, untraced.stderr))
                trace = self.read_one()
                self.assertEqual([trace.count(n) for n in ("double", "<lambda>", "script")], [2, 1, 1])

    @unittest.skipIf(sys.version_info < (3, 12), "the engine before 3.12 is one for all")
    def test_two_copies_of_us(self):
        """Each keeps what is its own in code objects, and gives each function one id."""
        names = ["f%d" % i for i in range(50)]
        other = os.path.join(self.folder, "other")
        shutil.copytree(harness.HOME, other)
        self.run_script("""
            import sys
            space = {}
            for name in sys.argv[2:]:
                exec("def %s(): pass" % name, space)
            functions = [space[name] for name in sys.argv[2:]]
            # So that ids differ.
            for function in functions[30:]:
                function()
            sys.path.insert(0, sys.argv[1])
            for name in [n for n in sys.modules if n.partition(".")[0] == "mtrace"]:
                del sys.modules[name]
            import mtrace
            assert mtrace.__file__.startswith(sys.argv[1])
            with mtrace.Tracer("copy", engine="monitoring"):
                for _ in range(3):
                    for function in functions:
                        function()
            for function in functions:
                function()
            """, other, *names, options=["--engine", "monitoring"])
        traces = self.read_one(), tracefile.read_all(os.path.join(self.folder, "copy"))[0]
        for trace, expected in zip(traces, ([4] * 30 + [5] * 20, [3] * 50)):
            self.assertEqual([trace.count(n) for n in names], expected)
            self.assertEqual(sorted(f.name for f in trace.names.values() if f.name in names), sorted(names))


class SeenAtTheSameTime(harness.Case):
    NAMES = ("upper", "lower", "title", "strip", "split", "isdigit", "isalpha", "isspace", "swapcase",
             "capitalize", "casefold", "isupper", "islower", "istitle", "isnumeric", "isdecimal")

    def test_by_eight_threads(self):
        """Each function gets one id that all of them use, though they see it first at one moment."""
        self.run_script("""
            import threading
            N, THREADS, names = 400, 8, %r
            space = {}
            for i in range(N):
                exec("def f{0}(): return g{0}()\\ndef g{0}(): 'x'.{1}()".format(i, names[i %% len(names)]), space)
            functions, barrier = [space["f" + str(i)] for i in range(N)], threading.Barrier(THREADS)
            def run():
                for i, function in enumerate(functions):
                    if i %% 8 == 0:
                        barrier.wait()
                    function()
                    function()
            threads = [threading.Thread(target=run) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            """ % (self.NAMES,))
        self.check()
        trace, ids, ends, begins = self.read_one(), {}, collections.Counter(), collections.Counter()
        expected = {name + str(i): 16 for name in "fg" for i in range(400)}
        expected.update(("str." + name, 400) for name in self.NAMES)
        for r in (r for thread in trace.threads if thread.tid != trace.pid for r in thread.records):
            if r.function and r.function.name in expected:
                ids.setdefault(r.function.name, set()).add(r.id)
                (begins if r.kind in (1, 6) else ends)[r.function.name] += 1
        self.assertEqual({name: len(found) for name, found in ids.items() if len(found) > 1}, {})
        self.assertEqual(ends, expected)
        if harness.FREE_THREADED:
            # CPython may leave out the PY_START of a thread while another instruments the function.
            for name in begins:
                begins[name] += begins[name] < expected[name]
        self.assertEqual(begins, expected)


# Method definitions made at run time, as binding generators make them. Their functions are of
# CPython's own API, so nothing of ctypes is called: PyNumber_Add(self, argument) and another.
MAKE = """
    import ctypes
    class MethodDef(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
                    ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]
    METH_O = 8
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]
    add, subtract = (ctypes.cast(f, ctypes.c_void_p).value for f in
                     (ctypes.pythonapi.PyNumber_Add, ctypes.pythonapi.PyNumber_Subtract))
"""


class Definitions(harness.Case):
    def made(self, text):
        """The names of the made functions that were called, in order; and the trace."""
        self.run_script(textwrap.dedent(MAKE) + textwrap.dedent(text))
        trace = self.read_one()
        return [r.function.name for r in trace.thread().records
                if r.kind == 6 and r.function.name.startswith("made.")], trace

    def test_used_again(self):
        """The address of the definition is the same; the function or its name is another."""
        names, _ = self.made("""
            names = [ctypes.create_string_buffer(40) for _ in range(2)]
            d = MethodDef(None, None, METH_O, None)
            for i in range(1000):
                names[i % 2].value = b"fn%04d" % (i // 2)  # two of the same name
                d.name = ctypes.cast(names[i % 2], ctypes.c_char_p)
                d.function = (add, subtract)[i % 2]
                assert new(ctypes.addressof(d), 3, "made")(2) == (5, 1)[i % 2]
            """)
        self.assertEqual(names, ["made.fn%04d" % (i // 2) for i in range(1000)])

    def test_many(self):
        """More than the table of C functions begins with: it grows, and names stay right."""
        names, trace = self.made("""
            defs = [MethodDef(b"fn%d" % i, add, METH_O, None) for i in range(20000)]
            functions = [new(ctypes.addressof(d), 3, "made") for d in defs]
            for _ in range(2):
                for f in functions:
                    f(2)
            del f, functions  # before their definitions
            """)
        self.assertEqual(names, ["made.fn%d" % i for i in range(20000)] * 2)
        # Each was defined once.
        self.assertEqual(sum(f.name.startswith("made.") for f in trace.names.values()), 20000)


if __name__ == "__main__":
    harness.main()
