"""docs/format.md against include/mtrace/format.h: every number that a file can hold is in both, and the
small reader that the document gives reads files, made by hand and recorded.

In the document each list stands under a heading that names its X-macro:

    ### Record kinds (`MT_KIND_MAP`)

    * 1 `PY_BEGIN`: what it means
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

HEADING = re.compile(r"^#+ .*\(`(MT_\w+_MAP)`\)$", re.M)
BULLET = re.compile(r"^\* (?:(\d+) )?`(\w+)`: *(\S.*)$", re.M)


def text_of(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def header_rows(text):
    """{"MT_KIND_MAP": {"PY_BEGIN": 1, ...}, ...} from #define MT_..._MAP(X); a row without number: None."""
    maps = {}
    for name, body in re.findall(r"#define (MT_\w+_MAP)\(X\)((?:[^\n]*\\\n)*[^\n]*\n)", text):
        rows = re.findall(r"\bX\((\w+)(?:, *(\d+))?", body)
        maps[name] = {row: int(number) if number else None for row, number in rows}
    return maps


def document_rows(text):
    """The same from the lists of the document, and the rows that are there twice."""
    maps, twice = {}, []
    headings = list(HEADING.finditer(text))
    for heading in headings:
        end = re.compile(r"^#", re.M).search(text, heading.end())
        rows = maps.setdefault(heading.group(1), {})
        for number, row, _ in BULLET.findall(text[heading.end():end.start() if end else len(text)]):
            if row in rows:
                twice.append(row)
            rows[row] = int(number) if number else None
    return maps, twice


