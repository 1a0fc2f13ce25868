"""`mtrace run --top`: the screen while the program runs, what the program writes, and how it ends."""
import json
import os
import signal
import subprocess
import sys

from tests.python import harness
from tests.top import looks
from tests.top.terminal import Terminal

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
OPEN = open.__module__ + ".open"  # io or, from 3.13 on, _io


class Case(looks.Case):
    def setUp(self):
        super().setUp()
        self.gate = os.path.join(self.folder, "gate")
        os.mkfifo(self.gate)

    def terminal(self, *options, **kwargs):
        program = self.write("program.py", PROGRAM)
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


if __name__ == "__main__":
    harness.main()
