"""`mtrace run --top`: the screen while the program runs, what the program writes, and how it ends."""
import json
import os
import signal
import subprocess
import sys

from tests.python import harness
from tests.top import looks
from tests.top.terminal import Terminal, children_of, members_of, state

# Waits at a FIFO, as its standard input is the terminal's no more.
PROGRAM = """
import sys
def main():
    print("to", sys.stdout.isatty(), sys.stderr.isatty(), repr(sys.stdin.read()), flush=True)
    print("an error", file=sys.stderr)
    with open(sys.argv[1]) as gate:
        gate.read()
    print("the end")
try:
    main()
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(9)
sys.exit(7)
"""

SUMMARY = "mtrace: "
OPEN = open.__module__ + ".open"  # io or, from 3.12 on, _io


class Case(looks.Case):
    def setUp(self):
        super().setUp()
        self.gate = os.path.join(self.folder, "gate")
        os.mkfifo(self.gate)

    def terminal(self, *options, program=PROGRAM, **kwargs):
        program = self.write("program.py", program)
        words = [harness.MTRACE, "run", "--top", "-d", self.traces, *options, "--", sys.executable, program, self.gate]
        return Terminal(words, cwd=self.folder, **kwargs)

    def open_gate(self):
        with open(self.gate, "w"):
            pass

    def shown(self, terminal):
        """What came when the screen was left, without the summary."""
        after = terminal.written[terminal.written.rfind(b"\x1b[?1049l"):].decode().replace("\r\n", "\n")
        return after[len("\x1b[?1049l"):].split(SUMMARY)[0].split("\n\n")[0]


class RunTop(Case):
    def test_output_comes_when_the_program_has_ended(self):
        with self.terminal("-q") as terminal:
            lines = terminal.wait(" " + OPEN)
            self.assertEqual(lines[0], "mtrace top  " + self.traces)
            self.assertRegex(lines[4], r"^ *[0-9]+  program +running +1 .* %s$" % OPEN)
            terminal.type("2", OPEN + " < main < <module>")
            self.assertNotIn("an error", terminal.text)
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\nthe end\n")
        self.check()

    def test_leaving_the_screen_leaves_the_program(self):
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            terminal.type("q", lambda t: "an error\n" in self.shown(t), "what was held back")
            self.assertTrue(terminal.is_restored())
            self.assertIsNone(terminal.process.poll())
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\nthe end\n")

    def test_interrupt_is_for_the_program(self):
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            self.assertEqual(terminal.end("\x03"), 9)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\ninterrupted\n")

    def test_interrupt_once_the_screen_was_left(self):
        """The terminal sends it to all of the group then; what the program says of it is shown, too."""
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            terminal.type("q", lambda t: "an error\n" in self.shown(t), "what was held back")
            self.assertEqual(terminal.end("\x03"), 9)
            self.assertEqual(self.shown(terminal).replace("^C", ""), "to False False ''\nan error\ninterrupted\n")

    def test_signals_are_for_the_program(self):
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            self.assertEqual(terminal.end(number=signal.SIGTERM), 128 + signal.SIGTERM)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\n")

    def test_output_that_goes_elsewhere_stays_there(self):
        out = os.path.join(self.folder, "out")
        with open(out, "w") as file, self.terminal("-q", stdout=file) as terminal:
            terminal.wait(" " + OPEN)
            with open(out) as f:
                self.assertEqual(f.read(), "to False False ''\n")
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertEqual(self.shown(terminal), "an error\n")
        with open(out) as f:
            self.assertEqual(f.read(), "to False False ''\nthe end\n")

    def test_timeline_and_summary(self):
        out = os.path.join(self.folder, "all.json")
        with self.terminal("-o", out) as terminal:
            terminal.wait(" " + OPEN)
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertIn("the end\n", self.shown(terminal))
            self.assertIn(b"all.json", terminal.written[terminal.written.rfind(b"the end"):])
        with open(out) as f:
            self.assertEqual(sum(e.get("name") == "main" and e["ph"] == "B" for e in json.load(f)), 1)

    def test_only_this_run_is_shown(self):
        self.run_script("pass", name="former.py")
        with self.terminal("-q") as terminal:
            lines = terminal.wait(" " + OPEN)
            self.assertTrue(lines[1].startswith("1 process, 1 running"), lines[1])
            self.assertNotIn("unreadable", lines[1])
            self.open_gate()
            self.assertEqual(terminal.end(), 7)

    def test_a_program_that_does_not_start(self):
        with Terminal([harness.MTRACE, "run", "--top", "-d", self.traces, "--", "./nothing"], cwd=self.folder) as terminal:
            self.assertEqual(terminal.end(), 127)
            self.assertIn(b"./nothing: program not found", terminal.written)
            self.assertFalse(os.path.exists(self.traces))

    def test_without_a_terminal_the_program_runs(self):
        command = [harness.MTRACE, "run", "-q", "--top", "-d", self.traces, "--", sys.executable, "-c", "print(5)"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, start_new_session=True, timeout=harness.TIMEOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "5\n"))
        self.assertEqual(done.stderr, "mtrace: --top shows nothing: there is no terminal for it\n")

    def test_killed(self):
        """The viewer, the program and what was held back end with mtrace."""
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            pid = self.read_one().pid
            self.assertEqual(terminal.end(number=signal.SIGKILL), -signal.SIGKILL)
            terminal.wait(lambda t: t.is_restored(), "the terminal as before")
            terminal.wait(lambda t: not os.path.exists("/proc/%d" % pid), "the program's end")


