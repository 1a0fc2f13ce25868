"""Makes the picture of docs/view.md and the README: the page of examples/web_pool.py, with one of its calls
picked and a selection's flame graph. To be run when the example or the page has changed:

    ./bazelw run //tests/view:pictures
"""
import os
import subprocess
import sys
import tempfile

from tests.python import harness
from tests.view import page

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/web_pool.py")
SIZE = {"width": 1280, "height": 760}

# The first threads, two of them open, and a part of the time.
ARRANGE = """() => {
    const named = name => model.tracks.find(track => track.info.name === name);
    named('MainThread').shownRows = 7;
    named('connection 1').shownRows = 14;
    lanesChanged();
    const start = model.arrows[0][3];
    setTime(start - 0.03 * model.end, start + 0.55 * model.end);
    pick(null);
    select(start + 0.1 * model.end, start + 0.25 * model.end);
    screen.canvas.blur();
}"""


def main(path):
    with tempfile.TemporaryDirectory() as folder:
        traces, html = os.path.join(folder, "traces"), os.path.join(folder, "page.html")
        subprocess.run([harness.MTRACE, "run", "-q", "--no-c", "--python", sys.executable, "-d", traces, EXAMPLE], check=True)
        subprocess.run([harness.MTRACE, "view", "-o", html, traces], check=True)
        with page.opened(html, size=SIZE) as view:
            view.page.evaluate("setText('title', 'examples/web_pool.py')")
            view.stats("g")
            view.page.evaluate(ARRANGE)
            view.settle()
            view.page.wait_for_selector("#stats:not([aria-busy])")
            view.settle()
            view.page.screenshot(path=path)
    print("%s: %d kB" % (path, os.path.getsize(path) // 1000))


if __name__ == "__main__":
    main(sys.argv[1])
