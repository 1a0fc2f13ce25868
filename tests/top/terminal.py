"""A terminal of a given size that a program runs on, and what is on its screen."""
import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pyte

TIMEOUT_S = 120  # for what is to come up


class Timeout(AssertionError):
    pass


def _status(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return next(line.split()[1] for line in f if line.startswith(key + ":"))


def children_of(pid):
    """In the order of their pids."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and int(_status(int(name), "PPid")) == pid:
                found.append(int(name))
    return sorted(found)


def members_of(group):
    """The processes of a process group."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.getpgid(int(name)) == group and state(int(name)):
                found.append(int(name))
    return found


def switches(pid):
    """How often it has waited for something: a number that grows while it does anything."""
    return int(_status(pid, "voluntary_ctxt_switches"))


def state(pid):
    """"S", "T" and so on; None: there is no such process, or only what is left of it."""
    try:
        found = _status(pid, "State")
    except OSError:
        return None
    return None if found in "ZX" else found


class Terminal:
    """`with Terminal([program, ...]) as terminal:`; what is still there at the end is killed."""

    def __init__(self, words, n_rows=30, n_columns=120, **kwargs):
        self.master, self.slave = pty.openpty()
        self.screen = pyte.Screen(n_columns, n_rows)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._size(n_rows, n_columns)
        self.modes = termios.tcgetattr(self.slave)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        kwargs.setdefault("env", {**os.environ, "TERM": "xterm-256color"})
        files = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **kwargs}
        self.process = subprocess.Popen(words, preexec_fn=own_terminal, **files)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def _size(self, n_rows, n_columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", n_rows, n_columns, 0, 0))

    def resize(self, n_rows, n_columns):
        """The kernel sends SIGWINCH for it."""
        self.screen.resize(n_rows, n_columns)
        self._size(n_rows, n_columns)

    def _read(self, timeout_s):
        if not select.select([self.master], [], [], timeout_s)[0]:
            return False
        data = os.read(self.master, 65536)
        self.written += data
        self.stream.feed(data)
        return True

    @property
    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self):
        return "\n".join(self.lines)

    def wait(self, wanted, what=None):
        """Until `wanted`, a text or a function of this terminal, is there; returns the lines."""
        is_there = wanted if callable(wanted) else lambda terminal: wanted in terminal.text
        end = time.monotonic() + TIMEOUT_S
        while not is_there(self):
            if time.monotonic() > end:
                raise Timeout("no %s on the screen:\n%s" % (what or wanted, self.text))
            self._read(0.1)
        return self.lines

    def type(self, keys, wanted, what=None):
        """Types, and waits."""
        os.write(self.master, keys.encode())
        return self.wait(wanted, what)

    def end(self, keys=None, number=None):
        """Ends it by keys or a signal, or waits for its end; returns its status, once all it wrote was read."""
        if keys:
            os.write(self.master, keys.encode())
        if number:
            self.process.send_signal(number)
        end = time.monotonic() + TIMEOUT_S
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise Timeout("it does not end:\n" + self.text)
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def is_restored(self):
        """The modes of before, and the screen of before with its cursor, as the last thing."""
        return (termios.tcgetattr(self.slave) == self.modes and self.written.count(b"\x1b[?1049h") >= 1
                and self.written.rfind(b"\x1b[?1049l") > self.written.rfind(b"\x1b[?1049h")
                and self.written.rfind(b"\x1b[?25h") > self.written.rfind(b"\x1b[?25l"))