class Jobs(Case):
    """Under a shell with job control."""

    def shell(self, *options, program=PROGRAM, **kwargs):
        script = '"$@"; echo STOPPED; read -r line; fg; exit $?'
        words = ["bash", "-mc", script, "bash", harness.MTRACE, "run", "--top", "-q", "-d", self.traces, *options, "--",
                 sys.executable, self.write("program.py", program), self.gate]
        return Terminal(words, cwd=self.folder, **kwargs)

    def stop_and_go_on(self, stop):
        with self.shell() as terminal:
            terminal.wait(" " + OPEN)
            program = self.read_one().pid
            stop(terminal)
            terminal.wait(lambda t: b"STOPPED\r\n" in t.written, "a stop")
            self.assertTrue(terminal.is_restored())
            self.assertEqual(state(program), "T")
            n_before = len(terminal.written)
            terminal.type("\n", lambda t: b"\x1b[?1049h" in t.written[n_before:] and (" " + OPEN).encode() in t.written[n_before:], "more")
            self.assertNotEqual(state(program), "T")
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\nthe end\n")

    def mtrace_of(self, terminal):
        return self.one(children_of(terminal.process.pid))

    def test_the_key(self):
        self.stop_and_go_on(lambda terminal: os.write(terminal.master, b"\x1a"))

    def test_a_signal_to_mtrace(self):
        self.stop_and_go_on(lambda terminal: os.kill(self.mtrace_of(terminal), signal.SIGTSTP))

    def test_a_signal_to_the_program(self):
        self.stop_and_go_on(lambda terminal: os.kill(self.read_one().pid, signal.SIGTSTP))

    def test_a_signal_to_all(self):
        self.stop_and_go_on(lambda terminal: os.killpg(self.mtrace_of(terminal), signal.SIGTSTP))

    def test_a_program_that_does_not_stop(self):
        """Then the screen comes back."""
        with self.shell(program="import signal\nsignal.signal(signal.SIGTSTP, signal.SIG_IGN)\n" + PROGRAM) as terminal:
            terminal.wait(" " + OPEN)
            n_before = len(terminal.written)
            terminal.type("\x1a", lambda t: b"\x1b[?1049h" in t.written[n_before:] and (" " + OPEN).encode() in t.written[n_before:],
                          "the screen again")
            self.assertLess(terminal.written.index(b"\x1b[?1049l"), terminal.written.rindex(b"\x1b[?1049h"))
            self.assertNotIn(b"STOPPED", terminal.written)
            self.open_gate()
            terminal.type("\n", lambda t: b"STOPPED" in t.written, "the shell")  # `read`; there is no job to continue
            self.assertEqual(self.shown(terminal).split("STOPPED")[0], "to False False ''\nan error\nthe end\n")

    def test_keys_reach_the_whole_group(self):
        """As they do without a screen: children of the program, too."""
        for key, number in (("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)):
            program = """
                import os, signal, sys
                signal.signal(%d, lambda *_: None)
                reading, writing = os.pipe()
                if not os.fork():
                    signal.signal(%d, lambda *_: (os.write(1, b"child\\n"), os._exit(0)))
                    os.write(writing, b"x")
                    while True:
                        signal.pause()
                os.read(reading, 1)
                def waiting():
                    os.wait()
                    os.write(1, b"parent\\n")
                waiting()
                """ % (number, number)
            with self.terminal("-q", program=program) as terminal:
                terminal.wait("posix.wait")
                self.assertEqual(terminal.end(key), 0)
                self.assertEqual(self.shown(terminal).replace("^C", "").replace("^\\", ""), "child\nparent\n")


class Output(Case):
    def test_order_and_size(self):
        """Every write is there once, in the order of both descriptors."""
        program = """
            import os
            for n in range(6000):
                os.write(1 + n % 2, b"%06d" % n + b"." * (n % 200) + b"\\n")
            """
        wanted = "".join("%06d%s\n" % (n, "." * (n % 200)) for n in range(6000))
        with self.terminal("-q", program=program) as terminal:
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(self.shown(terminal), wanted)

    def test_what_comes_after_the_end(self):
        """A child that goes on writes to the terminal, as it believes; and nothing of mtrace's stays longer."""
        program = """
            import os, sys
            if not os.fork():
                os.setsid()
                with open(sys.argv[1]) as gate:
                    gate.read()
                os.write(1, b"from the child\\n")
                os._exit(0)
            print("the end")
            """
        words = ["sh", "-c", '"$@"; echo "status $?"; read -r line', "sh", harness.MTRACE, "run", "--top", "-q", "-d",
                 self.traces, "--", sys.executable, self.write("program.py", program), self.gate]
        with Terminal(words, cwd=self.folder) as terminal:
            terminal.wait(lambda t: b"status 0\r\n" in t.written, "mtrace's end")
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "the end\nstatus 0\n")
            self.open_gate()
            terminal.wait(lambda t: self.shown(t) == "the end\nstatus 0\nfrom the child\n", "the child's words")
            terminal.wait(lambda t: members_of(t.process.pid) == [t.process.pid], "the end of all but the shell")
            self.assertEqual(terminal.end("\n"), 0)

    def test_output_that_is_opened_anew(self):
        """As `echo > /dev/stderr` does: it cuts the file, and what comes then is shown."""
        program = """
            import os, sys
            os.write(1, b"what was there before, and is longer than the rest\\n")
            with open(sys.argv[1]) as gate:
                gate.read()
            with open("/dev/stdout", "w") as anew:
                anew.write("anew\\n")
            os.write(1, b"after\\n")
            """
        with self.terminal("-q", program=program) as terminal:
            terminal.wait(" " + OPEN)
            terminal.type("q", lambda t: "the rest\n" in self.shown(t), "what was held back")
            self.open_gate()
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(self.shown(terminal), "what was there before, and is longer than the rest\nanew\nafter\n")

    def test_what_the_viewer_holds(self):
        """No descriptor that others wait for the end of."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        pipe = os.readlink("/proc/self/fd/%d" % writing)
        with self.terminal("-q", pass_fds=[writing]) as terminal:
            terminal.wait(" " + OPEN)
            folder = "/proc/%d/fd/" % self.viewer(terminal)
            held = [os.readlink(folder + fd) for fd in os.listdir(folder)]
            self.assertNotIn(pipe, held)
            self.assertIn("/dev/tty", held)
            self.open_gate()
            self.assertEqual(terminal.end(), 7)

    def test_signals_that_are_the_programs(self):
        """To the whole group: the screen stays."""
        program = """
            import os, signal, sys
            signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"usr1\\n"))
            with open(sys.argv[1]) as gate:
                gate.read()
            """
        with self.terminal("-q", program=program) as terminal:
            terminal.wait(" " + OPEN)
            os.killpg(terminal.process.pid, signal.SIGUSR1)
            terminal.type("3", "[3 functions]")
            self.open_gate()
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(self.shown(terminal), "usr1\n")

    def test_a_viewer_that_is_killed(self):
        """The program does not notice; mtrace puts the terminal right and shows what is there, at the end."""
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            os.kill(self.viewer(terminal), signal.SIGKILL)
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\nthe end\n")

    def test_a_viewer_that_is_stopped(self):
        with self.terminal("-q") as terminal:
            terminal.wait(" " + OPEN)
            os.kill(self.viewer(terminal), signal.SIGSTOP)
            self.open_gate()
            self.assertEqual(terminal.end(), 7)
            self.assertTrue(terminal.is_restored())
            self.assertEqual(self.shown(terminal), "to False False ''\nan error\nthe end\n")

    def viewer(self, terminal):
        """The witness of signals, another child, has nothing open."""
        program = self.read_one().pid
        return self.one([pid for pid in children_of(terminal.process.pid) if pid != program and os.listdir("/proc/%d/fd" % pid)])

    def refused(self, why, prefix=(), **kwargs):
        words = [*prefix, harness.MTRACE, "run", "-q", "--top", "-d", self.traces, "--", sys.executable, "-c",
                 "import sys; print(sys.stdout.isatty())"]
        with Terminal(words, **kwargs) as terminal:
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(terminal.written.decode().split("\r\n"), ["mtrace: --top shows nothing: " + why, "True", ""])

    def test_where_the_program_could_be_harmed_there_is_no_screen(self):
        self.refused("there is no place for what the program writes", env={**os.environ, "TMPDIR": "/nowhere", "TERM": "xterm"})
        self.refused("files are limited in size here, and what the program writes to the terminal would be",
                     prefix=["sh", "-c", 'ulimit -f 1000000; exec "$@"', "sh"])
        self.refused("TERM is dumb", env={**os.environ, "TERM": "dumb"})


if __name__ == "__main__":
    harness.main()
