"""mtrace.Tracer: recording that a program starts by itself, of itself."""
import ast
import glob
import os
import sys
import textwrap
import unittest

from tests.python import harness, shapes

# The package is where its user has put it: on sys.path. Nothing else of mtrace is.
HEAD = """import os, sys
import threading
sys.path.insert(0, %r)
import mtrace
PLACE = %r
def leaf(): len("")
def work(): leaf()
"""


class Api(harness.Case):
    def run_api(self, text, status=0, name="script.py", command=(), **kwargs):
        """Runs HEAD and `text`; returns what it printed."""
        path = self.folder + "/" + name
        with open(path, "w") as f:
            f.write(HEAD % (harness.HOME, self.traces) + textwrap.dedent(text))
        done = self.untraced(*command, sys.executable, path, **kwargs)
        self.assertEqual((done.returncode, done.stderr), (status, ""))
        if os.path.isdir(self.traces):
            self.check()
        return done.stdout

    def words(self, trace=None):
        return shapes.words((trace or self.read_one()).thread().records)


class Recording(Api):
    def test_exact_records(self):
        """What is open is stated, then come the calls, and nothing of mtrace itself. Lines: of HEAD."""
        self.run_api("""
            def main():
                with mtrace.Tracer(PLACE):
                    work()
                work()
            main()
            """)
        self.assertEqual(self.words(), ["<<module>:1", "<main:9", "(work:7", "(leaf:6", "[builtins.len",
                                        "]builtins.len", ")leaf", ")work"])
        trace = self.read_one()
        self.assertEqual((trace.origin, trace.program, trace.flags), (3, "script", 1))
        self.assertEqual([f for f in trace.names.values() if f.file and f.file.startswith(harness.HOME)], [])
        self.assertEqual([f for f in trace.names.values() if "tracer" in f.name.lower()], [])
        self.assertEqual(os.stat(self.traces).st_mode & 0o777, 0o700)

    def test_start_and_stop(self):
        output = self.run_api("""
            tracer = mtrace.Tracer(PLACE)
            print(tracer.recording, repr(tracer.path))
            tracer.start()
            path = tracer.path
            work()
            tracer.stop()
            print(path == os.path.join(PLACE, "script.%d.trace" % os.getpid()))
            print(tracer.recording, repr(tracer.path))
            work()
            """)
        self.assertEqual(output, "False ''\nTrue\nFalse ''\n")
        self.assertEqual(self.words(), ["<<module>:1", "(work:7", "(leaf:6", "[builtins.len", "]builtins.len",
                                        ")leaf", ")work"])

    def test_start_and_stop_in_a_function(self):
        """Calls that end after stop() have no end; calls that began before start() have no begin."""
        self.run_api("""
            tracer = mtrace.Tracer(PLACE)
            def inner():
                tracer.start()
                work()
            def outer():
                inner()
                leaf()
                last()
            def last():
                tracer.stop()
                work()
            outer()
            """)
        self.assertEqual(self.words(), [
            "<<module>:1", "<outer:13", "<inner:10", "(work:7", "(leaf:6", "[builtins.len", "]builtins.len",
            ")leaf", ")work", ")inner", "(leaf:6", "[builtins.len", "]builtins.len", ")leaf", "(last:17"])

    def test_without_c_functions(self):
        self.run_api("""
            with mtrace.Tracer(PLACE, c_functions=False):
                work()
            """)
        self.assertEqual(self.words(), ["<<module>:1", "(work:7", "(leaf:6", ")leaf", ")work"])

    def test_one_engine_after_another(self):
        """What the first one has seen is gone when the second states the open calls."""
        self.run_api("""
            def main():
                space = {}
                exec("def gone(tracer): tracer.start(); tracer.stop()", space)
                space.pop("gone")(mtrace.Tracer(PLACE, c_functions=False))
                space.clear()
                with mtrace.Tracer(PLACE):
                    work()
            main()
            """)
        last = max(self.read(), key=lambda t: t.image)
        self.assertEqual(self.words(last), ["<<module>:1", "<main:9", "(work:7", "(leaf:6", "[builtins.len",
                                            "]builtins.len", ")leaf", ")work"])

    def test_profile(self):
        """Arguments of any name reach the function, its result and exceptions come back."""
        output = self.run_api("""
            def f(*args, **kwargs):
                return args, sorted(kwargs)
            def fails():
                raise KeyError("mine")
            tracer = mtrace.Tracer(PLACE)
            print(tracer.profile(f), tracer.profile(f, 1, self=2, func=3, args=4, kwargs=5))
            try:
                tracer.profile(fails)
            except KeyError as error:
                print(error, error.__context__, tracer.recording)
            print(tracer.profile(len, "abc"))
            with tracer:
                print(tracer.profile(f), tracer.recording)  # records already, and goes on
            """)
        self.assertEqual(output, "((), []) ((1,), ['args', 'func', 'kwargs', 'self'])\n'mine' None False\n3\n"
                                 "((), []) True\n")
        traces = sorted(self.read(), key=lambda t: t.image)
        self.assertEqual([self.words(t) for t in traces[:4]], [
            ["<<module>:1", "(f:9", "[builtins.sorted", "]builtins.sorted", ")f"],
            ["<<module>:1", "(f:9", "[builtins.sorted", "]builtins.sorted", ")f"],
            ["<<module>:1", "(fails:11", "!fails"],
            ["<<module>:1", "[builtins.len", "]builtins.len"]])
        self.assertEqual(len(traces), 5)

    def test_exceptions_in_the_block(self):
        """They pass, unchanged, and recording ends."""
        output = self.run_api("""
            tracer = mtrace.Tracer(PLACE)
            error = ValueError("mine")
            try:
                with tracer as entered:
                    raise error
            except ValueError as caught:
                print(caught is error, caught.__context__, entered is tracer, tracer.recording)
            """)
        self.assertEqual(output, "True None True False\n")

    def test_never_stopped(self):
        """Nothing depends on stop(): whatever ends the process."""
        for end in ("", "sys.exit(0)", "os._exit(0)", "os.execv('/bin/true', ['true'])"):
            with self.subTest(end):
                self.run_api("mtrace.Tracer(PLACE).start()\nwork()\n" + end)
                trace = max(self.read(), key=lambda t: t.pair)
                self.assertEqual((trace.count("leaf"), trace.flags), (1, 0))

    def test_again(self):
        """Each start makes a new file, in which everything has a name; the former are whole."""
        self.run_api("""
            tracer = mtrace.Tracer(PLACE, program="mine")
            for i in range(5):
                with tracer:
                    exec("def f%d(): work()" % i)
                    exec("f%d()" % i)
            """)
        traces = sorted(self.read(), key=lambda t: t.image)
        self.assertEqual([os.path.basename(t.path) for t in traces],
                         ["mine.%d%s.trace" % (traces[0].pid, "" if i == 0 else ".%d" % (i + 1)) for i in range(5)])
        for i, trace in enumerate(traces):
            self.assertEqual((trace.count("f%d" % i), trace.count("work"), trace.count("leaf")), (1, 1, 1))
            self.assertEqual(trace.part, 0)
        self.assertEqual(len({t.run_id for t in traces}), 5)


