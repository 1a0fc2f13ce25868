"""How recording gets into an interpreter: beside the user's own sitecustomize, in a venv, and not at
all, silently, where it cannot."""
import ast
import glob
import os
import re
import shutil
import sys

from tests.python import harness

# Prints how sitecustomize came to be, and what the program sees of it.
SHOW = """
    import sys
    module = sys.modules.get("sitecustomize")
    print(module and (module.__file__, module.__name__, str(module.__spec__.loader)[:30], module.__package__))
    try:
        import sitecustomize
        print(sitecustomize is module, sitecustomize.ran)
    except ImportError as error:
        print(type(error).__name__, error, error.name, error.path)
    except AttributeError as error:
        print(error)
    print([m for m in sys.modules if "customize" in m or "mtrace" in m], sys.path)
    """
CUSTOM = "import sys\nsys.ran = ran = getattr(sys, 'ran', 0) + 1\n"


class Boot(harness.Case):
    LIBRARY = os.path.basename(os.path.dirname(os.__file__))  # python3.9, python3.13t

    def setUp(self):
        super().setUp()
        self.show = self.write("show.py", SHOW)

    def compare(self, *command, traces=1, **kwargs):
        """The same output, errors and status untraced and traced, and that many traces."""
        untraced = self.untraced(*command, **kwargs)
        traced = self.run_traced(*command, status=untraced.returncode, **kwargs)
        self.assertEqual(untraced.stdout.splitlines(), traced.stdout.splitlines())
        self.assertEqual(untraced.stderr, traced.stderr)
        self.assertEqual(len(self.read()), traces)
        return traced

    def site(self, text, name="sitecustomize.py", **changes):
        """A sitecustomize on PYTHONPATH: the environment that has it."""
        os.makedirs(self.folder + "/site", exist_ok=True)
        self.write("site/" + name, text)
        return dict(os.environ, PYTHONPATH=self.folder + "/site", **changes)

    def venv(self):
        """A venv without pip: quick. Returns its interpreter and its site-packages."""
        self.untraced(sys.executable, "-m", "venv", "--without-pip", "--symlinks", "venv")
        packages, = glob.glob(self.folder + "/venv/lib/python*/site-packages")
        return self.folder + "/venv/bin/python", packages

    def standard_library(self, sitecustomize=None):
        """A standard library with this sitecustomize or with none, whatever the interpreter's own has
        (Debian's has one): the environment that has it."""
        place = os.path.join(self.folder, "home", sys.platlibdir, self.LIBRARY)
        os.makedirs(place)
        for name in os.listdir(os.path.dirname(os.__file__)):
            if name not in ("sitecustomize.py", "__pycache__", "site-packages"):
                os.symlink(os.path.join(os.path.dirname(os.__file__), name), os.path.join(place, name))
        if sitecustomize is not None:
            with open(place + "/sitecustomize.py", "w") as f:
                f.write(sitecustomize)
        return dict(os.environ, PYTHONHOME=self.folder + "/home")


