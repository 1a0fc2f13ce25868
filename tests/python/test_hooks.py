"""Programs with hooks of their own: they work as untraced, are never displaced, and recording goes
on after them. Where ours had to give way, that is marked. With every engine of this interpreter."""
import sys
import textwrap
import unittest

from tests.python import harness, tracefile

V = sys.version_info

# What each program calls before, during and after its own hook.
WORK = """
    import sys, threading
    def before(): pass
    def during(): pass
    def after(): pass
    def leaf(): return len("")
    def work(f, n):
        for _ in range(n):
            f()
            leaf()
    """


class Hooks(harness.Case):
    engine = harness.ENGINES[True][0]

    def script(self, text):
        return self.write("script.py", textwrap.dedent(WORK) + textwrap.dedent(text))

    def same(self, text, **kwargs):
        """Runs WORK and `text` untraced and traced: the same output and status. Returns it."""
        path = self.script(text)
        untraced = self.untraced(sys.executable, path)
        traced = self.run_traced(sys.executable, path, status=untraced.returncode,
                                 options=["--engine", self.engine], **kwargs)
        self.assertEqual(untraced.stdout, traced.stdout)
        self.assertEqual(untraced.stderr, traced.stderr)
        self.check()
        return untraced.stdout

    def assert_counts(self, before, during, after):
        """What was recorded of them; of `during` nothing, where ours had to give way."""
        trace = self.read_one()
        self.assertEqual([trace.count(name) for name in ("before", "during", "after")],
                         [before, 0 if self.gives_way() else during, after])

    def gives_way(self):
        """Is there one place for a profile function only, ours or the program's?"""
        return self.engine == "setprofile"

    def resyncs(self, trace):
        return [r.payload[0] & 0xFFFFFFFF for t in trace.threads for r in t.records
                if r.kind == tracefile.EXT and r.id >> 12 == tracefile.RESYNC]

    def assert_displaced(self, times):
        """Ours gave way that often: counted, noted once, and marked where it came back."""
        trace = self.read_one()
        self.assertEqual(trace.engine, self.engine)
        times = times if self.gives_way() else 0
        self.assert_nested([trace])
        self.assertEqual(trace.n_displaced, times)
        self.assertEqual(self.resyncs(trace), [4] * times)  # MT_RESYNC_HOOK
        self.assertEqual(sum("profile function" in note for note in trace.notes), min(times, 1))


class Profilers(Hooks):
    def gives_way(self):
        """Up to 3.11 cProfile takes our place; from 3.12 on it is a sys.monitoring tool beside us."""
        return V < (3, 12)

    def test_cprofile(self):
        """What it counts is the same in any case."""
        output = self.same("""
            import cProfile, pstats
            profile = cProfile.Profile()
            work(before, 10)
            for _ in range(3):
                profile.enable()
                work(during, 5)
                profile.disable()
                work(after, 7)
            stats = pstats.Stats(profile).stats
            for (file, line, name), (primitive, calls, *_) in sorted(stats.items()):
                print(file.rpartition("/")[2], line, name, primitive, calls)
            """)
        self.assertIn("script.py 4 during 15 15", output)
        self.assert_counts(10, 15, 21)
        self.assert_displaced(4)  # disable() takes ours away even when it has nothing set: pstats

    def test_cprofile_as_the_main_program(self):
        """python -m cProfile: all of it inside. Recorded on 3.12 and later, noted before."""
        path = self.script("work(during, 50)\n")
        done = self.run_traced(sys.executable, "-m", "cProfile", path,
                               options=["--engine", self.engine])
        self.assertRegex(done.stdout, r"\n +50 .*script.py:4\(during\)")
        trace = self.read_one()
        self.assertEqual(trace.program, "cProfile")
        self.assertEqual(trace.count("during"), 0 if self.gives_way() else 50)
        self.assertEqual(trace.n_displaced, 2 if self.gives_way() else 0)
        self.check()

    @unittest.skipIf(harness.FREE_THREADED, "CPython 3.13.5t hangs in this program by itself, in 2 of 60 untraced runs")
    def test_cprofile_in_a_thread(self):
        """While the main thread waits, and so cannot be asked to look after the others."""
        self.same("""
            import cProfile
            def run():
                work(before, 10)
                profile = cProfile.Profile()
                profile.runcall(work, during, 5)
                work(after, 700)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            """)
        self.assert_counts(10, 5, 700)
        self.assert_displaced(1)


    @unittest.skipIf(V >= (3, 12), "cProfile has no place that is ours")
    def test_cprofile_that_ends_in_its_removal(self):
        """The last reference to a profiler is the interpreter's: it calls Python while it is removed."""
        path = self.script("""
            import _lsprof
            def timer():
                leaf()
                return 0
            for _ in range(3):
                work(before, 10)
                profile = _lsprof.Profiler(timer)
                profile.enable()
                profile = _lsprof.Profiler(timer)
                work(during, 5)
                profile.disable()
                work(after, 7)
            """)
        self.run_traced(sys.executable, path)
        self.check()
        self.assert_counts(30, 15, 21)


