"""Tools that the program uses itself, beside ours: debuggers, coverage, faulthandler, tracemalloc, audit
hooks, and those who set hooks in all threads. What they find is what they find untraced."""
import sys
import unittest

from tests.python import compared, harness

V = sys.version_info


class Debuggers(compared.Case):
    PROGRAM = """
        import sys
        def doubled(n):
            x = n * 2
            return x
        def outer(n):
            total = 0
            for i in range(n):
                total += doubled(i)
            return total
        def failing():
            raise KeyError("failing")
        def work():
            print(outer(3))
            try:
                failing()
            except KeyError:
                pass
            print(outer(2))
        work()
        """

    def run_pdb(self, commands):
        path = self.write("debugged.py", self.PROGRAM)
        return self.run_both(sys.executable, "-m", "pdb", path, input="\n".join(commands) + "\n", nested=False)

    def test_steps(self):
        for run in self.run_pdb(["s"] * 60 + ["q"]):
            self.assertIn("doubled", run.output)

    def test_breakpoints(self):
        for run in self.run_pdb(["b doubled", "b failing", "c", "w", "p n", "c", "a", "up", "p total", "down", "n", "n",
                                 "r", "n", "unt", "cl 1", "c", "s", "n", "n", "n", "tbreak outer", "c", "disable 2", "c",
                                 "q"]):
            self.assertIn("Breakpoint 1 at", run.output)
            n = compared.calls(run.traces, "work")[0]  # pdb begins again when the program is at its end
            self.assert_calls(run, {"doubled": 5 * n, "outer": 2 * n, "failing": n, "work": n})

    def test_bdb(self):
        """A debugger of the program's own, in the middle of it and in threads."""
        for run in self.run_text("""
            import bdb, threading
            class Debugger(bdb.Bdb):
                seen = []
                def user_line(self, frame):
                    if frame.f_code.co_filename == __file__:
                        self.seen.append((frame.f_code.co_name, frame.f_lineno))
                    self.set_step()
                def user_return(self, frame, value):
                    self.seen.append((frame.f_code.co_name, "return"))
                def user_exception(self, frame, info):
                    self.seen.append((frame.f_code.co_name, info[0].__name__))
            def failing():
                raise KeyError
            def work():
                for _ in range(3):
                    step()
                try:
                    failing()
                except KeyError:
                    pass
            debugger = Debugger()
            debugger.runcall(work)
            work()
            thread = threading.Thread(target=lambda: Debugger().runcall(work))
            thread.start()
            thread.join()
            print(Debugger.seen)
            """):
            self.assert_calls(run, {"step": 9, "leaf": 9, "work": 3, "failing": 3})

    def test_lines_and_instructions(self):
        """sys.settrace with f_trace of single frames, f_trace_lines and f_trace_opcodes."""
        for run in self.run_text("""
            import threading
            seen = []
            def local(frame, event, arg):
                seen.append((event, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
                return local
            def only_calls(frame, event, arg):
                if frame.f_code.co_filename != __file__:
                    return None
                frame.f_trace_lines = False
                frame.f_trace_opcodes = frame.f_code is leaf.__code__
                return local
            def late():
                sys._getframe().f_trace = local
                step()
                step()
            def work():
                sys.settrace(only_calls)
                step()
                sys.settrace(lambda *args: None)
                late()
                sys.settrace(None)
                step()
            work()
            threading.settrace(only_calls)
            thread = threading.Thread(target=step)
            thread.start()
            thread.join()
            threading.settrace(None)
            print([s for s in seen if s[0] != "opcode"], len([s for s in seen if s[0] == "opcode"]) > 0)
            """):
            self.assert_calls(run, {"step": 5, "leaf": 5, "late": 1, "work": 1})


