"""The page of `mtrace view` in headless Chromium, as from a disk: what it says, by the text that a screen
reader gets, and what is on a screenshot. Whatever the page complains of, and whatever it asks for beside
itself, is an error."""
import atexit
import contextlib
import functools
import os
import re
import shutil
import struct
import zlib

import playwright.sync_api

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
             "--disable-background-networking", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND"]
TIMEOUT_MS = 120000
SIZE = {"width": 1280, "height": 720}


def number(text):
    return int(re.search(r"[\d,]+", text).group().replace(",", ""))


class View:
    """A page that is ready."""

    def __init__(self, page):
        self.page = page

    def text(self, element):
        return self.page.text_content("#" + element)

    def summary(self):
        """{"processes": 4, ...} of the line below the title."""
        words = re.findall(r"([\d,]+) (host|process|thread|call|events lost|unfinished call)", self.text("summary") + " " + self.text("troubles"))
        return {what: number(n) for n, what in words}

    def table(self, body):
        """Texts of a table, by row."""
        return self.page.evaluate("id => [...document.getElementById(id).rows].map(r => [...r.cells].map(c => c.textContent))", body)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def top(self):
        """Where the timeline begins."""
        return self.page.evaluate("Math.round(screen.canvas.getBoundingClientRect().top)")

    def settle(self):
        """Until what was done is added up, drawn, and said."""
        self.page.wait_for_selector("#stats:not([aria-busy])", state="attached")
        self.page.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250))")

    def stats(self, key="f"):
        """Opens the table of functions, or what the key opens, and waits until it is of now."""
        before = self.page.get_attribute("body", "data-stats") or "0"
        self.page.focus("#timeline")
        self.press(key)
        self.page.wait_for_selector("body[data-stats]:not([data-stats='%s'])" % before, state="attached")

    def functions(self):
        """{name: [calls, total ns, self ns, place]} of the table, where a name is there once."""
        rows = self.page.evaluate("""() => [...document.getElementById('rows').rows].map(r =>
            [r.cells[0].textContent, r.cells[1].textContent, r.cells[2].title, r.cells[3].title, r.cells[6].title])""")
        return {(name, place): [number(calls), number(total), number(own)] for name, calls, total, own, place in rows}

    def tracks(self):
        """Rows of the table of threads on the screen, as dicts."""
        heads = ["thread", "tid", "process", "pid", "host", "calls", "in view", "depth", "unfinished", "losses"]
        self.settle()
        return [dict(zip(heads, row)) for row in self.table("tracks")]

    def in_view(self):
        self.settle()
        return number(self.text("in-view").split("): ")[1])

    def search(self, text):
        self.page.fill("#search", text)
        return self.text("count")

    def pixels(self):
        """What is on the screen: a function of x and y that gives (red, green, blue)."""
        return read_png(self.page.screenshot())


@functools.lru_cache(None)
def chromium():
    """One for all tests of a file."""
    os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
    program = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
    playwright_ = playwright.sync_api.sync_playwright().start()
    browser = playwright_.chromium.launch(executable_path=program, args=ARGUMENTS)
    atexit.register(lambda: (browser.close(), playwright_.stop()))
    return browser


@contextlib.contextmanager
def opened(path, dark=False, size=SIZE, place="", is_whole=True, **how):
    """A View of the page in that file, when all of it is drawn. Without `is_whole` it is one that was damaged: what
    becomes of it is for the test to see. `place`: of the address, from # on. `how`: of Playwright's new_context."""
    trouble, address = [], "file://" + os.path.abspath(path)

    def asked(request):
        if request.url.split("#")[0] != address and not request.url.startswith(("blob:", "data:")):
            trouble.append("asks for " + request.url)

    with contextlib.closing(chromium().new_context(viewport=size, color_scheme="dark" if dark else "light", **how)) as context:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("request", asked)
        page.on("pageerror", lambda error: trouble.append("error: %s" % error))
        page.on("console", lambda message: trouble.append("console: " + message.text))
        page.on("dialog", lambda dialog: (trouble.append("dialog: " + dialog.message), dialog.dismiss()))
        page.goto(address + place, timeout=TIMEOUT_MS)
        if is_whole:
            page.wait_for_selector("body[data-ready]", state="attached")
        yield View(page)
    if trouble and is_whole:
        raise AssertionError("the page: %s" % trouble)


def read_png(data):
    """Of a PNG of 8 bits and without interlacing, as browsers write them."""
    at, packed, width, channels = 8, b"", 0, 3
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, _, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert depth == 8 and color in (2, 6) and not interlaced
            channels = 3 if color == 2 else 4
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    raw, rows, stride = zlib.decompress(packed), [], width * channels
    before = bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        before = unfilter(raw[start], bytearray(raw[start + 1:start + 1 + stride]), before, channels)
        rows.append(before)
    return lambda x, y: tuple(rows[y][x * channels:x * channels + 3])


def unfilter(kind, row, above, channels):
    for i in range(len(row) if kind else 0):
        a = row[i - channels] if i >= channels else 0
        b, c = above[i], above[i - channels] if i >= channels else 0
        if kind == 4:
            p = a + b - c
            da, db, dc = abs(p - a), abs(p - b), abs(p - c)
            best = a if da <= db and da <= dc else b if db <= dc else c
        else:
            best = (0, a, b, (a + b) // 2)[kind]
        row[i] = (row[i] + best) & 255
    return row
