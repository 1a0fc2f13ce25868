"""`mtrace top` on a terminal: what is on the screen, what keys do, and how it leaves."""
import os
import re
import signal
import struct
import sys

from tests.python import harness
from tests.top import looks
from tests.top.looks import stack
from tests.top.screens import ROW, TWO_THREADS, Case

BUSY = """
import sys
def often():
    pass
def seldom():
    pass
def main():
    for _ in range(3000):
        often()
    for _ in range(20):
        seldom()
    print("ready", flush=True)
    sys.stdin.readline()
main()
"""

class Views(Case):
    def test_processes(self):
        with self.waiting(TWO_THREADS, name="two.py") as worker, self.top() as terminal:
            lines = terminal.wait("TextIOWrapper.readline")
            self.assertEqual(lines[0], "mtrace top  " + self.traces)
            self.assertRegex(lines[1], r"^1 process, 1 running, 2 threads; [0-9,]+ calls/s; [0-9]+ kB$")
            self.assertEqual(lines[2], "[1 processes]  2 threads   3 functions   by calls")
            self.assertEqual(lines[3].split(), "PID NAME STATE THREADS CALLS/S SIZE SIZE/S LOST IN".split())
            row = lines[ROW].split()
            self.assertEqual(row[:4], [str(self.read_one().pid), "two", "running", "2"])
            self.assertEqual(row[-1], "TextIOWrapper.readline")
            self.assertEqual(lines[ROW + 1:29], [""] * 24)
            self.assertEqual(lines[29], "h help  1 2 3 view  s sort  / filter  p pause  q leave")
            self.leave(terminal)
            self.assertIsNone(worker.process.poll())

    def test_threads_and_their_open_calls(self):
        with self.waiting(TWO_THREADS, name="two.py"), self.top(size=(30, 200)) as terminal:
            terminal.wait("running")
            terminal.type("2s", "by depth")  # sorted by calls at first, and these depend on time
            lines = terminal.wait("Thread._bootstrap\n")
            path = os.path.join(self.folder, "two.py")
            pid = str(self.read_one().pid)
            rows = [line.split() for line in lines[ROW:ROW + 2]]
            self.assertEqual([row[0] for row in rows], [pid, pid])
            self.assertIn("the other", lines[ROW])
            depth = 8 if sys.version_info >= (3, 14) else 7  # with Context.run
            self.assertIn("  %d   lock.acquire < Condition.wait < Event.wait < waiting < " % depth, lines[ROW])
            self.assertTrue(lines[ROW + 1].endswith("  3   TextIOWrapper.readline < main < <module>"), lines[ROW + 1])
            lines = terminal.type("\x1b[B", "outermost first:\n  <module>", "the second thread's stack")
            self.assertEqual(lines[29 - 5:29], ["open calls of thread %s, outermost first:" % pid,
                                                "  <module>  %s:1" % path, "  main  %s:7" % path,
                                                "  TextIOWrapper.readline", ""])
            terminal.type("\x1b[A", "  lock.acquire\n", "the first thread's stack")
            self.assertIn("  waiting  %s:4\n" % path, terminal.text)
            self.leave(terminal)

    def test_functions_and_their_order(self):
        with self.waiting(BUSY, name="busy.py"), self.top("--interval", "3600", "--filter", "busy.py") as terminal:
            every = ["<module>", "main", "often", "seldom"]
            def rows(lines):
                return [line.split() for line in lines[ROW:29] if line]

            def names(lines):
                return [row[-2] for row in rows(lines)]

            lines = terminal.type("3", "[3 functions]  by self, last 3600 s")
            times = looks.expected(self.read_one())
            path = os.path.join(self.folder, "busy.py")
            by_self = sorted(((s.self, key[0]) for key, s in times.items() if key[1] == path), reverse=True)
            self.assertEqual(names(lines), [name for _, name in by_self])
            self.assertEqual(names(terminal.type("s", "by name, last")), every)
            self.assertEqual(names(terminal.type("r", "by name, reversed, last")), every[::-1])
            lines = terminal.type("rs", "by calls, last")
            self.assertEqual([(row[-3], row[-2], row[-1]) for row in rows(lines)[:2]],
                             [("3,000", "often", path + ":3"), ("20", "seldom", path + ":5")])
            self.assertEqual(names(terminal.type("r", "by calls, reversed"))[-2:], ["seldom", "often"])
            self.leave(terminal)

    def test_processes_come_and_go(self):
        os.mkdir(self.traces)
        with self.top("--interval", "0.1") as terminal:
            terminal.wait("0 processes, 0 running, 0 threads")
            with self.worker(name="first.py") as first:
                terminal.wait("1 process, 1 running")
                with self.worker(name="second.py") as second:
                    terminal.wait("2 processes, 2 running")
                    terminal.wait(lambda t: re.search(r"first +running ", t.text) and re.search(r"second +running ", t.text), "both")
                    second.process.communicate("\n", timeout=harness.TIMEOUT)
                terminal.wait("2 processes, 1 running")
                # Both at once: a screen may be seen when it is half written.
                terminal.wait(lambda t: re.search(r"second +ended ", t.text) and re.search(r"first +running ", t.text),
                              "the end of the second only")
                os.kill([t.pid for t in self.read() if t.program == "first"][0], signal.SIGKILL)
                terminal.wait(lambda t: re.search(r"first +unfinished ", t.text), "the end of the first")
                first.process.wait()
            self.leave(terminal)


