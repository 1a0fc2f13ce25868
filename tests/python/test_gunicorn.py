"""Flask under gunicorn: two workers with four threads each, 500 requests, and not one call more or
less in the workers' files, however the workers end."""
import collections
import importlib.metadata
import json
import os
import pwd
import signal
import socket
import sys

from tests.python import harness, served, tracefile

N_REQUESTS = 500

APP = """
import os, threading, flask
app = flask.Flask(__name__)

@app.route("/")
def the_view():
    return "%d %d %d" % (os.getpid(), threading.get_native_id(), os.geteuid())

if os.environ["WARM"]:
    app.test_client().get("/")
"""

CONFIG = """
import os

def post_worker_init(worker):
    with open(os.environ["MAILBOX"], "w") as f:
        f.write("%d %d\\n" % (os.getpid(), os.getppid()))
"""

# What pip installs for the console script of gunicorn, there from PYTHONPATH.
SCRIPT = """\
#!%s
import sys
from gunicorn.app.wsgiapp import run
sys.exit(run())
""" % sys.executable


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.write("app.py", APP)
        self.config = self.write("config.py", CONFIG)
        self.mailbox = served.Mailbox(os.path.join(self.folder, "mailbox"))
        self.addCleanup(self.mailbox.close)
        # Bound here: a request waits in the backlog until a worker is up.
        self.address = os.path.join(self.folder, "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.address)
        self.listener.listen(64)

    def gunicorn(self, *options):
        words = ["-k", "gthread", "-w", "2", "--threads", "4", "-c", self.config, "--chdir", self.folder,
                 "-b", "fd://%d" % self.listener.fileno()]
        if int(importlib.metadata.version("gunicorn").split(".")[0]) >= 25:
            words.append("--no-control-socket")  # it would be made below $HOME
        return [*words, *options, "app:app"]

    def serve(self, *command, options=(), traced=True, **variables):
        env = {**os.environ, "MAILBOX": self.mailbox.path, "WARM": "", **variables}
        return served.started(self, *command, options=options, traced=traced,
                              pass_fds=[self.listener.fileno()], env=env)

    def workers(self):
        """pids of both workers, when both are up, and of their arbiter."""
        lines = [[int(word) for word in line] for line in self.mailbox.lines(2)]
        arbiter, = {ppid for _, ppid in lines}
        return {pid for pid, _ in lines}, arbiter

    def load(self, uid=None):
        """How often each (pid, tid) answered; all as one user."""
        seen = collections.Counter()
        for body in served.load(self.address, N_REQUESTS):
            pid, tid, euid = (int(word) for word in body.split())
            seen[pid, tid] += 1
            self.assertEqual(euid, os.geteuid() if uid is None else uid)
        return seen

    def file_of(self, traces, pid):
        found, = [t for t in traces if t.pid == pid and t.part == 0]
        return found


class TestGunicorn(Case):
    def verify(self, workers, arbiter, seen):
        """Each request's view is on the track of the thread that answered it, begun and ended."""
        traces = self.read()
        self.assertEqual({t.pid for t in traces}, workers | {arbiter})
        for kind in (tracefile.PY_BEGIN, tracefile.PY_END):
            counts = {(trace.pid, thread.tid): thread.count("the_view", kind)
                      for trace in traces for thread in trace.threads}
            self.assertEqual({where: n for where, n in counts.items() if n}, dict(seen))
        self.assertEqual(sum(seen.values()), N_REQUESTS)
        for trace in traces:
            self.assertEqual(trace.n_lost, 0)
            if trace.pid in workers:
                self.assertEqual(trace.ppid, arbiter)
                self.assertEqual(trace.parent_id, self.file_of(traces, arbiter).file_id)
        self.assert_nested(traces)
        self.check()
        # An event a line; all of them would be a gigabyte of dicts.
        lines = self.mtrace("merge", self.traces).stdout.splitlines()
        events = [json.loads(line.rstrip(",")) for line in lines if '"the_view"' in line]
        begins = collections.Counter((e["pid"], e["tid"]) for e in events if e["ph"] == "B")
        self.assertEqual(begins, seen)
        return traces

    def test_500_requests(self):
        with self.serve(sys.executable, "-m", "gunicorn", *self.gunicorn()) as process:
            workers, arbiter = self.workers()
            seen = self.load()
            process.send_signal(signal.SIGTERM)
            served.finish(self, process)
        self.verify(workers, arbiter, seen)

    def test_killed_after_the_last_response(self):
        with self.serve(sys.executable, "-m", "gunicorn", *self.gunicorn()) as process:
            workers, arbiter = self.workers()
            seen = self.load()
            os.kill(arbiter, signal.SIGSTOP)  # it would start other workers
            for pid in workers | {arbiter}:
                os.kill(pid, signal.SIGKILL)
            served.finish(self, process, status=128 + signal.SIGKILL)
        self.verify(workers, arbiter, seen)

    def test_as_a_program_on_path(self):
        os.mkdir(os.path.join(self.folder, "bin"))
        os.chmod(self.write("bin/gunicorn", SCRIPT), 0o755)
        path = os.path.join(self.folder, "bin") + ":" + os.environ.get("PATH", "/usr/bin:/bin")
        with self.serve("gunicorn", *self.gunicorn(), options=["--no-c"], PATH=path) as process:
            workers, arbiter = self.workers()
            seen = self.load()
            process.send_signal(signal.SIGTERM)
            served.finish(self, process)
        traces = self.verify(workers, arbiter, seen)
        self.assertEqual({t.program for t in traces}, {"gunicorn"})


class TestAnotherUser(Case):
    """The workers change their user, and may no longer write to the files that they began.

    Only root can do that. Elsewhere the permissions are taken away instead, which is the same to
    the recorder. The app is loaded and warmed up (one call) before the fork: Python's own files may
    be closed to the workers' user.
    """

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o711)
        self.uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        self.options = ["--preload", *(["--user", "nobody"] if self.uid else [])]

    def requests(self, traced, closed=()):
        """What the clients saw of a gunicorn whose workers may not write: "files", "directory"."""
        command = [sys.executable, "-m", "gunicorn", *self.gunicorn(*self.options)]
        with self.serve(*command, options=["--no-c"], traced=traced, WARM="1") as process:
            workers, arbiter = self.workers()
            for pid in workers if "files" in closed and not self.uid else ():
                os.chmod("%s/gunicorn.%d.trace" % (self.traces, pid), 0o400)
            if "directory" in closed and not self.uid:
                os.chmod(self.traces, 0o500)
            seen = self.load(self.uid)
            process.send_signal(signal.SIGTERM)
            served.finish(self, process)
        return arbiter, seen

    def test_untraced(self):
        """That the others may hope for something."""
        _, seen = self.requests(False)
        self.assertEqual(sum(seen.values()), N_REQUESTS)

    def test_files_go_on_as_the_new_user(self):
        arbiter, seen = self.requests(True, ["files"])
        traces = self.read()
        seen[arbiter, arbiter] += 1
        counts = collections.Counter()
        for trace in traces:
            self.assertEqual(trace.n_lost, 0)
            self.assertEqual(trace.uid, self.uid if self.uid and trace.part else os.geteuid())
            for thread in trace.threads:
                counts[trace.pid, thread.tid] += thread.count("the_view")
        self.assertEqual(+counts, seen)
        self.assertTrue(any(t.part for t in traces), "nobody went on in a new file")
        self.assert_nested(traces)
        self.check()

    def test_the_loss_is_told(self):
        os.mkdir(self.traces, 0o700)
        arbiter, seen = self.requests(True, ["files", "directory"])
        os.chmod(self.traces, 0o700)
        self.assertEqual(sum(seen.values()), N_REQUESTS)
        traces = self.read()
        lost = [t for t in traces if t.n_lost]
        self.assertEqual({t.pid for t in lost}, {t.pid for t in traces} - {arbiter})
        for trace in lost:
            self.assertEqual(trace.loss_reason, 4)  # denied
            self.assertLessEqual(sum(thread.lost() for thread in trace.threads), trace.n_lost)
        self.assertEqual(self.file_of(traces, arbiter).count("the_view"), 1)
        self.check()
        info = self.mtrace("info", self.traces).stdout
        self.assertIn("the trace file or directory could not be opened any more", info)
        total = info.partition("\ntotal\n")[2]
        self.assertRegex(total, r"\n +lost +{:,} events\n".format(sum(t.n_lost for t in lost)))


if __name__ == "__main__":
    harness.main()