class Sitecustomize(Boot):
    def test_the_interpreters_own(self):
        """With what this machine has, or has not."""
        self.compare(sys.executable, self.show)

    def test_none(self):
        """Importing it fails as it would."""
        output = self.compare(sys.executable, self.show, env=self.standard_library()).stdout
        self.assertIn("None\nModuleNotFoundError No module named 'sitecustomize' sitecustomize None\n", output)

    def test_on_the_path(self):
        output = self.compare(sys.executable, self.show, env=self.site(CUSTOM)).stdout
        self.assertIn("/site/sitecustomize.py'", output)
        self.assertIn("True 1\n", output)
        # It is the program's: recorded.
        self.assertEqual([f.file for f in self.read_one().names.values() if f.file and "customize" in f.file],
                         [self.folder + "/site/sitecustomize.py"])

    def test_in_the_standard_library(self):
        """As Debian has it. It is found before one in site-packages, and after one on the path."""
        home = self.standard_library(CUSTOM)
        output = self.compare(sys.executable, self.show, env=home).stdout
        self.assertIn("/%s/sitecustomize.py'" % self.LIBRARY, output)
        self.assertIn("True 1\n", output)
        shutil.rmtree(self.traces)
        output = self.compare(sys.executable, self.show, env=self.site(CUSTOM, PYTHONHOME=home["PYTHONHOME"])).stdout
        self.assertIn("/site/sitecustomize.py'", output)
        self.assertIn("True 1\n", output)

    def test_in_a_venv(self):
        """In its site-packages, which is on the path by then, behind the standard library."""
        python, packages = self.venv()
        hidden = os.path.exists(os.path.join(os.path.dirname(os.__file__), "sitecustomize.py"))
        with open(packages + "/sitecustomize.py", "w") as f:
            f.write(CUSTOM)
        output = self.compare(python, self.show).stdout
        self.assertEqual("site-packages/sitecustomize.py'" in output, not hidden)
        self.assertEqual("True 1\n" in output, not hidden)

    def test_package(self):
        os.makedirs(self.folder + "/site/sitecustomize")
        self.assertIn("True 1\n", self.compare(sys.executable, self.show,
                                               env=self.site(CUSTOM, "sitecustomize/__init__.py")).stdout)

    def test_usercustomize(self):
        """Comes after it, from the user's site, which a program may have moved."""
        env = dict(self.standard_library(), PYTHONUSERBASE=self.folder + "/user")
        env.pop("PYTHONNOUSERSITE", None)
        place = self.untraced(sys.executable, "-m", "site", "--user-site", env=env).stdout.strip()
        os.makedirs(place)
        with open(place + "/usercustomize.py", "w") as f:
            f.write("import sys; print('user', sys.modules.get('sitecustomize'))\n")
        self.assertTrue(self.compare(sys.executable, self.show, env=env).stdout.startswith("user None\n"))

    def test_errors(self):
        """What goes wrong in it is said as without us. Only where the interpreter prints the whole
        traceback (what is no Exception ends it), our frame is in it, between site's and its."""
        for text in ("raise ValueError('mine')", "import missing_module", "def", "1/0",
                     "raise ImportError('mine', name='sitecustomize')", "raise ImportError('mine', name='other')",
                     "raise SystemExit(3)", "raise KeyboardInterrupt"):
            with self.subTest(text):
                shutil.rmtree(self.traces, ignore_errors=True)
                env = self.site(CUSTOM + text + "\n")
                untraced = self.untraced(sys.executable, self.show, env=env)
                traced = self.run_traced(sys.executable, self.show, env=env, status=untraced.returncode)
                self.assertEqual(untraced.stdout, traced.stdout)
                ours = r'  File ".*/boot/sitecustomize.py".*\n    import sitecustomize.*\n( +\^+\n)?'
                self.assertEqual(untraced.stderr, re.sub(ours, "", traced.stderr))

    def test_mtrace_twice(self):
        """mtrace run inside mtrace run: the program belongs to the inner one."""
        inner = os.path.join(self.folder, "inner")
        self.run_traced(harness.MTRACE, "run", "-q", "-d", inner, "--", sys.executable, self.show)
        self.assertEqual(len(glob.glob(inner + "/*.trace")), 1)
        self.assertEqual(glob.glob(self.traces + "/*.trace"), [])


