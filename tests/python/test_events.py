"""The exact sequence of events of every kind of call: which records, in which order, with which
names and lines. How sequences are written: shapes.py. Exceptions: test_events_exceptions.py;
generators: test_events_generators.py."""
import sys

from tests.python import harness, shapes

V = sys.version_info


class Functions(shapes.Case):
    def test_function(self):
        self.assert_events("""
            def f():
                return g()
            def g():
                return 1
            def case():
                f()
                g()
            """, "(case:6 (f:2 (g:4 )g )f (g:4 )g )case")

    def test_file_and_line(self):
        """The line is the first of the function, its decorators included."""
        self.assert_events("""
            def decorator(f):
                return f

            @decorator
            def f():
                pass
            def case():
                f()
            """, "(case:8 (f:5 )f )case")
        function = shapes.inside(self.read_one().thread().records, "f")[0].function
        self.assertEqual((function.kind, function.file), ("python", self.folder + "/script.py"))

    def test_recursion(self):
        self.assert_events("""
            def f(n):
                if n:
                    f(n - 1)
                    f(n - 1)
            def case():
                f(2)
            """, """(case:6 (f:2 (f:2 (f:2 )f (f:2 )f )f
                                 (f:2 (f:2 )f (f:2 )f )f )f )case""")

    def test_methods(self):
        self.assert_events("""
            class Base:
                def __init__(self): self.x = 1
                def m(self): pass
                @classmethod
                def c(cls): pass
                @staticmethod
                def s(a=None): pass
                @property
                def p(self): pass
                @p.setter
                def p(self, value): pass
                @p.deleter
                def p(self): pass
                def __len__(self): return 3
            class Derived(Base):
                def m(self): super().m()
            def case():
                d = Derived()
                d.m()
                d.c()
                Derived.c()
                d.s()
                d.s(d)
                d.p
                d.p = 1
                del d.p
                len(d)
                bound = d.m
                bound()
            """, """(case:18
                (Base.__init__:3 )Base.__init__
                (Derived.m:17 (Base.m:4 )Base.m )Derived.m
                (Base.c:5 )Base.c (Base.c:5 )Base.c (Base.s:7 )Base.s (Base.s:7 )Base.s
                (Base.p:9 )Base.p (Base.p:11 )Base.p (Base.p:13 )Base.p
                [builtins.len (Base.__len__:15 )Base.__len__ ]builtins.len
                (Derived.m:17 (Base.m:4 )Base.m )Derived.m
                )case""")

    def test_nested_functions_and_lambdas(self):
        self.assert_events("""
            def case():
                def inner():
                    return (lambda: 1)()
                inner()
                for f in map(lambda x: x, [1]):
                    pass
            """, """(case:2
                (case.<locals>/inner:3 (case.<locals>.inner.<locals>/<lambda>:4
                )case.<locals>.inner.<locals>/<lambda> )case.<locals>/inner
                (case.<locals>/<lambda>:6 )case.<locals>/<lambda> )case""")

    def test_class_statement(self):
        """The body is a frame, made by a builtin. Names are qualified as they are in the source."""
        self.assert_events("""
            def case():
                class C:
                    x = len("")
                    class Inner:
                        def m(self): pass
                C.Inner().m()
            """, """(case:2 [builtins.__build_class__ (case.<locals>/C:3 [builtins.len ]builtins.len
                [builtins.__build_class__ (case.<locals>.C/Inner:5 )case.<locals>.C/Inner
                ]builtins.__build_class__ )case.<locals>/C ]builtins.__build_class__
                (case.<locals>.C.Inner.m:6 )case.<locals>.C.Inner.m )case""")

    def test_comprehensions(self):
        """Frames of their own up to 3.11, part of their function from 3.12 on (PEP 709)."""
        source = """
            def f(x): return x
            def case():
                [f(1) for _ in "a"]
                {f(1) for _ in "a"}
                {1: f(1) for _ in "a"}
                list(f(1) for _ in "a")
            """
        call = " (f:2 )f "
        frames = [("(case.<locals>/%s:%d" + call + ")case.<locals>/%s") % (name, line, name)
                  if V < (3, 12) else call
                  for name, line in (("<listcomp>", 4), ("<setcomp>", 5), ("<dictcomp>", 6))]
        generator = "(case.<locals>/<genexpr>:7 %s )case.<locals>/<genexpr>"
        # Resumed twice: for its one element and for its end.
        frames += [generator % call, generator % ""]
        self.assert_events(source, "(case:3 " + " ".join(frames) + " )case")

    def test_module_level(self):
        """The program's main code is <module>, and its last record is its end."""
        self.run_script("len('')\n")
        records = shapes.inside(self.read_one().thread().records, "<module>")
        main = [r for r in self.read_one().thread().live()
                if r.function and r.function.file == self.folder + "/script.py"]
        self.assertEqual(shapes.words(main), ["(<module>:1", ")<module>"])
        self.assertTrue(records)