class Setprofile(Hooks):
    def test_profile(self):
        """The profiler that is written in Python and counts on every single event."""
        self.same("""
            import profile
            work(before, 10)
            result = profile.Profile()
            result.runcall(work, during, 5)
            work(after, 7)
            result.create_stats()
            print(sorted((name, calls[1]) for (_, _, name), calls in result.stats.items()
                         if name[0] != "<"))
            """)
        self.assert_counts(10, 5, 7)
        self.assert_displaced(1)

    def test_nothing_else_is_hidden(self):
        """The program's own hooks hear exactly what they hear untraced."""
        self.same("""
            heard = []
            def hook(frame, event, arg):
                if frame.f_code.co_filename == __file__ and event != "line":
                    heard.append((event, frame.f_code.co_name, getattr(arg, "__name__", None)))
                return hook
            for _ in range(40):
                sys.setprofile(hook); leaf(); len(""); sys.setprofile(None)
            sys.settrace(hook)
            sys.setprofile(None); leaf()
            def f():
                sys.setprofile(hook)
                leaf()
            f()
            sys.settrace(None)
            leaf()
            sys.setprofile(None)
            print(heard)
            """)

    def test_own(self):
        """The program sees the same events; ours come before and after."""
        self.same("""
            events = []
            def hook(frame, event, arg):
                if frame.f_code.co_name in ("work", "during", "leaf"):
                    events.append((frame.f_code.co_name, event, getattr(arg, "__name__", arg)))
            print(sys.getprofile())
            work(before, 10)
            sys.setprofile(hook)
            work(during, 5)
            print(sys.getprofile() is hook)
            sys.setprofile(None)
            print(sys.getprofile())
            work(after, 7)
            print(events)
            """)
        self.assert_counts(10, 5, 7)
        self.assert_displaced(1)

    def test_first_event(self):
        """Not the return of sys.setprofile itself, which CPython reports when there was one before."""
        output = self.same("""
            events = []
            def hook(frame, event, arg):
                events.append((event, frame.f_code.co_name, getattr(arg, "__name__", arg)))
            for _ in range(3):
                sys.setprofile(hook)
                leaf()
                sys.setprofile(None)
                work(after, 7)
            def run():
                leaf()
                sys.setprofile(None)
                work(after, 7)
            threading.setprofile(hook)
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            print(*events[:5])
            print(len(events))
            """)
        self.assertTrue(output.startswith("('call', 'leaf', None) ('c_call', 'leaf', 'len') "), output)

    def test_none(self):
        """Taking away what is not there, again and again, takes nothing away."""
        self.same("""
            for _ in range(100):
                sys.setprofile(None)
                work(after, 7)
            """)
        trace = self.read_one()
        self.assertEqual(trace.count("after"), 700)
        self.assertEqual(trace.n_displaced, len(self.resyncs(trace)))
        self.assert_nested()

    def test_one_that_fails(self):
        """A profile function that raises is removed by the interpreter."""
        output = self.same("""
            def hook(frame, event, arg):
                if event == "call" and frame.f_code is during.__code__:
                    raise KeyError("own")
            sys.setprofile(hook)
            try:
                work(during, 5)
            except KeyError as error:
                print(error, sys.getprofile())
            work(after, 7)
            """)
        self.assertEqual(output, "'own' None\n")
        self.assert_counts(0, 0, 7)  # what was raised instead of the call is no call
        if self.gives_way():
            self.assert_displaced(1)

    def test_one_that_stays(self):
        """Until the end: nothing of it is ours, and the file says so."""
        self.same("""
            work(before, 10)
            count = [0]
            def hook(frame, event, arg):
                count[0] += frame.f_code is during.__code__ and event == "call"
            sys.setprofile(hook)
            work(during, 500)
            print(count)
            """)
        self.assert_counts(10, 500, 0)
        noted = [n for n in self.read_one().notes if "profile function" in n]
        self.assertEqual(len(noted), 1 if self.gives_way() else 0)

    def test_in_threads(self):
        """threading.setprofile: the program's own threads are the program's; others are ours."""
        self.same("""
            seen = []
            def hook(frame, event, arg):
                if event == "call" and frame.f_code is during.__code__:
                    seen.append(threading.current_thread().name)
            def run():
                work(during, 5)
                sys.setprofile(None)
                work(after, 7)
            def start(name, target):
                thread = threading.Thread(target=target, name=name)
                thread.start()
                thread.join()
            start("a", lambda: work(before, 10))
            threading.setprofile(hook)
            start("b", run)
            start("c", run)
            threading.setprofile(None)
            start("d", lambda: work(before, 10))
            print(seen)
            """)
        # From 3.12 on nothing of ours runs while `b` and `c` have lost the hook and `main` waits.
        missed = self.gives_way() and V >= (3, 12)
        self.assert_counts(20, 10, 0 if missed else 14)
        self.assert_nested()

    def test_two_threads_at_once(self):
        """One with a hook of its own, one without: the latter loses nothing."""
        self.same("""
            ready, done = threading.Event(), threading.Event()
            def other():
                ready.wait()
                work(before, 1000)
                done.set()
            thread = threading.Thread(target=other)
            thread.start()
            sys.setprofile(lambda *args: None)
            ready.set()
            done.wait()
            sys.setprofile(None)
            thread.join()
            work(after, 7)
            """)
        self.assert_counts(1000, 0, 7)
        self.assert_displaced(1)


