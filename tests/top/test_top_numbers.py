"""What `mtrace top --once` and `--json` say, of programs that wait at a known point."""
import json
import os
import re
import signal
import struct
import subprocess
import sys

from tests.python import harness, tracefile
from tests.top import looks
from tests.top.looks import stack

THREADS = """
import sys, threading
gate = threading.Event()
def hold(n):
    return hold(n - 1) if n else block()
def block():
    with started:
        started.count += 1
        started.notify()
    gate.wait()
started = threading.Condition()
started.count = 0
threads = [threading.Thread(target=hold, args=(n,), name="holder %d" % n) for n in range(4)]
for thread in threads:
    thread.start()
with started:
    started.wait_for(lambda: started.count == 4)
print("ready", flush=True)
sys.stdin.readline()
gate.set()
for thread in threads:
    thread.join()
"""

DIE = """
import os, signal, sys
def die(how):
    print("ready", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else os._exit(0) if how == "exit" else None
die(sys.argv[1])
"""

HEADER_LOST, EXT_LOST = 256, 15 << 28 | tracefile.LOST << 12 | 3


class Numbers(looks.Case):
    def assert_sums(self, look, trace, but=()):
        """Calls and time of each function are those that the records say; but of what is open now, of which the time
        goes on."""
        found = {(f["function"], f["file"], f["line"]): f for f in look["functions"]}
        wanted = {key: s for key, s in looks.expected(trace).items() if s.calls or s.self}
        self.assertEqual({key: f["calls"] for key, f in found.items()}, {key: s.calls for key, s in wanted.items()})
        for key, wanted_sum in wanted.items():
            if key[0] not in but:
                ns = wanted_sum.self * 1e9 / trace.tick_hz
                self.assertAlmostEqual(found[key]["self_ns"], ns, delta=2 + ns / 1000, msg=key)
        return found

    def test_calls_and_times_are_those_of_the_records(self):
        with self.worker() as worker:
            worker.calls(1000)
            worker.calls(500)
            look, trace = self.look(), self.read_one()
            found = self.assert_sums(look, trace, but=["TextIOWrapper.readline"])
            path = os.path.join(self.folder, "worker.py")
            self.assertEqual(found["leaf", path, 3]["calls"], 1500)
            self.assertEqual(found["middle", path, 5]["calls"], 2)
            self.assertEqual(found["wait", path, 8]["calls"], 3)
            self.assertEqual(look["records"], look["records_read"])
            process = self.one(look["processes"])
            self.assertEqual(process["calls"], sum(s.calls for s in looks.expected(trace).values()))
            self.assertAlmostEqual(process["calls_per_s"], process["calls"] / (look["interval_ns"] / 1e9), delta=0.001)
            self.assertEqual((process["pid"], process["ppid"], process["name"]), (trace.pid, trace.ppid, "worker"))
            self.assertEqual((process["state"], process["threads"], process["lost"]), ("running", 1, 0))
            self.assertEqual(process["bytes"], os.path.getsize(trace.path))

    def test_what_a_thread_is_in(self):
        with self.worker() as worker:
            worker.calls(10)
            thread = self.one(self.look()["threads"])
            self.assertEqual(stack(thread), looks.INSIDE)
            self.assertEqual((thread["depth"], thread["complete"], thread["losing"]), (4, True, False))
            path = os.path.join(self.folder, "worker.py")
            self.assertEqual([(c["file"], c["line"]) for c in thread["stack"]],
                             [(path, 1), (path, 11), (path, 8), (None, None)])
            self.assertEqual(thread["tid"], self.read_one().pid)

    def test_every_thread_has_its_own_stack(self):
        with self.worker(THREADS):
            look = self.look()
            threads = {t["name"]: t for t in look["threads"]}
            self.assertEqual(self.one(look["processes"])["threads"], 5)
            self.assertEqual(stack(threads["MainThread"]), ["<module>", "TextIOWrapper.readline"])
            for n in range(4):
                calls = stack(threads["holder %d" % n])
                context = ["Context.run"] if sys.version_info >= (3, 14) else []
                self.assertEqual(calls, ["Thread._bootstrap", "Thread._bootstrap_inner", *context, "Thread.run"] +
                                 ["hold"] * (n + 1) + ["block", "Event.wait", "Condition.wait", "lock.acquire"])
                self.assertTrue(threads["holder %d" % n]["complete"])
            self.grow_old()
            by_depth = json.loads(self.mtrace("top", "--once", "--json", "--sort", "depth", self.traces).stdout)
            self.assertEqual([t["name"] for t in by_depth["threads"]],
                             ["holder 3", "holder 2", "holder 1", "holder 0", "MainThread"])
            self.assertEqual(by_depth["functions"], [])  # all are idle, and their time does not count
            idle = json.loads(self.mtrace("top", "--once", "--json", "-i", self.traces).stdout)
            self.assertEqual(sorted({f["function"] for f in idle["functions"]}),
                             ["TextIOWrapper.readline", "lock.acquire"])
            for f in idle["functions"]:
                n = 4 if f["function"] == "lock.acquire" else 1
                self.assertEqual(f["idle_ns"], f["self_ns"])
                self.assertAlmostEqual(f["self_ns"], n * idle["interval_ns"], delta=n * idle["interval_ns"] / 1000)

    def test_several_looks_add_up(self):
        """Each look has what is new; the window has all of them."""
        with self.worker() as worker:
            before = self.look()["processes"][0]["calls"]
            self.grow_old()
            command = [harness.MTRACE, "top", "--json", "--interval", "0.05", "--window", "3600", self.traces]
            with subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True) as top:
                n_calls = json.loads(top.stdout.readline())["processes"][0]["calls"]
                self.assertEqual(n_calls, 0)
                worker.calls(777)
                after = self.look()["processes"][0]["calls"]
                for line in top.stdout:
                    look = json.loads(line)
                    n_calls += look["processes"][0]["calls"]
                    if n_calls == after - before:
                        break
                    self.assertLess(n_calls, after - before)
                top.terminate()
            leaf = [f["calls"] for f in look["functions"] if f["function"] == "leaf"]
            self.assertEqual(leaf, [777])
            self.assertEqual(stack(look["threads"][0]), looks.INSIDE)

    def test_looking_changes_nothing(self):
        with self.worker() as worker:
            self.look()
            before = self.read_one()
            for _ in range(5):
                self.look()
            after = self.read_one()
            self.assertEqual(after.data, before.data)
            worker.calls(3)
        self.check()