class Threads(Api):
    def test_running_already(self):
        """Threads that are in the middle of something have it stated, and are followed from there."""
        self.run_api("""
            import _thread
            started, go, done = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
            def inside(f):
                started.release()
                go.wait()
                work()
                done.release()
            def run(f): inside(f)
            thread = threading.Thread(target=run, args=(1,), name="of threading")
            thread.start()
            _thread.start_new_thread(run, (2,))
            started.acquire()
            started.acquire()
            with mtrace.Tracer(PLACE):
                go.set()
                done.acquire()
                done.acquire()
                thread.join()
            """)
        trace = self.read_one()
        self.assert_nested([trace])
        self.assertEqual(len(trace.threads), 3)
        others = [t for t in trace.threads if t.tid != trace.pid]
        for thread in others:
            stated = [w.split(":")[0] for w in shapes.words(thread.records) if w[0] == "<"]
            at = stated.index("<run")
            self.assertEqual(stated[at:at + 3], ["<run", "<inside", "<Event.wait"])
            self.assertEqual(stated[:at], ["<Thread._bootstrap", "<Thread._bootstrap_inner", "<Thread.run"][:at])
            self.assertEqual((thread.count("work"), thread.count("leaf")), (1, 1))
        self.assertEqual({t.name for t in trace.threads} - {None}, {"MainThread", "of threading"})

    def test_started_and_stopped_elsewhere(self):
        """start() on one thread, stop() on another: all are recorded in between, and none after."""
        self.run_api("""
            tracer = mtrace.Tracer(PLACE)
            def run(f, *args):
                thread = threading.Thread(target=f, args=args)
                thread.start()
                thread.join()
            run(tracer.start)
            work()
            run(work)
            run(tracer.stop)
            work()
            run(work)
            """)
        trace = self.read_one()
        self.assertEqual(trace.count("work"), 2)
        self.assertEqual(trace.count("leaf"), 2)

    def test_stop_while_others_run(self):
        """Threads at full speed, many times: nothing is recorded after stop(), and nothing breaks."""
        self.run_api("""
            stop = False
            def run():
                while not stop: work()
            threads = [threading.Thread(target=run) for _ in range(3)]
            for t in threads: t.start()
            for _ in range(20):
                with mtrace.Tracer(PLACE):
                    for _ in range(200): work()
            stop = True
            for t in threads: t.join()
            """)
        traces = self.read()
        self.assertEqual(len(traces), 20)
        self.assert_nested(traces)
        self.assertEqual({t.thread().count("work") for t in traces}, {200})
        self.assertTrue(all(t.end_tick >= r.tick for t in traces for thread in t.threads for r in thread.records))

    @unittest.skipIf(harness.FREE_THREADED, "there threads state their own calls")
    def test_begins_once(self):
        """A thread waits for the GIL at the entry of a function that a recording has instrumented already, and
        another recording begins: the call is stated as open there, and not begun a second time."""
        self.run_api("""
            import time
            def entered(): pass
            stop = False
            def run():
                while not stop: entered()
            thread = threading.Thread(target=run)
            thread.start()
            sys.setswitchinterval(0.002)
            tracers = [mtrace.Tracer(PLACE) for _ in range(5)]
            tracers[0].start()
            for before, after in zip(tracers, tracers[1:]):
                time.sleep(0) # the thread runs, until it has to wait
                while sys._current_frames()[thread.ident].f_code is not entered.__code__:
                    time.sleep(0)
                before.stop()
                after.start()
            time.sleep(0)
            after.stop()
            stop = True
            thread.join()
            """)
        traces = self.read()
        self.assertEqual(len(traces), 5)
        self.assert_nested(traces)
        for trace in traces:
            for thread in trace.threads:
                depths = {c.depth for c in thread.calls() if c.function.name == "entered"}
                self.assertLessEqual(len(depths), 1, trace.path)

    def test_their_end(self):
        """threading's hook is taken back: threads that start after stop() have none."""
        output = self.run_api("""
            hooks = [threading._profile_hook]
            with mtrace.Tracer(PLACE):
                pass
            hooks.append(threading._profile_hook)
            print(hooks, sys.getprofile())
            """)
        self.assertEqual(output, "[None, None] None\n")


