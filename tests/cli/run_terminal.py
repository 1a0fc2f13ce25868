"""Types into a shell with job control on a terminal, for the tests of `mtrace run`.

    run_terminal.py SCRIPT      SCRIPT has a line for each step: TEXT => REGEXP

TEXT is typed (Python escapes; \\x03 is Ctrl-C), then REGEXP must come up within 20 s in what was
printed since, the echo of TEXT left out where it is a whole line.  Where nothing is printed, REGEXP
is empty.  "HANGUP => FILE" closes the terminal when there is something in FILE, and is the last step.
"""

import os
import pty
import re
import select
import sys
import time


def wait_for(fd, pattern, echo):
    text = ""
    end = time.monotonic() + 20
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
    for typed, pattern in steps:
        if typed == "HANGUP":
            while not os.path.getsize(pattern):
                time.sleep(0.05)
            break
        typed = typed.encode().decode("unicode_escape")
        os.write(fd, typed.encode())
        wait_for(fd, pattern, typed.replace("\n", "\r\n") if typed.endswith("\n") else "")
        time.sleep(0.3)  # a shell may still be about to change the terminal's group
    os.close(fd)
    os.waitpid(pid, 0)


main()
