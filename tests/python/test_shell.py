"""Programs that start programs: shell scripts, other CPythons, venvs, exec, and every way that
Python has to start a process."""
import collections
import glob
import json
import os
import shutil
import subprocess
import sys

from tests.python import harness, tracefile

# Says who it is, and calls the_work() as often as told. For every Python, 2.7 too.
WORK = """
import json, os, sys

def the_work():
    pass

for _ in range(int(sys.argv[1])):
    the_work()
sys.stdout.write(json.dumps([os.getpid(), os.getppid(), sys.hexversion, sys.executable, int(sys.argv[1])]) + "\\n")
"""

Ran = collections.namedtuple("Ran", "pid ppid version executable n_calls")


def ran(text):
    return [Ran(*json.loads(line)) for line in text.splitlines() if line.startswith("[")]


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.work = self.write("work.py", WORK)

    def verify(self, processes):
        """One file for each, with what it is and the calls that it made. Returns them by pid."""
        traces = {t.pid: t for t in self.read() if t.program == "work"}
        self.assertEqual(set(traces), {p.pid for p in processes})
        for p in processes:
            trace = traces[p.pid]
            self.assertEqual((trace.ppid, trace.python_version, trace.executable), (p.ppid, p.version, p.executable))
            self.assertEqual([trace.count("the_work", kind) for kind in (tracefile.PY_BEGIN, tracefile.PY_END)],
                             [p.n_calls] * 2)
            self.assertEqual((trace.origin, trace.n_lost), (1, 0))
        self.assertEqual(len({t.run_id for t in self.read()}), 1)
        self.check()
        return traces


class TestShell(Case):
    SCRIPT = """\
        #!/bin/sh
        "$FIRST" work.py 3
        "$VENV/bin/python" work.py 5
        echo $$
        exec "$SECOND" work.py 7
        """

    def setUp(self):
        super().setUp()
        # Another version than this one, where the machine has one.
        self.other = next((p for p in harness.PYTHONS if os.path.realpath(p) != os.path.realpath(sys.executable)),
                          sys.executable)
        self.venv = os.path.join(self.folder, "venv")
        subprocess.run([self.other, "-m", "venv", "--without-pip", self.venv], check=True)
        self.script = self.write("script.sh", self.SCRIPT)
        os.chmod(self.script, 0o755)
        self.env = {**os.environ, "FIRST": sys.executable, "SECOND": self.other, "VENV": self.venv}

    def verify_script(self, *command):
        out = self.run_traced(*command, env=self.env).stdout
        processes = ran(out)
        first, in_venv, second = processes
        self.assertEqual([p.n_calls for p in processes], [3, 5, 7])
        self.assertEqual(second.pid, int(next(line for line in out.splitlines() if line.isdigit())))
        self.assertEqual((first.ppid, in_venv.ppid), (second.pid, second.pid))
        self.assertEqual(in_venv.executable, self.venv + "/bin/python")
        self.assertEqual(in_venv.version, second.version)
        if self.other != sys.executable:
            self.assertNotEqual(first.version, second.version)
        self.verify(processes)

    def test_script_as_a_program(self):
        self.verify_script(self.script)

    def test_script_for_sh(self):
        self.verify_script("/bin/sh", self.script)


# Starts work.py in each way, with another number of calls each; tells the ways.
MEANS = """
import os, subprocess, sys

here = sys.executable
command = lambda n: [here, "work.py", str(n)]
line = lambda n: "'%s' work.py %d" % (here, n)

def before_exec():
    pass

def by_spawn(n):
    os.waitpid(os.posix_spawn(here, command(n), os.environ), 0)

def by_fork_and_exec(n):
    pid = os.fork()
    if pid == 0:
        os.execv(here, command(n))
    os.waitpid(pid, 0)

means = [
    lambda n: os.system(line(n)),
    lambda n: subprocess.run(line(n), shell=True, check=True),
    lambda n: subprocess.run(command(n), check=True),
    lambda n: subprocess.run(command(n), check=True, env={**os.environ, "MORE": "1"}),
    lambda n: subprocess.run(command(n), check=True, preexec_fn=before_exec),
    lambda n: subprocess.run(command(n), check=True, close_fds=False, start_new_session=True),
    lambda n: print(os.popen(line(n)).read(), end="", flush=True),
    lambda n: os.spawnv(os.P_WAIT, here, command(n)),
    by_spawn,
    by_fork_and_exec,
]
for n, start in enumerate(means, 1):
    start(n)

# Without its variables mtrace is not there, and is not missed.
clean = {name: value for name, value in os.environ.items() if not name.startswith("MTRACE_") and name != "PYTHONPATH"}
subprocess.run(command(100), check=True, env=clean)
subprocess.run([here, "-E", "work.py", "101"], check=True)
subprocess.run([here, "-I", "work.py", "102"], check=True)
print(os.getpid())
"""


