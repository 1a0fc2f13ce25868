"""Which files of CPython's own tests are run, and in which pieces."""
import fnmatch

# What tracing could disturb most: threads, processes, signals, generators, the profile hook itself.
NAMED = """
    test_threading test_thread test_fork1 test_generators test_coroutines test_asyncgen test_asyncio
    test_multiprocessing_fork test_multiprocessing_spawn test_multiprocessing_forkserver
    test_concurrent_futures test_subprocess test_exceptions test_sys test_gc test_weakref test_signal
    test_socketserver test_httpservers test_ctypes test_code test_frame test_monitoring test_cprofile
""".split()

# What is run at each change: a few seconds untraced, and no test of it depends on the speed of the machine.
QUICK = """
    test_asyncgen test_code test_coroutines test_cprofile test_exceptions test_fork1 test_frame
    test_gc test_generators test_monitoring test_thread
""".split()

# A package that is run file by file: they are long, and have a time limit each.
PACKAGES = ("test_asyncio test_concurrent_futures test_multiprocessing_fork test_multiprocessing_forkserver "
            "test_multiprocessing_spawn").split()

# What a file asks regrtest for and has of its own accord: a server and a client on this machine.
RESOURCES = {"test_socketserver": "network"}

# Which version brought a file, and which gave it another name.
NEW_FILES = {"test_monitoring": (3, 12)}
RENAMED = {"test_cprofile": ((3, 15), "test_profiling.test_tracing_profiler")}

# Some installations of CPython lack these, which consist of one call: made here where they are missing, under
# another name, since regrtest takes the right one for a package.
MULTIPROCESSING = {"test_multiprocessing_" + method: method for method in ("fork", "forkserver", "spawn")}
MULTIPROCESSING_TEXT = """\
import unittest
import test._test_multiprocessing
test._test_multiprocessing.install_tests_in_module_dict(globals(), %r)
if __name__ == "__main__":
    unittest.main()
"""

# Single tests that are not run, neither way: (pattern of files, pattern of tests, first version, last version, why);
# versions are two numbers or three.
IGNORED = (
    ("test__xxsubinterpreters", "test_in_thread*", (3, 11), (3, 11), "do not end on 3.11.7, untraced"),
    ("test__xxsubinterpreters", "test_from_other_thread", (3, 11), (3, 11), "does not end on 3.11.7, untraced"),
    ("test_code", "test_invalid_bytecode", (3, 15), (3, 15),
     "crashes CPython under any profile function, and any tool of sys.monitoring"),
    ("test_c_stack_unwind", "test_gnu_backtrace_jit_frames_disappear_after_executor_free", (3, 15), (3, 15),
     "does not end under any tool of sys.monitoring that wants calls"),
    # gh-113205, mended in the next release: a worker that has begun a task before terminate() empties the queue
    # sleeps for five minutes, and the test waits for it; untraced as well.
    ("*test_multiprocessing_*", "*.WithThreadsTestPool.test_terminate", (3, 11, 7), (3, 11, 7), "may take 5 minutes"),
    ("*test_multiprocessing_*", "*.WithThreadsTestPool.test_terminate", (3, 12, 1), (3, 12, 1), "may take 5 minutes"),
)


def ignored(piece, version):
    """The patterns of tests of a file that a version, a tuple of three numbers, does not run."""
    return [test for file, test, since, until, _ in IGNORED
            if fnmatch.fnmatchcase(piece, file) and since <= version[:len(since)] and version[:len(until)] <= until]


# Not run with --all: says why.
LEFT_OUT = {
    "test_gdb": "debugs CPython itself, for many minutes",
    "test_peg_generator": "compiles C programs, for many minutes",
    "test_tools": "runs scripts of CPython's source tree",
    "test_c_analyzer": "reads CPython's source tree",
    "test_cppext": "compiles C++ programs",
    "test_cext": "compiles C programs",
    "test_freeze": "builds CPython",
    "test_venv": "installs packages",
    "test_ensurepip": "installs packages",
    "test_idle": "needs a display",
    "test_tk": "needs a display",
    "test_tcl": "needs a display",
    "test_ttk": "needs a display",
    "test_ttk_guionly": "needs a display",
    "test_ttk_textonly": "needs a display",
    "test_turtle": "needs a display",
    "test_winreg": "is for another system",
    "test_winsound": "is for another system",
    "test_regrtest": "is about the runner of these very tests, and runs many of them",
}
