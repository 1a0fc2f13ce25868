"""What the tests of the screen of `mtrace top` share."""
import contextlib

from tests.python import harness
from tests.top import looks
from tests.top.terminal import Terminal

TWO_THREADS = """
import sys, threading
gate = threading.Event()
def waiting():
    gate.wait()
threading.Thread(target=waiting, name="the other").start()
def main():
    print("ready", flush=True)
    sys.stdin.readline()
main()
gate.set()
"""

ROW = 4  # of the screen: the first of a view


class Case(looks.Case):
    @contextlib.contextmanager
    def waiting(self, *args, **kwargs):
        """A worker that does nothing any more, so that a top started now has it all on its first screen."""
        with self.worker(*args, **kwargs) as worker:
            self.look()
            yield worker

    def top(self, *options, size=(30, 120)):
        return Terminal([harness.MTRACE, "top", *options, self.traces], *size)

    def leave(self, terminal, keys="q"):
        self.assertEqual(terminal.end(keys), 0)
        self.assertTrue(terminal.is_restored())
