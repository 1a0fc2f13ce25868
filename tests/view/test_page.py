"""The page of `mtrace view`: shows exactly what was recorded, and works by mouse and by keyboard."""
import collections
import csv
import io
import os
import re
import sys
import unittest

from tests.python import harness
from tests.view import page

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
GOLDEN = os.path.join(TOP, "tests/golden")


class Case(harness.Case):
    def view(self, *options, traces=None):
        """The path of the page."""
        path = os.path.join(self.folder, "page.html")
        self.mtrace("view", "-q", "-o", path, *options, traces or self.traces)
        return path

    def report(self, *options):
        """{(name, place): [calls, total ns, self ns]} by `mtrace report`."""
        text = self.mtrace("report", "-f", "csv", "-n", "0", *options, self.traces).stdout
        found = collections.defaultdict(lambda: [0, 0, 0])
        for row in csv.DictReader(io.StringIO(text)):
            key = row["function"], row["file"] + ":" + row["line"] if row["file"] else "C function"
            for i, column in enumerate(("ncalls", "cumtime_ns", "tottime_ns")):
                found[key][i] += int(row[column])
        return found

    def assert_functions(self, view, wanted):
        shown = view.functions()
        self.assertGreater(len(shown), 0)
        self.assertEqual({key: value for key, value in shown.items() if wanted[key] != value}, {})
        n_calls = sum(calls for calls, _, _ in wanted.values())
        self.assertEqual(page.number(view.text("stats-note").split(": ")[1]), n_calls)


class TestExample(Case):
    def setUp(self):
        super().setUp()
        self.run_traced(sys.executable, os.path.join(TOP, "examples/web_pool.py"))
        self.path = self.view()

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

    def test_mouse(self):
        with page.opened(self.path) as view:
            mouse, whole = view.page.mouse, view.in_view()
            x, y = 760, view.top() + 26 + 3 + 8  # the first row of the first thread
            mouse.click(x, y)
            self.assertRegex(view.text("call-facts"), "Depth1")
            facts = dict(zip(view.page.locator("#call-facts dt").all_text_contents(), view.page.locator("#call-facts dd").all_text_contents()))
            self.assertEqual(set(facts), {"Where", "Duration", "Process", "Self", "Thread", "Start", "Depth", "Wall clock", "Calls made"})
            self.assertEqual(facts["Thread"].split(", tid ")[0], "MainThread")
            mouse.move(x + 1, y)
            self.assertTrue(view.page.is_visible("#tip"))
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


class TestManyThreads(Case):
    PROGRAM = """
        import os, threading
        def leaf(n):
            return n
        def work(n):
            for i in range(n):
                leaf(i)
            barrier.wait()
        barrier = threading.Barrier(20)
        for child in range(10):
            if not os.fork():
                threads = [threading.Thread(target=work, args=(10 * i + child,), name="worker %d" % i) for i in range(20)]
                for t in threads: t.start()
                for t in threads: t.join()
                os._exit(0)
        for child in range(10): os.wait()
        """

    def test_ten_by_twenty(self):
        self.run_script(self.PROGRAM, name="many.py")
        n_leaf = sum(10 * i + child for i in range(20) for child in range(10))
        with page.opened(self.view()) as view:
            self.assertEqual((view.summary()["process"], view.summary()["thread"]), (11, 211))
            self.assertEqual(view.search("leaf"), "%s calls" % format(n_leaf, ","))
            self.assertEqual(view.page.locator("#starts li").count(), 10)
            seen = {}
            view.page.focus("#timeline")
            view.page.evaluate("document.getElementById('scroller').scrollTop = 0")
            for _ in range(60):
                for row in view.tracks():
                    seen[row["pid"], row["tid"]] = row
                bottom = view.page.evaluate("(s => s.scrollTop + s.clientHeight >= s.scrollHeight - 1)(document.getElementById('scroller'))")
                if bottom:
                    break
                view.press("PageDown")
            self.assertEqual(len(seen), 211)
            names = collections.Counter(row["thread"] for row in seen.values())
            self.assertEqual({names["worker %d" % i] for i in range(20)}, {10})
            view.page.evaluate("document.getElementById('scroller').scrollTop = 0")
            view.press("c")
            first = view.tracks()[0]["pid"]
            view.page.mouse.click(100, view.top() + 13)  # closes the first process
            self.assertNotIn(first, {row["pid"] for row in view.tracks()})
            view.page.mouse.click(100, view.top() + 13)
            self.assertIn(first, {row["pid"] for row in view.tracks()})


