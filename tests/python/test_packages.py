"""Packages that reach deep into the interpreter: coverage (both of its measuring cores), greenlet and
gevent, which switch C stacks."""
import json
import os
import sys
import unittest

from tests.python import compared, harness

V = sys.version_info


@unittest.skipIf(harness.FREE_THREADED, "the packages are made for builds with a GIL")
class Coverage(compared.Case):
    PROGRAM = """
        import threading
        def leaf(n):
            return n
        def step(n):
            if n % 2:
                return leaf(n)
            elif n > 1000:
                leaf("never")
            return [leaf(i) for i in range(2)]
        def generate(n):
            for i in range(n):
                yield step(i)
        def fail():
            try:
                raise KeyError
            except ValueError:
                leaf(0)
        def work():
            list(generate(20))
            try:
                fail()
            except KeyError:
                pass
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        work()
        """

    def verify(self, core, *switches):
        path = self.write("covered.py", self.PROGRAM)
        out = os.path.join(self.folder, "coverage.json")
        data = os.path.join(self.folder, "data")
        runner = self.write("runner.py", """
            import coverage.cmdline, sys
            code = coverage.cmdline.main(["run", "--data-file", %r] + sys.argv[1:])
            print(code, coverage.cmdline.main(["json", "-q", "--data-file", %r, "-o", %r]))
            import json
            with open(%r) as f:
                print(json.dumps(json.load(f)["files"], sort_keys=True))
            """ % (data, data, out, out))
        env = dict(os.environ, COVERAGE_CORE=core)
        for run in self.run_both(sys.executable, runner, *switches, path, env=env):
            files = json.loads(run.output.splitlines()[-1])
            executed, = [f["executed_lines"] for name, f in files.items() if name.endswith("covered.py")]
            self.assertIn(6, executed)
            self.assertNotIn(9, executed)
            self.assert_calls(run, {"step": 80, "leaf": 4 * (10 + 20), "work": 4, "fail": 4})

    def test_tracer_in_c(self):
        self.verify("ctrace")

    def test_branches(self):
        self.verify("ctrace", "--branch")

    def test_tracer_in_python(self):
        self.verify("pytrace")

    @unittest.skipIf(V < (3, 12), "sys.monitoring is new in 3.12")
    def test_monitoring(self):
        self.verify("sysmon")


@unittest.skipIf(harness.FREE_THREADED, "the packages are made for builds with a GIL")
class Greenlets(compared.Case):
    """They share the track of their thread (docs/limits.md): calls do not nest, but all are there."""

    def test_switches(self):
        for run in self.run_text("""
            import threading
            import greenlet
            def deep(n, other):
                if n:
                    return deep(n - 1, other)
                leaf()
                return other.switch() if other is not None else greenlet.getcurrent().parent.switch()
            def work():
                for i in range(20):
                    deep(i, None)
            def failing():
                step()
                raise KeyError("out of a greenlet")
            def run():
                greenlets = [greenlet.greenlet(work) for _ in range(5)]
                while any(not g.dead for g in greenlets):
                    for g in greenlets:
                        if not g.dead:
                            g.switch()
                try:
                    greenlet.greenlet(failing).switch()
                except KeyError as error:
                    print(error)
                killed = greenlet.greenlet(work)
                killed.switch()
                killed.throw()
                dropped = greenlet.greenlet(work)
                dropped.switch()
                del dropped
            run()
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            """, nested=False):
            n = 2 * (5 * 210 + 1 + 1)
            self.assert_calls(run, {"deep": n, "leaf": 2 * (5 * 20 + 2 + 1), "step": 2, "failing": 2, "work": 14, "run": 2})

    def test_what_is_told(self):
        """The summary, `info` and `report` say whose repairs these are; not where greenlet is only imported."""
        text = """
            import greenlet
            def work():
                while True:
                    main.switch()
            main = greenlet.getcurrent()
            other = greenlet.greenlet(work)
            for _ in range(%d):
                other.switch()
            """
        told = "greenlets took turns"
        for n, times in ((0, 0), (3, 1)):
            path = self.write("switches%d.py" % n, text % n)
            self.traces = os.path.join(self.folder, "traces%d" % n)
            done = self.untraced(harness.MTRACE, "run", "-d", self.traces, "--", sys.executable, path)
            self.assertEqual((done.returncode, done.stderr.count(told)), (0, times), done.stderr)
            info = self.mtrace("info", self.traces).stdout
            self.assertEqual(info.count(told), 2 * times, info)  # of the process, and in total
            report = self.mtrace("report", self.traces).stdout
            self.assertEqual(report.count(told), times, report)

    def test_gevent(self):
        for run in self.run_text("""
            import gevent.monkey
            gevent.monkey.patch_all()
            import gevent, queue, socket, threading, time
            def produce(q, n):
                for i in range(n):
                    q.put(i)
                    step()
                    time.sleep(0)
            def consume(q, n):
                return sum(q.get() for _ in range(n))
            def serve(server, n):
                for _ in range(n):
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(connection.recv(100).upper())
            def ask(address):
                with socket.create_connection(address) as s:
                    s.sendall(b"hello")
                    return s.recv(100)
            q = queue.Queue()
            jobs = [gevent.spawn(produce, q, 10) for _ in range(4)]
            sums = [gevent.spawn(consume, q, 20) for _ in range(2)]
            gevent.joinall(jobs + sums)
            print(sum(g.value for g in sums))
            with socket.socket() as server:
                server.bind(("127.0.0.1", 0))
                server.listen()
                serving = gevent.spawn(serve, server, 3)
                asking = [gevent.spawn(ask, server.getsockname()) for _ in range(3)]
                print([a.get() for a in asking], serving.get())
            thread = threading.Thread(target=produce, args=(q, 5))
            thread.start()
            thread.join()
            """, nested=False):
            self.assert_calls(run, {"produce": 5, "consume": 2, "serve": 1, "ask": 3, "step": 45})


if __name__ == "__main__":
    harness.main()
