"""A program that does what daemons do: closes all descriptors, changes its directory, forks twice
and goes on, with files of its own under the descriptor numbers that came free."""
import contextlib
import os
import select
import sys

from tests.python import harness, served, tracefile

N_FILES, N_LINES, N_CALLS = 24, 50, 40

# Each file gets its lines in turns, with calls in between, so that the recorder takes many chunks
# while all low descriptor numbers are the program's; some are closed and opened again on the way.
DAEMON = """
import os, sys, threading

def leaf():
    pass

def step():
    leaf()

def work(n):
    for _ in range(n):
        step()

def fork_away():
    if os.fork():
        os._exit(0)

def write_files(folder):
    fds = []
    for i in range(%(n_files)d):
        fds.append(os.open("%%s/file%%d" %% (folder, i), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    if fds != list(range(%(n_files)d)):
        os._exit(9)
    for line in range(%(n_lines)d):
        for i, fd in enumerate(fds):
            os.write(fd, b"%%d:%%d\\n" %% (i, line))
            work(%(n_calls)d)
        again = line %% len(fds)
        os.close(fds[again])
        fds[again] = os.open("%%s/file%%d" %% (folder, again), os.O_WRONLY | os.O_APPEND)

def daemon(folder, mailbox):
    fork_away()
    os.closerange(0, 4096)
    os.chdir("/")
    os.setsid()
    fork_away()
    os.closerange(0, 4096)
    thread = threading.Thread(target=work, args=(5000,), name="beside")
    thread.start()
    write_files(folder)
    thread.join()
    with open(mailbox, "w") as f:
        f.write("%%d\\n" %% os.getpid())

work(10)
daemon(*sys.argv[1:])
""" % {"n_files": N_FILES, "n_lines": N_LINES, "n_calls": N_CALLS}


class TestDaemon(harness.Case):
    def run_daemon(self, run, text=DAEMON, **kwargs):
        """Runs it to its end, by one of Case's methods; returns its pid."""
        mailbox = served.Mailbox(os.path.join(self.folder, "mailbox"))
        self.addCleanup(mailbox.close)
        self.files = os.path.join(self.folder, "files")
        os.mkdir(self.files)
        done = run(sys.executable, self.write("daemon.py", text), self.files, mailbox.path, **kwargs)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        (word,), = mailbox.lines(1)
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(int(word))
            self.addCleanup(os.close, pidfd)
            self.assertTrue(select.select([pidfd], [], [], harness.TIMEOUT)[0], "it does not end")
        return int(word)

    def verify_files(self):
        self.assertEqual(sorted(os.listdir(self.files)), sorted("file%d" % i for i in range(N_FILES)))
        for i in range(N_FILES):
            with open("%s/file%d" % (self.files, i), "rb") as f:
                self.assertEqual(f.read(), b"".join(b"%d:%d\n" % (i, line) for line in range(N_LINES)))

    def verify_traces(self, pid):
        self.check()
        traces = self.read()
        self.assert_nested(traces)
        self.assertEqual([t.n_lost for t in traces], [0, 0, 0])
        first, middle, daemon = self.generations(traces, pid)
        self.assertEqual((middle.parent_id, daemon.parent_id), (first.file_id, middle.file_id))
        for kind in (tracefile.PY_BEGIN, tracefile.PY_END):
            steps = [t.count("step", kind) for t in (first, middle, daemon)]
            self.assertEqual(steps, [10, 0, N_FILES * N_LINES * N_CALLS + 5000])
        beside, = [t for t in daemon.threads if t.name == "beside"]
        self.assertEqual((beside.count("step"), beside.count("leaf")), (5000, 5000))

    def generations(self, traces, pid):
        first, = [t for t in traces if t.origin != 2]
        daemon, = [t for t in traces if t.pid == pid]
        middle, = [t for t in traces if t not in (first, daemon)]
        return first, middle, daemon

    def test_untraced(self):
        """That the program is what it is said to be: the same files without mtrace."""
        self.run_daemon(self.untraced)
        self.verify_files()

    def test_daemon(self):
        pid = self.run_daemon(self.run_traced)
        self.verify_files()
        self.verify_traces(pid)

    def test_daemon_of_the_api(self):
        """The same, recorded by a Tracer: its directory is relative, and the program moves away."""
        text = "import mtrace; tracer = mtrace.Tracer('traces'); tracer.start()\n" + DAEMON
        pid = self.run_daemon(self.untraced, text, env={**os.environ, "PYTHONPATH": harness.HOME})
        self.verify_files()
        self.verify_traces(pid)


if __name__ == "__main__":
    harness.main()
