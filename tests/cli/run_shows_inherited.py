"""A program for the tests of `mtrace run`: shows what it inherited, as a program without mtrace would
find it too.  Descriptors that this interpreter opens itself are not shown.
"""

import fcntl
import os
import resource

with open("/proc/self/status") as file:
    for line in file:
        if line.startswith(("SigBlk", "SigIgn", "ShdPnd", "NoNewPrivs", "Seccomp:")):
            # CPython itself ignores SIGPIPE and SIGXFSZ.
            print(line.strip())
own = os.open("/proc/self/fd", os.O_RDONLY)
for fd in sorted(int(name) for name in os.listdir(own)):
    if fd == own:
        continue
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        print(fd, os.readlink("/proc/self/fd/%d" % fd), "flags %o" % flags, fcntl.fcntl(fd, fcntl.F_GETFD))
    except OSError:
        pass
print("group", "same" if os.getpgrp() == int(os.environ["GROUP"]) else "other")
print("cwd", os.getcwd(), "umask %o" % os.umask(0), "nice", os.nice(0))
print("limits", [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)])
