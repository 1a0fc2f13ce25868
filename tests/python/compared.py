"""What test_hostile_*.py and test_other_tools.py share: a program is run untraced and with each engine
of this interpreter, must look the same, and what was recorded is counted.

Programs find the extension `hostile` (ext/*.c) on their sys.path, and begin with START.
"""
import collections
import os
import re
import sys
import textwrap

from tests.python import harness, tracefile

EXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ext")

# Each engine with the options that choose it. `frame` records Python functions only.
ENGINES = [(engine, ["--engine", engine] + ([] if c else ["--no-c"]))
           for c, engine in [(True, e) for e in harness.ENGINES[True]] + [(False, "frame")]
           if engine in harness.ENGINES[c]]

START = """
import sys, os
sys.path.insert(0, %r)
import hostile
def leaf():
    pass
def step():
    leaf()
""" % EXT

_PY_ENDS = (tracefile.PY_END, tracefile.PY_END_EXC, tracefile.PY_SUSPEND)
_PY_BEGINS = (tracefile.PY_BEGIN, tracefile.PY_RESUME)


def calls(traces, name):
    """How many calls of the function `name` began and ended, on all threads of the traces."""
    begins = ends = 0
    for trace in traces:
        for thread in trace.threads:
            for r in thread.live():
                if r.function is not None and r.function.name == name:
                    begins += r.kind in _PY_BEGINS or r.kind == tracefile.C_BEGIN
                    ends += r.kind in _PY_ENDS or r.kind in (tracefile.C_END, tracefile.C_END_EXC)
    return begins, ends


Run = collections.namedtuple("Run", "engine traces output")


class Case(harness.Case):
    def program(self, text, name="script.py"):
        return self.write(name, START + textwrap.dedent(text))

    def run_both(self, *command, engines=None, nested=True, stderr=True, ignore="$^", **kwargs):
        """Runs the command untraced and with each engine: the same output and status, but for what
        the pattern `ignore` fits, and for standard error where `stderr` is False. Returns a Run for
        each engine. Calls nest on all threads, but where `nested` is False."""
        untraced = self.untraced(*command, **kwargs)
        runs, n = [], len(os.listdir(self.folder))
        for engine, options in ENGINES:
            if engines is not None and engine not in engines:
                continue
            self.traces = os.path.join(self.folder, "traces-%s-%d" % (engine, n))
            traced = self.untraced(*self.command(*command, options=options), **kwargs)
            where = engine + "\n" + traced.stderr
            # `mtrace run` says as a shell does that a signal was the end.
            status = untraced.returncode if untraced.returncode >= 0 else 128 - untraced.returncode
            self.assertEqual(traced.returncode, status, where)
            outputs = [(traced.stdout, untraced.stdout)] + [(traced.stderr, untraced.stderr)] * stderr
            for found, expected in outputs:
                self.assertEqual(re.sub(ignore, "", found), re.sub(ignore, "", expected), where)
            self.check()
            traces = self.read()
            self.assertEqual({t.engine for t in traces} - {engine}, set())
            self.assertEqual([t.n_lost for t in traces], [0] * len(traces), where)
            if nested:
                self.assert_nested(traces)
            runs.append(Run(engine, traces, traced.stdout))
        return runs

    def run_text(self, text, *args, **kwargs):
        """The same for the text of a program that begins with START."""
        return self.run_both(sys.executable, self.program(text), *args, **kwargs)

    def assert_calls(self, run, expected):
        """Begins and ends of functions by name: a number, or (begins, ends). A name with a dot is a
        function of C, which `frame` does not record."""
        found = {}
        for name, n in expected.items():
            if run.engine == "frame" and name.startswith("hostile."):
                n = 0
            found[name] = n if isinstance(n, tuple) else (n, n)
        self.assertEqual({name: calls(run.traces, name) for name in expected}, found, run.engine)