class Keys(Case):
    def test_filter(self):
        with self.waiting(BUSY, name="busy.py"), self.top("--interval", "3600") as terminal:
            terminal.type("3", "often ")
            terminal.type("/SELDOM", "/SELDOM_")
            lines = terminal.wait(lambda t: not t.lines[ROW + 1], "one row")
            self.assertIn(" seldom ", lines[ROW])
            terminal.type("\r", "filter: SELDOM")
            terminal.wait("h help")
            self.assertEqual([bool(line) for line in terminal.lines[ROW:ROW + 2]], [True, False])
            terminal.type("/xx\x7f\x7foften\r", "filter: often")
            self.assertIn(" often ", terminal.lines[ROW])
            terminal.type("\x1b", lambda t: "filter:" not in t.text, "no filter")
            self.assertTrue(terminal.lines[ROW + 1])
            terminal.type("/nothing has this name", lambda t: not t.lines[ROW], "no row")
            terminal.type("\x1b", lambda t: t.lines[ROW] and "filter:" not in t.text, "all rows")
            self.leave(terminal)

    def test_one_process(self):
        with self.waiting(TWO_THREADS, name="first.py"), self.waiting(TWO_THREADS, name="second.py"):
            with self.top("-s", "name") as terminal:
                terminal.wait(lambda t: "first" in t.lines[ROW] and "second" in t.lines[ROW + 1], "both")
                pids = [line.split()[0] for line in terminal.lines[ROW:ROW + 2]]
                terminal.type("j\r", "process: " + pids[1])
                self.assertEqual([line.split()[:1] for line in terminal.lines[ROW:ROW + 3]], [[pids[1]], [pids[1]], []])
                terminal.type("\x1b", lambda t: "process: " not in t.text, "all processes")
                self.assertEqual(sorted(line.split()[0] for line in terminal.lines[ROW:ROW + 4]),
                                 sorted(pids * 2))
                self.leave(terminal)

    def test_pause(self):
        with self.waiting() as worker, self.top("--interval", "0.1", "-s", "calls") as terminal:
            terminal.type("3", "FUNCTION")
            terminal.type("p", "(paused)")
            before = terminal.lines
            worker.calls(1234)
            self.assertEqual(terminal.type("hh", lambda t: t.lines == before, "the same"), before)
            terminal.type(" ", lambda t: re.search(r" 1,234 +leaf ", t.text), "the calls made meanwhile")
            self.assertNotIn("(paused)", terminal.text)
            self.leave(terminal)

    def test_help(self):
        with self.waiting(), self.top() as terminal:
            terminal.wait("running")
            for key in "h?":
                terminal.type(key, "the other way round")
                for words in ("Enter ", "filter: rows with", "pause the screen", "leave\n", "unfinished  "):
                    self.assertIn(words, terminal.text)
                terminal.type("x", lambda t: "the other way round" not in t.text, "no help")
            self.leave(terminal)

    def test_many_rows(self):
        """The selection moves through more rows than there are lines."""
        text = "\n".join("def f%03d(): pass" % n for n in range(200)) + """
import sys
def main():
    for n in range(200):
        globals()["f%03d" % n]()
    print("ready", flush=True); sys.stdin.readline()
main()
"""
        with self.waiting(text, name="many.py"):
            with self.top("--interval", "3600", "--filter", "many.py", "-s", "name") as terminal:
                terminal.type("3", " f022 ")

                def shown(t):
                    return [re.search(r" (\S+)  \S+$", line).group(1) for line in t.lines[ROW:29] if line]

                names = ["<module>"] + ["f%03d" % n for n in range(200)] + ["main"]
                self.assertEqual(shown(terminal), names[:25])
                terminal.type("\x1b[F", " main ")
                self.assertEqual(shown(terminal), names[-25:])
                terminal.type("\x1b[5~", lambda t: shown(t)[0] == names[-26], "a page up")
                self.assertEqual(shown(terminal), names[-26:-1])
                terminal.type("\x1b[H", "<module>")
                terminal.type("\x1b[6~\x1b[6~", lambda t: shown(t) == names[26:51], "two pages down")
                terminal.type("jk", lambda t: shown(t) == names[27:52] or shown(t) == names[26:51])
                self.leave(terminal)


