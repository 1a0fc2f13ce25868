"""The report: Markdown tables."""
from costs import LONG, MTRACE_RUN, SHORT
from figures import figure, is_met
from variants import UNTRACED, VIZTRACER, mtrace_name


def number(value, digits=None):
    """Three digits that count, or so many after the point."""
    if digits is not None:
        return "%.*f" % (digits, value)
    if abs(value) >= 100:
        return "%.0f" % value
    return "%.1f" % value if abs(value) >= 10 else "%.2f" % value


def spread(f, unit="", digits=None):
    """The median, and half of the distance between the quartiles."""
    return "%s ±%s%s" % (number(f.median, digits), number((f.high - f.low) / 2, digits), unit and " " + unit)


def against(f, target, unit):
    """As many digits as it takes to see on which side of the target a figure is."""
    digits = next((d for d in range(2, 6) if f.median == target or round(f.median, d) != target), None)
    return spread(f, unit, digits if digits and digits > 2 else None)


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def times(title, results, variants, python):
    """Variants below each other for a few workloads, beside each other for many."""
    yield "#### " + title
    yield ""
    names = [v.name for v in variants if results.has(v.name)]

    def cell(variant, workload):
        if not results.has(variant, workload):
            return "–"
        return spread(figure([1e3 * s for s in results.seconds[variant][workload]["all"]]))

    if len(results.workloads) < len(names):
        yield from table(["ms"] + results.workloads,
                         [[name] + [cell(name, w) for w in results.workloads] for name in names])
        return
    ratios = [(mtrace_name(python.engine(c), c), VIZTRACER[c]) for c in (True, False)]
    rows = []
    for workload in results.workloads:
        found = [results.ratio(variant, peer, workload) for variant, peer in ratios]
        rows.append([workload] + [cell(name, workload) for name in names] +
                    ["–" if f is None else number(f.median) for f in found])
    yield from table(["ms"] + names + ["added / VizTracer's", "--no-c: added / VizTracer's"], rows)


def ratios(results, variants, python):
    """What mtrace adds, over what each of the others adds."""
    mine = mtrace_name(python.engine(True), True)
    yield "#### Added by %s / added by" % mine
    yield ""
    rows = []
    for name in [v.name for v in variants if v.name not in (mine, UNTRACED) and results.has(v.name)]:
        found = [results.ratio(mine, name, workload) for workload in results.workloads]
        rows.append([name] + ["–" if f is None else spread(f) for f in found])
    yield from table([""] + results.workloads, rows)


def costs(found):
    rows = []
    if "startup" in found:
        plain = figure(found["startup"][UNTRACED]).median
        for name, values in found["startup"].items():
            f = figure([1e3 * v for v in values])
            rows.append(["`python -c pass`, " + name, spread(f, "ms"), "+%s ms" % number(f.median - 1e3 * plain)])
    if "fork" in found:
        plain = figure(found["fork"][UNTRACED]).median
        for name in (UNTRACED, MTRACE_RUN):
            f = figure([1e6 * v for v in found["fork"][name]])
            rows.append(["fork to the child's answer, " + name, spread(f, "µs"),
                         "+%s µs" % number(f.median - 1e6 * plain)])
    for name, values in found.get("threads", {}).items():
        rows.append(["calls per second, %s thread(s)" % name, spread(figure([v / 1e6 for v in values]), "M"), ""])
    if "storage" in found:
        rows += _storage(found["storage"])
    for name, values in found.get("openable", {}).items():
        rows.append(["from the end of 2.7 M calls to a file to open, " + name, spread(figure(values), "s"), ""])
    yield "#### Beside the time"
    yield ""
    yield from table(["", "", "added"], rows)


def _storage(found):
    for length in ("short", "long"):
        events = figure(found[length + ", events"]).median
        plain = figure(found["%s, %s" % (length, UNTRACED)]).median / 1024
        for name in (UNTRACED, MTRACE_RUN, VIZTRACER[True]):
            if "%s, %s" % (length, name) in found:
                f = figure([v / 1024 for v in found["%s, %s" % (length, name)]])
                yield ["peak memory, %s events, %s" % (_millions(events), name), spread(f, "MB"),
                       "+%s MB" % number(f.median - plain)]
    events = figure(found["long, events"]).median
    yield ["bytes per event, all of the file", "%.2f" % (figure(found["long, bytes"]).median / events), ""]
    for name in (MTRACE_RUN, VIZTRACER[True]):
        if "seconds: " + name in found:
            size = figure(found["timeline bytes: " + name]).median
            yield ["from the program's end to a timeline, " + name, spread(figure(found["seconds: " + name]), "s"),
                   "%.0f MB" % (size / 1e6)]


def _millions(events):
    return "%.1f M" % (events / 1e6)


def targets(found):
    yield "#### Targets"
    yield ""
    rows = []
    for t in found:
        sign = "≤" if t.most else "≥"
        rows.append([t.what, against(t.figure, t.target, t.unit), "%s %g" % (sign, t.target), "ok" if is_met(t) else "**SHORT**"])
    yield from table(["", "figure", "target", ""], rows)


def emit(found):
    yield "### One event in C, without an interpreter"
    yield ""
    yield from table(["clock alone", "record, chunk there", "everything"],
                     [["%s ns" % spread(figure(found[key])) for key in ("clock_ns", "chunk_there_ns", "everything_ns")]])


def rows(title, found):
    """Of merge.Row."""
    yield "### " + title
    yield ""
    lines = []
    for row in found:
        target, mark = "", ""
        if row.target is not None:
            met = row.value <= row.target if row.most else row.value >= row.target
            target, mark = "%s %g" % ("≤" if row.most else "≥", row.target), "ok" if met else "**SHORT**"
        lines.append([row.what, ("%s %s" % (number(row.value), row.unit)).strip(), target, mark])
    yield from table(["", "figure", "target", ""], lines)


def legend(rounds):
    yield ("Medians of %d interleaved rounds on one core, ± half of the distance between the quartiles; a "
           "value of a round is the best of several repetitions. *added*: less the untraced time of the same "
           "round. *VizTracer* has its defaults and memory that nothing has touched, as each program's first "
           "million calls have; *VizTracer, ring full* is beyond that, where each call drops the oldest one "
           "(mtrace keeps them all). –: what the peer adds is below a tenth of the untraced time, too little to "
           "compare with. The short program makes each micro workload %d times, the long one %d times. Absolute "
           "values are this machine's; the ratios are what to hold on to." % (rounds, SHORT, LONG))
    yield ""
