"""Runs a command within a time limit, and leaves no process behind.

    python supervise.py END LIMIT COMMAND [ARG...]

END is a file that gets the command's end: its exit status, -N for a signal, or "limit".
At the limit the command is asked where it is (regrtest's faulthandler answers SIGUSR1 with the stacks
of all threads), then everything is killed. Processes whose parents have ended become children of this
one, so that those that tests forget are found as well.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def descendants(pid):
    """Process ids below `pid`, by /proc."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, errors="replace") as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, left = [], [pid]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def wait(pid, deadline):
    """The command's wait status, or None at the deadline. Reaps whatever else ends meanwhile."""
    while True:
        done, status = os.waitpid(-1, os.WNOHANG)
        if done == pid:
            return status
        if done:
            continue
        left = deadline - time.monotonic()
        if left <= 0 or signal.sigtimedwait({signal.SIGCHLD}, left) is None:
            return None


def kill_all():
    # New ones may be made meanwhile.
    while True:
        pids = descendants(os.getpid())
        if not pids:
            return
        send(pids, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            pass


def main():
    end_path, limit, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    process = subprocess.Popen(command, start_new_session=True,
                               preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask))
    status = wait(process.pid, time.monotonic() + limit)
    if status is None:
        end = "limit"
        # First the command itself, then its children: each has regrtest's handler, or dies of it.
        send([process.pid], signal.SIGUSR1)
        wait(process.pid, time.monotonic() + 10)
    else:
        end = str(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
    kill_all()
    # Which Popen cannot know.
    process.returncode = 0
    with open(end_path, "w") as f:
        f.write(end)


if __name__ == "__main__":
    main()
