"""What functions are called: qualified names on versions whose code objects do not know them, and
names and file names that are not plain text."""
import os
import shutil
import sys

from tests.python import harness, shapes

V = sys.version_info
LONGEST = 32768  # bytes: MT_TEXT_MAX_BYTES


class Qualified(shapes.Case):
    """Up to 3.10 a code object knows its plain name only; what the frame shows when it is first met
    gives the rest. From 3.11 on all of this is trivial, and must be the same."""

    def test_found_through_the_first_argument(self):
        """Also when the function is met first through a subclass, or a class it was given to."""
        self.assert_events("""
            class A:
                def m(self): pass
                @classmethod
                def c(cls): pass
                def __call__(self): pass
                class B:
                    def m(self): pass
            class C(A): pass
            class D:
                borrowed = A.m
            class Meta(type):
                def of_meta(cls): pass
            class E(metaclass=Meta): pass
            def case():
                C().m()
                C.c()
                C()()
                A.B().m()
                A().m()
                E.of_meta()
            """, """(case:15 (A.m:3 )A.m (A.c:4 )A.c (A.__call__:6 )A.__call__ (A.B.m:8 )A.B.m
                (A.m:3 )A.m (Meta.of_meta:13 )Meta.of_meta )case""")

    def test_found_in_the_classes_of_the_module(self):
        """Static methods have no first argument, and one that a nested function uses is hidden."""
        self.assert_events("""
            class A:
                @staticmethod
                def s(): pass
                def captured(self):
                    return [lambda: self]
            def case():
                A.s()
                A().captured()
            """, "(case:7 (A.s:3 )A.s (A.captured:5 )A.captured )case")

    def test_a_local_class_is_found_through_its_objects(self):
        self.assert_events("""
            def case():
                class Local:
                    def m(self): pass
                    @staticmethod
                    def s(): pass
                Local().m()
                Local.s()
            """, """(case:2 [builtins.__build_class__ (case.<locals>/Local:3 )case.<locals>/Local
                ]builtins.__build_class__ (case.<locals>.Local.m:4 )case.<locals>.Local.m
                (case.<locals>.Local/s:5 )case.<locals>.Local/s )case""")

    def test_not_mistaken_for_another(self):
        """The same name elsewhere is another function: its code decides."""
        self.assert_events("""
            class A:
                def f(self): pass
            class B:
                def f(self): pass
            def outer():
                def f(self): pass
                return f
            inner = outer()
            def f(x): pass
            def case():
                inner(A())
                f(A())
                B.f(A())
            """, """(case:11 (outer.<locals>/f:7 )outer.<locals>/f (f:10 )f (B.f:5 )B.f )case""")

    def test_odd_first_arguments(self):
        """Objects that answer every question, or raise, are not asked."""
        self.assert_events("""
            class Any:
                def __getattribute__(self, name): raise RuntimeError(name)
                def __eq__(self, other): raise RuntimeError
                __hash__ = None
            class Meta(type):
                def __getattribute__(self, name): raise RuntimeError(name)
            class Odd(metaclass=Meta): pass
            def f(x): pass
            def g(x): pass
            def case():
                f(Any())
                g(Odd)
            """, "(case:11 (f:9 )f (g:10 )g )case")


