"""Rules of the house that the text of the sources shows, and what the extensions import and export."""
import glob
import os
import re
import subprocess
import unittest

from tests.arch.house import TOP, sources

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
TEXT = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
MAX_LINES = 500
# All that depends on the version of CPython is in one file.
LONGER = {"src/ext/compat.h": 600}

# What the recorder may call: nothing that takes a lock of libc's, needs the heap or stdio, or asks the locale.
# All of it can be called in a signal handler and in the child of a fork of a threaded process.
CORE_CALLS = {
    "memchr", "memcpy", "memset", "strlen",
    # At the start, and when a thread is enrolled.
    "pthread_atfork", "pthread_key_create", "pthread_setspecific",
}
OS_CALLS = {
    "clock_gettime", "close", "fchmod", "fstat", "getrandom", "getrlimit", "madvise", "mmap", "munmap", "open", "prctl",
    "pthread_setcancelstate", "pthread_setcanceltype", "pthread_sigmask", "pthread_testcancel", "pwritev", "read", "sigaddset", "sigemptyset", "sigfillset", "sigismember", "sigpending",
    "sigtimedwait", "stat", "syscall", "uname", "unlink",
    "memcpy", "memset", "stpcpy", "strchr", "strncmp", "strnlen", "strrchr",
    "__builtin_ia32_rdtsc", "__get_cpuid",
}
# Of struct mt_core_ops.
CORE_CALLBACKS = {"attached", "open_calls"}
# Base's heap (array.h, buf.h, map.h) is not for them.
BELOW_CORE = {"base/atomic.h", "mtrace/format.h", "mtrace/status.h"}
NO_CALLS = {"defined", "if", "for", "offsetof", "return", "sizeof", "switch", "void", "while",
            "__asm__", "__attribute__", "_Static_assert", "tls_model", "uint32_t", "volatile"}
# Threads and locks: who follows them, and the program.  Reader, sinks and their floor are told which worker they are.
THREADED = ("src/core/", "src/ext/", "src/os/", "src/cli/")

# What a build for a sanitizer or for coverage brings.
INSTRUMENTED = re.compile(r"__(asan|tsan|ubsan|gcov|llvm)_")
# What ext needs of libc beside that: to compare, to know a thread's CPU clock and its stack, and, at the start only, to
# say which engine was chosen.
EXT_CALLS = {
    "memcmp", "memmove", "strcmp", "snprintf",
    "pthread_attr_destroy", "pthread_attr_getguardsize", "pthread_attr_getstack", "pthread_getattr_np",
    "pthread_getcpuclockid", "pthread_self",
}
# What compilers and libc's headers make of it.
INTERNAL_CALLS = {
    "__assert_fail", "__errno_location", "__fdelt_chk", "__memcpy_chk", "__memset_chk", "__open_2", "__read_chk",
    "__register_atfork", "__snprintf_chk", "__stack_chk_fail", "__stpcpy_chk", "__tls_get_addr",
}
# Of the linker.
EDGES = {"__bss_start", "_edata", "_end"}


def calls(text):
    """Names that stand in front of a parenthesis and are no macro's."""
    text = re.sub(r"^\s*#\s*define\s+\w+\(", "", TEXT.sub('""', text), flags=re.M)
    return set(re.findall(r"\b([a-z_]\w*)\s*\(", text)) - NO_CALLS


def defined(text):
    """Functions that a file defines or declares at its left edge."""
    return set(re.findall(r"^[a-z_][\w \*]*?\b(\w+)\(", text, re.M))


def exported(text):
    """Functions that a file defines for others."""
    text = re.sub(r"__attribute__\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)", "", text)
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
    found = re.findall(r"(?<![\w)]\n)^((?:[A-Za-z_]\w*[ \*\n]+)+)(\w+)\([^;{}]*\)\n\{", text, re.M)
    return {name for kind, name in found if not re.search(r"\bstatic\b", kind)}