class CFunctions(shapes.Case):
    def test_functions_of_modules(self):
        self.assert_events("""
            import math, os, time
            def case():
                len("")
                math.sqrt(4)
                os.getpid()
                time.monotonic()
                print(end="")
            """, """(case:3 [builtins.len ]builtins.len [math.sqrt ]math.sqrt
                [posix.getpid ]posix.getpid [time.monotonic ]time.monotonic
                [builtins.print ]builtins.print )case""")

    def test_methods(self):
        self.assert_events("""
            class Mine(list):
                pass
            class Other(Mine):
                pass
            def case():
                Other().append(1)
                Mine().append(1)
                [].append(1)
                f = [].append
                f(1)
                list.append([], 1)
                super(Mine, Mine()).append(1)
                "a".upper()
                {}.get(1)
            """, """(case:6 [list.append ]list.append [list.append ]list.append
                [list.append ]list.append [list.append ]list.append [list.append ]list.append
                [list.append ]list.append [str.upper ]str.upper [dict.get ]dict.get )case""")

    def test_class_and_static_methods(self):
        """Named after the type that defines them, whichever subclass is the first to call them."""
        self.assert_events("""
            class Mine(dict):
                pass
            class Text(str):
                pass
            def case():
                Mine.fromkeys("a")
                dict.fromkeys("a")
                Mine().fromkeys("a")
                Text.maketrans({})
                bytes.maketrans(b"", b"")
                int.from_bytes(b"a", "big")
            """, """(case:6 [dict.fromkeys ]dict.fromkeys [dict.fromkeys ]dict.fromkeys
                [dict.fromkeys ]dict.fromkeys [str.maketrans ]str.maketrans
                [bytes.maketrans ]bytes.maketrans [int.from_bytes ]int.from_bytes )case""")

    def test_methods_of_metaclasses(self):
        self.assert_events("""
            import abc
            class Mine(metaclass=abc.ABCMeta):
                pass
            def case():
                Mine.mro()
                type.mro(int)
                int.__subclasses__()
            """, """(case:5 [type.mro ]type.mro [type.mro ]type.mro
                [type.__subclasses__ ]type.__subclasses__ )case""")

    def test_new(self):
        """All types share one definition of __new__."""
        self.assert_events("""
            class Mine:
                def __new__(cls): return super().__new__(cls)
            class Number(int):
                def __new__(cls): return int.__new__(cls, 1)
            class Pair(tuple):
                def __new__(cls): return super().__new__(cls, (1, 2))
            def case():
                Mine()
                Number()
                Pair()
                Mine()
            """, """(case:8 (Mine.__new__:3 [object.__new__ ]object.__new__ )Mine.__new__
                (Number.__new__:5 [int.__new__ ]int.__new__ )Number.__new__
                (Pair.__new__:7 [tuple.__new__ ]tuple.__new__ )Pair.__new__
                (Mine.__new__:3 [object.__new__ ]object.__new__ )Mine.__new__ )case""")

    def test_types_with_a_module(self):
        """The same on every version, though some types have moved to the heap: without it."""
        self.assert_events("""
            import collections, datetime, re
            def case(pattern=re.compile("a")):
                pattern.match("a")
                collections.deque().append(1)
                datetime.date.today()
            """, """(case:3 [Pattern.match ]Pattern.match
                [deque.append ]deque.append
                [date.today ]date.today )case""")

    def test_what_is_no_event(self):
        """Types, slots, partial and itemgetter are no C functions to the interpreter; nor is a C
        function that C code calls. Promised in README's limits."""
        self.assert_events("""
            import functools, operator
            def f(): pass
            def case():
                int("1")
                (1).__add__(2)
                functools.partial(f)()
                operator.itemgetter(0)([1])
                list(map(len, [""]))
                [1, 2] + [3]
            """, """(case:4 (f:3 )f )case""")

    def test_arguments_from_sequences(self):
        self.assert_events("""
            def f(*args, **kwargs): pass
            def case(one=[""]):
                f(*one)
                f(**{})
                len(*one)
                "".join(*[one])
                str.upper(*one)
                print(*one, **{"end": ""})
                try:
                    len(*[3])
                except TypeError:
                    pass
            """, """(case:3 (f:2 )f (f:2 )f [builtins.len ]builtins.len [str.join ]str.join
                [str.upper ]str.upper [builtins.print ]builtins.print
                [builtins.len ?builtins.len )case""")

    def test_what_the_interpreter_leaves_out(self):
        """A C function that was made a method: 3.12 reports its end only, and 3.13, with arguments
        from a sequence, its begin only, which sys.monitoring does not see. Up to 3.10 neither.
        Recorded as reported; readers repair."""
        plain = "" if V < (3, 11) else "[builtins.len ]builtins.len"
        if V[:2] in ((3, 12), (3, 13)):
            plain = "]builtins.len"
        starred = ""
        self.assert_events("""
            import types
            def case(method=types.MethodType(len, "")):
                method()
                method(*())
            """, "(case:3 %s %s )case" % (plain, starred))

    def test_python_called_by_c(self):
        self.assert_events("""
            def key(x): return x
            def case():
                sorted([2, 1], key=key)
                [3].sort(key=key)
            """, """(case:3 [builtins.sorted (key:2 )key (key:2 )key ]builtins.sorted
                [list.sort (key:2 )key ]list.sort )case""")

    def test_ends_after_other_begins(self):
        """An end has the name of its own begin, also after the same function inside itself. A method
        without an object is an error, of which neither a begin nor an end comes."""
        self.assert_events("""
            sorted([len("")]), list.sort([1]) # they have ids by now
            def inside(x): return len(sorted([x]))
            def error(x):
                try:
                    int(x) # no event either
                    list.sort()
                except TypeError:
                    return x
            def case():
                sorted([2], key=inside)
                list.sort([2], key=error)
            """, """(case:10 [builtins.sorted (inside:3 [builtins.sorted ]builtins.sorted [builtins.len ]builtins.len )inside
                ]builtins.sorted [list.sort (error:4 )error ]list.sort )case""")

    def test_no_c(self):
        source = "def f(): len('')\ndef case():\n    f()\n    print(end='')\ncase()\n"
        self.run_script(source, options=["--no-c"])
        records = self.read_one().thread().records
        self.assertEqual(shapes.words(shapes.inside(records, "case")),
                         ["(case:2", "(f:1", ")f", ")case"])
        self.assertFalse([r for r in records if r.kind >= 6 and r.kind <= 8])


if __name__ == "__main__":
    harness.main()