class Many(Case):
    def test_processes_and_threads(self):
        """300 processes and 1000 threads: exact numbers, and the last rows are reached."""
        text = """
            import sys, threading
            gate = threading.Event()
            threads = [threading.Thread(target=gate.wait, name="t%03d" % n) for n in range(1000)]
            for thread in threads:
                thread.start()
            print("ready", flush=True); sys.stdin.readline(); gate.set()
            """
        with self.worker(name="one.py"):
            self.look()
            original = self.read_one()
        for n in range(300):
            data = bytearray(original.data)
            struct.pack_into("<I", data, 88, 5000000 + n)  # the pid: no process has it
            struct.pack_into("<I", data, 16, n)  # the file's id
            with open(os.path.join(self.traces, "copy.%d.trace" % n), "wb") as f:
                f.write(data)
        with self.worker(text, name="threads.py"):
            look = self.look("-a")
            self.assertEqual((len(look["processes"]), look["unreadable_files"]), (302, 0))
            self.assertEqual(sum(p["state"] == "unfinished" for p in look["processes"]), 301)
            self.assertEqual([p["threads"] for p in look["processes"] if p["state"] == "running"], [1001])
            self.assertEqual(len(look["threads"]), 301 + 1001)
            self.assertEqual(sum(stack(t)[-3:-1] == ["Event.wait", "Condition.wait"] for t in look["threads"]), 1000)
            with self.top("-s", "pid", "-a") as terminal:
                terminal.wait("302 processes, 1 running, 1001 threads")
                terminal.type("\x1b[F", "5000299 ")
                terminal.type("2/t999\r", "filter: t999")
                self.assertEqual([" t999 " in line for line in terminal.lines[ROW:ROW + 2]], [True, False])
                self.leave(terminal)


