"""What one does with the page of `mtrace view`: going to places and back, passing them on, choosing threads, copying,
following arrows; by fingers, and in small windows."""
import csv
import io
import re

from tests.python import harness
from tests.view import page
from tests.view.viewed import RecordedOnce

PROGRAM = """
import os, threading
def leaf(n): return n
def work(n):
    for i in range(n): leaf(i)
    barrier.wait()
def start_child():
    return os.fork()
barrier = threading.Barrier(3)
threads = [threading.Thread(target=work, args=(100 * i,), name="worker %d" % i) for i in (1, 2, 3)]
for t in threads: t.start()
for t in threads: t.join()
if not start_child():
    leaf(7)
    os._exit(0)
os.wait()
"""


class TestUse(RecordedOnce):
    def record(self):
        self.run_script(PROGRAM, name="program.py")

    def place(self, view):
        view.settle()
        return view.page.evaluate("[Math.round(view.from), Math.round(view.to), view.range && [Math.round(view.range.from), Math.round(view.range.to)]]")

    def test_places(self):
        """Back and forth by Backspace, and all of them in the address."""
        with page.opened(self.path) as view:
            whole = self.place(view)
            self.assertNotIn("#", view.page.url)
            end = view.page.evaluate("model.end")
            view.press("w")
            first = self.place(view)
            view.page.evaluate("setTime(model.end / 4, model.end / 2)")
            second = self.place(view)
            view.page.evaluate("select(model.end / 3, model.end / 2.5)")
            view.press("Backspace")
            self.assertEqual(self.place(view)[:2], first[:2])
            view.press("Backspace", "Backspace", "Backspace")
            self.assertEqual(self.place(view)[:2], whole[:2])
            view.press("Shift+Backspace", "Shift+Backspace")
            third = self.place(view)
            self.assertEqual(third[:2], second[:2])
            address = view.page.url
            self.assertEqual(address.split("#")[1], "from=%.9f&to=%.9f&select=%.9f-%.9f" % tuple(n / 1e9 for n in (*third[:2], *third[2])))
            view.press("Backspace", "d")  # what was behind is there no more
            moved = self.place(view)
            view.press("Shift+Backspace")
            self.assertEqual(self.place(view)[:2], moved[:2])
            view.page.evaluate("hash => { location.hash = hash; }", "#from=0.0&to=%.9f" % (end // 2 / 1e9))
            self.assertEqual(self.place(view)[:2], [0, end // 2])
            view.press("Escape", "Escape", "0")
            view.settle()
            self.assertNotIn("#", view.page.url)
        with page.opened(self.path, place="#" + address.split("#")[1]) as view:
            self.assertEqual(self.place(view), third)
            self.assertTrue(view.page.is_visible("#functions"))
        for nonsense in ("#from=x&to=y&select=1-", "#from=2&to=1&select=5", "#%ff=&from", "#select=-1--2", "#select=100-200",
                         "#from=-Infinity&to=Infinity", "#from=0&to=1e400", "#from=-1e299&to=1e308", "#select=0-Infinity"):
            with page.opened(self.path, place=nonsense) as view:
                self.assertEqual(self.place(view), whole)

    def test_threads(self):
        with page.opened(self.path) as view:
            view.press("c")
            names = [row["thread"] for row in view.tracks()]
            self.assertEqual(names, ["MainThread", "worker 1", "worker 2", "worker 3", "MainThread"])
            self.assertEqual(view.search("leaf"), "601 calls")
            view.page.focus("#timeline")
            view.stats()
            view.press("l")
            view.page.keyboard.type("WORKER -2")
            self.assertEqual([row["thread"] for row in view.tracks()], ["worker 1", "worker 3"])
            self.assertEqual(view.text("count"), "400 calls")
            self.assertEqual(view.page.input_value("#scope"), "shown")
            self.assertRegex(view.text("stats-note"), "^all of the recording, 2 threads: ")
            self.assertEqual(next(calls for (name, _), (calls, _, _) in view.functions().items() if name == "leaf"), 400)
            found = set()
            view.press("Enter")
            for _ in range(400):
                view.press("n")
                found.add(view.page.evaluate("view.picked.track.info.name"))
            self.assertEqual(found, {"worker 1", "worker 3"})
            self.assertEqual(view.text("count"), "400 of 400 calls")
            pid = view.page.evaluate("String(model.processes[1].info.pid)")
            view.page.fill("#thread-filter", pid)
            self.assertEqual([row["pid"] for row in view.tracks()], [pid])
            view.page.fill("#thread-filter", "nobody")
            self.assertEqual(view.tracks(), [])
            self.assertEqual(view.page.inner_text("#nothing"), "No thread has such a name.")
            view.page.focus("#timeline")
            view.press("ArrowDown", "ArrowRight", "Enter", "n", "m", "e", "c")
            view.press(*["Escape"] * 5)
            self.assertEqual([row["thread"] for row in view.tracks()], names)
            self.assertEqual(view.page.input_value("#scope"), "all")
            self.assertFalse(view.page.is_visible("#nothing"))

    def copied(self, view, key):
        """What is on the clipboard, by the keys and by the button."""
        found = []
        for copy in (lambda: view.press("Control+c"), lambda: view.page.click("#copy")):
            view.page.evaluate("navigator.clipboard.writeText('')")
            view.page.focus("#timeline")
            view.press(key)
            copy()
            view.page.wait_for_selector("#copied:not(:empty)", state="attached")  # the page allows no eval
            found.append(view.page.evaluate("navigator.clipboard.readText()"))
            view.page.evaluate("setText('copied', '')")
        self.assertEqual(*found)
        return found[0]

    def test_copy(self):
        wanted = self.report()
        with page.opened(self.path, permissions=["clipboard-read", "clipboard-write"]) as view:
            view.search("=start_child")
            view.page.focus("#timeline")
            view.press("n")
            lines = self.copied(view, "i").splitlines()
            self.assertEqual([re.sub(r"\(.*/", "(", line) for line in lines[-2:]], ["<module> (program.py:1)", "start_child (program.py:7)"])
            self.assertEqual(len(lines), view.page.evaluate("depthOf(view.picked.track, view.picked.index)") + 1)
            view.stats()
            view.settle()
            rows = list(csv.DictReader(io.StringIO(self.copied(view, "f"))))
        self.assertEqual({(row["function"], row["file"] + ":" + row["line"] if row["file"] else "C function"):
                          [int(row["ncalls"]), int(row["cumtime_ns"]), int(row["tottime_ns"])] for row in rows}, dict(wanted))

    def test_what_the_copy_button_says(self):
        """Nothing where there is nothing to copy, and nothing of what was copied before."""
        with page.opened(self.path, permissions=["clipboard-read", "clipboard-write"]) as view:
            view.press("i")
            self.assertTrue(view.page.is_disabled("#copy"))
            view.press("f")
            view.settle()
            self.assertTrue(view.page.is_enabled("#copy"))
            view.press("i")
            self.assertTrue(view.page.is_disabled("#copy"))
            view.page.focus("#timeline")
            view.press("ArrowDown", "ArrowRight")
            for change in ("f", "i", "ArrowDown"):
                view.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
                view.page.click("#copy")
                view.page.wait_for_selector("#copied:not(:empty)", state="attached")
                self.assertRegex(view.text("copied"), "^[0-9,]+ lines? copied$")
                view.page.focus("#timeline")
                view.press(change)
                self.assertEqual(view.text("copied"), "")
            view.press("Escape")
            self.assertTrue(view.page.is_disabled("#copy"))

    def test_this_thread(self):
        """Where the keyboard is on a process, its first."""
        with page.opened(self.path) as view:
            view.stats()
            self.assertEqual(view.page.evaluate("view.lanes[view.current].kind"), "process")
            view.page.select_option("#scope", "one")
            view.settle()
            self.assertEqual(view.page.input_value("#scope"), "one")
            self.assertRegex(view.text("stats-note"), "^all of the recording, MainThread.*: ")
            calls = view.page.evaluate("model.tracks[0].n")
            self.assertEqual(page.number(view.text("stats-note").split(": ")[1]), calls)

    def test_a_pointer_that_is_taken_away(self):
        """What it moved on the strip, or selected there, follows no more."""
        with page.opened(self.path) as view:
            view.press("w", "w")
            for y, what in ((18, "view.from"), (48, "view.range")):
                top = view.page.evaluate("map.canvas.getBoundingClientRect().top")
                before = view.page.evaluate(what)
                view.page.mouse.move(500, top + y)
                view.page.mouse.down()
                view.page.mouse.move(600, top + y)
                self.assertNotEqual(view.page.evaluate(what), before)
                view.page.evaluate("map.canvas.dispatchEvent(new PointerEvent('pointercancel'))")
                now = view.page.evaluate(what)
                view.page.mouse.move(800, top + y)
                self.assertEqual(view.page.evaluate(what), now)
                view.page.mouse.up()
            self.assertIsNone(view.page.evaluate("view.range"))

    def test_share(self):
        with page.opened(self.path) as view:
            view.stats()
            rows = view.page.evaluate("[...document.getElementById('rows').rows].map(r => [r.cells[3].title, r.cells[4].textContent])")
            own = [page.number(row[0]) for row in rows]
            for ns, (_, share) in zip(own, rows):
                exact = 100 * ns / sum(own)
                self.assertEqual(share, "%s %%" % ("< 0.1" if 0 < exact < 0.05 else "%.1f" % exact))

    def test_arrows(self):
        with page.opened(self.path) as view:
            view.search("=start_child")
            view.page.focus("#timeline")
            view.press("n")
            pids = view.page.evaluate("model.processes.map(p => p.info.pid)")
            view.press("j")
            self.assertEqual(view.page.evaluate("view.picked.track.process.info.pid"), pids[1])
            self.assertEqual(view.page.evaluate("view.picked.track.start[view.picked.index]"), view.page.evaluate("model.arrows[0][3]"))
            view.page.click("#call-facts dt:text-is('Started by') + dd button")
            self.assertEqual(view.page.evaluate("view.picked.track.process.info.pid"), pids[0])
            self.assertEqual(view.text("call-name"), "posix.fork")
            view.page.focus("#timeline")
            view.page.fill("#thread-filter", str(pids[0]))
            view.page.focus("#timeline")
            view.press("j")  # the thread is shown again
            self.assertEqual(view.page.evaluate("view.picked.track.process.info.pid"), pids[1])
            self.assertEqual(view.page.input_value("#thread-filter"), "")

    def test_fingers(self):
        """One moves, two zoom: what they are on stays below them. A tap picks."""
        with page.opened(self.path, has_touch=True) as view:
            touch = view.page.context.new_cdp_session(view.page)
            y = view.top() + 26 + 3 + 8

            # Chromium may say that it has an event before the page has it.
            view.page.evaluate("""for (const name of ['pointerup', 'pointercancel'])
                document.addEventListener(name, () => { document.body.dataset.ends = Number(document.body.dataset.ends || 0) + 1; })""")

            def wait_for_ends(n):
                view.page.wait_for_selector("body[data-ends='%d']" % n, state="attached")

            def put(kind, *xs):
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": n} for n, x in enumerate(xs)]})

            at = view.page.evaluate("[nsOf(500 - view.gutter), nsOf(700 - view.gutter)]")
            put("touchStart", 500)
            put("touchStart", 500, 700)
            put("touchMove", 450, 700)
            put("touchMove", 400, 900)
            put("touchEnd")
            wait_for_ends(2)
            now = view.page.evaluate("ends => ends.map(xOf).map(x => Math.round(x + view.gutter))", at)
            self.assertEqual(now, [400, 900])
            self.assertIsNone(view.page.evaluate("view.picked"))
            before = view.page.evaluate("[view.from, nsPerPixel()]")
            put("touchStart", 600)
            put("touchMove", 650)
            put("touchMove", 700)
            put("touchEnd")
            wait_for_ends(3)
            self.assertAlmostEqual(view.page.evaluate("view.from"), before[0] - 100 * before[1], delta=before[1])
            x = view.page.evaluate("""() => {
                const track = model.tracks[0], end = track.offsets[1];
                for (let i = 0; i < end; i++) if (funcs.name(funcAt(track, i)) === '<module>') {
                    setTime(track.start[i], endAt(track, i));
                    return xOf((track.start[i] + endAt(track, i)) / 2) + view.gutter;
                } }""")
            view.page.touchscreen.tap(x, y)
            wait_for_ends(4)
            self.assertEqual(view.text("call-name"), "<module>")
            self.assertFalse(view.page.is_visible("#tip"))

    def test_sizes(self):
        """Nothing is wider than the window, or beyond what it shows; the timeline has its place."""
        for width, height, ratio in ((1280, 720, 1), (1024, 600, 1), (640, 360, 2), (400, 800, 3), (480, 320, 1), (400, 480, 2)):
            with self.subTest((width, height)), page.opened(self.path, size={"width": width, "height": height}, device_scale_factor=ratio) as view:
                for key in ("i", "f", "g", "?"):
                    view.press(key)
                    view.settle()
                    self.assertEqual(view.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"), [width, height])
                    boxes = view.page.evaluate("""[...document.querySelectorAll('header button, #search, #thread-filter, #tabs button, #copy, #close, #help-close')]
                        .map(e => [e.id, e.getBoundingClientRect()]).filter(([, b]) => b.left < 0 || b.top < 0 || b.right > innerWidth || b.bottom > innerHeight)""")
                    self.assertEqual([name for name, box in boxes if box["width"] and (name != "help-close" or key == "?")], [])
                    self.assertGreaterEqual(view.page.evaluate("view.height"), 70)
                    self.assertGreaterEqual(view.page.evaluate("view.width"), 250)

    def test_names_that_do_not_fit(self):
        with page.opened(self.path) as view:
            fit = """([how, text, width]) => { screen.context.font = FONT; const fit = how === 'name' ? fitName : fitText;
                return fit(screen.context, isolate(text), width).slice(1, -1); }"""
            def shown(*arguments):
                return view.page.evaluate(fit, arguments)
            self.assertEqual(shown("name", "Some_class.run", 500), "Some_class.run")
            self.assertEqual(shown("name", "Some_rather_long_class.run", 60), "run")
            self.assertRegex(shown("name", "some_function.<locals>.<lambda>", 90), "^some_\\w*\u2026$")
            self.assertRegex(shown("text", "connection number 17", 80), "^conn\\w*\u2026.*17$")
            self.assertEqual(shown("text", "connection number 17", 5), "")

    def test_words(self):
        """What can be used has a name, and what the keyboard is on a place where it may be."""
        with page.opened(self.path) as view:
            for key in "igf":
                view.press(key)
                view.settle()
            nameless = view.page.evaluate("""[...document.querySelectorAll('button, input, select, section, [tabindex], [role=option], [role=dialog], [role=tabpanel]')]
                .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim())).map(e => e.outerHTML)""")
            self.assertEqual(nameless, [])
            self.assertEqual(view.page.evaluate("[...document.querySelectorAll('[role=option]')].map(e => e.closest('[role=listbox]') !== null)"), [True, True])
            referred = view.page.evaluate("""['aria-labelledby', 'aria-controls', 'aria-activedescendant', 'aria-describedby'].flatMap(name =>
                [...document.querySelectorAll('[' + name + ']')].map(e => document.getElementById(e.getAttribute(name)) !== null))""")
            self.assertEqual(set(referred), {True})

    def test_another_theme(self):
        """When the system turns dark, the page does; on paper it is light."""
        with page.opened(self.path) as view:
            view.page.emulate_media(color_scheme="dark")
            view.page.wait_for_selector("html[data-theme=dark]")
            view.page.evaluate("dispatchEvent(new Event('beforeprint'))")
            self.assertEqual(view.page.get_attribute("html", "data-theme"), "light")
            view.page.evaluate("dispatchEvent(new Event('afterprint'))")
            self.assertEqual(view.page.get_attribute("html", "data-theme"), "dark")


if __name__ == "__main__":
    harness.main()
