"""A program that starts threads, forks, raises, and makes and drops code all the time (soaked.py), for a while or for as
long as SOAK_SECONDS says: every call is recorded, its memory stays as it is, and the files are as long as the
events and what docs/performance.md states for files, threads and names."""
import json
import os
import re
import sys

from tests.python import harness

ROUNDS = 1500
SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
FORKS = 10 if not SECONDS else 50  # a child in one of so many rounds
OWN_KB_MORE = 512  # what libc's allocator may come to keep
MAPS_MORE = 16

CHECKED = re.compile(r"(?m)^(.*): ok, (\d+) events, (\d+) threads, (\d+) functions, (\d+) chunks$")


class Soak(harness.Case):
    def soak(self, engine):
        """Runs it; returns what it says."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "soaked.py")
        words = self.command(sys.executable, "-W", "ignore", program, ROUNDS, SECONDS, FORKS, options=("--engine", engine))
        done = self.untraced(*words, timeout=harness.TIMEOUT + 2 * SECONDS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def check_counts(self, expected):
        """Every call of its functions, in all processes together."""
        report = json.loads(self.mtrace("report", "-q", "-f", "json", "-n", "0", self.traces,
                                        timeout=harness.TIMEOUT + SECONDS).stdout)
        self.assertEqual((report["lost_events"], report["losses"]), (0, 0))
        self.assertEqual(report["processes"], 1 + expected["children"])
        found = {name: sum(row["ncalls"] for row in report["rows"] if row["function"] == name)
                 for name in ("work", "leaf", "fresh", "fail")}
        self.assertEqual(found, {name: expected[name] for name in found})

    def check_sizes(self):
        """The files are good, and not longer than stated."""
        checked = self.mtrace("check", self.traces, timeout=harness.TIMEOUT + SECONDS).stdout
        files = CHECKED.findall(checked)
        self.assertEqual(len(files), len(os.listdir(self.traces)), checked)
        for path, *numbers in files:
            events, threads, functions, chunks = map(int, numbers)
            # A page for the header and for each short thread; a chunk of each type that is not full yet; names of
            # fewer than 100 bytes, with their thread's or file's.
            most = 4096 * (1 + threads) + (256 << 10) + (64 << 10) + 8 * events + 64 * chunks + 200 * (functions + threads)
            self.assertLess(os.path.getsize(path), most, path)
            self.assertGreater(os.path.getsize(path), 8 * events, path)

    def check_memory(self, said):
        before, after = said["before"], said["after"]
        if not harness.KEEPS_FREED:
            self.assertLessEqual(after["own_kb"], before["own_kb"] + OWN_KB_MORE, said)
            self.assertLessEqual(after["n_maps"], before["n_maps"] + MAPS_MORE, said)

    def test_every_engine(self):
        for engine in ["auto"] if SECONDS else harness.ENGINES[True]:
            with self.subTest(engine=engine):
                self.traces = os.path.join(self.folder, engine)
                said = self.soak(engine)
                self.check_counts(said["counts"])
                self.check_sizes()
                self.check_memory(said)
                if SECONDS:
                    print(json.dumps(said))


if __name__ == "__main__":
    harness.main()
