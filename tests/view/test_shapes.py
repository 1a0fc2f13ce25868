"""The page of `mtrace view` for traces that are not like others: many threads, none, losses, hostile names."""
import collections
import json
import os
import re
import shutil
import sys

from tests.python import harness
from tests.view import page
from tests.view.viewed import GOLDEN, Case


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


class TestLongPath(Case):
    def test_the_end_of_it_is_shown(self):
        """The file's name and the line, and all of the path in the title."""
        folder = os.path.join(self.folder, "d" * 120, "e" * 120, "f" * 20)
        os.makedirs(folder)
        path = os.path.join(folder, "far_away.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write("def call():\n    pass\ncall()\n")
        self.run_traced(sys.executable, path)
        with page.opened(self.view()) as view:
            view.stats()
            self.assertEqual(view.functions()["call", path + ":1"][0], 1)
            shown = view.page.evaluate("[...document.getElementById('rows').rows].map(row => row.cells[6].textContent)")
            self.assertIn("…/%s/far_away.py:1" % ("f" * 20), shown)
            view.search("=call")
            view.page.focus("#timeline")
            view.press("n")
            self.assertIn("%s:1" % path, view.text("call-facts"))
            self.assertRegex(view.text("active"), "^call; Where …/%s/far_away.py:1; " % ("f" * 20))
            colors = view.page.evaluate("[1, 2].map(n => hashOf('/d'.repeat(400) + n + '.py') % 24)")
            self.assertNotEqual(*colors)

    def test_title(self):
        """The traces' own folder is seen, however long the path to it is."""
        self.run_script("pass")
        folder = os.path.join(self.folder, "d" * 150, "the_traces")
        os.makedirs(os.path.dirname(folder))
        shutil.move(self.traces, folder)
        for size in (page.SIZE, {"width": 640, "height": 360}):
            with page.opened(self.view(traces=folder), size=size) as view:
                self.assertEqual((view.text("title"), view.page.get_attribute("#title", "title")), ("…/the_traces", folder))
                self.assertEqual(view.page.title(), "…/the_traces - mtrace")


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
                return [view.gutter + xOf((lane.track.losses[0].at + lane.track.losses[0].until) / 2), lane.y + lane.h / 2]; }""")
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


class TestPolicy(Case):
    """What is in the page and not of mtrace does not run, and nothing leaves it."""
    INJECTED = """<script>injected = 1</script><img src="data:," onerror="injected = 2">
        <style>body { display: none !important }</style><p id="styled" style="display: none">shown</p>"""
    ASK = """() => new Promise(done => {
        document.addEventListener('securitypolicyviolation', event => done(event.effectiveDirective));
        fetch('http://127.0.0.1:9/').catch(() => setTimeout(() => done('nothing'), 10000));
    })"""

    def setUp(self):
        super().setUp()
        self.run_script("pass")
        with open(self.view(), encoding="utf-8") as file:
            self.html = file.read()

    def opened(self, old, new):
        """The page with something else in it; what it complains of is not looked at."""
        self.assertEqual(self.html.count(old), 1)
        path = os.path.join(self.folder, "altered.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.html.replace(old, new))
        return page.opened(path, is_whole=False)

    def test_injected(self):
        with self.opened("</body>", self.INJECTED + "</body>") as view:
            view.page.wait_for_selector("body[data-ready=yes]")
            self.assertEqual(view.page.evaluate("typeof injected"), "undefined")
            self.assertTrue(view.page.is_visible("#styled"))
            self.assertEqual(view.page.evaluate(self.ASK), "connect-src")

    def test_altered_script(self):
        with self.opened("'use strict';\n// ", "'use strict';\ndocument.title = 'altered';\n// ") as view:
            self.assertEqual(view.page.title(), "mtrace")
            self.assertTrue(view.page.is_visible("#unscripted"))

    def test_cut_off(self):
        """As a download that broke off."""
        for n in (30, 300, 2000):
            with self.subTest(n), self.opened(self.html[-n:], "") as view:
                self.assert_cut_off(view)

    def assert_cut_off(self, view):
        view.page.wait_for_selector("body[data-ready=failed]", state="attached")
        self.assertEqual(view.text("failure"), "This page cannot be shown: its end is missing")
        self.assertFalse(view.page.is_visible("#unscripted"))


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
