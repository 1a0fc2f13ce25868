"""A program for the tests of `mtrace run`: counts the signals it gets.

Prints "ready PID" and writes the pid to counts.pid; each signal gives a line in counts.log.  On SIGUSR2 (or after ten minutes) what it got, sorted, as "got INT=1 TERM=2",
and ends.  An argument "setpgrp" makes it leave its process group first.
"""

import os
import signal
import sys
import time

counts = {}
over = False


def note(number, _frame):
    global over
    if number == signal.SIGUSR2:
        over = True
    name = signal.Signals(number).name[3:] if number < 32 else "RT%d" % (number - signal.SIGRTMIN)
    counts[name] = counts.get(name, 0) + 1
    os.write(log, name.encode() + b"\n")


log = os.open("counts.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
if "setpgrp" in sys.argv:
    os.setpgrp()
for name in "HUP INT QUIT ABRT USR1 USR2 ALRM TERM CONT TTIN TTOU WINCH IO URG PROF".split():
    signal.signal(getattr(signal, "SIG" + name), note)
signal.signal(signal.SIGRTMIN + 3, note)
with open("counts.pid", "w") as file:
    print(os.getpid(), file=file)
print("ready", os.getpid(), flush=True)
end = time.monotonic() + 600
while not over and time.monotonic() < end:
    time.sleep(0.01)
counts.pop("USR2", None)
print("got", *["%s=%d" % item for item in sorted(counts.items())], flush=True)