class Others(Hooks):
    def gives_way(self):
        return False

    def test_nothing_to_see(self):
        """sys.getprofile() and sys.gettrace() are None, in every thread."""
        self.assertEqual(self.same("""
            def show():
                print(sys.getprofile(), sys.gettrace())
            show()
            for start in (lambda: threading.Thread(target=show),):
                thread = start()
                thread.start()
                thread.join()
            """), "None None\nNone None\n")

    def test_settrace(self):
        """Line by line, in threads too, together with ours."""
        self.same("""
            lines = []
            def tracer(frame, event, arg):
                if frame.f_code in (work.__code__, during.__code__, leaf.__code__):
                    lines.append((frame.f_code.co_name, event, frame.f_lineno))
                return tracer
            sys.settrace(tracer)
            threading.settrace(tracer)
            work(during, 3)
            thread = threading.Thread(target=work, args=(during, 3))
            thread.start()
            thread.join()
            sys.settrace(None)
            work(after, 7)
            print(lines)
            """)
        self.assert_counts(0, 6, 7)
        self.assert_displaced(0)

    def test_audit_hook_that_forbids(self):
        """A program that lets nobody set a profile function: neither itself, nor us in its new
        threads. What we have stays; its threads run."""
        self.same("""
            def audit(event, args):
                if event == "sys.setprofile":
                    raise RuntimeError("forbidden")
            sys.addaudithook(audit)
            work(before, 10)
            try:
                sys.setprofile(lambda *args: None)
            except RuntimeError as error:
                print(error)
            thread = threading.Thread(target=lambda: print("runs"))
            thread.start()
            thread.join()
            work(after, 7)
            """)
        self.assert_counts(10, 0, 7)
        self.assert_nested()

    def test_audit_hook_that_counts(self):
        """What a program sees of us: an event for each thread that gets the hook."""
        path = self.script("""
            seen = []
            sys.addaudithook(lambda event, args: seen.append(event))
            work(before, 10)
            print(seen)
            """)
        self.assertEqual(self.run_traced(sys.executable, path).stdout, "[]\n")


if V >= (3, 12):
    class Monitoring(Others):
        @unittest.skipIf(harness.FREE_THREADED, "the only engine without a GIL takes one of the six")
        def test_monitoring(self):
            """All six tools are free, work beside ours, and count the same as untraced."""
            output = self.same("""
                m = sys.monitoring
                print([m.get_tool(i) for i in range(6)])
                counts = {}
                for tool in range(6):
                    m.use_tool_id(tool, "tool%d" % tool)
                    for event in "PY_START", "PY_RETURN", "CALL", "C_RETURN", "LINE":
                        number = getattr(m.events, event)
                        def callback(code, *args, key=(tool, event)):
                            if code in (work.__code__, during.__code__, leaf.__code__):
                                counts[key] = counts.get(key, 0) + 1
                        m.register_callback(tool, number, callback)
                    m.set_events(tool, m.events.PY_START | m.events.PY_RETURN | m.events.CALL |
                                 m.events.LINE)
                work(during, 5)
                for tool in range(6):
                    m.set_events(tool, 0)
                    m.free_tool_id(tool)
                work(after, 7)
                print(sorted(counts.items()))
                """)
            self.assertTrue(output.startswith("[None, None, None, None, None, None]\n"))
            self.assert_counts(0, 5, 7)
            self.assert_displaced(0)

        def test_monitoring_disable(self):
            """DISABLE and restart_events() are the tools' own business."""
            self.same("""
                m = sys.monitoring
                m.use_tool_id(3, "own")
                count = [0]
                def callback(*args):
                    count[0] += 1
                    return m.DISABLE
                m.register_callback(3, m.events.PY_START, callback)
                m.set_events(3, m.events.PY_START)
                work(during, 5)
                m.restart_events()
                work(during, 5)
                m.set_events(3, 0)
                print(count)
                """)
            self.assert_counts(0, 10, 0)

if harness.ENGINES[True][1:] == ["monitoring"]:
    class ProfilersBesideMonitoring(Profilers):
        engine = "monitoring"

    class SetprofileBesideMonitoring(Setprofile):
        engine = "monitoring"

    class OthersBesideMonitoring(Others):
        engine = "monitoring"


if __name__ == "__main__":
    harness.main()
