"""What `mtrace top` says of whole runs, beside `mtrace report` and `mtrace info`."""
import collections
import json
import os
import re
import subprocess
import sys

from tests.python import harness, served
from tests.top import looks

# Ends of all kinds, generators, exceptions, threads one after the other, and another program.
MIXED = """
import json, os, signal, subprocess, sys, threading
def numbers(n):
    for i in range(n):
        yield i
def fail(n):
    if not n:
        raise ValueError
    fail(n - 1)
def work(n):
    for _ in range(n):
        sum(numbers(20))
        json.dumps([1, {"a": 2}])
        try:
            fail(5)
        except ValueError:
            pass
def child(how):
    work(50)
    if how == "exit":
        os._exit(0)
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os.execv(sys.executable, [sys.executable, "-c", "import json; json.dumps([1])"])
for how in ("exit", "kill", "exec"):
    pid = os.fork()
    if not pid:
        child(how)
    os.waitpid(pid, 0)
for _ in range(3):
    threads = [threading.Thread(target=work, args=(100,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

# Comes and goes by the hundred.
SWARM = """
import os, sys
def leaf():
    pass
def child(n):
    for _ in range(n):
        leaf()
    os._exit(0)
for wave in range(20):
    pids = []
    for n in range(15):
        pid = os.fork()
        if not pid:
            child(n)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
"""


class Whole(looks.Case):
    def report(self, by):
        return json.loads(self.mtrace("report", "-q", "-f", "json", "--by", by, self.traces).stdout)

    def test_the_same_as_report_and_info(self):
        self.run_script(MIXED, name="mixed.py")
        look = self.look("-a", inside=None)
        report = self.report("function")
        self.assertEqual(look["records"], look["records_read"])

        def place(row):
            return row["function"], row["file"], row["line"]

        wanted, found = collections.Counter(), collections.Counter()
        for row in report["rows"]:
            wanted[place(row)] += row["ncalls"]
        for row in look["functions"]:
            found[place(row)] += row["calls"]
        self.assertEqual(+found, +wanted)
        self.assertEqual(sum(p["calls"] for p in look["processes"]), report["calls"])
        # What is open in a process that was killed has no time behind its last record, in either.
        self.assertAlmostEqual(sum(f["self_ns"] for f in look["functions"]), sum(r["tottime_ns"] for r in report["rows"]),
                               delta=report["duration_ns"] / 1000)

        wanted, found = collections.Counter(), collections.Counter()
        for row in self.report("thread")["rows"]:
            wanted[row["pid"], row["tid"]] += row["ncalls"]
        for thread in look["threads"]:
            found[thread["pid"], thread["tid"]] += thread["calls"]
        self.assertEqual(found, wanted)
        self.assertEqual(len(look["threads"]), report["threads"])

        self.assertEqual(sorted((p["state"], p["name"]) for p in look["processes"]),
                         sorted([("ended", "mixed"), ("ended", "python")] + [("unfinished", "mixed")] * 3))
        self.assertEqual(sum(p["bytes"] for p in look["processes"]), sum(os.path.getsize(t.path) for t in self.read()))
        info = self.mtrace("info", "-q", self.traces).stdout
        n_unfinished, = re.findall(r"([0-9]+) unfinished", info[info.index("total"):])
        self.assertEqual(sum(t["depth"] for t in look["threads"]), int(n_unfinished))
        self.assertTrue(all(t["complete"] for t in look["threads"]))

    def test_processes_by_the_hundred(self):
        """Each is found, and each of its calls counted once, in whichever look."""
        os.mkdir(self.traces)
        command = [harness.MTRACE, "top", "--json", "-a", "--interval", "0.05", "--max-records", "100000000", self.traces]
        with subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True) as top:
            self.assertEqual(json.loads(top.stdout.readline())["processes"], [])
            with served.started(self, sys.executable, self.write("swarm.py", SWARM)) as program:
                calls, old, look = collections.Counter(), None, None
                while old is None or look["processes"] != old["processes"] or program.poll() is None \
                        or any(p["state"] == "running" or p["calls"] for p in look["processes"]):
                    old, look = look, json.loads(top.stdout.readline())
                    for process in look["processes"]:
                        calls[process["pid"]] += process["calls"]
            top.terminate()
        report = self.report("process")
        self.assertEqual(report["processes"], 301)
        self.assertEqual(calls, collections.Counter({row["pid"]: row["ncalls"] for row in report["rows"]}))
        self.assertEqual(collections.Counter(p["state"] for p in look["processes"]), {"ended": 1, "unfinished": 300})


if __name__ == "__main__":
    harness.main()
