"""What a failed comparison says: enough to see what is wrong, in few lines, as CI shows only the end of a log.
More of it: --test_env=FAILURE_LINES=1000."""
import difflib
import os

MAX_LINES = int(os.environ.get("FAILURE_LINES", 14))
MAX_COLUMNS = 30 * MAX_LINES
_MISSING = object()


class Failure(AssertionError):
    """Its text is shortened in the middle, by lines and in each line."""

    def __init__(self, text=""):
        super().__init__(shortened(str(text)))


def shortened(text):
    lines = text.split("\n")
    n_left_out = len(lines) - MAX_LINES
    if n_left_out > 0:
        n_tail = MAX_LINES // 3
        lines[MAX_LINES - n_tail:-n_tail] = ["... (%d lines)" % n_left_out]
    return "\n".join(_cut(line) for line in lines)


def _cut(line):
    half = MAX_COLUMNS // 2
    return line if len(line) <= MAX_COLUMNS else "%s ...(%d)... %s" % (line[:half], len(line) - 2 * half, line[-half:])


def differing(first, second):
    """Says where two values differ, the first few places: by key in dicts, by index in lists and tuples of a length."""
    found = list(_differences(first, second, ""))
    n_shown = max(3, MAX_LINES // 4)
    lines = ["%d different:" % len(found)]
    for place, one, other in found[:n_shown]:
        lines += [" at " + place if place else " all", *_apart(one, other)]
    if len(found) > n_shown:
        lines.append(" ... and %d more" % (len(found) - n_shown))
    return "\n".join(lines)


def differing_lines(first, second):
    """The same for texts: of one line, or a diff of their lines."""
    if "\n" not in first.rstrip("\n") + second.rstrip("\n"):
        return "\n".join(["other text:", *_apart(first, second)])
    diff = difflib.unified_diff(first.splitlines(True), second.splitlines(True), n=1)
    lines = [repr(line)[1:-1] if line[:1] in "-+" else line.rstrip("\n") for line in list(diff)[2:]]
    return "\n".join(["other lines:", *lines])


def _differences(first, second, place):
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            yield from _differences(first.get(key, _MISSING), second.get(key, _MISSING), "%s[%r]" % (place, key))
    elif isinstance(first, (list, tuple)) and type(first) is type(second) and len(first) == len(second):
        names = getattr(first, "_fields", range(len(first)))
        for name, one, other in zip(names, first, second):
            yield from _differences(one, other, "%s.%s" % (place, name))
    elif first is not second and first != second:
        yield place, first, second


def _apart(first, second):
    """Two lines, from shortly before they part."""
    one, other = ("(missing)" if value is _MISSING else repr(value) for value in (first, second))
    at = len(os.path.commonprefix([one, other]))
    start = at - 20 if at > 40 else 0
    return ["   - " + _part(one, start), "   + " + _part(other, start)]


def _part(text, start):
    end = start + MAX_COLUMNS // 2
    return ("..." if start else "") + text[start:end] + ("..." if len(text) > end else "")
