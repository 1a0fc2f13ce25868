"""The interpreters that are measured, and how something is run under them."""
import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = os.path.join(HERE, "inside")
MTRACE = os.environ.get("MTRACE", "mtrace")

_PROBE = """
import json, sys, sysconfig
print(json.dumps([sys.version.split()[0], sys.version_info[1], bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
                  sysconfig.get_config_var("EXT_SUFFIX")]))
"""


class Failed(Exception):
    """A command did not do what it should; says which and what it said."""


def run(command, environment=None, folder=None, timeout=600):
    """Returns what it printed. Children inherit the affinity of this process: one core."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment, cwd=folder, universal_newlines=True, timeout=timeout)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed("%s: exit status %d: %s" % (os.path.basename(command[0]), done.returncode,
                                                 " / ".join(said[-3:])))
    return done.stdout


def last_json(text):
    """A program's own output may come before."""
    return json.loads([line for line in text.splitlines() if line.startswith(("{", "["))][-1])


class Python:
    """One interpreter, and its row of the file that bench.sh names."""

    cache = None  # a folder for compiled modules: packages come without them

    def __init__(self, exe, packages, hooks):
        self.exe, self.packages, self.hooks = exe, packages, hooks
        self.version, self.minor, self.free_threaded, self.suffix = json.loads(run([exe, "-I", "-c", _PROBE]))
        self.title = self.version + ("t" if self.free_threaded else "")
        self.suite = packages and os.path.join(packages, "pyperformance", "data-files", "benchmarks")

    def environment(self, **more):
        """Nothing of the caller's that would change what is measured."""
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("MTRACE_", "PYTHON", "VIZTRACER")) or name == "MTRACE_HOME"}
        env.update(PYTHONHASHSEED="0", PYTHONNOUSERSITE="1", PYTHONWARNINGS="ignore", BENCH_HOOKS=self.hooks)
        if self.cache:
            env["PYTHONPYCACHEPREFIX"] = self.cache
        if self.packages:
            env["PYTHONPATH"] = self.packages
        env.update(more)
        return env

    @property
    def has_monitoring(self):
        return self.minor >= 12

    def engine(self, c_functions):
        """What `--engine auto` chooses."""
        if self.has_monitoring:
            return "monitoring"
        return "setprofile" if c_functions else "frame"


def found(path, root):
    """The interpreters of a file of lines EXE, PACKAGES, HOOKS, with tabs; the latter two below root."""
    pythons = []
    with open(path) as rows:
        for row in rows:
            exe, packages, hooks = row.rstrip("\n").split("\t")
            pythons.append(Python(exe, packages and os.path.join(root, packages), os.path.join(root, hooks)))
    return pythons


def chosen(pythons, wanted):
    """Those that --python names, by path or by version ("3.11"); another build of a known version is
    measured with that version's packages."""
    picked = []
    for name in wanted:
        if os.path.isfile(name):
            python = Python(name, "", "")
            known = next((p for p in pythons if p.suffix == python.suffix), None)
            if known is None:
                raise Failed("--python %s: nothing was built for this version" % name)
            python = Python(name, known.packages, known.hooks)
            picked.append(python)
        else:
            same = [p for p in pythons if p.title == name or p.title.rpartition(".")[0] == name.rstrip("t")
                    and p.free_threaded == name.endswith("t")]
            if not same:
                raise Failed("--python %s: not among those found: %s" % (name, ", ".join(p.title for p in pythons)))
            picked += same
    return picked