class Sizes(Case):
    def test_every_size_is_kept(self):
        """No line is longer than the screen, no row below it, however small or wide it is."""
        with self.worker(TWO_THREADS, name="two.py"):
            for n_rows, n_columns in ((1, 1), (2, 1), (3, 20), (5, 7), (24, 500)):
                with self.top("--interval", "0.05", size=(n_rows, n_columns)) as terminal:
                    for key in "123h1":
                        n_looks = terminal.written.count(b"\x1b[1;1H") + 2
                        terminal.type(key, lambda t: t.written.count(b"\x1b[1;1H") > n_looks, "looks")
                    self.leave(terminal)
                    lines = re.findall(rb"\x1b\[([0-9]+);1H((?:\x1b\[[0-9;]*m)?)([^\x1b]*)", terminal.written)
                    self.assertLessEqual(max(int(row) for row, _, _ in lines), n_rows)
                    self.assertLessEqual(max(len(text.decode()) for _, _, text in lines), n_columns)

    def test_no_colours(self):
        """So that NO_COLOR has nothing to forbid: bold, dim and reverse only."""
        with self.waiting(), self.top() as terminal:
            terminal.wait("running")
            self.leave(terminal)
            self.assertLessEqual(set(re.findall(rb"\x1b\[([0-9;]*)m", terminal.written)), {b"0", b"0;1", b"0;2", b"0;7"})

    def test_help_is_whole_at_80_columns(self):
        os.mkdir(self.traces)
        with self.top(size=(24, 80)) as terminal, self.top(size=(50, 200)) as large:
            large.wait("0 processes")
            large.type("h", "unfinished  ", "help")
            terminal.wait("0 processes")
            terminal.type("h", "unfinished  ", "help")
            lines = [line for line in large.lines[ROW:49] if line]
            self.assertEqual([line for line in terminal.lines[ROW:23] if line], lines)
            self.assertEqual(len(lines), 18)

    def test_resize(self):
        with self.waiting(), self.top(size=(24, 80)) as terminal:
            terminal.wait(lambda t: t.lines[23].startswith("h help"), "the last line")
            for n_rows, n_columns in ((40, 200), (10, 40), (3, 20), (1, 1), (30, 100)):
                n_before = len(terminal.written)
                terminal.resize(n_rows, n_columns)
                last = "\x1b[%d;1H" % n_rows
                terminal.wait(lambda t: last.encode() in t.written[n_before:], "a screen of %d rows" % n_rows)
            terminal.wait(lambda t: t.lines[29].startswith("h help") and "running" in t.lines[ROW], "all of it")
            terminal.wait(lambda t: t.lines[0] == ("mtrace top  " + self.traces)[:100], "the head")
            self.leave(terminal)

    def test_what_is_running_is_there_at_80_columns(self):
        with self.waiting(TWO_THREADS, name="two_named_at_length.py"), self.top(size=(24, 80)) as terminal:
            terminal.wait("  TextIOWrapper.re")
            lines = terminal.lines
            self.assertEqual(lines[3].split(), "PID NAME STATE THREADS CALLS/S SIZE IN".split())
            self.assertEqual(lines[3].index("IN"), lines[ROW].index("TextIOWrapper"))
            self.assertEqual(lines[ROW].split()[1:4], ["two_named_at", "running", "2"])
            lines = terminal.type("2s", "by depth")
            lines = terminal.wait("  lock.acquire < Con")
            self.assertEqual(lines[3].index("IN"), lines[ROW].index("lock.acquire"))
            self.leave(terminal)

    def test_wide_characters(self):
        """Lines end where the screen does, whatever is in them."""
        name = "\u65e5\u672c\u8a9e" * 30 + "e\u0301" * 30
        text = "import sys\ndef f():\n    print('ready', flush=True)\n    sys.stdin.readline()\n" \
               "type(f)(f.__code__.replace(co_name=%a, co_qualname=%a), globals())()\n" % (name, name)
        with self.waiting(text, name="wide.py"), self.top(size=(20, 75)) as terminal:
            terminal.type("2", lambda t: "\u65e5" in t.text, "the name")
            for line in terminal.lines:
                self.assertLess(len(line), 76)
            self.assertEqual(terminal.lines[19], "h help  1 2 3 view  s sort  / filter  p pause  q leave")
            self.leave(terminal)


class Hostile(Case):
    def test_escape_sequences_in_names_do_not_reach_the_terminal(self):
        evil = "a\x1b[2J\x1b]0;x\x07\x9b31m\u202eb\u2066c\r\n\x08\x7f"
        text = """
            import sys, threading
            evil = %a
            def f(): print("ready", flush=True); sys.stdin.readline()
            f = type(f)(f.__code__.replace(co_name=evil, co_qualname=evil, co_filename=evil), globals())
            threading.Thread(target=f, name=evil).start()
            """ % evil
        with self.waiting(text, name="\x1b[31mred.py"), self.top(size=(30, 200)) as terminal:
            for key, wanted in (("1", "__31mred"), ("2", "a?[2J?]0;x??31m?b?c????"), ("3", "a?[2J?]0;x??31m?b?c????"),
                                ("/\x1b]0;\r", "mtrace top")):
                terminal.type(key, wanted)
            self.leave(terminal)
            for sequence in (b"\x1b[2J", b"\x1b]", b"\x1b[31m", b"\x07", b"\xc2\x9b", "\u202e".encode(), "\u2066".encode(),
                             b"\x08", b"\x7f"):
                self.assertNotIn(sequence, terminal.written)


if __name__ == "__main__":
    harness.main()