class Leaks(Api):
    def test_two_hundred_times(self):
        """Descriptors, mappings, threads and memory are as many after 200 recordings as after 20, but
        for the memory that the same program takes untraced (without a GIL what is compiled stays)."""
        text = """
            def count():
                with open("/proc/self/maps") as f:
                    maps = f.read().splitlines()
                with open("/proc/self/statm") as f:
                    pages = f.read().split()
                return len(os.listdir("/proc/self/fd")), len(maps), sum(".trace" in m for m in maps), \\
                    len(os.listdir("/proc/self/task")), int(pages[1])
            ready, stop = threading.Event(), threading.Event()
            def wait():
                while not stop.wait(0.001): work()
            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            counts = []
            for i in range(200):
                with TRACER:
                    for _ in range(20):
                        exec("def new(): work()\\nnew()", {"work": work})
                counts.append(count())
            stop.set()
            thread.join()
            first, last = counts[20], counts[-1]
            print(last[0] - first[0], last[2], last[3] - first[3])
            print(abs(last[1] - first[1]) < 5 or (first, last))
            print(last[4] - first[4])
            """
        untraced = int(self.run_api(text.replace("TRACER", "threading.Lock()")).split()[-1])
        *lines, pages = self.run_api(text.replace("TRACER", "mtrace.Tracer(PLACE)")).splitlines()
        self.assertEqual(lines, ["0 0 0", "True"])
        self.assertLess(int(pages) - untraced, 512)
        self.assertEqual(len(glob.glob(self.traces + "/*.trace")), 200)


class Typing(Api):
    def test_stubs(self):
        """py.typed is there, and _tracer.pyi says of each function what the function says itself."""
        home = harness.HOME + "/mtrace"
        self.assertTrue(os.path.exists(home + "/py.typed"))
        with open(home + "/_tracer.pyi") as f:
            stub = {n.name: [a.arg for a in n.args.posonlyargs + n.args.args]
                    for n in ast.parse(f.read()).body if isinstance(n, ast.FunctionDef)}
        output = self.run_api("""
            import inspect
            from mtrace import _tracer
            for name in sorted(vars(_tracer)):
                if not name.startswith("__"):
                    try:
                        print(name, list(inspect.signature(getattr(_tracer, name)).parameters))
                    except ValueError:
                        print(name, "no signature")
            print(sorted(mtrace.__all__), mtrace.__version__, mtrace.Tracer.__doc__ is not None)
            for name in dir(mtrace.Tracer):
                if not name.startswith("_"):
                    assert getattr(mtrace.Tracer, name).__doc__, name
            """).splitlines()
        self.assertEqual(output[:-1], ["%s %s" % (name, stub[name]) for name in sorted(stub)])
        self.assertTrue(output[-1].startswith("['Tracer', '__version__']"))


if __name__ == "__main__":
    harness.main()
