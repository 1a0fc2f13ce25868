"""The CPythons under test: what each can record with, and which test files it has."""
import json
import subprocess

from tests.cpython import files

_PROBE = """
import json, os, sys, sysconfig
try:
    import test.libregrtest.main
    folder = sys.argv[1] or list(test.__path__)[0]
except ImportError:
    folder = ""
names = {}
for name in os.listdir(folder) if folder else ():
    path = os.path.join(folder, name)
    if not name.startswith("test_"):
        continue
    if name.endswith(".py"):
        names[name[:-3]] = []
    elif os.path.exists(os.path.join(path, "__init__.py")):
        names[name] = sorted(n[:-3] for n in os.listdir(path) if n.startswith("test_") and n.endswith(".py"))
gil_disabled = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(json.dumps([sys.executable, list(sys.version_info[:3]), gil_disabled, folder, names]))
"""

# How a version can be recorded: options of `mtrace run`.
_MODES = {
    "setprofile": ["--engine", "setprofile"],
    "monitoring": ["--engine", "monitoring"],
    "frame": ["--engine", "frame", "--no-c"],
    "all-calls": ["--engine", "monitoring", "--all-calls"],
}


# What does nothing and is called for the same: control/sitecustomize.py.
CONTROLS = {"setprofile": "setprofile", "monitoring": "monitoring", "all-calls": "monitoring"}


class Python:
    """One interpreter, with its tests or those of a folder. Raises LookupError if it does not run, or has no
    tests of its own at all, and so no regrtest."""

    def __init__(self, exe, testdir=""):
        try:
            done = subprocess.run([exe, "-c", _PROBE, testdir], stdout=subprocess.PIPE, universal_newlines=True,
                                  timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise LookupError("%s does not run: %s" % (exe, str(error)[-80:])) from error
        # Not a shim that starts it, whose environment would be another one.
        self.exe, version, self.free_threaded, self.folder, self._names = json.loads(done.stdout.splitlines()[-1])
        self.version, self.testdir = tuple(version), testdir
        self.title = "%d.%d.%d" % self.version + ("t" if self.free_threaded else "")
        if not self.folder:
            raise LookupError("CPython %s is installed without its tests%s" % (self.title, self.package()))

    def package(self):
        """Where tests that are missing come from, for a message."""
        name = "%d.%d" % self.version[:2]
        return "; on Debian they are in libpython%s-testsuite" % name if self.exe.startswith("/usr/bin/") else ""

    def modes(self):
        """The ways of recording that this version has: a dictionary of options."""
        if self.free_threaded:
            names = ["monitoring", "all-calls"]
        elif self.version >= (3, 12):
            names = ["monitoring", "setprofile", "all-calls"]
        elif (3, 11) <= self.version < (3, 11, 4):
            names = ["setprofile"]  # docs/limits.md
        else:
            names = ["setprofile", "frame"]
        return {name: _MODES[name] for name in names}

    def all_files(self):
        """Every test file that makes sense, sorted."""
        made = set() if self.testdir else set(files.MULTIPROCESSING)
        return sorted(name for name in set(self._names) | made if name not in files.LEFT_OUT)

    def pieces(self, name):
        """What to give regrtest for one test file. Raises LookupError with the reason if it is not there."""
        since, renamed = files.RENAMED.get(name, ((9, 9), name))
        name = renamed if self.version[:2] >= since else name
        if name.partition(".")[0] in self._names and "." in name:
            return [name]
        if name not in self._names:
            if self.version[:2] < files.NEW_FILES.get(name, (3, 0)):
                raise LookupError("came with CPython %d.%d" % files.NEW_FILES[name])
            if name in files.MULTIPROCESSING and not self.testdir:
                return ["made_" + name]
            raise LookupError("not installed with this CPython" + self.package())
        inside = self._names[name]
        return ["%s.%s" % (name, n) for n in inside] if name in files.PACKAGES and inside else [name]

    def made_here(self, name):
        """The text of a file that this CPython lacks, or None."""
        if not name.startswith("made_"):
            return None
        return files.MULTIPROCESSING_TEXT % files.MULTIPROCESSING[name[len("made_"):]]
