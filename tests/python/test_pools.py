"""multiprocessing.Pool and ProcessPoolExecutor, by fork, spawn and forkserver: each call of the
worker function is in the file of the process that made it, under its name and its parent."""
import collections
import json
import os
import sys

from tests.python import harness, tracefile

N_WORKERS, N_TASKS = 3, 60

# work() tells who it is. The barrier makes sure that no worker does everything.
PROGRAM = """
import collections, concurrent.futures, json, multiprocessing, os, sys, threading

def work(i):
    if i < %d:
        barrier.wait(60)
    return os.getpid(), os.getppid(), multiprocessing.current_process().name

def share(b):
    global barrier
    barrier = b

def run(kind, method):
    context = multiprocessing.get_context(method)
    shared = context.Barrier(%d)
    if kind == "Pool":
        with context.Pool(%d, share, (shared,)) as pool:
            done = pool.map(work, range(%d), 1)
            pool.close()
            pool.join()
    else:
        with concurrent.futures.ProcessPoolExecutor(%d, context, share, (shared,)) as pool:
            done = list(pool.map(work, range(%d)))
    return done

if __name__ == "__main__":
    answers = collections.Counter(run(*sys.argv[1:]))
    print(json.dumps([os.getpid(), [[*who, n] for who, n in answers.items()]]))
""" % (N_WORKERS, N_WORKERS, N_WORKERS, N_TASKS, N_WORKERS, N_TASKS)

Worker = collections.namedtuple("Worker", "pid ppid name n_calls")


class TestPools(harness.Case):
    def pool(self, kind, method):
        """Runs one, and checks what all have in common; returns main's and the workers' traces."""
        pid, answers = json.loads(self.run_script(PROGRAM, kind, method, name="pools.py").stdout)
        workers = [Worker(*answer) for answer in answers]
        self.assertEqual(len(workers), N_WORKERS)
        self.assertEqual(sum(w.n_calls for w in workers), N_TASKS)
        traces = self.read()
        by_pid = {t.pid: t for t in traces}
        self.assertEqual(len(by_pid), len(traces), "one file each")
        for kind_of_record in (tracefile.PY_BEGIN, tracefile.PY_END):
            counts = {t.pid: t.count("work", kind_of_record) for t in traces}
            self.assertEqual({pid: n for pid, n in counts.items() if n}, {w.pid: w.n_calls for w in workers})
        for worker in workers:
            trace = by_pid[worker.pid]
            self.assertEqual(trace.ppid, worker.ppid)
            self.assertEqual(trace.process_names[-1], worker.name)
            self.assertEqual(trace.thread().count("work"), worker.n_calls)
            self.assertEqual(trace.n_lost, 0)
            parent = by_pid[worker.ppid]
            self.assertEqual(trace.parent_id, parent.file_id)
            self.assertEqual(trace.parent_start_time, parent.start_time)
            self.assertEqual({t.run_id for t in traces}, {trace.run_id})
        self.assert_nested(traces)
        self.check()
        self.verify_merged(workers)
        return by_pid[pid], [by_pid[w.pid] for w in workers]

    def verify_merged(self, workers):
        events = self.merge()
        names = {e["pid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
        for worker in workers:
            self.assertIn(worker.name, names[worker.pid])
        begins = collections.Counter(e["pid"] for e in events if e["ph"] == "B" and e["name"] == "work")
        self.assertEqual(begins, {w.pid: w.n_calls for w in workers})

    def verify_fork(self, kind):
        main, workers = self.pool(kind, "fork")
        for trace in workers:
            self.assertEqual(trace.ppid, main.pid)
            self.assertEqual((trace.origin, trace.parent_tid), (2, main.pid))
            self.assertNotEqual(trace.fork_tick, 0)
        self.assertEqual(len(self.read()), 1 + N_WORKERS)

    def verify_spawn(self, kind):
        main, workers = self.pool(kind, "spawn")
        for trace in workers:
            self.assertEqual(trace.ppid, main.pid)
            self.assertEqual((trace.origin, trace.program), (1, "spawn"))
        helpers = [t for t in self.read() if t.pid not in [w.pid for w in workers] + [main.pid]]
        self.assertLessEqual({t.program for t in helpers}, {"resource_tracker"})

    def verify_forkserver(self, kind):
        main, workers = self.pool(kind, "forkserver")
        server, = [t for t in self.read() if t.program == "forkserver" and t.origin == 1]
        self.assertEqual((server.ppid, server.parent_id), (main.pid, main.file_id))
        for trace in workers:
            self.assertEqual((trace.ppid, trace.origin), (server.pid, 2))

    def test_pool_fork(self):
        self.verify_fork("Pool")

    def test_pool_spawn(self):
        self.verify_spawn("Pool")

    def test_pool_forkserver(self):
        self.verify_forkserver("Pool")

    def test_executor_fork(self):
        self.verify_fork("Executor")

    def test_executor_spawn(self):
        self.verify_spawn("Executor")

    def test_executor_forkserver(self):
        self.verify_forkserver("Executor")


NESTED = """
import json, multiprocessing, os, subprocess, sys

def grandchild(pipe):
    pipe.send([os.getpid(), os.getppid()])

def child(pipe):
    "A process that was forked starts others: they are its own, and not its parent's."
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=grandchild, args=(there,), name="the grandchild")
    process.start()
    spawned = here.recv()
    process.join()
    code = "import os; print(os.getpid(), os.getppid())"
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, universal_newlines=True)
    pipe.send([os.getpid(), spawned, [int(word) for word in ran.stdout.split()]])

if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=child, args=(there,), name="the child")
    process.start()
    print(json.dumps([os.getpid(), *here.recv()]))
    process.join()
"""


class TestNested(harness.Case):
    def test_children_of_a_forked_child(self):
        pid, child_pid, *grandchildren = json.loads(self.run_script(NESTED).stdout)
        by_pid = {t.pid: t for t in self.read()}
        self.assertEqual(by_pid[child_pid].parent_id, by_pid[pid].file_id)
        self.assertEqual(by_pid[child_pid].process_names[-1], "the child")
        for grandchild_pid, ppid in grandchildren:
            self.assertEqual(ppid, child_pid)
            self.assertEqual(by_pid[grandchild_pid].ppid, child_pid)
            self.assertEqual(by_pid[grandchild_pid].parent_start_time, by_pid[child_pid].start_time)
        self.assertEqual(by_pid[grandchildren[0][0]].process_names[-1], "the grandchild")
        self.check()
        # The arrows of the timeline: an id each, from the parent to the child.
        flows = collections.defaultdict(dict)
        for event in self.merge():
            if event["ph"] in "sf":
                flows[event["id"]][event["ph"]] = event["pid"]
        pairs = collections.Counter((flow["s"], flow["f"]) for flow in flows.values())
        for parent, expected in ((pid, [child_pid]), (child_pid, [p for p, _ in grandchildren])):
            for other in expected:
                self.assertEqual(pairs[parent, other], 1)


class TestNames(harness.Case):
    def test_helper_of_loky(self):
        """joblib's own resource tracker is called as that of multiprocessing is."""
        folder = os.path.join(self.folder, "vendored", "loky", "backend")
        os.makedirs(folder)
        with open(os.path.join(folder, "resource_tracker.py"), "w") as f:
            f.write("def main(fd):\n    print(fd)\n")
        code = "from vendored.loky.backend.resource_tracker import main; main(5, )"
        self.assertEqual(self.run_traced(sys.executable, "-c", code).stdout, "5\n")
        self.assertEqual(self.read_one().program, "resource_tracker")


if __name__ == "__main__":
    harness.main()
