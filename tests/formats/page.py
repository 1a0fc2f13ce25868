"""A page of somebody else's, in headless Chromium, with a file of ours. As in tests/perfetto/browser.py,
nothing leaves the machine."""
import contextlib
import os
import shutil

import playwright.sync_api

from tests.perfetto import browser

# A WebGL that needs no graphics card.
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
ARGUMENTS = [a for a in browser.ARGUMENTS if a != "--disable-gpu"] + SOFTWARE_GL


@contextlib.contextmanager
def opened(folder, path, data, pages=None):
    """A Playwright page on an empty page of a server that has the folder, `data` at `path`, and the files of
    `pages`, a dict from paths to texts. Yields it and the server's address; errors of the page's are ours."""
    os.environ.setdefault("HOME", os.environ.get("TEST_TMPDIR", "/tmp"))
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
    errors = []
    with browser.serve(folder, path, data) as address, playwright.sync_api.sync_playwright() as p:
        with contextlib.closing(p.chromium.launch(executable_path=chromium, args=ARGUMENTS)) as program:
            page = program.new_page(accept_downloads=True)
            page.set_default_timeout(browser.TIMEOUT_MS)
            page.on("pageerror", lambda error: errors.append(error))
            for at, text in (pages or {}).items():
                page.route(address + at, lambda route, request, text=text: route.fulfill(body=text))
            yield page, address
    if errors:
        raise AssertionError("errors of the page: %s" % errors)
