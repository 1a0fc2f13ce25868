"""The data of a page, read as docs/view.md tells it, without a browser: the same events as in Chrome's format."""
import base64
import json
import os
import re
import zlib

from tests.python import harness

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
GOLDEN = os.path.join(TOP, "tests/golden")

PROGRAM = """
import os, threading
def numbers(n):
    for i in range(n):
        yield i
def failing(n):
    raise ValueError(n)
def work(n):
    for i in numbers(n):
        try:
            failing(i)
        except ValueError:
            pass
threads = [threading.Thread(target=work, args=(n,)) for n in (1, 30, 4000, 90)]
for t in threads: t.start()
for t in threads: t.join()
if not os.fork():
    work(7)
    os._exit(0)
os.wait()
"""


class Numbers:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n=None):
        if n is not None:
            return [self.take() for _ in range(n)]
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bytes(self, n):
        self.at += n
        return self.data[self.at - n:self.at]


class Page:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            elements = re.findall(r"<script type=text/plain ([^>]*) data-bytes=(\d+)>([^<]*)</script>", f.read())
        self.parts = [(attributes, self.inflate(text, int(size))) for attributes, size, text in elements]
        self.head = json.loads(dict(self.parts)["id=head"])
        self.overview = dict(self.parts)["id=overview"]
        self.blocks = [data for attributes, data in self.parts if attributes.startswith("class=block")]
        self.events = {}  # by track: (ns, "B", name), (ns, "E", None), (ns, "i", count)
        self.open = {}
        for block in self.blocks:
            self.read_block(Numbers(block))

    @staticmethod
    def inflate(text, size):
        data = zlib.decompress(base64.b64decode(text, validate=True), -15)
        assert len(data) == size
        return data

    def read_block(self, block):
        names = block.take(block.take())
        segments = [(*block.take(3), block.take(block.take())) for _ in range(block.take())]
        sizes = block.take(3)
        columns = [Numbers(block.bytes(size)) for size in sizes]
        assert block.at == len(block.data)
        for segment in segments:
            self.read_segment(*segment, *columns, names)
        assert [column.at for column in columns] == sizes

    def read_segment(self, track, n_symbols, now, open_, symbols, times, extras, names):
        events, stack = self.events.setdefault(track, []), self.open.setdefault(track, [])
        assert stack == open_, (stack, open_)
        for symbol in symbols.take(n_symbols):
            if symbol in (4, 5):
                extras.take(symbol - 4)
                continue
            now += times.take()
            if symbol >= 7:
                func = names[symbol - 7] if names else symbol - 7
                stack.append(func)
                events.append((now, "B", self.head["func_name"][func]))
            elif symbol == 6:
                count, _, _, _, size = extras.take(5)
                extras.bytes(size)
                events.append((now, "i", count))
            else:
                extras.take(symbol == 3 and 1 or 0)
                stack.pop()
                events.append((now, "E", None))

    def by_thread(self):
        found = {}
        for index, events in self.events.items():
            track = self.head["tracks"][index]
            found.setdefault((self.head["processes"][track["process"]]["pid"], track["tid"]), []).extend(events)
        return found


class TestData(harness.Case):
    def assert_same(self, traces, *options):
        path = os.path.join(self.folder, "page.html")
        self.mtrace("view", "-o", path, *options, traces)
        shown, wanted = Page(path), {}
        for event in json.loads(self.mtrace("merge", *options, traces).stdout):
            if event["ph"] in "BE" or event["ph"] == "i" and event["s"] == "t":
                what = event["name"] if event["ph"] == "B" else event["args"]["count"] if event["ph"] == "i" else None
                wanted.setdefault((event["pid"], event["tid"]), []).append((round(event["ts"] * 1000), event["ph"], what))
        self.assertEqual(shown.by_thread(), wanted)
        for index, track in enumerate(shown.head["tracks"]):
            depth, rows = 0, []
            for _, kind, _ in shown.events.get(index, []):
                depth += (kind == "B") - (kind == "E")
                rows += [depth] if kind == "B" else []
            self.assertEqual(track["rows"], [rows.count(d + 1) for d in range(max(rows, default=0))])
        self.assert_overview(shown)
        return shown

    def assert_overview(self, page):
        """The time of each track in which something is open, within a 255th of each bin."""
        overview, bins, width = Numbers(page.overview), page.head["bins"], 1 << page.head["shift"]
        for index in range(len(page.head["tracks"])):
            funcs, shares = overview.take(bins), overview.bytes(bins)
            self.assertEqual([func == 0 for func in funcs], [share == 0 for share in shares])
            busy, depth, since = [0] * bins, 0, 0
            for now, kind, _ in page.events.get(index, []):
                for i in range(since // width, now // width + 1) if depth else ():
                    busy[i] += min(now, (i + 1) * width) - max(since, i * width)
                depth, since = depth + (kind == "B") - (kind == "E"), now
            wrong = [(i, busy[i], share) for i, share in enumerate(shares)
                     if abs(busy[i] / width * 255 - share) > 0.51 and not (share == 1 and 0 < busy[i] < width / 255)]
            self.assertEqual(wrong, [])
        self.assertEqual(overview.at, len(overview.data))

    def test_program(self):
        self.run_script(PROGRAM)
        page = self.assert_same(self.traces)
        self.assertEqual(sum(kind != "i" for events in page.events.values() for _, kind, _ in events), page.head["events"])
        self.assertEqual(len(page.head["arrows"]), 1)
        self.assertEqual(len(page.head["processes"]), 2)
        self.assert_same(self.traces, "--min-duration", "20us")
        self.assert_same(self.traces, "--exclude", "failing", "--max-depth", "4")
        self.assert_same(self.traces, "--to", "1ms", "--thread", "MainThread")

    def test_golden(self):
        """Repaired calls, losses, a tid that is used again."""
        page = self.assert_same(GOLDEN)
        self.assertEqual([event[2] for events in page.events.values() for event in events if event[1] == "i"], [12])
        self.assertEqual([process.get("lost") for process in page.head["processes"]], [12, 2])

    def test_long_track(self):
        """More events than a block has, and calls that are open from one to the next."""
        self.run_script("""
            def leaf(): pass
            def outer(n):
                if n: return outer(n - 1)
                for i in range(300000): leaf()
            outer(20)
            """)
        page = self.assert_same(self.traces)
        self.assertGreaterEqual(len(page.blocks), 2)


if __name__ == "__main__":
    harness.main()
