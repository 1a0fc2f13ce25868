"""Events of sys.monitoring that C code fires (PyMonitoring_Fire..., CPython 3.13), with something of its own
for a code object: what is not a code object is no function, and does no harm."""
import sys

from tests.python import harness
from tests.python.tracefile import PY_BEGIN

# The bytes where a code object would have its pointers lead nowhere.
SCRIPT = """
    import ctypes, sys

    class State(ctypes.Structure):
        _fields_ = [("active", ctypes.c_uint8), ("opaque", ctypes.c_uint8)]

    api, events = ctypes.pythonapi, sys.monitoring.events
    FIRED = ["PY_START", "PY_RESUME", "PY_YIELD", "PY_RETURN", "CALL"]
    ARGUMENTS = {"PY_YIELD": [1], "PY_RETURN": [2], "CALL": [len, "abc"]}
    FUNCTIONS = {"PY_START": "PyStart", "PY_RESUME": "PyResume", "PY_YIELD": "PyYield", "PY_RETURN": "PyReturn",
                 "CALL": "Call"}

    def before():
        pass

    def fire():
        states, version = (State * len(FIRED))(), ctypes.c_uint64()
        types = (ctypes.c_uint8 * len(FIRED))(*[getattr(events, n).bit_length() - 1 for n in FIRED])
        assert api.PyMonitoring_EnterScope(states, ctypes.byref(version), types, len(FIRED)) == 0
        for i, name in enumerate(FIRED):
            function = getattr(api, "_PyMonitoring_Fire" + FUNCTIONS[name] + "Event")
            values = ARGUMENTS.get(name, [])
            function.argtypes = [ctypes.POINTER(State), ctypes.py_object, ctypes.c_int32] + [ctypes.py_object] * len(values)
            print(name, bool(states[i].active), function(states[i], code, 1, *values))
        assert api.PyMonitoring_ExitScope() == 0

    def after():
        pass

    code = CODE
    before()
    fire()
    after()
"""


class EventsFromC(harness.Case):
    FIRED = ["PY_START", "PY_RESUME", "PY_YIELD", "PY_RETURN", "CALL"]

    def setUp(self):
        super().setUp()
        # Not for the class: a run in which nothing is run is a failure on 3.12.
        if sys.version_info < (3, 13):
            self.skipTest("PyMonitoring_Fire... came with CPython 3.13")

    def test_no_code_object(self):
        done = self.run_script(SCRIPT.replace("CODE", r"b'\x41' * 1000"), name="foreign.py")
        self.assertEqual(done.stdout, "".join("%s True 0\n" % name for name in self.FIRED))
        trace = self.read_one()
        calls = [c.function.name for c in trace.thread().calls() if c.function and
                 (c.function.file or "").endswith("foreign.py")]
        self.assertEqual(calls, ["<module>", "State", "before", "fire", "after"])
        self.check()

    def test_code_object(self):
        """A compiler's, Cython's for one: recorded as the function that it stands for."""
        self.run_script(SCRIPT.replace("CODE", "compile('', 'there.pyx', 'exec')"), name="compiled.py")
        trace = self.read_one()
        begun = [r for r in trace.thread().records if r.kind == PY_BEGIN and r.function.file == "there.pyx"]
        self.assertEqual(len(begun), 1)
        self.check()


if __name__ == "__main__":
    harness.main()
