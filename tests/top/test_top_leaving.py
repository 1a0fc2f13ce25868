"""How `mtrace top` leaves its terminal: at its end, at a stop, in the background."""
import os
import signal

from tests.python import harness
from tests.top.screens import Case
from tests.top.terminal import Terminal, children_of, switches


class Leaving(Case):
    def test_keys(self):
        with self.worker() as worker:
            for keys in ("q", "\x03", "\x1c"):
                with self.top() as terminal:
                    terminal.wait("running")
                    self.leave(terminal, keys)
            self.assertIsNone(worker.process.poll())

    def test_signals(self):
        with self.worker():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                with self.top() as terminal:
                    terminal.wait("running")
                    self.assertEqual(terminal.end(number=number), 128 + number)
                    self.assertTrue(terminal.is_restored())

    def test_stop_and_continue(self):
        """Under a shell with job control, as people have it."""
        shell = ["bash", "-mc", '"$@"; echo STOPPED; read -r line; fg; exit $?', "bash"]
        with self.worker(), Terminal(shell + [harness.MTRACE, "top", self.traces]) as terminal:
            terminal.wait("running")
            terminal.type("\x1a", lambda t: b"STOPPED\r\n" in t.written, "a stop")
            self.assertLess(terminal.written.rfind(b"\x1b[?1049l"), terminal.written.rfind(b"STOPPED"))
            self.assertTrue(terminal.is_restored())
            n_before = len(terminal.written)
            terminal.type("\n", lambda t: b"\x1b[?1049h" in t.written[n_before:] and b"running" in t.written[n_before:], "more")
            self.assertFalse(terminal.is_restored())
            terminal.type("2", "[2 threads]")
            self.leave(terminal)

    def stopped_from_outside(self, number):
        shell = ["bash", "-mc", '"$@"; echo STOPPED; read -r line; fg; exit $?', "bash"]
        with self.worker(), Terminal(shell + [harness.MTRACE, "top", self.traces]) as terminal:
            terminal.wait("running")
            os.kill(self.one(children_of(terminal.process.pid)), number)
            terminal.wait(lambda t: b"STOPPED\r\n" in t.written, "a stop")
            restored = terminal.is_restored()
            n_before = len(terminal.written)
            terminal.type("\n", lambda t: b"\x1b[?1049h" in t.written[n_before:] and b"running" in t.written[n_before:], "more")
            terminal.type("2", "[2 threads]")
            self.assertEqual(terminal.end("q"), 0)  # modes may be those that the shell found at SIGSTOP
        return restored

    def test_stop_by_a_signal(self):
        self.assertTrue(self.stopped_from_outside(signal.SIGTSTP))

    def test_stop_by_the_signal_that_nobody_sees_coming(self):
        self.stopped_from_outside(signal.SIGSTOP)

    def test_in_the_background(self):
        """It waits there, and leaves the terminal alone."""
        script = '"$@"; echo STOPPED; read -r line; bg; read -r line; echo FOREGROUND; fg; exit $?'
        shell = ["bash", "-mc", script, "bash"]
        with self.worker(), Terminal(shell + [harness.MTRACE, "top", "--interval", "0.05", self.traces]) as terminal:
            terminal.wait("running")
            top = self.one(children_of(terminal.process.pid))
            terminal.type("\x1a", lambda t: b"STOPPED\r\n" in t.written, "a stop")
            n_before = len(terminal.written)
            n_switches = switches(top)
            terminal.type("\n", lambda t: switches(top) > n_switches + 5, "some looks")
            self.assertTrue(terminal.is_restored())
            terminal.type("\n", lambda t: b"running" in t.written[n_before:], "the screen")
            self.assertLess(terminal.written.index(b"FOREGROUND"), terminal.written.index(b"\x1b[?1049h", n_before))
            self.leave(terminal)

    def test_terminal_that_vanishes(self):
        """Nobody is told by a signal here: that is for the leader of the session, and ignored."""
        status = os.path.join(self.folder, "status")
        script = 'trap "" HUP; "$@"; echo $? >%s.part; mv %s.part %s' % (status, status, status)
        with self.worker():
            terminal = Terminal(["sh", "-c", script, "sh", harness.MTRACE, "top", self.traces])
            terminal.wait("running")
            os.close(terminal.slave)
            os.close(terminal.master)
            terminal.process.wait(timeout=harness.TIMEOUT)
            with open(status) as f:
                self.assertEqual(f.read(), "%d\n" % (128 + signal.SIGHUP))

    def test_terminals_without_a_screen(self):
        os.mkdir(self.traces)
        for term, what in (("dumb", b"TERM is dumb"), ("", b"TERM is not set"), (None, b"TERM is not set")):
            env = {key: value for key, value in os.environ.items() if key != "TERM"}
            env.update({"TERM": term} if term is not None else {})
            with Terminal([harness.MTRACE, "top", self.traces], env=env) as terminal:
                self.assertEqual(terminal.end(), 2)
                self.assertIn(what + b", so there is no screen; --once and --json need none", terminal.written)
                self.assertNotIn(b"\x1b", terminal.written)
            done = self.mtrace("top", "--once", self.traces, env=env)
            self.assertIn("0 processes", done.stdout)

    def test_stop_where_nobody_could_continue(self):
        """The leader of a session is not stopped by its terminal; it goes on."""
        with self.waiting(), self.top() as terminal:
            terminal.wait("running")
            n_before = len(terminal.written)
            terminal.type("\x1a", lambda t: t.written[n_before:].rfind(b"h help") > t.written[n_before:].rfind(b"\x1b[?1049h") >= 0,
                          "the screen again")
            terminal.type("2", "[2 threads]")
            self.leave(terminal)

    def test_updates(self):
        with self.waiting(), self.top("-n", "3", "--interval", "0.05") as terminal:
            self.assertEqual(terminal.end(), 0)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(terminal.written.count(b"mtrace top  "), 3)

    def test_input_that_is_only_for_reading(self):
        os.mkdir(self.traces)
        words = ["sh", "-c", 'exec "$0" top "$1" </dev/tty', harness.MTRACE, self.traces]
        with Terminal(words) as terminal:
            terminal.wait("0 processes")
            self.leave(terminal)

    def test_directory_that_vanishes(self):
        os.mkdir(self.traces)
        with self.top("--interval", "0.1") as terminal:
            terminal.wait("0 processes")
            os.rmdir(self.traces)
            self.assertEqual(terminal.end(), 1)
            self.assertTrue(terminal.is_restored() or b"cannot be listed" in terminal.written)
            self.assertIn(b"cannot be listed: No such file or directory", terminal.written)


if __name__ == "__main__":
    harness.main()