class Sources(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.texts = dict(sources())
        cls.includes = {path: INCLUDE.findall(text) for path, text in cls.texts.items()}

    def room(self, name):
        found = {path: text for path, text in self.texts.items() if path.startswith("src/%s/" % name)}
        self.assertGreater(len(found), 1)
        return found

    def test_the_recorder_calls_nothing_else(self):
        for room, allowed in (("core", CORE_CALLS | CORE_CALLBACKS), ("os", OS_CALLS)):
            texts = self.room(room)
            own = set().union(*map(defined, texts.values()))
            used = {path: {name for name in calls(text) - own - allowed if not name.startswith("mt_")}
                    for path, text in texts.items()}
            self.assertEqual({path: names for path, names in used.items() if names}, {})
            # The list itself grows no moss.
            everything = set().union(*map(calls, texts.values()))
            self.assertEqual(allowed - everything, set())

    def test_the_recorder_includes_nothing_of_the_heap(self):
        for room in ("core", "os"):
            for path in self.room(room):
                ours = {name for kind, name in self.includes[path] if kind == '"'}
                others = {name for name in ours if not name.startswith(("core/", "os/"))}
                self.assertEqual(others - BELOW_CORE, set(), path)
                system = {name for kind, name in self.includes[path] if kind == "<"}
                self.assertEqual(system & {"stdio.h", "stdlib.h", "locale.h", "wchar.h", "dlfcn.h"}, set(), path)

    def test_public_headers_include_public_ones_only(self):
        public = [path for path in self.includes if path.startswith("include/")]
        self.assertGreater(len(public), 3)
        for path in public:
            ours = {name for kind, name in self.includes[path] if kind == '"'}
            self.assertEqual({name for name in ours if not name.startswith("mtrace/")}, set(), path)

    def test_ours_in_quotes_and_libraries_in_brackets(self):
        for path, names in self.includes.items():
            for kind, name in names:
                ours = any(os.path.exists(os.path.join(TOP, top, name)) for top in ("include", "src"))
                self.assertEqual(kind == '"', ours, "%s: %s" % (path, name))

    def test_reader_and_sinks_meet_in_events(self):
        for room, door in (("reader", "mtrace/reader.h"), ("sink", "mtrace/sink.h")):
            other = {"reader": "sink", "sink": "reader"}[room]
            self.assertTrue(any((('"', door) in self.includes[path]) for path in self.room(room)), door)
            for path in self.room(room):
                names = {name for _, name in self.includes[path]}
                wrong = {n for n in names if n.startswith(other + "/") or n == "mtrace/%s.h" % other}
                self.assertEqual(wrong, set(), path)

    def test_threads(self):
        users = {path for path, text in self.texts.items()
                 if re.search(r"\bpthread_|<pthread\.h>|<threads\.h>|\buv_(thread|mutex|cond|sem)", text)}
        self.assertEqual({path for path in users if not path.startswith(THREADED)}, set())

    def test_names_between_files(self):
        n = 0
        for path, text in self.texts.items():
            if path.endswith(".c"):
                names = exported(text)
                n += len(names)
                wrong = {name for name in names if not re.match(r"mt_|PyInit__tracer$", name)}
                self.assertEqual(wrong - ({"main"} if path == "src/cli/main.c" else set()), set(), path)
        self.assertGreater(n, 200, "this test sees too few functions")

    def test_no_symbol_has_the_name_of_glibcs(self):
        wrong = {path for path, text in self.texts.items() if re.search(r"\bmtrace\s*[(;=\[]", TEXT.sub('""', text))}
        self.assertEqual(wrong, set())

    def test_files(self):
        for path in self.texts:
            with open(os.path.join(TOP, path), encoding="utf-8") as f:
                lines = f.read().splitlines()
            # What it owns, who calls it, on which thread.
            self.assertRegex(lines[0], r"^/\* %s - \S" % re.escape(os.path.basename(path)), path)
            self.assertLessEqual(len(lines), LONGER.get(path, MAX_LINES), path)


class Extensions(unittest.TestCase):
    """The dynamic symbols, as nm shows them, of every extension."""

    def symbols(self, path, which):
        done = subprocess.run(["nm", "-D", "--extern-only", which, path], stdout=subprocess.PIPE, encoding="utf-8",
                              check=True)
        return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}

    def setUp(self):
        self.paths = glob.glob(os.path.join(os.environ["MTRACE_HOME"], "mtrace", "_tracer*.so"))
        self.assertTrue(self.paths)
        if any(INSTRUMENTED.search(name) for name in self.symbols(self.paths[0], "--undefined-only") |
               self.symbols(self.paths[0], "--defined-only")):
            self.skipTest("built for a sanitizer or for coverage")

    def test_they_export_their_start_only(self):
        for path in self.paths:
            self.assertEqual(self.symbols(path, "--defined-only") - EDGES, {"PyInit__tracer"}, path)

    def test_they_import_what_the_recorder_may_call(self):
        allowed = CORE_CALLS | OS_CALLS | EXT_CALLS | INTERNAL_CALLS
        for path in self.paths:
            names = {name for name in self.symbols(path, "--undefined-only")
                     if not name.startswith(("Py", "_Py", "_ITM_", "__gmon", "__cxa_"))}
            self.assertEqual(names - allowed, set(), path)


if __name__ == "__main__":
    unittest.main()