class Limits(looks.Case):
    N = 400000

    @staticmethod
    def n_read_bytes():
        """By this process and the children that it has waited for."""
        with open("/proc/self/io") as f:
            return int(re.search(r"^rchar: ([0-9]+)$", f.read(), re.M).group(1))

    def test_a_sample_says_that_it_is_one(self):
        with self.worker() as worker:
            worker.calls(self.N)
            n_before = self.n_read_bytes()
            look = self.look("--max-records", "40000", inside=None)
            self.assertLess(self.n_read_bytes() - n_before, os.path.getsize(self.read_one().path) / 2)
            self.assertGreater(look["records"], 2 * self.N)
            self.assertLess(look["records_read"], 120000)  # and the last chunk
            leaf = self.one([f for f in look["functions"] if f["function"] == "leaf"])
            self.assertAlmostEqual(leaf["calls"], self.N, delta=self.N / 20)
            calls = stack(look["threads"][0])
            self.assertGreaterEqual(len(calls), 2)
            self.assertIn(calls[-1], looks.WAITING | {"builtins.print"})
            done = self.mtrace("top", "--once", "--interval", "3600", "--max-records", "40000", self.traces).stdout
            self.assertRegex(done.splitlines()[0], r"; sampled [0-9]+ %$")

    def test_open_calls_are_found_backwards(self):
        """What began long ago is known in part at first, then in whole; never wrong."""
        with self.worker() as worker:
            worker.calls(self.N)
            self.look()
            self.grow_old()
            done = self.mtrace("top", "--json", "-n", "60", "--interval", "0.05", "--max-records", "40000", self.traces)
            threads = [json.loads(line)["threads"][0] for line in done.stdout.splitlines()]
            for thread in threads:
                self.assertEqual(stack(thread), looks.INSIDE[-thread["depth"]:])
                self.assertEqual(thread["complete"], len(stack(thread)) == len(looks.INSIDE))
            self.assertFalse(threads[0]["complete"])
            self.assertTrue(threads[-1]["complete"])

    def test_open_calls_stay_known_where_times_are_sampled(self):
        """What is not read for its times is read for the open calls, as long as that is not too much."""
        with self.worker() as worker:
            self.look()
            self.grow_old()
            command = [harness.MTRACE, "top", "--json", self.traces]
            with subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True) as top:
                self.assertEqual(stack(json.loads(top.stdout.readline())["threads"][0]), looks.INSIDE)
                worker.calls(1500000)
                n_calls, n_looks, found = 0, 0, None
                while not n_looks or found != looks.INSIDE:
                    look = json.loads(top.stdout.readline())
                    found = stack(look["threads"][0])
                    self.assertEqual((found[:2], look["threads"][0]["complete"]), (["<module>", "serve"], True))
                    n_calls += look["processes"][0]["calls"]
                    n_looks += 1
                top.terminate()
            self.assertAlmostEqual(n_calls, 1500000, delta=150000)

    def test_a_look_at_a_long_run_reads_little(self):
        """Of a look without new records, only what is needed of the past."""
        with self.worker() as worker:
            worker.calls(self.N)
            self.look()
            self.grow_old()
            look = json.loads(self.mtrace("top", "--once", "--json", "--interval", "0.05", self.traces).stdout)
            thread = self.one(look["threads"])
            self.assertEqual((stack(thread), thread["complete"]), (looks.INSIDE, True))
            self.assertLess(look["records"], 100000)


