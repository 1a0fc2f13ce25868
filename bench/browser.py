"""What a browser needs for a page of `mtrace view`: browser.py chromium|firefox PAGE. Prints ms, as JSON. Runs
under the interpreter that has Playwright. With Chromium's GPU switched off, so it is the slowest case."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from tests.view import marionette, page  # noqa: E402

MARKS = "return ['overview', 'ready'].map(name => performance.getEntriesByName(name)[0].startTime);"
READY = """const done = arguments[arguments.length - 1];
           (function look() { document.body.dataset.ready ? done() : setTimeout(look, 20); })();"""

# One zoom step a frame, from everything to a microsecond and back; how long frames are apart.
ZOOM = """n => new Promise(done => {
    const factor = (1000 / (view.to - view.from)) ** (1 / n), gaps = [], at = model.end * 0.4;
    drawnMs.length = 0;
    let i = 0, before = 0;
    requestAnimationFrame(function step(now) {
        if (before) gaps.push(now - before);
        before = now;
        if (i++ < 2 * n) {
            zoomAt(at, i <= n ? factor : 1 / factor);
            requestAnimationFrame(step);
        } else done([gaps, [...drawnMs], view.to - view.from]);
    });
})"""
SEARCH = """text => { const start = performance.now(); startSearch(text); drawTimeline(); const found = performance.now();
    goToMatch(true); return [found - start, performance.now() - found, search.count]; }"""
FLAME = """([from, to]) => new Promise(done => {
    openPanel('flame');
    const start = performance.now();
    view.range = {from: model.end * from, to: model.end * to};
    const now = document.body.dataset.stats;
    refreshStats();
    (function look() {
        if (document.body.dataset.stats === now) setTimeout(look, 0);
        else done([performance.now() - start, panel.walk.nCalls]);
    })();
})"""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def in_chromium(path):
    with page.opened(path) as view:
        evaluate = view.page.evaluate
        found = dict(zip(("overview", "ready"), evaluate("() => { %s }" % MARKS)))
        found["calls"] = evaluate("model.nCalls")
        time.sleep(0.5)  # what the garbage collector does after loading is not zooming
        evaluate("view.current = 0; setAllRows(12)")
        gaps, drawn, _ = evaluate(ZOOM, 120)
        found["frame p95"], found["drawing p95"] = percentile(gaps, 0.95), percentile(drawn, 0.95)
        evaluate("setAllRows(0)")
        gaps, drawn, _ = evaluate(ZOOM, 120)
        found["frame p95, collapsed"] = percentile(gaps, 0.95)
        found["search"], found["next match"], found["matches"] = evaluate(SEARCH, "e")
        evaluate("searchFor('')")
        evaluate(FLAME, [0.9, 0.91])  # opens it
        found["flame, a tenth"], found["flame calls"] = evaluate(FLAME, [0.45, 0.55])
        found["flame, all"], _ = evaluate(FLAME, [0, 1])
        return found


def in_firefox(path):
    with marionette.firefox() as browser:
        browser.open("file://" + path)
        browser.wait(READY)
        return dict(zip(("overview", "ready"), browser.run(MARKS)))


if __name__ == "__main__":
    print(json.dumps((in_chromium if sys.argv[1] == "chromium" else in_firefox)(os.path.abspath(sys.argv[2]))))
