"""Sets a hook that does nothing, for what the recorder's would be called for, in each interpreter that starts
with this folder on its path: "setprofile" or "monitoring", as $MTRACE_TEST_CONTROL says.
"""
import os
import sys


def nothing(*args):
    pass


def observe(how):
    if how == "setprofile":
        import threading
        sys.setprofile(nothing)
        threading.setprofile(nothing)
        return
    monitoring, events = sys.monitoring, 0
    monitoring.use_tool_id(4, "mtrace")
    for name in "PY_START PY_RESUME PY_THROW PY_RETURN PY_YIELD PY_UNWIND CALL C_RETURN C_RAISE".split():
        event = getattr(monitoring.events, name)
        monitoring.register_callback(4, event, nothing)
        events |= 0 if name.startswith("C_") else event
    monitoring.set_events(4, events)


observe(os.environ["MTRACE_TEST_CONTROL"])