class Ends(looks.Case):
    def end(self, how, state, status=0):
        with self.worker(DIE, name="die.py", args=[how]) as worker:
            self.assertEqual(self.one(self.look()["processes"])["state"], "running")
            worker.process.stdin.write("\n")
            worker.process.communicate(timeout=harness.TIMEOUT)
            self.assertEqual(worker.process.returncode, status)
        look = self.look(inside=None)
        process = self.one(look["processes"])
        self.assertEqual((process["state"], process["calls"]),
                         (state, sum(s.calls for s in looks.expected(self.read_one()).values())))
        return look

    def test_ended(self):
        look = self.end("return", "ended")
        self.assertEqual(self.one(look["processes"])["threads"], 0)

    def test_killed(self):
        look = self.end("kill", "unfinished", 128 + signal.SIGKILL)
        self.assertEqual(stack(self.one(look["threads"])), ["<module>", "die", "posix.kill"])

    def test_os_exit(self):
        look = self.end("exit", "unfinished")
        self.assertEqual(stack(self.one(look["threads"])), ["<module>", "die", "posix._exit"])

    def test_ended_long_ago_is_for_all_only(self):
        self.end("return", "ended")
        self.grow_old()
        found = [self.mtrace("top", "--once", *options, self.traces).stdout.splitlines()[3:4] for options in ([], ["-a"])]
        self.assertNotIn("die", found[0][0])
        self.assertIn(" die ", found[1][0])