class TestNothingMuch(Case):
    def test_empty(self):
        self.run_script("pass")
        [name] = os.listdir(self.traces)
        os.truncate(os.path.join(self.traces, name), 4096)
        with page.opened(self.view()) as view:
            self.assertEqual(view.summary()["call"], 0)
            self.assertTrue(view.page.is_visible("#nothing"))
            view.page.focus("#timeline")
            view.press("w", "s", "ArrowDown", "ArrowRight", "Enter", "m", "f", "g", "n", "/", "Escape")

    def test_one_event(self):
        """A process that is gone in its first call: it never ended."""
        self.run_script("import os; os._exit(0)")
        path = self.view("--include", "script.py")
        with page.opened(path) as view:
            self.assertEqual((view.summary()["call"], view.summary()["unfinished call"]), (1, 1))
            view.page.focus("#timeline")
            view.press("ArrowDown", "ArrowRight")
            self.assertIn("unfinished", view.text("call-facts"))
            self.assertEqual(view.text("call-name"), "<module>")

    def test_losses(self):
        with page.opened(self.view(traces=GOLDEN)) as view:
            self.assertEqual(view.summary()["events lost"], 14)
            view.page.evaluate("setAllRows(24)")
            losses = [row["losses"] for row in view.tracks() if row["losses"] != "none"]
            self.assertEqual(losses, ["12 events lost: no space left on the device"])
            at = view.pixels()
            x, y = view.page.evaluate("""() => { const lane = view.lanes.find(l => l.kind === 'track' && l.track.losses.length);
                return [GUTTER + xOf((lane.track.losses[0].at + lane.track.losses[0].until) / 2), lane.y + lane.h / 2]; }""")
            y += view.top()
            reds = [at(int(x) + dx, int(y) + dy) for dx in range(-2, 3) for dy in range(-6, 7)]
            self.assertTrue(any(red > 180 and blue < 90 for red, _, blue in reds), reds)


class TestNames(Case):
    NAMES = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "<!--<script>", "\u202eright to left\u202c",
             "\u05d0\u05d1\u05d2 \u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\U0001f600\u0301\U0001f468\u200d\U0001f469", "a\nb\r\tc", "\"'`${alert(3)}", "x" * 10000,
             "lone \udc80 surrogate", "__proto__", "constructor"]
    PROGRAM = """
        import json, sys, threading
        for n, name in enumerate(json.loads(sys.argv[1])):
            scope = {}
            exec(compile("def f(n): return n and f(n - 1)", "dir/" + name.replace(chr(0), "")[:200].encode("utf-8", "replace").decode(), "exec"), scope)
            f = scope["f"]
            f.__code__ = f.__code__.replace(co_name=name, **({"co_qualname": name} if hasattr(f.__code__, "co_qualname") else {}))
            thread = threading.Thread(target=f, args=(n,), name=name)
            thread.start()
            thread.join()
        """

    def test_hostile_names(self):
        import json
        self.run_script(self.PROGRAM, json.dumps(self.NAMES), name="<b>names.py")
        with page.opened(self.view("--include", "*dir/*")) as view:
            self.assertEqual(view.summary()["call"], sum(n + 2 for n in range(len(self.NAMES))))  # and a <module> each
            view.stats()
            shown = {name: calls for (name, _), (calls, _, _) in view.functions().items()}
            for n, name in enumerate(self.NAMES):
                text = name.encode("utf-8", "backslashreplace").decode()
                text = re.sub("[\x00-\x1f]", "\ufffd", text) if len(text) < 200 else text[:199] + "\u2026"
                self.assertEqual(shown.get(text), n + 1, (text, sorted(shown)))
            view.page.click("#rows button:text-is('%s')" % self.NAMES[0])
            self.assertEqual(view.text("count"), "1 call")
            view.page.focus("#timeline")
            view.press("n")
            self.assertEqual(view.text("call-name"), self.NAMES[0])
            view.page.evaluate("setAllRows(24)")
            view.settle()
            box = view.page.evaluate("[document.documentElement.scrollWidth, innerWidth, document.images.length]")
            self.assertEqual(box[0], box[1])  # nothing is wider than the window
            self.assertEqual(box[2], 0)


class TestShapes(Case):
    def test_deep(self):
        self.run_script("""
            import sys
            sys.setrecursionlimit(5000)
            def dig(n):
                if n: dig(n - 1)
            dig(999)
            """)
        with page.opened(self.view()) as view:
            self.assertEqual(view.search("dig"), "1,000 calls")
            view.page.evaluate("setAllRows(2000)")
            [row] = view.tracks()
            self.assertEqual(row["depth"], "1,001")
            view.press("Shift+Enter")
            self.assertRegex(view.text("call-facts"), "Depth1,?001")
            view.stats("g")
            self.assertRegex(view.text("stats-note"), "1,[0-9]{3} calls")

    def test_generators_and_exceptions(self):
        self.run_script("""
            import asyncio
            def numbers():
                for i in range(5): yield i
            def failing(): raise ValueError
            async def inner(): await asyncio.sleep(0)
            async def outer(): await inner()
            list(numbers())
            try: failing()
            except ValueError: pass
            asyncio.run(outer())
            """)
        with page.opened(self.view()) as view:
            self.assertEqual(view.search("numbers"), "6 calls")
            view.page.focus("#search")
            if "monitoring" in harness.ENGINES[True]:  # the other one cannot tell
                view.press("Enter")
                self.assertIn("suspended", view.text("call-facts"))
                view.press("Enter")
                self.assertIn("goes on after a suspension", view.text("call-facts"))
            self.assertEqual(view.search("failing"), "1 call")
            view.press("Enter")
            self.assertIn("ended by an exception", view.text("call-facts"))

    def test_slice(self):
        """What a slice leaves out is not there, and what goes on behind it is said to."""
        self.run_script("""
            import threading
            def outer():
                for i in range(200): nested()
            def nested(): pass
            t = threading.Thread(target=outer, name="second")
            t.start(); t.join()
            """)
        with page.opened(self.view("--thread", "second")) as view:
            self.assertEqual(view.summary()["thread"], 1)
            self.assertEqual(view.search("nested"), "200 calls")


if __name__ == "__main__":
    harness.main()
