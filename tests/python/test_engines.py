"""Engines: all of a version record the same calls, and each is chosen, and gives way, as documented.

The programs of corpus.py are run under every engine of this version, with C functions and without,
and the sequences of each thread are compared. What differs must be an Allowance: a difference that
CPython makes between its mechanisms, listed in docs/limits.md ("What the engines see differently"),
no wider than stated here, and shown to occur.
"""
import collections
import itertools
import os
import sys
import textwrap
import unittest

from tests.python import harness, tracefile

V = sys.version_info[:2]
FOLDER = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(FOLDER, "corpus.py")
LIBRARY = os.path.join(FOLDER, "native.so")

# The engine with which the others are compared: setprofile, but where there is no GIL. There
# monitoring is the only one; all that is compared is then what it records with and without C functions.
REFERENCE = harness.ENGINES[True][0]
OTHERS = {c_functions: engines[1:] for c_functions, engines in harness.ENGINES.items()}

PROGRAMS = ("generators", "closed_at_yield", "delegates_that_end", "coroutines", "event_loop",
            "exceptions", "recursion", "classes", "attribute_hooks", "method_objects", "threads",
            "raw_threads", "handed_over", "pool")

# CPython's own tests, by group; "-TEXT" leaves out those with TEXT in their id:
#   -SignalAndYieldFrom     a signal handler raises at the entry of a function, see docs/limits.md
#   -from_gi_code           calls the code of a generator expression with other locals: where that raises,
#                           a profile function of 3.15 is told of the caller's frame
#   -ecursi                 where a recursion through C functions ends, see docs/limits.md
#   -TestSingleDispatch     goes through sets of classes, in the order of their addresses
#   -shadow                 makes modules with names by chance
STDLIB = {
    "generators": "test.test_generators test.test_yield_from test.test_asyncgen.AsyncGenTest "
                  "-SignalAndYieldFrom -from_gi_code",
    "coroutines": "test.test_coroutines",
    "contexts": "test.test_contextlib test.test_with test.test_raise test.test_exception_variations",
    "functions": "test.test_functools -ecursi -TestSingleDispatch",
    "exceptions": "test.test_exceptions -ecursi",
    "calls": "test.test_call test.test_decorators test.test_property test.test_super "
             "test.test_class test.test_dynamic test.test_baseexception -shadow -ecursi",
}

BEGINS, ENDS = "([", ")!]?"
MARKS = {
    tracefile.PY_BEGIN: "(", tracefile.PY_RESUME: "(", tracefile.PY_END: ")", tracefile.PY_SUSPEND: ")",
    tracefile.PY_END_EXC: "!", tracefile.C_BEGIN: "[", tracefile.C_END: "]", tracefile.C_END_EXC: "?",
}


class Sequences(tracefile.Trace):
    """A trace of which the records are kept as pairs: mark, Function. That is quick."""

    def _records(self, thread, chunk):
        words = iter(memoryview(self.data)[chunk[0] + 64:chunk[0] + chunk[1]].cast("Q"))
        marks, names, records = MARKS, self.names, thread.records
        skip = 0
        for word in words:
            if word == 0:
                break
            kind, id_ = word >> 28 & 15, word & 0xFFFFFFF
            mark = marks.get(kind)
            if mark is None:
                payload = list(itertools.islice(words, id_ & 0xFFF if kind == tracefile.EXT else id_))
                if kind == tracefile.EXT and id_ >> 12 == tracefile.RESYNC:
                    skip = payload[0] >> 32
            elif skip:
                skip -= 1
            else:
                records.append((mark, names[id_]))

    def by_thread(self):
        """{(name, which of that name): its sequence}."""
        found, count = {}, collections.Counter()
        for thread in self.threads:
            name = thread.name or ""
            found[name, count[name]] = thread.records
            count[name] += 1
        return found


# ---- what may differ

class Allowance(collections.namedtuple("Allowance", "name engine since until program matches")):
    """A difference of `engine` to setprofile, the reference: matches(a, i, b, j, stack) says how many records of
    a (setprofile) and of b (the engine) it explains, where they differ from a[i] and b[j] on.
    `program` of the corpus shows it; one of C functions is looked for only with them."""


def starts_in_the_middle(a, i, b, j, stack):
    return (1, 0) if not stack and i < len(a) and a[i][0] in ENDS else None


def stopped_at_once(a, i, b, j, stack):
    if len(stack) > 50 and i < len(a) and a[i][0] == "!" and [mark for mark, _ in b[j:j + 2]] == ["(", "!"] \
            and b[j][1] == b[j + 1][1]:
        return 0, 2


