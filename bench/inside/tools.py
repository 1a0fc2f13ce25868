"""Turns a tool on and off inside the measured process: tool(NAME) has start() and stop(), called
around all repetitions of one workload. What is recorded is dropped, so that no time goes into
writing it; bench.py measures that elsewhere.

mtrace is not here: it is armed from outside, as in use.
"""
import gc
import importlib.util
import os
import sys


class Nothing:
    def start(self):
        pass

    def stop(self):
        pass


def _mtbench():
    spec = importlib.util.spec_from_file_location("_mtbench", os.environ["BENCH_HOOKS"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Hook(Nothing):
    """A C hook that does nothing, or reads the clock. Once on, it stays."""

    def __init__(self, engine, clock):
        self.hooks, self.engine, self.clock = _mtbench(), engine, clock
        self.on = False

    def start(self):
        if self.on:
            return
        self.on = True
        if self.engine == "setprofile":
            self.hooks.set_profile(self.clock)
        elif self.engine == "frame":
            self.hooks.set_frame(self.clock)
        else:
            self._monitor()

    def _monitor(self):
        names = ("PY_START PY_RESUME PY_THROW PY_RETURN PY_YIELD PY_UNWIND CALL C_RETURN C_RAISE").split()
        monitoring, tool, wanted = sys.monitoring, 4, 0
        monitoring.use_tool_id(tool, "mtbench")
        for name in names:
            number = getattr(monitoring.events, name)
            monitoring.register_callback(tool, number, self.hooks.callback(self.clock))
            wanted |= number
        monitoring.set_events(tool, wanted)


class VizTracer(Nothing):
    """With its own defaults, a ring of a million entries; and a new one for each workload, as if it
    were a program of its own. One for all would write into memory that the workloads before have
    touched already: that is quicker by up to three times, and not what a first million costs."""

    def __init__(self, c_functions):
        import viztracer
        self.make = lambda: viztracer.VizTracer(verbose=0, ignore_c_function=not c_functions)
        self.tracer = None

    def start(self):
        self.tracer = self.make()
        self.tracer.start()

    def stop(self):
        self.tracer.stop()
        self.tracer.clear()
        self.tracer = None
        gc.collect()  # it is part of a cycle, and some fifty megabytes


class VizTracerFullRing(VizTracer):
    """What it costs beyond a million calls, when each one drops the oldest: mtrace keeps them all."""

    def start(self):
        if self.tracer is None:
            self.tracer = self.make()
            self.tracer.start()
            for _ in range(1_100_000):
                _nothing()
        else:
            self.tracer.start()

    def stop(self):
        self.tracer.stop()


def _nothing():
    pass


class CProfile(Nothing):
    def __init__(self):
        import cProfile
        self.profile = cProfile.Profile()
        self.start, self.stop = self.profile.enable, self.profile.disable


class Yappi(Nothing):
    def __init__(self):
        import yappi
        self.yappi = yappi
        yappi.set_clock_type("wall")

    def start(self):
        self.yappi.start(builtins=True)

    def stop(self):
        self.yappi.stop()
        self.yappi.clear_stats()


def tool(name):
    """By the names that variants.py uses: "none", "hook:ENGINE:empty", "viztracer:no-c"..."""
    kind, *rest = name.split(":")
    if kind == "hook":
        return Hook(rest[0], rest[1] == "clock")
    if "full-ring" in rest:
        return VizTracerFullRing(True)
    if kind == "viztracer":
        return VizTracer("no-c" not in rest)
    return {"none": Nothing, "cprofile": CProfile, "yappi": Yappi}[kind]()
