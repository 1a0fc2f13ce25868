"""--all-calls: what CPython does not tell profilers of, where the engine can see it (3.12 and later)."""
import sys
import unittest

from tests.python import harness, shapes

V = sys.version_info

SCRIPT = """
import functools, operator
class Python:
    def __init__(self): pass
class Number(int): pass
def case():
    int("3"); list((1,)); Python(); Number(4)
    operator.itemgetter(0)([1])
    functools.partial(abs, 1)()
    (1).__add__(2); int.__add__(1, 2)
    try: int("x")
    except ValueError: pass
    bound = case.__call__
    [f(1) for f in (int, str, float)]
case()
"""
ALL = """(case:6 [int ]int [list ]list [Python (Python.__init__:4 )Python.__init__ ]Python [Number ]Number
    [itemgetter ]itemgetter [itemgetter.__call__ ]itemgetter.__call__
    [partial ]partial [partial.__call__ ]partial.__call__ [int.__add__ ]int.__add__ [int.__add__ ]int.__add__
    [int ?int [int ]int [str ]str [float ]float )case"""
FEW = "(case:6 (Python.__init__:4 )Python.__init__ )case"


class AllCalls(harness.Case):
    def words(self, *options):
        self.run_traced(sys.executable, self.write("script.py", SCRIPT), options=options)
        self.check()
        trace = self.read_one()
        self.assert_nested([trace])
        return shapes.words(shapes.inside(trace.thread().records, "case")), trace

    if V >= (3, 12):
        def test_with(self):
            words, trace = self.words("--all-calls")
            self.assertEqual(words, ALL.split())
            self.assertEqual(trace.engine, "monitoring")

        def test_types_without_end(self):
            """A type that is gone leaves nothing of its name to another one at the same address."""
            self.run_traced(sys.executable, self.write("script.py", """
                def case():
                    for i in range(3000):
                        type("TypesOfOneName%d" % i, (), {})()
                case()
                """), options=["--all-calls"])
            self.check()
            found = [w for w in shapes.words(shapes.inside(self.read_one().thread().records, "case"))
                     if w.startswith("[Types")]
            self.assertEqual(found, ["[TypesOfOneName%d" % i for i in range(3000)])

        @unittest.skipUnless("setprofile" in harness.ENGINES[True], "there is no other engine without a GIL")
        def test_another_engine(self):
            words, trace = self.words("--all-calls", "--engine", "setprofile")
            self.assertEqual(words, FEW.split())
            self.assertEqual([n for n in trace.notes if "only monitoring sees them" in n], trace.notes)
    else:
        def test_not_here(self):
            """The program is recorded without them, and the file says so."""
            words, trace = self.words("--all-calls")
            self.assertEqual([w for w in words if "listcomp" not in w], FEW.split())
            self.assertEqual([n for n in trace.notes if "only monitoring sees them" in n], trace.notes)

    def test_without(self):
        words, _ = self.words()
        self.assertEqual([w for w in words if "listcomp" not in w], FEW.split())

    def test_without_c_functions(self):
        """Nothing that is not Python: --no-c has the last word."""
        words, _ = self.words("--all-calls", "--no-c")
        self.assertEqual([w for w in words if "listcomp" not in w], FEW.split())


if __name__ == "__main__":
    harness.main()