class Hooks(compared.Case):
    def test_one_that_raises_at_the_end(self):
        """A trace function and a profile function that raise at odd moments are removed by CPython."""
        for run in self.run_text("""
            def raising(event):
                def hook(frame, what, arg):
                    if what == event and frame.f_code is leaf.__code__:
                        raise KeyError(event)
                    return hook
                return hook
            for install in sys.settrace, sys.setprofile:
                for event in "call", "return":
                    install(raising(event))
                    try:
                        step()
                    except KeyError as error:
                        print(install.__name__, error)
                    install(None)
            def after():
                step()
            after()
            """, nested=False):
            self.assert_calls(run, {"after": 1})

    @unittest.skipIf(V < (3, 12), "threading.setprofile_all_threads is new in 3.12")
    @unittest.skipIf(harness.FREE_THREADED, "setprofile_all_threads races with threads that run, on 3.13t")
    def test_in_all_threads(self):
        """What the program's own function hears, and that we go on when it is taken away."""
        for run in self.run_text("""
            import threading
            heard = []
            def hook(frame, event, arg):
                if event == "call" and frame.f_code is leaf.__code__:
                    heard.append(threading.current_thread().name)
            go = [threading.Lock() for _ in range(4)]
            done = threading.Semaphore(0)
            for lock in go:
                lock.acquire()
            def other():
                step()
                for lock in go:
                    lock.acquire()
                    step()
                    done.release()
            thread = threading.Thread(target=other, name="other")
            thread.start()
            def turn(i):
                go[i].release()
                done.acquire()
            for i in range(2):
                threading.setprofile_all_threads(hook)
                step()
                turn(2 * i)
                threading.setprofile_all_threads(None)
                step()
                turn(2 * i + 1)
            thread.join()
            def after():
                step()
            after()
            print(heard)
            """, nested=False):
            self.assert_calls(run, {"after": 1})
            if run.engine == "monitoring":
                self.assert_calls(run, {"step": 10, "leaf": 10})

    @unittest.skipIf(V < (3, 12), "sys.monitoring is new in 3.12")
    def test_all_tool_ids_taken(self):
        """All that are free, each with all events, disabled and restarted, given back and taken again."""
        for run in self.run_text("""
            m = sys.monitoring
            tools = [i for i in range(6) if m.get_tool(i) is None]
            print(len(tools) >= 5)
            count = {}
            def callback(code, *args):
                if code in (step.__code__, leaf.__code__):
                    count[tool] = count.get(tool, 0) + 1
                return m.DISABLE
            events = m.events.PY_START | m.events.PY_RETURN | m.events.LINE | m.events.CALL
            for _ in range(2):
                for tool in tools:
                    m.use_tool_id(tool, "tool")
                    for event in m.events.PY_START, m.events.PY_RETURN, m.events.LINE, m.events.CALL:
                        m.register_callback(tool, event, callback)
                    m.set_local_events(tool, step.__code__, m.events.INSTRUCTION)
                    m.set_events(tool, events)
                    step()
                    m.restart_events()
                    step()
                    m.set_events(tool, 0)
                    m.set_local_events(tool, step.__code__, 0)
                    m.free_tool_id(tool)
            print(set(count.values()))
            for _ in range(10):
                step()
            """):
            n = 10 + 4 * (6 if run.engine == "setprofile" else 5)
            self.assert_calls(run, {"step": n, "leaf": n})

    @unittest.skipIf(V < (3, 12), "sys.monitoring is new in 3.12")
    def test_ours_is_taken_away(self):
        """A program that frees the tool id of another: what it did not take is recorded, it goes on."""
        for run in self.run_text("""
            m = sys.monitoring
            def before():
                step()
            before()
            for tool in range(6):
                if m.get_tool(tool) == "mtrace":
                    m.set_events(tool, 0)
                    m.free_tool_id(tool)
                    m.use_tool_id(tool, "own")
                    m.register_callback(tool, m.events.PY_START, lambda *args: None)
                    m.set_events(tool, m.events.PY_START)
            for _ in range(10):
                step()
            print("end")
            """, nested=False):
            self.assert_calls(run, {"before": 1})

    def test_audit_hooks_that_raise(self):
        """On everything: what the program may not do fails as untraced; plain calls go on."""
        for run in self.run_text("""
            import threading
            allowed = True
            def audit(event, args):
                if not allowed:
                    raise RuntimeError(event)
            sys.addaudithook(audit)
            def refused(f, *args):
                global allowed
                allowed = False
                try:
                    f(*args)
                    answer = "allowed"
                except RuntimeError as error:
                    answer = str(error)
                finally:
                    allowed = True
                print(answer)
            def work():
                for _ in range(10):
                    step()
            refused(work)
            refused(open, "/dev/null")
            refused(sys.setprofile, None)
            refused(sys.settrace, None)
            refused(sys._getframe)
            refused(exec, "1")
            refused(compile, "1", "", "eval")
            refused(os.listdir)
            refused(sys.addaudithook, audit)
            work()
            """):
            self.assert_calls(run, {"work": 2, "step": 20, "refused": 9})