class TestMeans(Case):
    def test_every_way_to_start_a_process(self):
        out = self.run_script(MEANS, name="means.py").stdout
        processes = ran(out)
        self.assertEqual([p.n_calls for p in processes], [*range(1, 11), 100, 101, 102])
        followed = [p for p in processes if p.n_calls < 100]
        traces = self.verify(followed)
        pid = int(out.splitlines()[-1])
        main, = [t for t in self.read() if t.pid == pid]
        for trace in traces.values():
            self.assertEqual(trace.parent_id, main.file_id)
        # Between fork and exec some children ran Python code (preexec_fn, os.spawnv, os.execv): each
        # has a file of its own for it.
        between = {t.pid: t for t in self.read() if t.origin == 2}
        self.assertEqual(set(between), {p.pid for p in followed if p.n_calls in (5, 8, 10)})
        for p in followed:
            if p.pid in between:
                self.assertEqual(between[p.pid].count("before_exec"), p.n_calls == 5)
                self.assertEqual(between[p.pid].parent_id, main.file_id)
                self.assertGreater(traces[p.pid].image, between[p.pid].image)
        self.assertEqual(main.count("before_exec"), 0)


class TestUntraced(Case):
    """What cannot be recorded runs as ever, and the run's summary says why it is missing."""

    def summary(self, *commands, env=None):
        """Runs each in one `mtrace run`; returns what the programs and what mtrace wrote."""
        script = self.write("all.sh", "".join("'%s' work.py %d\n" % (c, n) for n, c in enumerate(commands, 1)))
        done = self.untraced(harness.MTRACE, "run", "-d", self.traces, "--", "/bin/sh", script,
                             env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, done.stderr)
        return ran(done.stdout), done.stderr

    def test_no_extension_for_this_version(self):
        home = os.path.join(self.folder, "home")
        shutil.copytree(harness.HOME, home)
        for path in glob.glob(home + "/mtrace/_tracer*"):
            os.unlink(path)
        processes, summary = self.summary(sys.executable, env={"MTRACE_HOME": home})
        self.assertEqual(len(processes), 1)
        self.assertEqual(self.read(), [])
        self.assertIn("no process was traced", summary)
        self.assertIn("work.%d: %s: this mtrace has no extension for CPython" % (processes[0].pid, sys.executable),
                      summary)
        self.assertEqual(os.listdir(self.traces), [])

    def unsupported(self):
        """Interpreters too old for mtrace: of this machine's PATH, and beside pyenv's newer ones."""
        found = [shutil.which("python" + v) for v in ("2.7", "3.6", "3.7", "3.8")]
        for python in harness.PYTHONS:
            versions = os.path.dirname(os.path.dirname(os.path.dirname(python)))
            for v in ("2.7", "3.6", "3.7", "3.8"):
                found += glob.glob("%s/%s.*/bin/python" % (versions, v))
        return [p for p in dict.fromkeys(found)
                if p and subprocess.run([p, "-c", "0"], stderr=subprocess.DEVNULL).returncode == 0]

    def test_unsupported_versions(self):
        old = self.unsupported()
        processes, summary = self.summary(*old, sys.executable)
        self.assertEqual([p.n_calls for p in processes], list(range(1, len(old) + 2)))
        self.assertIn("mtrace: 1 process", summary)
        self.verify(processes[-1:])
        for p in processes[:-1][:4]:  # it shows so many reasons
            self.assertIn("%s: CPython %d.%d is not supported (3.9 to 3.15 are)"
                          % (p.executable, p.version >> 24, p.version >> 16 & 255), summary)
        self.assertEqual([f for f in os.listdir(self.traces) if not f.endswith(".trace")], [])


if __name__ == "__main__":
    harness.main()
