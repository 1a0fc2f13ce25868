"""Types into a shell with job control on a terminal, for the tests of `mtrace run`.

    run_terminal.py SCRIPT      SCRIPT has a line for each step: TEXT => REGEXP

TEXT is typed (Python escapes; \\x03 is Ctrl-C), then REGEXP must come up within two minutes in what was
printed since, the echo of TEXT left out where it is a whole line.  Where nothing is printed, REGEXP
is empty.  The next step waits until whoever has the terminal waits, too.  "HANGUP => FILE" closes the
terminal when there is something in FILE, and is the last step.
"""

import glob
import os
import pty
import re
import select
import sys
import time

TIMEOUT_S = 120


def waits(path):
    """Is that process asleep, stopped or gone, and all signals that it takes with it?"""
    try:
        with open(path + "/status", errors="replace") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return True
    pending = int(status["SigPnd"], 16) | int(status["ShdPnd"], 16)
    return status["State"][0] in "STZX" and not pending & ~int(status["SigBlk"], 16)


def session(leader):
    """The /proc folders of its processes."""
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/stat", errors="replace") as file:
                if int(file.read().rsplit(") ", 1)[1].split()[3]) == leader:
                    yield path
        except OSError:
            pass


def settle(leader):
    """Until nothing in the session does anything: who is awake may be about to change the terminal's group, or has
    not yet dealt with a signal, of which a second one would be made one with the first."""
    end, n = time.monotonic() + TIMEOUT_S, 0
    while n < 5:
        n = n + 1 if all(waits(path) for path in session(leader)) else 0
        if time.monotonic() > end:
            sys.exit("the terminal's processes do not come to rest")
        time.sleep(0.01)


def wait_for(fd, pattern, echo):
    text = ""
    end = time.monotonic() + TIMEOUT_S
    while True:
        seen = text.replace(echo, "", 1) if echo else text
        if re.search(pattern, seen):
            return
        left = end - time.monotonic()
        if left <= 0:
            sys.exit("no %r in %r" % (pattern, text))
        if select.select([fd], [], [], left)[0]:
            try:
                text += os.read(fd, 65536).decode(errors="replace")
            except OSError:
                sys.exit("the shell has ended; no %r in %r" % (pattern, text))


def main():
    with open(sys.argv[1]) as file:
        steps = [line.rstrip("\n").split(" => ", 1) for line in file if " =>" in line]
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(PS1="PROMPT ", TERM="dumb", HISTFILE="")
        os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
    wait_for(fd, "PROMPT ", "")
    settle(pid)
    for typed, pattern in steps:
        if typed == "HANGUP":
            while not os.path.getsize(pattern):
                time.sleep(0.05)
            break
        typed = typed.encode().decode("unicode_escape")
        os.write(fd, typed.encode())
        wait_for(fd, pattern, typed.replace("\n", "\r\n") if typed.endswith("\n") else "")
        settle(pid)
    os.close(fd)
    os.waitpid(pid, 0)


main()
