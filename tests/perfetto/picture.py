"""Makes the README's picture: the timeline of examples/web_pool.py as Perfetto's interface shows it.
To be run when the example, or what the timeline of it looks like, has changed:

    ./bazelw run //tests/view:pictures

So that it fits on a page, a few threads are shown, with their outer calls, in lines less high than
Perfetto's own; the timeline itself has all.
"""
import json
import os
import subprocess
import sys
import tempfile

from tests.perfetto import browser
from tests.python import harness

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/web_pool.py")
WIDTH, TOP, BOTTOM, HEIGHT = 1240, 112, 1392, 1500  # what is cut out of a page so high

# (process, thread): how many calls deep
SHOWN = {
    ("web_pool", "MainThread"): 12,
    ("web_pool", "visitor_0"): 9,
    ("web_pool", "connection 1"): 14,
    ("ForkProcess-1", "MainThread"): 17,
    ("ForkProcess-2", "MainThread"): 17,
    ("ForkProcess-3", "MainThread"): 17,
}

ARROWS = """select min(s1.ts), max(s2.ts) from flow join slice s1 on slice_out = s1.id
            join slice s2 on slice_in = s2.id"""

# Shows all tracks that there are, and the arrows that begin or end between two times.
ARRANGE = """([from, to]) => {
  const ctx = window.ctx, uris = [];
  const processes = [...ctx.workspace.children].sort((a, b) => b.name.startsWith('web_pool') - a.name.startsWith('web_pool') || (a.name < b.name ? -1 : 1));
  for (const node of processes) {
    node.remove();
    ctx.workspace.addChildLast(node);
  }
  for (const node of ctx.workspace.flatTracks) {
    node.expand();
    const track = ctx.tracks.getTrack(node.uri), layout = track && track.renderer.sliceLayout;
    if (layout)
      Object.assign(layout, {sliceHeight: 13, titleSizePx: 10});
    if (track)
      uris.push(node.uri);
  }
  if (ctx.sidebar.visible)
    ctx.sidebar.toggleVisibility();
  ctx.selection.selectArea({start: BigInt(from), end: BigInt(to), trackUris: uris}, {switchToCurrentSelectionTab: false});
  ctx.flows.setCategoryVisible('_all_', true);
  ctx.tabs.setTabPanelVisibility('COLLAPSED');
  const ms = 1000000n, begin = BigInt(from) - 12n * ms;
  ctx.timeline.setViewportTime(begin, begin + 420n * ms);
  ctx.raf.scheduleFullRedraw();
}"""


def record():
    """The events of the example's timeline."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "all.json")
        subprocess.run([harness.MTRACE, "run", "--no-c", "-o", path, "--python", sys.executable, EXAMPLE], check=True)
        with open(path) as f:
            return json.load(f)


def shorten(events):
    """The events of what is shown."""
    processes = {e["pid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
    rows = {(e["pid"], e["tid"]): SHOWN.get((processes[e["pid"]], e["args"]["name"]), 0)
            for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    depth = dict.fromkeys(rows, 0)
    for event in events:
        track = event["pid"], event.get("tid")
        if track not in rows:
            yield event
            continue
        depth[track] += event["ph"] == "B"
        if depth[track] <= rows[track] and rows[track]:
            yield event
        depth[track] -= event["ph"] == "E"


def main(path):
    timeline = json.dumps(list(shorten(record()))).encode()
    with browser.perfetto(timeline, viewport={"width": WIDTH, "height": HEIGHT}) as page:
        page.wait_for_timeout(1000)  # tracks are laid out
        page.evaluate(ARRANGE, *browser.ask(page, ARROWS))
        page.wait_for_timeout(3000)  # and drawn
        page.screenshot(path=path, clip={"x": 0, "y": TOP, "width": WIDTH, "height": BOTTOM - TOP})
    print("%s: %d kB" % (path, os.path.getsize(path) // 1000))


if __name__ == "__main__":
    main(sys.argv[1])