class Texts(harness.Case):
    def functions(self):
        """Name and file of every Python function that was recorded."""
        return {(f.name, f.file) for f in self.read_one().names.values() if f.kind == "python"}

    def test_not_ascii(self):
        name = "größe_日本_𝒳"
        path = self.write("datei_é_日本.py", "def %s(): pass\n%s()\n" % (name, name))
        self.run_traced(sys.executable, path, env=dict(os.environ, PYTHONUTF8="1"))
        # The parser normalises identifiers (NFKC).
        self.assertIn(("größe_日本_X", path), self.functions())
        self.check()

    def test_surrogates(self):
        """Not to be had in UTF-8: written as Python escapes."""
        self.run_script(r"""
            code = compile("def f(): pass\nf()", "file_\udcff.py", "exec")
            exec(code)
            exec((lambda: None).__code__.replace(co_name="name_\ud800", **QUALNAME))
            """.replace("QUALNAME", r'{"co_qualname": "name_\ud800"}' if V >= (3, 11) else "{}"))
        functions = self.functions()
        self.assertIn(("f", "file_\\udcff.py"), functions)
        self.assertIn(("name_\\ud800", self.folder + "/script.py"), functions)
        self.check()

    def test_file_name_that_is_no_text(self):
        """A program whose file name is not UTF-8."""
        folder = os.fsencode(self.folder)
        with open(folder + b"/prog_\xff.py", "w") as f:
            f.write("def f(): pass\nf()\n")
        self.run_traced(sys.executable, os.fsdecode(folder + b"/prog_\xff.py"),
                        env=dict(os.environ, PYTHONUTF8="1"))
        trace = self.read_one()
        self.assertEqual(trace.program, "prog____")  # U+FFFD, as UTF-8
        self.assertIn(("f", self.folder + "/prog_\\udcff.py"), self.functions())

    def test_program_that_embeds(self):
        """It is called as the program is, whatever its arguments are; here a python of another name."""
        editor = os.path.join(self.folder, "editor")
        shutil.copy(os.path.realpath(sys.executable), editor)
        env = dict(os.environ, PYTHONHOME="%s:%s" % (sys.base_prefix, sys.base_exec_prefix))
        self.run_traced(editor, self.write("macro.py", "def f(): pass\nf()"), env=env)
        trace = self.read_one()
        self.assertEqual((trace.program, os.path.basename(trace.path)), ("editor", "editor.%d.trace" % trace.pid))

    def test_nul_and_nothing(self):
        """A text ends where a NUL is: what follows cannot be shown."""
        self.run_script(r"""
            exec(compile("def f(): pass\nf()", "", "exec"))
            exec((lambda: None).__code__.replace(co_filename="a\0b", co_name="c\0d",
                                                 **QUALNAME))
            """.replace("QUALNAME", '{"co_qualname": "c\\0d"}' if V >= (3, 11) else "{}"))
        functions = self.functions()
        self.assertIn(("f", None), functions)
        self.assertIn(("c", "a"), functions)
        self.check()

    def test_very_long(self):
        """Cut at 32 KiB, between characters. The shorter ones are about as long as a page, and as the
        first chunk of definitions."""
        self.run_script("""
            for n in (1000, 4050, 16320, 32767, 32768, 32769, 40000):
                name = "a" * (n - 2) + "é" * 2  # bytes: n + 2
                exec(compile("def %s(): pass\\n%s()" % (name, name), "f" * n, "exec"))
            """)
        trace = self.read_one()
        long = {(f.name, f.file) for f in trace.names.values() if f.name.startswith("aaaa")}
        self.assertEqual(len(long), 7)
        lengths = sorted(len(name.encode()) for name, _ in long)
        # One byte less where an é would cross the limit.
        self.assertEqual(lengths, [1002, 4052, 16322, 32767, 32767, 32768, 32768])
        self.assertEqual(sorted(len(file) for _, file in long),
                         [1000, 4050, 16320, 32767, 32768, 32768, 32768])
        self.assertEqual(trace.n_lost, 0)
        self.check()

    def test_c_function_with_a_long_name(self):
        """A method definition made at run time: the name is the program's. Owned by its object's
        type, since it has no module."""
        self.run_script("""
            import ctypes
            class MethodDef(ctypes.Structure):
                _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
                            ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]
            new = ctypes.pythonapi.PyCFunction_NewEx
            new.restype = ctypes.py_object
            new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
            add = ctypes.cast(ctypes.pythonapi.PyNumber_Add, ctypes.c_void_p).value
            defs = [MethodDef(name, add, 8, None) for name in (b"n" * 40000, b"", "ümlaut".encode())]
            for d in defs:
                new(ctypes.addressof(d), 3, None)(2)
            """)
        names = {f.name for f in self.read_one().names.values() if f.kind == "c"}
        self.assertLessEqual({"int." + "n" * LONGEST, "int.", "int.ümlaut"}, names)
        self.check()


if __name__ == "__main__":
    harness.main()
