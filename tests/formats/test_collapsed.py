"""Brendan Gregg's flamegraph.pl draws collapsed stacks as they were recorded."""
import collections
import html
import os
import re
import subprocess

from tests.formats import recorded
from tests.python import harness

FRAME = re.compile(r'<title>(.*) \(([0-9,]+) ns, [0-9.]+%\)</title><rect x="([0-9.]+)" y="([0-9.]+)" '
                   r'width="([0-9.]+)" height="([0-9.]+)"')


def text_of(function):
    """A function as a frame."""
    return function.name if not function.file else "%s (%s:%d)" % (function.name, function.file, function.line)


class TestCollapsed(recorded.Case):
    def lines(self, path):
        with open(path, encoding="utf-8", newline="\n") as f:
            lines = [re.fullmatch(r"(.*) ([1-9][0-9]*)\n", line).groups() for line in f]
        stacks = {tuple(stack.split(";")): int(own) for stack, own in lines}
        self.assertEqual(len(stacks), len(lines))  # each once
        return stacks

    def test_stacks(self):
        """Those of each thread are those that were recorded, but for a few that took no time."""
        by_track = collections.defaultdict(set)
        for stack in self.lines(self.merged("-f", "collapsed")):
            process, thread = (re.fullmatch(r"(.*) \(([0-9]+)\)", label).groups() for label in stack[:2])
            by_track[int(process[1]), int(thread[1])].add(stack[2:])
            self.assertNotIn('"; ', thread[0])
        self.assertEqual(set(by_track), set(self.stacks))
        for track, stacks in self.stacks.items():
            expected = {tuple(map(text_of, stack)) for stack in stacks}
            self.assertEqual(by_track[track] - expected, set())
            self.assertGreater(len(by_track[track]), 0.9 * len(expected))

    def test_flamegraph(self):
        """Each frame is drawn at its depth, with the time of all stacks through it, and nothing is left out."""
        path = self.merged("-f", "collapsed")
        done = subprocess.run(["perl", os.environ["FLAMEGRAPH"], "--countname=ns", "--minwidth=0", path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.TIMEOUT)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        frames = [(html.unescape(name), int(n.replace(",", "")), float(y))
                  for name, n, _, y, _, _ in FRAME.findall(done.stdout.decode())]
        bottom = max(y for _, _, y in frames)
        drawn = collections.Counter((round((bottom - y) / 16), name, n) for name, n, y in frames)
        totals = collections.Counter()
        for stack, own in self.lines(path).items():
            for depth in range(len(stack) + 1):
                totals[stack[:depth]] += own
        # It turns angle brackets into parentheses, and so some stacks into one.
        merged = collections.Counter()
        for stack, total in totals.items():
            merged[tuple(name.translate({60: 40, 62: 41}) for name in stack)] += total
        self.assertEqual(drawn, collections.Counter((len(stack), stack[-1] if stack else "all", total)
                                                    for stack, total in merged.items()))


if __name__ == "__main__":
    harness.main()
