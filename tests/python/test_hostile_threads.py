"""Threads that C code makes, and threads that end or are interrupted in the middle of a call."""
import os
import sys
import unittest

from tests.python import compared, harness

V = sys.version_info


class Foreign(compared.Case):
    """pthreads that call back into Python (PyGILState_Ensure)."""

    def sees_c_threads(self, run):
        return run.engine != "setprofile"

    def test_many_short_ones(self):
        """With a state for each call, or one for all; nested; letting go of the GIL in between. Under
        `setprofile` nobody sees them while the only followed thread waits in C."""
        for run in self.run_text("""
            def called():
                step()
            for mode in "", "k", "n", "kn", "r", "kr", "knr":
                hostile.call_from_threads(called, 20, 10, mode)
            step()
            """):
            n = 7 * 200 if self.sees_c_threads(run) else 0
            self.assert_calls(run, {"called": n, "step": n + 1, "hostile.call_from_threads": 7})

    def test_seen_by_a_followed_thread(self):
        """One thread of C at a time, which another thread's call meets while it waits: from then on
        all of it is there under `setprofile`, too."""
        for run in self.run_text("""
            import _thread, threading
            entered, seen = _thread.allocate_lock(), _thread.allocate_lock()
            todo = _thread.allocate_lock()
            for lock in entered, seen, todo:
                lock.acquire()
            n = 10
            def called():
                entered.release()
                seen.acquire()
                after()
            def after():
                for _ in range(50):
                    step()
            def look():
                for _ in range(n):
                    entered.acquire()
                    leaf()
                    seen.release()
            def start():
                hostile.call_from_threads(called, 1, n, "k")
            follower = threading.Thread(target=look)
            follower.start()
            start()
            follower.join()
            """):
            self.assert_calls(run, {"step": 500, "after": 10, "look": 1, "start": 1,
                                    "called": 10 if self.sees_c_threads(run) else (9, 10)})

    def test_children_of_them(self):
        """Forks in a callback on a thread of C, by libc and by the bare system call; vfork and
        posix_spawn with exec."""
        for run in self.run_text("""
            def child():
                step()
                os._exit(0)
            def called():
                for how in "fork", "clone":
                    pid = hostile.fork(how)
                    if pid == 0:
                        child()
                    print(os.waitpid(pid, 0)[1])
                for how in "vfork", "posix_spawn":
                    print(hostile.spawn(how, "/bin/true"))
            sys.stdout.reconfigure(line_buffering=True)
            called()
            hostile.run_in_thread(called)
            """):
            n = 2 if self.sees_c_threads(run) else 1
            parent = [t for t in run.traces if t.origin != 2]
            children = [t for t in run.traces if t.origin == 2]
            self.assertEqual(len(parent), 1)
            self.assertEqual(compared.calls(parent, "called"), (n, n))
            self.assertEqual(compared.calls(children, "child"), (2 * n, 0))
            self.assertEqual(compared.calls(children, "step"), (2 * n, 2 * n))
            self.assertEqual(len(children), 2 * n)


# leave(): threads that end in the middle of a call.
LEFT_BEHIND = """
            import _thread, threading, time
            def exiting(up, gate):
                up.append(gate)
                gate.acquire()
                hostile.exit_thread()
            def leave():
                up, gates = [], [_thread.allocate_lock() for _ in range(12)]
                for gate in gates:
                    gate.acquire()
                    _thread.start_new_thread(exiting, (up, gate))
                while len(up) < len(gates):
                    time.sleep(0)
                for gate in gates:
                    gate.release()
                while len(os.listdir("/proc/self/task")) > 1:
                    time.sleep(0)
"""


