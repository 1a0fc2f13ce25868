"""Ends of what mtrace knows: interpreters inside of the program's, libraries that are unloaded,
descriptors that are closed, and Python that runs when nearly all is gone."""
import os
import sys
import unittest

from tests.python import compared, harness

V = sys.version_info
UNLOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unload.so")


class Interpreters(compared.Case):
    def test_inside_of_the_program(self):
        """Calls there are not recorded, whatever they do; all before, between and after them are."""
        for run in self.run_text("""
            CODE = '''
            import sys, threading
            def leaf():
                len("")
            def inside():
                leaf()
            inside()
            for _ in range(100):
                inside()
            def hook(*args):
                pass
            sys.setprofile(hook)
            inside()
            sys.setprofile(None)
            thread = threading.Thread(target=inside)
            thread.start()
            thread.join()
            try:
                raise KeyError(1)
            except KeyError:
                inside()
            '''
            import textwrap
            CODE = textwrap.dedent(CODE)
            def work():
                step()
            for own_gil in (False, True) if sys.version_info >= (3, 12) else (False,):
                for _ in range(5):
                    print(hostile.in_interpreter(CODE, own_gil))
                    work()
            """):
            n = 10 if V >= (3, 12) else 5
            self.assertEqual(run.output, "True\n" * n)
            self.assert_calls(run, {"work": n, "step": n, "leaf": n, "inside": 0, "hostile.in_interpreter": n})

    @unittest.skipIf(harness.FREE_THREADED, "CPython 3.13t may hang when interpreters end, by itself")
    def test_in_threads(self):
        """Several at a time, each with calls of its own, while a thread of the program calls."""
        for run in self.run_text("""
            import threading
            CODE = "def inside(): pass\\nfor _ in range(2000): inside()"
            def work():
                for _ in range(10):
                    hostile.in_interpreter(CODE, sys.version_info >= (3, 12))
                    step()
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for _ in range(1000):
                step()
            for thread in threads:
                thread.join()
            """):
            self.assert_calls(run, {"work": 3, "step": 1030, "leaf": 1030, "inside": 0, "hostile.in_interpreter": 30})

    @unittest.skipIf(harness.FREE_THREADED, "no other interpreter loads the tracer there: see the next test")
    def test_says_so(self):
        """A file of a process that has had another interpreter says that it is not all."""
        for run in self.run_text("""
            for _ in range(3):
                hostile.in_interpreter("pass", False)
            step()
            """):
            self.assert_calls(run, {"step": 1})
            self.assertEqual(sum("another interpreter" in note for note in run.traces[0].notes), 1)

    @unittest.skipIf(V < (3, 12), "no interpreter has a GIL of its own")
    def test_says_so_where_it_cannot_load(self):
        """With a GIL of its own an interpreter cannot load the tracer; the summary says that."""
        path = self.program("for _ in range(3): hostile.in_interpreter('pass', True)")
        done = self.mtrace("run", "-d", self.traces, "--", sys.executable, path)
        self.assertEqual(done.stderr.count("does not support loading in subinterpreters"), 1, done.stderr)


class Libraries(compared.Case):
    def test_unloaded(self):
        """By dlclose(). The next one mostly gets the same addresses, and has another function there."""
        for run in self.run_text("""
            import ctypes, _ctypes
            api = ctypes.pythonapi
            api.PyCFunction_NewEx.restype = ctypes.py_object
            api.PyCFunction_NewEx.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
            def call(name):
                library = ctypes.PyDLL(%r)
                library.unload_definition.restype = ctypes.c_void_p
                function = api.PyCFunction_NewEx(library.unload_definition(name.encode()), len, None)
                assert function(1) == 1 and function.__name__ == name
                del function
                _ctypes.dlclose(library._handle)
            for i in range(10):
                call("function_of_library_%%d" %% (i %% 5))
            step()
            """ % UNLOAD):
            if run.engine != "frame":
                self.assert_calls(run, {"builtin_function_or_method.function_of_library_%d" % i: 2 for i in range(5)})
            self.assert_calls(run, {"step": 1, "call": 10})