def resumed_by_its_delegate(a, i, b, j, stack):
    """One more begin of a generator, after the end of the one that it delegates to."""
    if 0 < j < len(b) and b[j][0] == "(" and b[j] in b[:j] and b[j - 1][0] in ")!" and b[j - 1][1] != b[j][1]:
        return 0, 1


def of_threading(a, i, b, j, stack):
    if stack and stack[-1].name.endswith("._bootstrap_inner") and stack[-1].file.endswith("/threading.py") \
            and [(mark, function.name) for mark, function in a[i:i + 2]] == [
                ("[", "sys.setprofile"), ("]", "sys.setprofile")]:
        return 2, 0


def wrong_object(a, i, b, j, stack):
    if [mark for mark, _ in b[j:j + 2]] == ["[", "?"] and b[j][1] == b[j + 1][1] and a[i:i + 1] == b[j + 2:j + 3]:
        return 0, 2


def method_object(a, i, b, j, stack):
    if i < len(a) and j < len(b) and a[i][0] == "[":
        n = len(list(itertools.takewhile(lambda record: record == a[i], a[i:i + 3])))
        return (n, 0) if a[i + n:i + n + 1] == b[j:j + 1] else None


ALLOWANCES = (
    Allowance("calls that were open at the start do not end", "frame", (3, 9), (3, 11), "generators",
              starts_in_the_middle),
    Allowance("a call that the recursion limit stops begins and ends", "frame", (3, 9), (3, 11), "recursion",
              stopped_at_once),
    Allowance("a generator goes on after throw() ended its delegate", "frame", (3, 11), (3, 11),
              "delegates_that_end", resumed_by_its_delegate),
    Allowance("threading calls sys.setprofile for mtrace", "monitoring", (3, 12), (3, 15), "threads",
              of_threading),
    Allowance("a method is called with an object of another type", "monitoring", (3, 12), (3, 15), "exceptions",
              wrong_object),
    Allowance("a method around a C function is called", "monitoring", (3, 13), (3, 13),
              "method_objects", method_object),
)
# Another one is of whole threads, see Same.match_threads().


def shown(records):
    return " ".join("%s%s:%s" % (mark, function.name, function.line) for mark, function in records)


def differences(a, b, allowances):
    """The first place where the sequences differ for no known reason (a text; None: nowhere), and
    how often each allowance was used."""
    used, stack = collections.Counter(), []
    i = j = 0
    while i < len(a) or j < len(b):
        calls = []
        if i < len(a) and j < len(b) and a[i] == b[j]:
            steps, calls = (1, 1), a[i:i + 1]
        else:
            for allowance in allowances:
                steps = allowance.matches(a, i, b, j, stack)
                if steps:
                    used[allowance.name] += 1
                    if allowance.matches is resumed_by_its_delegate:
                        calls = b[j:j + 1]  # its end is in both
                    break
            else:
                return "at %d and %d of %d and %d, after\n  %s\n    %-10s  %s\n    the other   %s" % (
                    i, j, len(a), len(b), shown(a[max(0, i - 8):i]), REFERENCE, shown(a[i:i + 8]),
                    shown(b[j:j + 8])), used
        for mark, function in calls:
            if mark in BEGINS:
                stack.append(function)
            elif mark in "]?" and stack[-1:] != [function]:
                continue  # of a method around a C function, docs/limits.md
            elif stack and stack.pop() != function and allowances:
                return "at %d and %d: the end of %s does not nest" % (i, j, function.name), used
        i, j = i + steps[0], j + steps[1]
    return None, used


# ---- the comparison