class Ends(compared.Case):
    def test_in_the_middle_of_a_call(self):
        """pthread_exit and pthread_cancel in C that Python called: these calls stay open, the
        interpreter keeps the thread's state, and all others are recorded as before."""
        for run in self.run_text("""
            import threading
            def exiting():
                step()
                hostile.exit_thread()
            def cancelled():
                step()
                hostile.wait_for_cancel()
            for _ in range(20):
                hostile.run_in_thread(exiting)
                hostile.cancel_in_thread(cancelled)
                step()
                thread = threading.Thread(target=step)
                thread.start()
                thread.join()
            print("done", flush=True)
            os._exit(0)
            """):
            n = 20 if run.engine != "setprofile" else 0
            self.assert_calls(run, {"exiting": (n, 0), "cancelled": (n, 0), "step": 40 + 2 * n})

    def test_states_left_behind(self):
        """More threads that ended so than libc keeps stacks of, so that some are unmapped. What asks about
        all threads, a new name, does not look there."""
        for run in self.run_text(LEFT_BEHIND + """
            leave()
            threading.current_thread().name = "renamed"
            thread = threading.Thread(target=step)
            thread.start()
            thread.join()
            print("done", flush=True)
            os._exit(0)
            """):
            self.assertEqual(run.output, "done\n")
            self.assert_calls(run, {"step": 1, "leave": 1})

    @unittest.skipIf(V >= (3, 12), "CPython looks there itself when it switches events on")
    def test_start_and_stop_with_states_left_behind(self):
        """Recording starts and stops in a process that has such states, from before and from meanwhile."""
        for engine, c_functions in ("setprofile", True), ("frame", False):
            folder = os.path.join(self.folder, engine)
            done = self.untraced(sys.executable, self.program(LEFT_BEHIND + """
            sys.path.insert(0, %r)
            import mtrace
            leave()
            tracer = mtrace.Tracer(%r, engine=%r, c_functions=%r)
            tracer.start()
            leave()
            step()
            tracer.stop()
            print("done", flush=True)
            os._exit(0)
            """ % (harness.HOME, folder, engine, c_functions)))
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "done\n", ""))
            self.traces = folder
            self.assertEqual(compared.calls([self.read_one()], "step"), (1, 1))

    def test_asynchronous_exceptions(self):
        """PyThreadState_SetAsyncExc, of the own thread and of another one that calls all the time. At
        the entry of a function CPython leaves out the begin, in some versions (docs/limits.md)."""
        for run in self.run_text("""
            import _thread, ctypes, threading, time
            class Stop(Exception):
                pass
            def stop(ident):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stop))
            ready = _thread.allocate_lock()
            ready.acquire()
            def loop(own):
                if own:
                    stop(threading.get_ident())
                else:
                    ready.release()
                while True:
                    step()
                    time.sleep(0)
            def work(own):
                for _ in range(50):
                    try:
                        loop(own)
                    except Stop:
                        leaf()
            work(True)
            thread = threading.Thread(target=work, args=(False,))
            thread.start()
            for _ in range(50):
                ready.acquire()
                stop(thread.ident)
            thread.join()
            """, nested=False):
            self.assert_calls(run, {"work": 2, "stop": 100})
            for name in "loop", "step", "leaf":
                begins, ends = compared.calls(run.traces, name)
                self.assertLessEqual(ends - 100, begins, name)
                self.assertLessEqual(begins, ends, name)

    def test_async_exception_in_a_loop_of_c(self):
        """PyErr_CheckSignals in a loop, with handlers that call and that raise."""
        for run in self.run_text("""
            import signal
            class Stop(Exception):
                pass
            def handler(number, frame):
                step()
                if number == signal.SIGUSR2:
                    raise Stop
            signal.signal(signal.SIGUSR1, handler)
            signal.signal(signal.SIGUSR2, handler)
            def work(number):
                signal.pthread_kill(signal.pthread_self() if hasattr(signal, "pthread_self") else
                                    __import__("threading").get_ident(), number)
                hostile.check_signals(1000)
            stopped = 0
            for i in range(100):
                try:
                    work(signal.SIGUSR2 if i % 2 else signal.SIGUSR1)
                except Stop:
                    stopped += 1
            print(stopped)
            """):
            self.assertEqual(run.output, "50\n")
            self.assert_calls(run, {"handler": 100, "step": 100, "work": 100})


if __name__ == "__main__":
    harness.main()
