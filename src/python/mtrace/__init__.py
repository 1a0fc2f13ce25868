"""mtrace: a deterministic tracer for CPython that follows every thread and every process.

    import mtrace

    with mtrace.Tracer("traces"):
        work()

then, in a shell, `mtrace merge traces > all.json`, and open all.json in a viewer of Chrome traces
(ui.perfetto.dev, for one). To trace a whole program, use `mtrace run PROGRAM` instead: it needs no
change of the program, and begins earlier.
"""
from __future__ import annotations

import os
import sys
from typing import Any, Callable, Optional, TypeVar, Union

from mtrace import _tracer

__all__ = ["Tracer", "__version__"]
__version__ = "0.1.0"

_T = TypeVar("_T")
_PathLike = Union[str, "os.PathLike[str]"]

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_VARIABLES = ("MTRACE_DIR", "MTRACE_HOME", "MTRACE_RUN", "MTRACE_PARENT", "MTRACE_OPTIONS", "PYTHONPATH")

# The Tracer that records this process now; at most one does.
_current: Optional["Tracer"] = None


class Tracer:
    """Records every Python and C function call of this process, and of its children, into files.

    directory: where the files go, PROGRAM.PID.trace, one per process; made, with mode 0700, if it
        is missing (its parents too).
    c_functions: also record calls of C functions. Without them a trace is smaller, and cheaper.
    all_calls: with C functions, also record calls of types and of other objects of C, which
        profilers are not told of: int("3"), functools.partial(f)(). On 3.12 and later only.
    children: also record Python processes that are started while this one is recorded (their
        environment tells them so). Forked children are recorded in any case.
    engine: "auto", the fastest that can record what is asked for, or "setprofile", "monitoring"
        (3.12 and later), "frame" (up to 3.11, without C functions). Where the named one cannot
        record, another does, and a note in the file says so.
    program: the PROGRAM of the files' names; default: the name of the running script.

    What is recorded is on disk at once, whatever ends the process; stop() is for order, not for
    safety. A Tracer can be started again; each time makes a new file.

    Under `mtrace run`, or when a Tracer of the parent process records this one already, start()
    and stop() do nothing: that recording goes on.
    """

    def __init__(self, directory: _PathLike = ".", *, c_functions: bool = True,
                 all_calls: bool = False, children: bool = True, program: Optional[str] = None,
                 engine: str = "auto") -> None:
        self.directory: str = os.path.abspath(os.fspath(directory))
        self.c_functions = bool(c_functions)
        self.all_calls = bool(all_calls)
        self.children = bool(children)
        self.engine = engine
        if program is None:
            argv = getattr(sys, "argv", None) or [""]
            program = os.path.basename(argv[0])
            program = program[:-3] if program.endswith(".py") else program
        self.program: str = program if program not in ("", "-c", "-m") else "python"
        self._saved: dict[str, Optional[str]] = {}

    def start(self) -> None:
        """Starts recording all threads, those that run already included.

        Raises OSError if the directory or the file cannot be made, RuntimeError if another Tracer
        records this process or this interpreter cannot be recorded.
        """
        global _current
        if _current is not None and _current is not self and _tracer.recording():
            raise RuntimeError("another mtrace.Tracer is recording into " + _current.directory)
        if _tracer.recording():
            return
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        run_id = os.urandom(16)
        _tracer.open(self.directory, self.program, sys.executable or "", _HOME, run_id, b"",
                     False, self.c_functions, self.all_calls, self.engine)
        if self.children:
            self._tell_children(run_id)
        _current = self
        _tracer.start()

    def stop(self) -> None:
        """Stops recording this process; its children go on. Does nothing if it is not on."""
        global _current
        if _current is not self:
            return
        _tracer.stop()
        _current = None
        self._untell_children()

    def profile(self, func: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """Calls func(*args, **kwargs) while recording and returns its result.

        Records for the time of the call only, unless recording is on already. An exception of
        func is passed on; the errors of start() are raised before func is called.
        """
        started = _current is not self
        if started:
            self.start()
        try:
            return func(*args, **kwargs)
        finally:
            if started:
                self.stop()

    @property
    def recording(self) -> bool:
        """True while this process is recorded, by whomever."""
        return _tracer.recording()

    @property
    def path(self) -> str:
        """The file that this process is recorded into now; '' if it is not."""
        return _tracer.path()

    def __enter__(self) -> "Tracer":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _tell_children(self, run_id: bytes) -> None:
        self._saved = {name: os.environ.get(name) for name in _VARIABLES}
        boot = os.path.join(_HOME, "boot")
        path = os.environ.get("PYTHONPATH")
        os.environ["MTRACE_DIR"] = self.directory
        os.environ["MTRACE_HOME"] = _HOME
        os.environ["MTRACE_RUN"] = run_id.hex()
        options = ["engine=" + self.engine] + ([] if self.c_functions else ["no-c"]) + \
            (["all-calls"] if self.all_calls else [])
        os.environ["MTRACE_OPTIONS"] = ",".join(options)
        os.environ["PYTHONPATH"] = boot + os.pathsep + path if path else boot
        os.environ["MTRACE_PARENT"] = _tracer.file_id().hex()

    def _untell_children(self) -> None:
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._saved = {}