class Descriptors(compared.Case):
    def test_closed_and_used_again(self):
        """Every number from 3 on, again and again: what the program has there is its own."""
        for run in self.run_text("""
            import threading, warnings
            warnings.simplefilter("ignore")  # a thread that has just ended may still count: os.fork()
            def work(n):
                for _ in range(n):
                    step()
            path = os.path.join(%r, "own")
            for i in range(3):
                hostile.close_from(3)
                own = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) for _ in range(40)]
                for fd in own:
                    os.write(fd, b"own\\n")
                    os.lseek(fd, 0, os.SEEK_SET)
                thread = threading.Thread(target=work, args=(1000,))
                thread.start()
                thread.join()
                work(9000)
                print(own[0], own[-1], {os.read(fd, 100) for fd in own}, os.path.getsize(path))
                pid = os.fork()
                if pid == 0:
                    hostile.close_from(0)
                    work(10)
                    os._exit(0)
                os.waitpid(pid, 0)
            print(len(os.listdir("/proc/self/fd")))
            """ % self.folder):
            parent, *children = run.traces
            self.assertEqual(len(children), 3)
            self.assertEqual(compared.calls([parent], "step"), (30000, 30000))
            self.assertEqual(compared.calls(children, "step"), (30, 30))


class Shutdown(compared.Case):
    def test_python_at_the_end(self):
        """atexit in Python, Py_AtExit, modules and objects that go with the interpreter."""
        for run in self.run_text("""
            import atexit, weakref
            os.environ["HOSTILE_SAYS_FREED"] = "1"
            def at_exit():
                step()
                print("atexit", flush=True)
            atexit.register(at_exit)
            print(hostile.at_exit(), flush=True)
            class Late:
                def __init__(self, name):
                    self.name = name
                def __del__(self):
                    step()
                    os.write(1, self.name)
            late = Late(b"late\\n")
            kept = hostile.Object(step)
            cycle = Late(b"cycle\\n")
            cycle.cycle = cycle
            hostile.late = Late(b"in the module\\n")
            sys.late = Late(b"in sys\\n")
            def generate(step=step):
                try:
                    yield 1
                finally:
                    step()
            generator = generate()
            next(generator)
            weakref.finalize(late, step)
            """):
            self.assertIn("atexit\n", run.output)
            begins, ends = compared.calls(run.traces, "step")
            self.assertEqual(begins, ends)
            self.assert_calls(run, {"at_exit": 1, "Late.__del__": 4})

    def test_exit_of_libc(self):
        """exit() in the middle of C: a destructor of the library calls Python, which is all there."""
        for run in self.run_text("""
            def at_unload():
                step()
                os.write(1, b"called\\n")
            hostile.at_unload(at_unload)
            def work():
                hostile.exit(7)
            work()
            """):
            self.assertEqual(run.output, "hostile: destructor, with Python\ncalled\n")
            self.assert_calls(run, {"at_unload": 1, "step": 1, "work": (1, 0), "hostile.exit": (1, 0)})

    def test_destructor_without_python(self):
        for run in self.run_text("""
            hostile.at_unload(step)
            step()
            """):
            self.assertEqual(run.output, "hostile: destructor\n")
            self.assert_calls(run, {"step": 1})

    def test_threads_alive(self):
        """Daemon threads that call, wait in C, or are C's own; and one that is waited for."""
        for run in self.run_text("""
            import _thread, threading, time
            started = threading.Semaphore(0)
            def calling():
                started.release()
                while True:
                    leaf()
                    time.sleep(0)
            def waiting():
                started.release()
                time.sleep(1000)
            def of_c():
                started.release()
                while True:
                    time.sleep(0.001)
                    leaf()
            never = _thread.allocate_lock()
            never.acquire()
            def locked():
                started.release()
                never.acquire()
            def waited_for():
                threading.main_thread().join()
                for _ in range(100):
                    step()
            for target in calling, waiting, locked:
                threading.Thread(target=target, daemon=True).start()
            hostile.start_thread(of_c)
            threading.Thread(target=waited_for).start()
            for _ in range(4):
                started.acquire()
            print("end")
            """, nested=False):
            self.assert_calls(run, {"step": 100, "waited_for": 1, "waiting": (1, 0), "locked": (1, 0)})


if __name__ == "__main__":
    harness.main()