class Same(harness.Case):
    def record(self, engine, c_functions, arguments):
        """Runs the corpus; returns its output and the sequence of each thread."""
        self.traces = os.path.join(self.folder, "%s-%d" % (engine, c_functions))
        options = ["--engine", engine] + ([] if c_functions else ["--no-c"])
        done = self.run_traced(sys.executable, CORPUS, *arguments, options=options, env=dict(
            os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1"))
        self.check()
        traces = [Sequences(os.path.join(self.traces, name)) for name in sorted(os.listdir(self.traces))
                  if name.endswith(".trace")]
        trace = min(traces, key=lambda t: t.pair[1])
        self.assertEqual((trace.engine, trace.n_lost), (engine, 0), trace.notes)
        return done.stdout + done.stderr, trace.by_thread()

    def match_threads(self, c_functions, a, b):
        """The pairs of threads. Threads of `_thread` are found by setprofile when a thread that is
        followed calls something: without C functions they may be over by then."""
        late = [key for key in b if key not in a and not c_functions and key[0] == ""]
        self.assertEqual(sorted(a), sorted(set(b) - set(late)))
        return late, [(key, a[key], b[key]) for key in sorted(a)]

    def compare(self, *arguments):
        """All engines; returns which allowances were used, and the program's output."""
        used, outputs, references = collections.Counter(), [], {}

        def against(engine, c_functions, b):
            late, pairs = self.match_threads(c_functions, references[c_functions], b)
            used["late threads"] += len(late)
            allowances = [row for row in ALLOWANCES
                          if row.engine == engine != REFERENCE and row.since <= V <= row.until]
            for key, a, b in pairs:
                text, counts = differences(a, b, allowances)
                self.assertIsNone(text, "%s, c_functions=%s, thread %s: %s" % (engine, c_functions, key, text))
                used.update(counts)

        for c_functions, others in OTHERS.items():
            output, references[c_functions] = self.record(REFERENCE, c_functions, arguments)
            outputs.append(output)
            for engine in others:
                output, sequences = self.record(engine, c_functions, arguments)
                outputs.append(output)
                against(engine, c_functions, sequences)
        # And --no-c leaves out C functions, nothing else.
        against(REFERENCE, False, {key: [record for record in records if record[0] in "()!"]
                                   for key, records in references[True].items()})
        self.assertEqual(set(outputs), {outputs[0]})
        return used, outputs[0]

    def stdlib(self, names):
        _, output = self.compare("unittest", *names)
        self.assertRegex(output, r"(?m)^[1-9]\d* \[")
        self.assertNotIn("_FailedTest", output, "no such tests; on Debian install libpython%d.%d-testsuite" % V)

    def program(self, name):
        used, _ = self.compare(name)
        expected = {row.name for row in ALLOWANCES if row.program == name and row.since <= V <= row.until and
                    row.engine in OTHERS[False]}
        self.assertEqual(expected - set(used), set(), "allowed, but does not occur: remove it")
        self.assertEqual(used["late threads"] > 0, name == "raw_threads" and REFERENCE == "setprofile")


for name in PROGRAMS:
    setattr(Same, "test_" + name, lambda self, name=name: self.program(name))
for group, names in STDLIB.items():
    setattr(Same, "test_stdlib_" + group, lambda self, names=names: self.stdlib(names.split()))


# ---- which engine records

class Choice(harness.Case):
    def assert_chosen(self, engine, note, *options, **kwargs):
        self.run_script("len('')", options=options, **kwargs)
        trace = self.read_one()
        self.assertEqual(trace.engine, engine)
        self.assertEqual([n for n in trace.notes if n.startswith(engine + ":")], [engine + ": " + note])

    FASTEST = "the fastest here for what is recorded"

    def test_auto(self):
        self.assert_chosen(harness.ENGINES[True][-1], self.FASTEST)

    def test_auto_without_c_functions(self):
        self.assert_chosen(harness.ENGINES[False][-1], self.FASTEST, "--no-c", "--engine", "auto")

    def test_asked_for(self):
        self.assert_chosen(REFERENCE, "asked for", "--engine", REFERENCE)

    def test_no_such_engine_in_this_version(self):
        wanted, got = ("frame", "monitoring") if V >= (3, 12) else ("monitoring", "setprofile")
        self.assert_chosen(got, self.FASTEST + "; %s was asked for, but this version of CPython has no "
                           "such engine" % wanted, "--engine", wanted)

    def test_no_such_engine_at_all(self):
        os.mkdir(self.traces)
        done = self.untraced(sys.executable, "-c", "pass", env=dict(
            os.environ, MTRACE_DIR=self.traces, MTRACE_HOME=harness.HOME, MTRACE_OPTIONS="engine=magic,no-c",
            PYTHONPATH=os.path.join(harness.HOME, "boot")))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(any("magic was asked for, but there is no such engine" in note
                            for note in self.read_one().notes))

    if harness.FREE_THREADED:
        def test_setprofile_needs_the_gil(self):
            self.assert_chosen("monitoring", self.FASTEST + "; setprofile was asked for, but a free-threaded "
                               "CPython crashes when hooks are set per thread", "--engine", "setprofile")

    if V < (3, 12):
        def test_frame_does_not_see_c_functions(self):
            self.assert_chosen("setprofile", self.FASTEST + "; frame was asked for, but it does not see C "
                               "functions", "--engine", "frame")

    if V < (3, 12) and not harness.HAS_FRAME:
        def test_frame_does_not_see_all_functions(self):
            self.assert_chosen("setprofile", self.FASTEST + "; frame was asked for, but before 3.11.4 it does "
                               "not see calls of __getitem__", "--engine", "frame", "--no-c")


class InProgram(harness.Case):
    """Programs that start recording by themselves, after they have done something to be met."""

    def run_program(self, *texts):
        head = "import sys\nsys.path.insert(0, %r)\nimport mtrace\nPLACE, LIBRARY = %r, %r\n" % (
            harness.HOME, self.traces, LIBRARY)
        path = self.write("script.py", head + "".join(map(textwrap.dedent, texts)))
        done = self.untraced(sys.executable, path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.check()
        return done.stdout


GENERATOR = """
    def make():
        try:
            got = yield 1
            yield got
        except KeyError:
            yield 2
    def case():
        g = make()
        next(g)
        g.send(1)
        g.throw(KeyError)
        list(g)
        h = make()
        next(h)
        try:
            h.throw(ValueError)
        except ValueError:
            pass
    case()
    """
BEGIN, END, END_EXC, SUSPEND, RESUME = range(1, 6)

if V >= (3, 12):
    class Monitoring(InProgram):
        OTHER = """
            seen = []
            monitoring = sys.monitoring
            def see(code, at):
                seen.append(code.co_name)
            def take(*ids):
                for i in ids:
                    monitoring.use_tool_id(i, "other-%d" % i)
                    monitoring.register_callback(i, monitoring.events.PY_START, see)
                    monitoring.set_events(i, monitoring.events.PY_START)
            def leaf():
                pass
            def tools():
                return [monitoring.get_tool(i) for i in range(6)]
            """

        def test_suspensions_have_kinds_of_their_own(self):
            self.run_script(GENERATOR, options=["--engine", "monitoring"])
            kinds = [r.kind for r in self.read_one().thread().records if r.function and r.function.name == "make"]
            self.assertEqual(kinds, [BEGIN, SUSPEND, RESUME, SUSPEND, RESUME, SUSPEND, RESUME, END,
                                     BEGIN, SUSPEND, RESUME, END_EXC])

        def test_takes_one_free_id_after_the_other(self):
            """Never 2, which is cProfile's, and never another tool's."""
            for taken, ours in ((), 4), ((4,), 3), ((3, 4), 5), ((3, 4, 5), 1), ((1, 3, 4, 5), 0):
                output = self.run_program(self.OTHER, """
                    take(*%r)
                    tracer = mtrace.Tracer(PLACE, engine="monitoring")
                    tracer.start()
                    leaf()
                    inside = tools()
                    tracer.stop()
                    print(inside.index("mtrace"), inside.count("mtrace"), inside[2])
                    inside[inside.index("mtrace")] = None
                    print(inside == tools(), "leaf" in seen)
                    """ % (taken,))
                self.assertEqual(output, "%d 1 None\nTrue %s\n" % (ours, taken != ()))
                self.assertEqual(self.read()[-1].engine, "monitoring")

        @unittest.skipIf(harness.FREE_THREADED, "no other engine can take over without a GIL")
        def test_steps_aside_when_all_ids_are_taken(self):
            output = self.run_program(self.OTHER, """
                take(0, 1, 3, 4, 5)
                before = tools()
                with mtrace.Tracer(PLACE, engine="monitoring"):
                    leaf()
                    print(tools() == before, tools()[2], seen.count("leaf"))
                """)
            self.assertEqual(output, "True None 5\n")
            trace = self.read_one()
            self.assertEqual((trace.engine, trace.count("leaf")), ("setprofile", 1))
            self.assertIn("setprofile: monitoring did not start; all its places may be taken", trace.notes)

        @unittest.skipUnless(harness.FREE_THREADED, "another engine takes over")
        def test_says_so_when_all_ids_are_taken(self):
            output = self.run_program(self.OTHER, """
                take(0, 1, 3, 4, 5)
                before = tools()
                tracer = mtrace.Tracer(PLACE)
                try:
                    tracer.start()
                except RuntimeError as error:
                    print(error)
                leaf()
                print(tools() == before, tracer.recording)
                """)
            self.assertEqual(output, "all tool ids of sys.monitoring are in use\nTrue False\n")
            self.assertEqual(self.read_one().count("leaf"), 0)


@unittest.skipIf(harness.FREE_THREADED, "there is no such engine without a GIL")
class SetProfile(harness.Case):
    def test_resumptions_are_calls(self):
        self.run_script(GENERATOR, options=["--engine", "setprofile"])
        kinds = [r.kind for r in self.read_one().thread().records if r.function and r.function.name == "make"]
        self.assertEqual(kinds, [BEGIN, END] * 5 + [BEGIN, END_EXC])


if harness.HAS_FRAME:
    class Frame(InProgram):
        def test_resumptions_are_calls(self):
            self.run_script(GENERATOR, options=["--engine", "frame", "--no-c"])
            kinds = [r.kind for r in self.read_one().thread().records if r.function and r.function.name == "make"]
            self.assertEqual(kinds, [BEGIN, END] * 5 + [BEGIN, END_EXC])

        def test_steps_aside_where_little_c_stack_is_left(self):
            """What works untraced goes on to do so, and afterwards recording does, too."""
            path = self.write("script.py", textwrap.dedent("""
                import ctypes, sys, threading
                left = ctypes.PyDLL(%r).native_stack_left
                left.restype = ctypes.c_long
                def low():
                    pass
                def deep(n):
                    if left() < 40 << 10 or n == 3000:
                        low()
                        return 0
                    return deep(n + 1) and 0
                def after():
                    print("after", threading.current_thread().name)
                def work():
                    print(deep(0))
                    after()
                sys.setrecursionlimit(10000)
                threading.stack_size(512 << 10)
                thread = threading.Thread(target=work, name="deep")
                thread.start()
                thread.join()
                after()
                """) % LIBRARY)
            untraced = self.untraced(sys.executable, path)
            self.assertEqual((untraced.returncode, untraced.stdout), (0, "0\nafter deep\nafter MainThread\n"),
                             untraced.stderr)
            traced = self.run_traced(sys.executable, path, options=["--engine", "frame", "--no-c"])
            self.assertEqual((traced.stdout, traced.stderr), (untraced.stdout, untraced.stderr))
            self.check()
            trace = self.read_one()
            self.assertEqual((trace.engine, trace.count("low"), trace.count("after")), ("frame", 0, 2))
            self.assertGreater(trace.count("deep"), 100)
            self.assertEqual(trace.count("deep"), trace.count("deep", END))
            self.assertEqual(sum("little C stack" in note for note in trace.notes), 1, trace.notes)

        OTHER = """
            import ctypes
            pythonapi, library = ctypes.pythonapi, ctypes.PyDLL(LIBRARY)
            pointer = lambda function: ctypes.cast(function, ctypes.c_void_p)
            library.native_set_evaluate(pointer(pythonapi._PyEval_EvalFrameDefault))
            pythonapi.PyInterpreterState_Get.restype = ctypes.c_void_p
            interpreter = ctypes.c_void_p(pythonapi.PyInterpreterState_Get())
            library.native_n_evaluated.restype = ctypes.c_long
            n_evaluated = library.native_n_evaluated
            def take():
                pythonapi._PyInterpreterState_SetEvalFrameFunc(interpreter, pointer(library.native_eval))
            def leaf():
                pass
            """

        def test_steps_aside_for_another_hook(self):
            """One that is there before it."""
            output = self.run_program(self.OTHER, """
                take()
                with mtrace.Tracer(PLACE, engine="frame", c_functions=False):
                    before = n_evaluated()
                    leaf()
                    print(n_evaluated() - before)
                before = n_evaluated()
                leaf()
                print(n_evaluated() - before)
                """)
            self.assertEqual(output, "1\n1\n")
            trace = self.read_one()
            self.assertEqual((trace.engine, trace.count("leaf")), ("setprofile", 1))
            self.assertIn("setprofile: the fastest here for what is recorded; frame was asked for, but another "
                          "tool evaluates this interpreter's frames", trace.notes)

        def test_leaves_the_hook_to_another_tool(self):
            """One that takes it later keeps it; what is open by then ends."""
            output = self.run_program(self.OTHER, """
                def inside():
                    leaf()
                    take()
                    before = n_evaluated()
                    leaf()
                    return n_evaluated() - before
                with mtrace.Tracer(PLACE, engine="frame", c_functions=False):
                    print(inside())
                before = n_evaluated()
                leaf()
                print(n_evaluated() - before)
                """)
            self.assertEqual(output, "1\n1\n")
            trace = self.read_one()
            self.assertEqual((trace.engine, trace.count("leaf"), trace.count("inside", END)), ("frame", 1, 1))
            self.assertIn("another tool took the frame evaluation hook; since then nothing was recorded",
                          trace.notes)


if __name__ == "__main__":
    harness.main()