class Untraced(Boot):
    """Interpreters that cannot be recorded: they run as if nothing were there."""

    def notes(self):
        """The sentences that were left, without the paths."""
        texts = []
        for path in glob.glob(self.traces + "/*.untraced"):
            with open(path) as f:
                texts.append(f.read())
        return texts

    def run_plain(self, *command, **changes):
        """With mtrace's environment, without `mtrace run`, which would remove the notes."""
        os.makedirs(self.traces, mode=0o700, exist_ok=True)
        env = dict(os.environ, MTRACE_DIR=self.traces, MTRACE_HOME=harness.HOME,
                   PYTHONPATH=harness.HOME + "/boot")
        env.update(changes)
        return self.untraced(*command, env=env)

    def test_switches(self):
        """-E, -I and -S shut the door through which recording comes. Known: nobody can tell."""
        for switch in ("-E", "-I", "-S", "-ES"):
            with self.subTest(switch):
                if switch == "-S":  # PYTHONPATH stays, as its user will see
                    done = self.run_traced(sys.executable, switch, "-c", "print(1)")
                    self.assertEqual((done.stdout, done.stderr), ("1\n", ""))
                    self.assertEqual(self.read(), [])
                else:
                    self.compare(sys.executable, switch, self.show, traces=0)

    def test_nonsense_in_the_variables(self):
        """Whatever they say, the program runs, silently."""
        def plain(**changes):
            done = self.run_plain(sys.executable, "-c", "print(1)", **changes)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "1\n", ""), changes)
        for directory in ("", "relative", "/missing/directory", "/dev/null", "/proc", "/" + "x" * 5000,
                          self.traces + "/\udcff", self.show):
            plain(MTRACE_DIR=directory)
        self.assertEqual((self.read(), self.notes()), ([], []))
        for name in ("MTRACE_RUN", "MTRACE_PARENT"):
            for value in ("", "x", "00", "é" * 16, "0" * 31, "0" * 33, "g" * 32, "\udcff"):
                plain(**{name: value})
        plain(MTRACE_OPTIONS="no-c,,unknown,é")
        traces = self.read()
        self.assertEqual(len(traces), 17)
        self.assertEqual({t.run_id for t in traces}, {bytes(16)})
        self.assertEqual(sum(t.options == 0 for t in traces), 1)

    def test_home_without_this_version(self):
        """A home that was made elsewhere: a sentence in the directory, nothing on the terminal."""
        home = self.folder + "/home"
        os.makedirs(home + "/mtrace")
        shutil.copytree(harness.HOME + "/boot", home + "/boot")
        done = self.run_plain(sys.executable, self.show, MTRACE_HOME=home, PYTHONPATH=home + "/boot")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, self.untraced(sys.executable, self.show).stdout)
        note, = self.notes()
        self.assertRegex(note, r"python.*: this mtrace has no extension for CPython %d\.%d " % sys.version_info[:2])
        self.assertEqual(self.read(), [])

    def test_extension_that_does_not_load(self):
        """Damaged, or for another machine."""
        home = self.folder + "/home"
        shutil.copytree(harness.HOME + "/boot", home + "/boot")
        shutil.copytree(harness.HOME + "/mtrace", home + "/mtrace")
        for path in glob.glob(home + "/mtrace/_tracer*.so"):
            os.unlink(path)
            with open(path, "w") as f:
                f.write("nonsense")
        done = self.run_plain(sys.executable, self.show, MTRACE_HOME=home, PYTHONPATH=home + "/boot")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(self.notes()), 1)

    def test_boot_directory_gone(self):
        """The home was removed while the program ran: its children find nothing."""
        done = self.run_plain(sys.executable, self.show, PYTHONPATH=self.folder + "/missing/boot")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual((self.read(), self.notes()), ([], []))

    def test_boot_directory_unreadable(self):
        """For another user, say. (Root reads everything: then the file is a directory.)"""
        boot = self.folder + "/home/boot"
        os.makedirs(boot + "/sitecustomize.py")
        os.chmod(boot, 0)
        self.addCleanup(os.chmod, boot, 0o700)
        done = self.run_plain(sys.executable, "-c", "print(1)", PYTHONPATH=boot)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "1\n", ""))

    def test_other_versions(self):
        """Interpreters that mtrace does not support, if there are any: silent, with a note."""
        found = []
        for python in sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python"))) + ["/usr/bin/pypy3"]:
            shown = self.untraced(python, "-c", "import sys; print(sys.version_info[:2])").stdout \
                if os.path.exists(python) else ""
            if shown and not (3, 9) <= ast.literal_eval(shown) <= (3, 15):
                found.append(python)
        for python in found:
            with self.subTest(python):
                # (2.7 takes an empty PYTHONPATH for the current directory.)
                command = [python, "-c", "import sys; print(sorted(sys.modules), sys.path)"]
                shutil.rmtree(self.traces, ignore_errors=True)
                untraced = self.untraced("env", "-u", "PYTHONPATH", *command)
                done = self.run_plain(*command)
                self.assertEqual((done.stdout, done.stderr), (untraced.stdout, untraced.stderr))
                note, = self.notes()
                self.assertIn("is not supported", note)

    def test_summary_says_so(self):
        """`mtrace run` collects the notes, says them once, and leaves no file."""
        home = self.folder + "/home"
        os.makedirs(home + "/mtrace")
        shutil.copytree(harness.HOME + "/boot", home + "/boot")
        done = self.untraced(harness.MTRACE, "run", "-d", self.traces, "--", sys.executable, self.show,
                             env=dict(os.environ, MTRACE_HOME=home))
        self.assertEqual(done.returncode, 0)
        self.assertIn("has no extension for CPython", done.stderr)
        self.assertEqual(os.listdir(self.traces), [])


if __name__ == "__main__":
    harness.main()