class Faults(compared.Case):
    def test_faulthandler(self):
        """Stacks of all threads, at once, later and by a signal: of the program's frames only."""
        for run in self.run_text("""
            import faulthandler, re, signal, tempfile, threading, time
            out = tempfile.TemporaryFile("w+")
            def shown():
                out.seek(0)
                text = out.read()
                out.seek(0)
                out.truncate()
                return re.sub("0x[0-9a-f]+", "-", text)
            entered, end = threading.Event(), threading.Event()
            def waiting():
                entered.set()
                end.wait()
            thread = threading.Thread(target=waiting)
            thread.start()
            entered.wait()
            def dump():
                faulthandler.dump_traceback(out, all_threads=False)
            dump()
            print(shown())
            faulthandler.dump_traceback(out)
            print("waiting" in shown())
            faulthandler.register(signal.SIGUSR1, out, all_threads=True, chain=False)
            for _ in range(20):
                os.kill(os.getpid(), signal.SIGUSR1)
                step()
            print("waiting" in shown())
            faulthandler.dump_traceback_later(0.001, repeat=True, file=out)
            while out.seek(0, 2) == 0:
                step()
                time.sleep(0)
            faulthandler.cancel_dump_traceback_later()
            print("Timeout" in shown())
            end.set()
            thread.join()
            """):
            begins, ends = compared.calls(run.traces, "step")
            self.assertEqual(begins, ends)
            self.assertGreaterEqual(begins, 20)

    def test_crash(self):
        """The handler of -X faulthandler prints what it prints; all calls before are there."""
        path = self.program("""
            import ctypes
            def crash():
                for _ in range(100):
                    step()
                ctypes.string_at(0)
            crash()
            """)
        for run in self.run_both(sys.executable, "-X", "faulthandler", path, ignore="0x[0-9a-f]+|  Binary file .*\n"):  # the C stack
            self.assert_calls(run, {"crash": (1, 0), "step": 100, "leaf": 100})

    def test_tracemalloc(self):
        """It finds the program's blocks, where they were made."""
        for run in self.run_text("""
            import tracemalloc
            tracemalloc.start(10)
            def make():
                step()
                return bytes(1000)
            blocks = [make() for _ in range(100)]
            snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__)])
            print([(s.count, s.size, s.traceback[0].lineno) for s in snapshot.statistics("lineno") if s.size > 50000])
            tracemalloc.stop()
            for _ in range(100):
                make()
            """):
            self.assert_calls(run, {"make": 200, "step": 200})


class Loops(compared.Case):
    @unittest.skipIf(V < (3, 12), "eager tasks are new in 3.12")
    def test_eager_tasks(self):
        for run in self.run_text("""
            import asyncio
            async def ready(n):
                step()
                return n
            async def waits(n):
                await asyncio.sleep(0)
                step()
                return n
            async def main():
                loop = asyncio.get_running_loop()
                loop.set_task_factory(asyncio.eager_task_factory)
                tasks = [asyncio.create_task(f(i)) for i in range(10) for f in (ready, waits)]
                return await asyncio.gather(*tasks)
            print(asyncio.run(main()))
            """):
            self.assert_calls(run, {"step": 20, "leaf": 20, "ready": 10, "waits": 20})


if __name__ == "__main__":
    harness.main()
