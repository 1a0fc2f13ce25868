"""The page of `mtrace view` shows exactly what was recorded of the example, and works by mouse and by keyboard."""
import os
import re
import sys

from tests.python import harness
from tests.view import page
from tests.view.viewed import TOP, RecordedOnce


class TestExample(RecordedOnce):
    def record(self):
        self.run_traced(sys.executable, os.path.join(TOP, "examples/web_pool.py"))

    def info(self):
        text = self.mtrace("info", self.traces).stdout.split("\ntotal\n")[1]
        python, c, unfinished = re.search(r"calls +([\d,]+) Python, ([\d,]+) C, ([\d,]+) unfinished", text).groups()
        return page.number(python) + page.number(c), page.number(unfinished)

    def test_counts(self):
        wanted = self.report()
        with page.opened(self.path) as view:
            n_calls, n_unfinished = self.info()
            summary = view.summary()
            self.assertEqual(summary["process"], 4)
            self.assertEqual(summary["unfinished call"], n_unfinished)
            self.assertEqual(summary["call"], sum(row[0] for row in wanted.values()))
            self.assertGreaterEqual(summary["call"], n_calls)  # which does not count what goes on
            self.assertEqual(view.page.locator("#starts li").count(), 3)
            view.stats()
            self.assert_functions(view, wanted)
            self.assert_one_thread(view)

    def assert_one_thread(self, view):
        view.page.focus("#timeline")
        view.press("ArrowDown")  # from the first process to its first thread
        first = view.tracks()[0]
        view.page.select_option("#scope", "one")
        view.settle()
        self.assertRegex(view.text("stats-note"), "MainThread %s: %s calls" % (first["tid"], first["calls"]))
        rows = view.functions()
        self.assertLessEqual(sum(calls for calls, _, _ in rows.values()), page.number(first["calls"]))

    def test_search(self):
        wanted = self.report()
        n = wanted[next(key for key in wanted if key[0] == "random_walk")][0]
        with page.opened(self.path) as view:
            self.assertEqual(view.search("random_walk"), "%d calls" % n)
            starts = []
            view.page.focus("#search")
            for i in range(n):
                view.press("Enter")
                self.assertEqual(view.text("count"), "%d of %d calls" % (i + 1, n))
                self.assertEqual(view.text("call-name"), "random_walk")
                starts.append(view.page.evaluate("view.picked.track.start[view.picked.index]"))
            self.assertEqual(starts, sorted(starts))
            self.assertEqual(len(set(zip(starts, range(n)))), n)
            view.press("Enter")  # round the end
            self.assertEqual(view.text("count"), "1 of %d calls" % n)
            view.press("Shift+Enter")
            self.assertEqual(view.text("count"), "%d of %d calls" % (n, n))
            self.assertEqual(view.search("no such function"), "0 calls")
            self.assertTrue(view.page.is_disabled("#next"))

    def test_keyboard(self):
        """All of it without a mouse, from the first Tab on."""
        with page.opened(self.path) as view:
            whole = view.in_view()
            for _ in range(30):
                if view.page.evaluate("document.activeElement.id") == "timeline":
                    break
                view.press("Tab")
            self.assertEqual(view.page.evaluate("document.activeElement.id"), "timeline")
            self.assertRegex(view.text("active"), "^Process web_pool")
            view.press("ArrowDown")
            self.assertRegex(view.text("active"), "^Thread MainThread")
            view.press("ArrowRight")
            outer = view.text("active")
            view.press("ArrowDown")
            self.assertIn("Depth 2", view.text("active"))
            view.press("ArrowUp")
            self.assertEqual(view.text("active"), outer)
            view.press("Enter", "w", "w", "d")
            view.settle()
            self.assertLess(view.in_view(), whole)
            view.press("m")
            view.settle()
            self.assertRegex(view.text("selected"), "^Selected: ")
            self.assertTrue(view.page.is_visible("#functions"))
            view.press("Escape", "Escape", "Escape", "0", "?")
            self.assertTrue(view.page.is_visible("#help"))
            view.press("Escape")
            self.assertFalse(view.page.is_visible("#help"))
            self.assertEqual(view.in_view(), whole)
            self.assertEqual(view.text("selected"), "")
            was = view.page.get_attribute("html", "data-theme")
            view.press("t")
            self.assertNotEqual(view.page.get_attribute("html", "data-theme"), was)

    def test_keys_where_nothing_has_the_focus(self):
        """At first, and when what had it is there no more."""
        with page.opened(self.path) as view:
            self.assertEqual(view.page.evaluate("document.activeElement.tagName"), "BODY")
            view.press("ArrowDown")
            self.assertRegex(view.text("active"), "^Thread MainThread")
            self.assertEqual(view.page.evaluate("document.activeElement.id"), "timeline")
            view.stats()
            view.page.focus("#functions .link")
            view.press("Enter", "n")  # its calls, and the first of them instead of the table
            self.assertEqual(view.page.evaluate("document.activeElement.tagName"), "BODY")
            self.assertIn("Depth", view.text("active"))
            view.press("Enter")
            self.assertEqual(view.page.evaluate("document.activeElement.id"), "timeline")

    def test_mouse(self):
        with page.opened(self.path) as view:
            mouse, whole = view.page.mouse, view.in_view()
            x, y = 760, view.top() + 26 + 3 + 8  # the first row of the first thread
            mouse.click(x, y)
            self.assertRegex(view.text("call-facts"), "Depth1")
            facts = dict(zip(view.page.locator("#call-facts dt").all_text_contents(), view.page.locator("#call-facts dd").all_text_contents()))
            self.assertEqual(set(facts), {"Where", "Duration", "Process", "Self", "Thread", "Start", "Depth", "Wall clock", "Calls made", "Started"})
            self.assertEqual(facts["Thread"].split(", tid ")[0], "MainThread")
            mouse.move(x + 1, y)
            view.page.wait_for_selector("#tip", state="visible")
            self.assertEqual(view.text("tip-name"), view.text("call-name"))
            before = view.page.evaluate("view.to - view.from")
            mouse.wheel(0, -400)
            view.page.wait_for_selector("#tip", state="hidden")
            self.assertLess(view.page.evaluate("view.to - view.from"), before)
            start = view.page.evaluate("view.from")
            mouse.down()
            mouse.move(x - 100, y, steps=3)
            mouse.up()
            self.assertGreater(view.page.evaluate("view.from"), start)
            view.page.click("#all")
            self.assertEqual(view.page.evaluate("view.to - view.from"), before)
            view.page.keyboard.down("Shift")
            mouse.move(400, y)
            mouse.down()
            mouse.move(600, y, steps=3)
            mouse.up()
            view.page.keyboard.up("Shift")
            self.assertAlmostEqual(view.page.evaluate("view.range.to - view.range.from") / before, 200 / 1048, delta=0.002)
            view.page.click("#close")
            self.assertEqual(view.in_view(), whole)

    def test_selection_is_a_slice(self):
        """The functions of a selection are those of `mtrace report` for the same time."""
        with page.opened(self.path) as view:
            ends = [int(view.page.evaluate("model.end") * share) for share in (0.3, 0.6)]
            view.page.evaluate("([a, b]) => select(a, b)", ends)
            view.settle()
            shown = view.functions()
        wanted = self.report("--from", "%dns" % ends[0], "--to", "%dns" % ends[1])
        wrong = {key: (value, wanted[key]) for key, value in shown.items() if value[1:] != wanted[key][1:]}
        self.assertEqual(wrong, {})

    def test_flame_graph(self):
        wanted = self.report()
        with page.opened(self.path) as view:
            view.stats("g")
            view.page.focus("#flame-canvas")
            self.assertRegex(view.text("flame-active"), "^All threads; Total .*100.0 %")
            view.press("ArrowDown")
            name = view.text("flame-active").split(";")[0]
            self.assertIn(name, {key[0] for key in wanted})
            view.press("Enter", "ArrowUp")
            self.assertRegex(view.text("flame-active"), "^All threads")

    def test_pixels(self):
        """Where a call is, is its color, in both themes; and what is searched for stays."""
        for dark in (False, True):
            with page.opened(self.path, dark=dark) as view:
                where = """() => { const {track} = laneAt(40), index = callAt(track, 0, model.end / 2, 0), color = theme.fills[funcAt(track, index)];
                    const rgb = pixel => [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255];
                    return [track.start[index], endAt(track, index), rgb(color), rgb(pixelOfCss(theme.css.lane))]; }"""
                start, end, color, head = view.page.evaluate(where)
                at = view.pixels()
                y = view.top() + 26 + 3 + 3
                right = int(232 + view.page.evaluate("ns => xOf(ns)", (start + end) / 2))
                self.assertEqual(at(right, y), tuple(color))
                self.assertEqual(at(900, view.top() + 4), tuple(head))
                view.search("random_walk")
                view.settle()
                self.assertNotEqual(view.pixels()(right, y), tuple(color))


if __name__ == "__main__":
    harness.main()
