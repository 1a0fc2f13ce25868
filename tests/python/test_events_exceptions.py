"""The exact sequence of events when exceptions leave frames, and that errno and exceptions are the
program's own business all the while. How sequences are written: shapes.py."""
import sys

from tests.python import harness, shapes


class Exceptions(shapes.Case):
    def test_through_python_frames(self):
        self.assert_events("""
            def deep(): raise ValueError
            def middle(): deep()
            def case():
                try:
                    middle()
                except ValueError:
                    len("")
            """, """(case:4 (middle:3 (deep:2 !deep !middle [builtins.len ]builtins.len )case""")

    def test_through_c_frames(self):
        self.assert_events("""
            def key(x): raise KeyError
            def case():
                try:
                    sorted([1], key=key)
                except KeyError:
                    pass
                try:
                    len(3)
                except TypeError:
                    pass
                try:
                    [].pop()
                except IndexError:
                    pass
            """, """(case:3 [builtins.sorted (key:2 !key ?builtins.sorted
                [builtins.len ?builtins.len [list.pop ?list.pop )case""")

    def test_finally_and_with(self):
        """What runs on the way out is inside the frame that the exception leaves."""
        self.assert_events("""
            class Manager:
                def __enter__(self): pass
                def __exit__(self, *details): return details[0] is KeyError
            def f():
                try:
                    raise ValueError
                finally:
                    len("")
            def g():
                try:
                    return 1
                finally:
                    len("")
            def case():
                with Manager():
                    raise KeyError
                g()
                try:
                    f()
                except ValueError:
                    raise RuntimeError from None
            try:
                case()
            except RuntimeError:
                case = len
                __builtins__.case = lambda: None
                case = lambda: None
            """, """(case:15 (Manager.__enter__:3 )Manager.__enter__ (Manager.__exit__:4
                )Manager.__exit__ (g:10 [builtins.len ]builtins.len )g
                (f:5 [builtins.len ]builtins.len !f !case""")

    def test_exit_of_the_program(self):
        """An uncaught exception leaves every frame; sys.exit is a C function that raises."""
        for statement, status, end in (("raise ValueError", 1, ["!f"]),
                                       ("sys.exit(3)", 3, ["[sys.exit", "?sys.exit", "!f"])):
            with self.subTest(statement):
                self.run_script("import sys\ndef f():\n    %s\nf()\n" % statement, status=status)
                thread = self.read()[-1].thread()
                self.assertEqual(shapes.words(shapes.inside(thread.records, "f")), ["(f:2"] + end)
                main = [r for r in thread.live() if r.function and r.function.name == "<module>"
                        and r.function.file == self.folder + "/script.py"]
                self.assertEqual(shapes.words(main), ["(<module>:1", "!<module>"])

    def test_state_survives_the_hook(self):
        """errno, the pending exception and its context are the program's, whatever is recorded in
        between: also at the first sight of a function, which takes the hook's slow path."""
        program = self.write("program.py", """
            import ctypes, errno, os, sys
            libc = ctypes.CDLL(None, use_errno=True)
            def fresh(text):
                exec("def new(): return 1\\nnew()", {})
                return text
            def errno_case():
                for _ in range(3000):
                    ctypes.set_errno(0)
                    assert libc.close(-1) == -1
                    assert fresh("") == "" and ctypes.get_errno() == errno.EBADF
            class Context:
                def __enter__(self): fresh("in")
                def __exit__(self, type_, value, trace):
                    self.seen = value, sys.exc_info()[1]
                    fresh("out")
            def exception_case():
                first = ValueError("first")
                context = Context()
                try:
                    try:
                        with context:
                            raise first
                    finally:
                        fresh("finally")
                        pending = sys.exc_info()[1]
                        try:
                            raise KeyError("second")
                        except KeyError as second:
                            fresh("except")
                            print(second.__context__ is first, second.__cause__)
                except ValueError as caught:
                    fresh("outer")
                    trace, lines = caught.__traceback__, []
                    while trace:
                        lines.append(trace.tb_lineno)
                        trace = trace.tb_next
                    print(caught is first, pending is first, caught.__context__, lines)
                    print(context.seen[0] is first, context.seen[1] is first)
                print(sys.exc_info())
                try:
                    [].index(1)
                except ValueError as error:
                    print(repr(error), error.__context__)
            errno_case()
            exception_case()
            """)
        untraced = self.untraced(sys.executable, program)
        traced = self.run_traced(sys.executable, program)
        self.assertEqual(untraced.returncode, 0, untraced.stderr)
        self.assertEqual((traced.stdout, traced.stderr), (untraced.stdout, untraced.stderr))
        self.assertEqual(self.read_one().count("new"), 3005)


if __name__ == "__main__":
    harness.main()
