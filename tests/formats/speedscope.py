"""What speedscope makes of a file."""
import collections
import json
import os
import re

from tests.formats import page

FOLDER = os.path.join(os.environ["NPM"], "speedscope/dist/release")
ROWS = "() => [...document.querySelectorAll('tr')].map(row => [...row.children].map(cell => cell.innerText.trim()))"
UNITS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}


class Shown:
    """A file that speedscope has opened.

    profiles   what it makes of each profile, when asked to save what it has: dicts with name, unit,
               startValue, endValue, events
    frames     those that events refer to
    menu       its list of profiles: (number, name, time), with texts such as "9.00ms"
    table      its list of the frames that took most time themselves: (total, self, name), with texts such as
               "9.00ms (90%)"
    title      in its tool bar
    """

    def __init__(self, path, name):
        with open(path, "rb") as f, page.opened(FOLDER, "/" + name, f.read()) as (tab, address):
            tab.goto("%s/index.html#profileURL=%s/%s" % (address, address, name))
            tab.get_by_text("Sandwich").wait_for()
            tab.get_by_text("Export").wait_for()
            self.title = re.search(r"^.*\([0-9]+/[0-9]+\)$|\Z", tab.inner_text("body"), re.MULTILINE).group()
            tab.keyboard.press("3")
            tab.get_by_text(re.compile(r"%\)$")).first.wait_for()  # rows, which come after their head
            rows = [tuple(row) for row in tab.evaluate(ROWS)]
            at = rows.index(("Total", "Self", "Symbol Name"))
            self.menu, self.table = rows[1:at], rows[at + 1:]
            with tab.expect_download() as download:
                tab.keyboard.press("Control+s")
            with open(download.value.path()) as saved:
                self.saved = json.load(saved)
        self.profiles, self.frames = self.saved["profiles"], self.saved["shared"]["frames"]

    def stacks(self, profile):
        """A Counter of stacks, tuples of frames' names, by how often each was entered."""
        return count_stacks(profile["events"], self.frames)


def walk(events, frames):
    """Yields (stack, begin, end) of each call, inner ones first; fails where they do not nest."""
    stack, begins, at = [], [], 0
    for event in events:
        name = frames[event["frame"]]["name"]
        assert event["at"] >= at, event
        at = event["at"]
        if event["type"] == "O":
            stack.append(name)
            begins.append(at)
        else:
            assert stack and stack[-1] == name, event
            yield tuple(stack), begins.pop(), at
            stack.pop()
    assert not stack, stack


def count_stacks(events, frames, also_empty=True):
    return collections.Counter(stack for stack, begin, end in walk(events, frames) if also_empty or end > begin)


def own_times(events, frames):
    """A Counter of stacks by the time that they took themselves."""
    own = collections.Counter()
    for stack, begin, end in walk(events, frames):
        own[stack] += end - begin
        if len(stack) > 1:
            own[stack[:-1]] -= end - begin
    return +own


def ns(text):
    """"9.00ms (90%)" as a number."""
    number, unit = re.match(r"([0-9.]+)(ns|µs|ms|s)\b", text).groups()
    return float(number) * UNITS[unit]