class Files(looks.Case):
    def test_no_file_yet(self):
        os.mkdir(self.traces)
        look = self.look()
        self.assertEqual((look["processes"], look["threads"], look["functions"]), ([], [], []))
        done = self.mtrace("top", "--once", self.traces).stdout
        self.assertEqual(done.splitlines()[0], "0 processes, 0 running, 0 threads; 0 calls/s; 0 bytes")

    def test_no_directory(self):
        done = self.mtrace("top", "--once", self.traces, status=1)
        self.assertIn("cannot be looked at: No such file or directory", done.stderr)
        path = self.write("file", "")
        done = self.mtrace("top", "--once", path, status=1)
        self.assertIn("is no directory", done.stderr)

    def test_wrong_usage(self):
        for words, what in ((["--once"], "no DIR"), (["--once", "a", "b"], "more than one DIR"),
                            (["--once", "--interval", "0", "."], "--interval"), (["-n", "x", "."], "-n is"),
                            (["--once", "-s", "size", "."], "--sort is"), (["."], "no terminal"),
                            (["--once", "--max-records", "0", "."], "--max-records")):
            done = self.mtrace("top", *words, status=2)
            self.assertIn(what, done.stderr)

    def test_parts_of_a_process_are_one(self):
        """A file that cannot grow any more is followed by another one."""
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))\n"
        with self.worker(limit + looks.WORKER) as worker:
            worker.calls(100000)
            traces = self.read()
            self.assertGreater(len(traces), 3)
            look = self.look()
            self.assertEqual(stack(self.one(look["threads"])), looks.INSIDE)
            self.assertEqual(self.one(look["processes"])["bytes"], sum(os.path.getsize(t.path) for t in traces))
            leaf = self.one([f for f in look["functions"] if f["function"] == "leaf"])
            self.assertEqual(leaf["calls"], 100000)

    def test_losses(self):
        with self.worker() as worker:
            worker.calls(100)
            self.look()
            trace = self.read_one()
            with open(trace.path, "r+b") as f:
                f.seek(HEADER_LOST)
                f.write(struct.pack("<QI", 12345, 1))
                f.seek(self.end_of(trace))
                f.write(struct.pack("<QQQQ", EXT_LOST, 12345, trace.pair[0], 1))
            look = self.look(inside=None)
            self.assertEqual(self.one(look["processes"])["lost"], 12345)
            thread = self.one(look["threads"])
            self.assertEqual((thread["losing"], thread["stack"]), (True, []))
            done = self.mtrace("top", "--once", self.traces).stdout
            self.assertTrue(done.splitlines()[0].endswith("; 12,345 events lost"), done)
            self.assertIn("(events are being lost)", done)

    @staticmethod
    def end_of(trace):
        offset, size = trace.threads[0].chunks[-1][:2]
        at = offset + 64
        while True:
            head, = struct.unpack_from("<Q", trace.data, at)
            kind, low = head >> 28 & 15, head & 0xFFFFFFF
            if not head:
                break
            at += 8 + 8 * (low & 0xFFF if kind == tracefile.EXT else low if kind == tracefile.GAP else 0)
        assert at + 32 < offset + size
        return at

    def test_damaged_files_are_counted_and_do_not_matter(self):
        with self.worker() as worker:
            worker.calls(5)
            with open(os.path.join(self.traces, "a.1.trace"), "wb") as f:
                f.write(b"no trace " * 1000)
            with open(os.path.join(self.traces, "b.2.trace"), "wb") as f:
                f.write(self.read_one_of_worker().data[:4096] + b"\xff" * 8192)
            with open(os.path.join(self.traces, "c.3.trace"), "wb"):
                pass
            os.mkfifo(os.path.join(self.traces, "d.4.trace"))
            look = self.look()
            self.assertEqual(look["unreadable_files"], 3)
            self.assertEqual([stack(t) for t in look["threads"]], [looks.INSIDE])

    def read_one_of_worker(self):
        name = self.one([n for n in os.listdir(self.traces) if n.startswith("worker")])
        return tracefile.read(os.path.join(self.traces, name))

    def test_random_bytes_never_crash_it(self):
        """Any bit of a file may be wrong; what is right elsewhere is shown, and it ends."""
        import random
        with self.worker(THREADS):
            data = bytearray(self.read_one().data)
        rng = random.Random(7)
        folder = os.path.join(self.folder, "damaged")
        os.mkdir(folder)
        for i in range(60):
            damaged = bytearray(data)
            for _ in range(rng.choice((1, 10, 1000))):
                damaged[rng.randrange(4096 if i % 2 else 0, len(damaged))] = rng.randrange(256)
            with open(os.path.join(folder, "f.%d.trace" % i), "wb") as f:
                f.write(damaged[:rng.randrange(len(damaged))] if i % 3 == 0 else damaged)
        for options in ([], ["--max-records", "100"], ["--json", "-i"]):
            self.mtrace("top", "--once", "-a", "--interval", "3600", *options, folder)

    def test_hostile_names(self):
        """Names are whatever a program says; to the terminal they are text."""
        evil = "a\x1b[2J\x1b]0;x\x07\x9b31m\u202eb\u2028\r\n\x7f"
        text = """
            import sys, threading
            evil = %r
            def f(): print("ready", flush=True); sys.stdin.readline()
            code = f.__code__.replace(co_name=evil, **({"co_qualname": evil} if sys.version_info >= (3, 11) else {}),
                                      co_filename=evil)
            threading.Thread(target=type(f)(code, globals()), name=evil).start()
            """ % evil
        with self.worker(text, name="\x1b[31mred.py"):
            done = self.mtrace("top", "--once", "--interval", "3600", self.traces)
            for character in "\x1b\x07\x9b\u202e\u2028\r\x7f":
                self.assertNotIn(character, done.stdout)
            self.assertIn("a?[2J?]0;x??31m?b????", done.stdout)
            look = self.look()
            self.assertIn(evil, [t["name"] for t in look["threads"]])


if __name__ == "__main__":
    harness.main()
