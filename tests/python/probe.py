"""Prints everything that a program can see of the process that it runs in, as JSON, one item a
line. A program for test_environment.py, run traced and untraced."""
import builtins
import gc
import json
import os
import re
import signal
import sys
import threading


def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass  # that of listdir() itself
    return sorted(found.items())


def signals():
    found = {}
    for number in range(1, signal.NSIG):
        try:
            found[number] = str(signal.getsignal(number))
        except ValueError:
            pass
    return found


def kernel():
    """Masks of signals and the like as the kernel has them: also what Python does not show."""
    with open("/proc/self/status") as f:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    return {key: lines.get(key) for key in ("Umask", "Threads", "SigBlk", "SigIgn", "SigCgt", "SigPnd",
                                            "Seccomp", "CapEff", "Uid", "Gid")}


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("MTRACE_") and k != "PYTHONPATH"}
    return sorted(env.items())


def show():
    main = sys.modules["__main__"]
    items = {
        "argv": sys.argv, "orig_argv": getattr(sys, "orig_argv", None), "path": sys.path,
        "modules": sorted(sys.modules), "builtin": sorted(vars(builtins)),
        "flags": str(sys.flags), "executable": sys.executable, "prefix": [sys.prefix, sys.base_prefix],
        "warnoptions": sys.warnoptions, "xoptions": str(getattr(sys, "_xoptions", None)),
        "path_hooks": [str(type(h)) for h in sys.path_hooks], "meta_path": [str(m) for m in sys.meta_path],
        "cache": sorted(sys.path_importer_cache), "environ": environment(), "signals": signals(),
        "kernel": kernel(), "descriptors": descriptors(), "cwd": os.getcwd(),
        "profile": [str(sys.getprofile()), str(sys.gettrace())],
        "hooks": [str(sys.excepthook), str(sys.displayhook), str(sys.breakpointhook), str(sys.unraisablehook)],
        "threading": [str(threading._trace_hook), threading.active_count(), threading.current_thread().name,
                      str(threading.excepthook)],
        "streams": [[s.encoding, s.errors, s.line_buffering, s.fileno(), s.name] if s else None
                    for s in (sys.stdin, sys.stdout, sys.stderr)],
        "main": sorted((k, str(v)) for k, v in vars(main).items() if k in (
            "__name__", "__doc__", "__package__", "__file__", "__cached__", "__spec__", "__annotations__")),
        "main names": sorted(vars(main)), "limits": [sys.getrecursionlimit(), sys.getswitchinterval()],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.callbacks, gc.get_debug()],
        "asyncgen": str(sys.get_asyncgen_hooks()), "dlopen": sys.getdlopenflags(),
        "original": sys.stdin is sys.__stdin__, "frames": len(sys._current_frames()), "depth": depth(),
    }
    for name in sorted(items):
        # Addresses and numbers of pipes are never the same.
        print(name, re.sub(r"0x[0-9a-f]+|pipe:\[[0-9]+\]", "-", json.dumps(items[name], default=str)))


def depth():
    frame, n = sys._getframe(), 0
    while frame:
        frame, n = frame.f_back, n + 1
    return n


show()