class Lists(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.document = text_of("docs", "format.md")
        cls.header = text_of("include", "mtrace", "format.h")
        cls.of_header = header_rows(cls.header)
        cls.of_header.update(header_rows(text_of("src", "core", "testpoint.h")))
        cls.of_document, cls.twice = document_rows(cls.document)

    def test_the_header_is_understood(self):
        self.assertEqual(self.of_header["MT_KIND_MAP"]["PY_BEGIN"], 1)
        self.assertEqual(self.of_header["MT_LOSS_MAP"]["NONE"], 0)
        self.assertIsNone(self.of_header["MT_TESTPOINT_MAP"]["record_stored"])
        n_rows = sum(len(rows) for rows in self.of_header.values())
        in_rows = len(re.findall(r"^    X\(\w+", self.header, re.M))
        n_points = len(self.of_header["MT_TESTPOINT_MAP"])
        self.assertEqual(n_rows - n_points, in_rows, "X-macro rows that this test does not see")

    def test_every_list_has_the_rows_of_its_macro(self):
        self.assertEqual(self.twice, [])
        self.assertEqual(self.of_document, self.of_header)

    def test_every_row_says_something(self):
        for line in re.findall(r"^\* .*", self.document, re.M):
            if re.match(r"\* (\d+ )?`", line):
                self.assertRegex(line, BULLET)

    def test_the_version(self):
        version = [re.search(r"#define MT_FORMAT_%s (\d+)" % part, self.header).group(1) for part in ("MAJOR", "MINOR")]
        self.assertIn("format version %s.%s." % tuple(version), self.document)

    def test_names_of_the_header_exist(self):
        known = set(re.findall(r"\bMT_\w+", self.header)) | set(self.of_header)
        self.assertEqual(set(re.findall(r"\bMT_\w+", self.document)) - known, set())


# ---- a trace file made by hand

MAGIC, CHUNK_MAGIC = b"\x89MTRACE\n", 0x314B434D
ZERO = 1000  # the tick at which the file was made; a tick is a ns


def file_header(major=1):
    header = bytearray(4096)
    struct.pack_into("<HHI", header, 8, major, 0, 4096)
    struct.pack_into("<IIQQQQ", header, 136, 3, 0, 10**9, ZERO, ZERO, 0)
    header[:8] = MAGIC
    return bytes(header)


def chunk(kind, words, thread=0, tid=0, start=0, flags=0, size=4096):
    head = struct.pack("<IIHHIIIQQQQQ", CHUNK_MAGIC, size, kind, flags, 0, thread, tid, 0, 0, 0, start, 0)
    return (head + b"".join(words)).ljust(size, b"\0")


def record(kind, id_, delta=0, *payload):
    return struct.pack("<%dQ" % (1 + len(payload)), delta << 32 | kind << 28 | id_, *payload)


def extension(subtype, *payload):
    return record(15, subtype << 12 | len(payload), 0, *payload)


def definition(kind, id_, fixed, text):
    payload = fixed + text
    payload += bytes(-len(payload) % 8)
    return struct.pack("<Q", len(payload) // 8 << 48 | kind << 32 | id_) + payload


def string(id_, text):
    return definition(1, id_, struct.pack("<II", len(text), 0), text)


def code(id_, name, file_id, line):
    return definition(2, id_, struct.pack("<IIII", file_id, line, 0, len(name)), name)


def c_function(id_, owner, name):
    return definition(3, id_, struct.pack("<II", len(owner), len(name)), owner + name)


def thread_name(number, tid, name):
    return definition(4, number, struct.pack("<QII", 0, tid, len(name)), name)


BY_HAND = b"".join([
    file_header(),
    chunk(1, [
        record(1, 40, 500), record(6, 42, 500), record(7, 42, 250), record(1, 41, 250), record(3, 41, 1),
        record(9, 77, 1), extension(99, 1, 2), extension(1, 3, 9000, 1 << 32), extension(2, 2 << 32 | 3, 0),
        record(1, 40), record(1, 41), record(11, 3, 0, 10**10, 0, 0), record(6, 42, 1000), record(2, 40, 1000),
        record(2, 41, 1), record(1, 43, 1)], thread=1, tid=17, start=ZERO),
    chunk(2, [string(1, b"app.py"), code(40, b"main", 1, 3), code(41, b"C.work", 1, 8), c_function(42, b"builtins", b"len"),
              definition(50, 1, b"of a later version", b""), thread_name(1, 17, b"MainThread")]),
    chunk(77, [b"a chunk of a later version"]),
    chunk(1, [record(1, 41, 5)], thread=2, tid=18, start=ZERO),
    chunk(1, [record(1, 44, 2000)], thread=1, tid=17, start=10**10 + 3000),
    # zeros: appended, but not committed; one word behind a zero word: not committed
    bytes(4096),
])
READ_BY_HAND = """\
thread 17 MainThread
       0.500 main (app.py:3)
       1.000   builtins.len
       1.500   C.work (app.py:8)
             lost 3 events
       1.502 main (app.py:3)
       1.502   C.work (app.py:8)
10000000.000     builtins.len
10000001.002 ?
10000004.000   ?
thread 18 ?
       0.005 C.work (app.py:8)
"""

PROGRAM = """\
import os, signal, threading

def leaf(x):
    return len(x)

def other():
    leaf("ab")

def main():
    thread = threading.Thread(target=other, name="second")
    thread.start()
    thread.join()
    leaf("abc")
    os.kill(os.getpid(), signal.SIGKILL)

main()
"""


class Reader(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mt")
        self.addCleanup(shutil.rmtree, self.folder)
        blocks = re.findall(r"^```python\n(.*?)^```$", text_of("docs", "format.md"), re.M | re.S)
        self.assertEqual(len(blocks), 1)
        self.reader = self.write("reader.py", blocks[0].encode())

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def read(self, path, status=0):
        environment = dict(os.environ, PYTHONIOENCODING="utf-8")
        done = subprocess.run([sys.executable, self.reader, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, env=environment, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def read_bytes(self, data, status=0):
        return self.read(self.write("by-hand.trace", data), status)

    def test_a_file_made_by_hand(self):
        self.assertEqual(self.read_bytes(BY_HAND), READ_BY_HAND)

    def test_a_file_cut_anywhere(self):
        whole = READ_BY_HAND.splitlines()
        for n in range(4096, len(BY_HAND), 4096 + 72):
            with self.subTest(n=n):
                self.assertLessEqual(len(self.read_bytes(BY_HAND[:n]).splitlines()), len(whole))

    def test_what_it_must_refuse(self):
        self.assertIn("not a trace file", self.read_bytes(b"", 1))
        self.assertIn("not a trace file", self.read_bytes(file_header(major=2), 1))
        self.assertIn("too new", self.read_bytes(file_header() + chunk(77, [], flags=1), 1))
        self.assertIn("damaged", self.read_bytes(file_header() + b"\1" * 64, 1))

    def test_a_recorded_file(self):
        """Of a process that was killed, as the interpreter of this test writes it."""
        traces = os.path.join(self.folder, "traces")
        os.mkdir(traces, 0o700)
        home = os.environ["MTRACE_HOME"]
        environment = dict(os.environ, MTRACE_DIR=traces, MTRACE_HOME=home, PYTHONPATH=os.path.join(home, "boot"))
        program = self.write("program.py", PROGRAM.encode())
        done = subprocess.run([sys.executable, program], env=environment, timeout=60)
        self.assertEqual(done.returncode, -9)
        names = os.listdir(traces)
        self.assertEqual([name.split(".")[0] for name in names], ["program"], names)
        out = self.read(os.path.join(traces, names[0]))
        self.assertRegex(out, r"(?m)^thread \d+ MainThread$")
        found = re.findall(r"^ *[\d.]+ +(\w+) \(%s:(\d+)\)$" % re.escape(program), out, re.M)
        self.assertEqual(sorted(found), [("leaf", "3"), ("leaf", "3"), ("main", "9"), ("other", "6")])
        main, second = re.split(r"(?m)^thread \d+ second$", out)
        self.assertRegex(main, r"leaf \(.*\)\n.* builtins\.len\n.* posix\.getpid\n.* posix\.kill\n")
        self.assertRegex(second, r" other \(.*\)\n.* leaf \(.*\)\n.* builtins\.len\n")


if __name__ == "__main__":
    unittest.main()
