"""Debian's Firefox opens the page, and says the same as `mtrace report`."""
import os
import re
import sys
import unittest

from tests.python import harness
from tests.view import marionette, page

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/web_pool.py")
READY = """const done = arguments[arguments.length - 1];
           (function look() { document.body.dataset.ready ? done(document.body.dataset.ready) : setTimeout(look, 20); })();"""
STATS = """const done = arguments[arguments.length - 1]; openPanel('functions');
           (function look() { document.body.dataset.stats ? done(document.getElementById('stats-note').textContent) : setTimeout(look, 20); })();"""


@unittest.skipUnless(marionette.find(), "there is no Firefox")
class TestFirefox(harness.Case):
    def test_example(self):
        self.run_traced(sys.executable, EXAMPLE)
        path = os.path.join(self.folder, "page.html")
        self.mtrace("view", "-q", "-o", path, self.traces)
        report = self.mtrace("report", "-n", "1", self.traces).stdout
        n_calls, n_processes, n_threads = re.search(r"^([\d,]+) function calls.*, (\d+) processes, (\d+) threads", report).groups()
        with marionette.firefox() as firefox:
            firefox.open("file://" + path)
            self.assertEqual(firefox.wait(READY), "yes")
            summary = firefox.run("return document.getElementById('summary').textContent")
            self.assertEqual(summary.split(" · ")[:3], [n_processes + " processes", n_threads + " threads", n_calls + " calls"])
            note = firefox.wait(STATS)
            self.assertEqual(page.number(note.split(": ")[1]), page.number(n_calls))
            shown, wanted = firefox.run("""const {track} = laneAt(40), at = document.getElementById('timeline').getContext('2d');
                const pixel = fillOf(funcAt(track, callAt(track, 0, nsOf(500), 0))), ratio = devicePixelRatio;
                return [[...at.getImageData(Math.round((232 + 500) * ratio), Math.round((26 + 3 + 3) * ratio), 1, 1).data.slice(0, 3)],
                    [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255]];""")
            self.assertEqual(shown, wanted)
            count = firefox.run("searchFor('random_walk'); goToMatch(true); return document.getElementById('count').textContent")
            self.assertEqual(count, "1 of 16 calls")
            self.assertEqual(firefox.run("return document.getElementById('call-name').textContent"), "random_walk")


if __name__ == "__main__":
    harness.main()
