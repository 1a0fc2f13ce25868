"""What is measured beside what: each variant is a way to run a program under one interpreter."""
import os
import shutil
import stat

from pythons import INSIDE, MTRACE, Failed, run

UNTRACED = "untraced"


class Variant:
    """tool: what inside/tools.py turns on around each workload. wrap(python, folder): the words in
    front of the program, instead of the interpreter alone. macro: also measured on whole programs."""

    def __init__(self, name, tool="none", wrap=None, macro=True):
        self.name, self.tool, self.macro = name, tool, macro
        self.wrap = wrap or (lambda python, folder: [python.exe])

    def __repr__(self):
        return self.name


def mtrace_name(engine, c_functions):
    return "mtrace %s" % engine if c_functions else "mtrace %s --no-c" % engine


def hook_name(engine, clock):
    return "%s hook, %s" % (engine, "clock" if clock else "empty")


VIZTRACER = {True: "VizTracer", False: "VizTracer, no C"}
FULL_RING = "VizTracer, ring full"


def _mtrace(engine, c_functions):
    def wrap(python, folder):
        options = [] if c_functions else ["--no-c"]
        traces = os.path.join(folder, "traces")
        return [MTRACE, "run", "-q", "--engine", engine, *options, "-d", traces, "--", python.exe]
    return Variant(mtrace_name(engine, c_functions), wrap=wrap)


def _hooks(python):
    engines = ["setprofile", "monitoring"] if python.has_monitoring else ["setprofile", "frame"]
    if python.free_threaded:
        engines.remove("setprofile")  # crashes there: house rules of the engines
    return [Variant(hook_name(engine, clock), "hook:%s:%s" % (engine, "clock" if clock else "empty"), macro=False)
            for engine in engines for clock in (False, True)]


def _mtraces(python):
    if python.free_threaded:
        kinds = [("monitoring", True), ("monitoring", False)]
    elif python.has_monitoring:
        kinds = [("monitoring", True), ("setprofile", True), ("monitoring", False), ("setprofile", False)]
    else:
        kinds = [("setprofile", True), ("setprofile", False), ("frame", False)]
    return [_mtrace(engine, c_functions) for engine, c_functions in kinds]


def _functiontrace(python, folder):
    return [python.exe, "-m", "functiontrace", "--output-dir", folder]


def _uftrace(python, folder):
    """uftrace wants a script that can be executed. This one becomes the program that it is given."""
    script = os.path.join(folder, "uftraced.py")
    with open(script, "w") as f:
        f.write("#!%s\nimport runpy, sys\nsys.argv[:] = sys.argv[1:]\n"
                "runpy.run_path(sys.argv[0], run_name='__main__')\n" % python.exe)
    os.chmod(script, stat.S_IRWXU)
    return ["uftrace", "record", "--no-pager", "-d", os.path.join(folder, "uftrace"), script]


def _peers():
    return [Variant(VIZTRACER[True], "viztracer"), Variant(VIZTRACER[False], "viztracer:no-c"),
            Variant(FULL_RING, "viztracer:full-ring", macro=False), Variant("cProfile", "cprofile"), Variant("yappi", "yappi"),
            Variant("functiontrace", wrap=_functiontrace), Variant("uftrace", wrap=_uftrace)]


def _try(python, variant, folder):
    """Why this tool cannot be measured here; None: it can."""
    if variant.name == "uftrace" and not shutil.which("uftrace"):
        return "not installed"
    try:
        # functiontrace asks about its licence when it is new to a user, again and again.
        run([*variant.wrap(python, folder), os.path.join(INSIDE, "timed.py"), "micro", variant.tool, "1"],
            python.environment(), folder, timeout=20)
    except Failed as error:
        said = str(error)
        return "not installed" if "No module named" in said else said.replace(folder + os.sep, "")
    except Exception as error:  # a timeout; output that is no text
        return type(error).__name__
    return None


def available(python, folder):
    """(variants, {name of one that is left out: why}) for one interpreter."""
    variants, missing = [Variant(UNTRACED)] + _hooks(python) + _mtraces(python), {}
    for variant in _peers():
        why_not = _try(python, variant, folder)
        if why_not is None:
            variants.append(variant)
        else:
            missing[variant.name] = why_not
    return variants, missing
