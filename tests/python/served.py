"""Programs that run beside a test: started under `mtrace run`, loaded with requests, ended."""
import concurrent.futures
import contextlib
import os
import select
import socket
import subprocess

from tests.python import harness


@contextlib.contextmanager
def started(case, *command, options=(), traced=True, **kwargs):
    """A program that runs while the block does, in a session of its own, so that whatever a failed
    test leaves behind can be ended as a whole. Yields the Popen."""
    words = case.command(*command, options=options) if traced else [str(c) for c in command]
    kwargs = {"cwd": case.folder, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
              "universal_newlines": True, **kwargs}
    process = subprocess.Popen(words, start_new_session=True, **kwargs)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.communicate()


def finish(case, process, status=0):
    """Waits for a started program; returns what it wrote to standard output."""
    out, err = process.communicate(timeout=harness.TIMEOUT)
    case.assertEqual(process.returncode, status, err)
    return out


class Mailbox:
    """A FIFO that processes of any descent write lines to; reading waits, and never sees an end."""

    def __init__(self, path):
        os.mkfifo(path, 0o622)
        os.chmod(path, 0o622)  # whatever the umask: a server may change its user
        self.path = path
        self._fd = os.open(path, os.O_RDWR)
        self._left = b""

    def lines(self, n):
        """The next n lines, each as a list of its words."""
        while self._left.count(b"\n") < n:
            if not select.select([self._fd], [], [], harness.TIMEOUT)[0]:
                raise TimeoutError("%s: still %r" % (self.path, self._left))
            self._left += os.read(self._fd, 65536)
        *lines, self._left = self._left.split(b"\n", n)
        return [line.decode().split() for line in lines]

    def close(self):
        os.close(self._fd)


def get(address):
    """The body of one HTTP/1.0 request to a Unix socket (a path) or to (host, port)."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as s:
        s.settimeout(harness.TIMEOUT)
        s.connect(address)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        head, _, body = b"".join(iter(lambda: s.recv(65536), b"")).partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise AssertionError("answer: %r %r" % (head, body))
    return body.decode()


def load(address, n_requests, n_threads=16):
    """The bodies of so many requests, sent by so many threads."""
    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda _: get(address), range(n_requests)))
