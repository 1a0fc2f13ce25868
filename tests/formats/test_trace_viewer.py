"""Chromium's trace viewer, which is the page behind chrome://tracing, opens Chrome's JSON.

Debian's Chromium leaves that page out; a package of PyPI carries it, and what it asks of an old browser
comes from npm. Asked is the model that it draws from.

It compares times as whole microseconds when it looks which calls are in which, unless a file asks for ns;
that takes an object around the array of events, which merge does not write, since such a file could not be
read when it is cut off. So calls and names are looked at as they are, and nesting in an object."""
import collections
import json
import os

import torch_tb_profiler

from tests.formats import page, recorded
from tests.python import harness

FOLDER = os.path.join(os.path.dirname(torch_tb_profiler.__file__), "static")
with open(os.path.join(os.environ["NPM"], "webcomponents.js/webcomponents.min.js")) as script:
    PAGES = {"/webcomponents.min.js": script.read(),
             "/page.html": '<!DOCTYPE html><html><head><script src="/webcomponents.min.js"></script>'
                           '<link rel="import" href="/trace_viewer_full.html"></head><body></body></html>'}

# Of each thread how often each stack is there, names in JSON from the outermost on, and how many calls never ended.
MODEL = """async () => {
  const model = new tr.Model(), text = await (await fetch('/known.json')).text();
  new tr.importer.Import(model).importTraces([text]);
  const path = slice => [...(slice.parentSlice ? path(slice.parentSlice) : []), slice.title];
  const threads = model.getAllThreads().map(thread => {
    const stacks = {}, slices = thread.sliceGroup.slices;
    for (const slice of slices) {
      const key = JSON.stringify(path(slice));
      stacks[key] = (stacks[key] || 0) + 1;
    }
    return {pid: thread.parent.pid, process: thread.parent.name, tid: thread.tid, name: thread.name, stacks,
            nOpen: slices.filter(slice => slice.didNotFinish).length};
  });
  return {threads, warnings: model.importWarnings, arrows: model.flowEvents.length};
}"""


class TestTraceViewer(recorded.Case):
    def ask(self, data):
        with page.opened(FOLDER, "/known.json", data, PAGES) as (tab, address):
            tab.goto(address + "/page.html")
            tab.wait_for_function("() => Boolean(window.tr && tr.Model && tr.importer && tr.importer.Import)")
            return tab.evaluate(MODEL)

    def test_begin_end(self):
        self.verify("begin-end")

    def test_complete(self):
        self.verify("complete")

    def verify(self, style):
        with open(self.merged("--events", style), "rb") as f:
            data = f.read()
        self.verify_model(self.ask(data), innermost)
        self.verify_model(self.ask(b'{"displayTimeUnit": "ns", "traceEvents": %s}' % data), tuple)

    def verify_model(self, model, seen):
        """The model has the calls of every thread; `seen` says what of their stacks is looked at."""
        self.assertEqual(model["warnings"], [])
        self.assertEqual(model["arrows"], len(self.recorded) - 1)
        expected, n_open = self.names(), 0
        for thread in model["threads"]:
            shown, there = collections.Counter(), collections.Counter()
            for stack, n in thread["stacks"].items():
                shown[seen(json.loads(stack))] += n
            for stack, n in expected.pop((thread["pid"], thread["tid"])).items():
                there[seen(stack)] += n
            self.assertEqual(shown, there)
            n_open += thread["nOpen"]
        self.assertEqual(expected, {})
        self.assertEqual(n_open, self.unfinished)
        names = {(t["process"], t["name"]) for t in model["threads"]}
        self.assertEqual({("known", "worker; %d <\"n\">" % n) for n in (6, 7, 8)} - names, set())


def innermost(stack):
    return stack[-1]


if __name__ == "__main__":
    harness.main()
