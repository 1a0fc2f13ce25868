"""speedscope, from npm and in headless Chromium, opens what we write for it, collapsed stacks, and Chrome's
JSON, and shows each call where it was."""
import collections
import json
import re

from tests.formats import recorded, speedscope
from tests.python import harness

TITLE = re.compile(r"^(.*) \(([0-9]+)\), (.*) \(([0-9]+)\)(?:, ([0-9]+) unfinished calls?)?$")


def outlived(events):
    """The tracks, (pid, tid), where a call ends with the one around it, but not if start and duration are added as
    numbers of 53 bits are: there speedscope takes the inner one to end later, and puts what follows elsewhere."""
    ends, found = collections.defaultdict(list), set()
    for event in sorted((e for e in events if e["ph"] == "X"), key=lambda e: (e["ts"], -e["dur"])):
        track, end = (event["pid"], event["tid"]), event["ts"] + event["dur"]
        around = ends[track]
        while around and around[-1] <= event["ts"] + 1e-5:  # a hundredth of a nanosecond
            around.pop()
        if around and end > around[-1]:
            found.add(track)
        around.append(end)
    return found


class TestSpeedscope(recorded.Case):
    def test_own_format(self):
        path = self.merged("-f", "speedscope")
        with open(path) as f:
            written = json.load(f)
        shown = speedscope.Shown(path, "known.speedscope.json")
        self.assertEqual(len(shown.profiles), len(self.stacks))
        self.verify_profiles(written, shown)
        self.verify_menu(written, shown)
        self.verify_table(written, shown)
        self.assertRegex(shown.title, r"^.*known \([0-9]+\), MainThread \([0-9]+\).* \(1/%d\)$" % len(self.stacks))

    def verify_profiles(self, written, shown):
        """What it has read is what was written, and that is what was recorded."""
        names, expected, n_unfinished = set(), self.names(), 0
        for ours, its in zip(written["profiles"], shown.profiles):
            process, pid, thread, tid, unfinished = TITLE.match(its["name"]).groups()
            names.add((process, thread))
            n_unfinished += int(unfinished or 0)
            self.assertEqual(its["name"], ours["name"])
            self.assertEqual(its["unit"], "nanoseconds")
            self.assertEqual(its["endValue"] - its["startValue"], ours["endValue"] - ours["startValue"])
            frames = written["shared"]["frames"]
            self.assertEqual(speedscope.count_stacks(ours["events"], frames), expected.pop((int(pid), int(tid))))
            # It passes over calls that took no time at all.
            self.assertEqual(shown.stacks(its), speedscope.count_stacks(ours["events"], frames, also_empty=False))
            self.assertEqual(speedscope.own_times(its["events"], shown.frames),
                             speedscope.own_times(ours["events"], frames))
        self.assertEqual(expected, {})
        self.assertEqual(n_unfinished, self.unfinished)
        self.assertEqual({thread for process, thread in names if process == "known"}
                         - {"MainThread", *("worker; %d <\"n\">" % n for n in (6, 7, 8))}
                         - {name for _, name in names if name.startswith("Thread-")}, set())

    def verify_menu(self, written, shown):
        self.assertEqual([row[:2] for row in shown.menu],
                         [(str(i + 1), profile["name"]) for i, profile in enumerate(written["profiles"])])
        for profile, (_, _, in_calls) in zip(written["profiles"], shown.menu):
            own = speedscope.own_times(profile["events"], written["shared"]["frames"])
            self.assert_shows(in_calls, sum(own.values()))

    def verify_table(self, written, shown):
        """It shows the functions that took most time of the first thread, with their times."""
        frames = [dict(frame, name=number) for number, frame in enumerate(written["shared"]["frames"])]
        total, own = collections.Counter(), collections.Counter()
        for stack, n in speedscope.own_times(written["profiles"][0]["events"], frames).items():
            own[stack[-1]] += n
            for number in set(stack):
                total[number] += n
        self.assertGreater(len(shown.table), 20)
        rows = sorted(((own[number], total[number], written["shared"]["frames"][number]["name"]) for number in own),
                      reverse=True)
        for (all_of_it, itself, name), (own_ns, total_ns, _) in zip(shown.table, rows):
            self.assertIn((own_ns, total_ns, name), rows)  # two may have taken the same time
            self.assert_shows(all_of_it, total_ns)
            self.assert_shows(itself, own_ns)

    def assert_shows(self, text, ns):
        self.assertAlmostEqual(speedscope.ns(text), ns, delta=0.0051 * ns)

    def test_collapsed(self):
        """One profile with all stacks of all threads; times to the ns."""
        path = self.merged("-f", "collapsed")
        with open(path, encoding="utf-8") as f:
            lines = dict(line.rstrip("\n").rsplit(" ", 1) for line in f)
        expected = {tuple(stack.split(";")): int(own) for stack, own in lines.items()}
        for name in ("known.collapsed", "known.collapsedstack.txt"):
            shown = speedscope.Shown(path, name)
            profile, = shown.profiles
            self.assertEqual(speedscope.own_times(profile["events"], shown.frames), expected)
            self.assertEqual(profile["endValue"] - profile["startValue"], sum(expected.values()))

    def test_chrome(self):
        """A profile for each thread, with each call, of complete events: it looks for the end of a call by name,
        and ends have none."""
        path = self.merged("--events", "complete")
        shown = speedscope.Shown(path, "known.json")
        self.assertEqual(len(shown.profiles), len(self.stacks))
        with open(path) as f:
            without = outlived(json.load(f))
        self.assertLess(len(without), len(self.stacks) / 2)
        with open(self.merged("-f", "speedscope")) as f:
            written = json.load(f)
        for profile in written["profiles"]:
            _, pid, _, tid, _ = TITLE.match(profile["name"]).groups()
            if (int(pid), int(tid)) in without:
                continue
            expected = speedscope.count_stacks(profile["events"], written["shared"]["frames"], also_empty=False)
            match, = [p for p in shown.profiles if "(pid %s)" % pid in p["name"] and "(tid %s)" % tid in p["name"]]
            stacks = collections.Counter()
            for stack, n in shown.stacks(match).items():
                stacks[tuple(name.split(' {"file":')[0] for name in stack)] += n
            self.assertEqual(stacks, expected)


if __name__ == "__main__":
    harness.main()
