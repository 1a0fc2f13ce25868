"""Medians with their spread, and the ratios that are to be reached, from what was measured."""
import math
import statistics
from collections import namedtuple

from costs import MTRACE_RUN
from variants import UNTRACED, VIZTRACER, hook_name, mtrace_name

# A value with the quartiles around it.
Figure = namedtuple("Figure", "median low high")
# One line of the table of targets. most: True if the figure must not be above the target.
Target = namedtuple("Target", "what figure target most unit")

# What a peer adds is too little to compare with if it is below this share of the untraced time.
WORTH = 0.1


def figure(values):
    values = sorted(values)
    if len(values) == 1:
        return Figure(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(median, low, high)


def is_met(target):
    return target.figure.median <= target.target if target.most else target.figure.median >= target.target


class Results:
    """Of one group ("micro" or "macro"): seconds[variant][workload][metric], a list over rounds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.workloads = list(seconds[UNTRACED])

    def has(self, variant, workload=None):
        return variant in self.seconds and (workload is None or workload in self.seconds[variant])

    def time(self, variant, workload, metric="all"):
        return figure(self.seconds[variant][workload][metric])

    def _added(self, variant, workload, metric):
        """Round by round, so that what the machine did in a round hits both."""
        return [traced - plain for traced, plain in zip(self.seconds[variant][workload][metric],
                                                        self.seconds[UNTRACED][workload][metric])]

    def added(self, variant, workload, metric="all"):
        return figure(self._added(variant, workload, metric))

    def _ratios(self, variant, peer, workload, metric):
        """Added time over the peer's, round by round; none where that says nothing."""
        if not self.has(variant, workload) or not self.has(peer, workload):
            return []
        least = WORTH * self.time(UNTRACED, workload, metric).median
        if self.added(peer, workload, metric).median < least:
            return []
        return [mine / theirs for mine, theirs in zip(self._added(variant, workload, metric),
                                                      self._added(peer, workload, metric))
                if theirs > 0]

    def ratio(self, variant, peer, workload, metric="all"):
        ratios = self._ratios(variant, peer, workload, metric)
        return figure(ratios) if ratios else None

    def geometric_mean(self, variant, peer):
        """Over all workloads, of each round."""
        columns = [self._ratios(variant, peer, workload, "all") for workload in self.workloads]
        # What costs nothing has no logarithm; a hundredth is below what can be measured.
        columns = [[max(ratio, 0.01) for ratio in column] for column in columns if column]
        if not columns:
            return None
        rounds = min(len(column) for column in columns)
        return figure([math.exp(statistics.mean(math.log(column[i]) for column in columns))
                       for i in range(rounds)])


def _peer_targets(python, groups):
    for c_functions in (True, False):
        variant = mtrace_name(python.engine(c_functions), c_functions)
        peer = VIZTRACER[c_functions]
        if c_functions:
            target = 0.5 if python.has_monitoring else 0.65
        else:
            target = 0.4 if python.has_monitoring else 0.25
        what = "added / %s's: " % peer
        if "macro" in groups:
            yield Target(what + "macro, geometric mean", groups["macro"].geometric_mean(variant, peer), target, True, "")
        if "micro" in groups:
            for workload in groups["micro"].workloads:
                yield Target(what + workload, groups["micro"].ratio(variant, peer, workload), target, True, "")


def _clock_targets(python, micro):
    engine = python.engine(True)
    for metric, target, note in (("slice", 1.15, "chunk there"), ("all", 1.3, "everything")):
        for workload in micro.workloads:
            ratio = micro.ratio(mtrace_name(engine, True), hook_name(engine, True), workload, metric)
            yield Target("added / clock hook's, %s: %s" % (note, workload), ratio, target, True, "")


def _difference(found, name, other, unit):
    """Between two medians; the spread is the traced one's."""
    plain, traced = figure(found[other]), figure(found[name])
    return Figure(*[(value - plain.median) * unit for value in traced])


def _cost_targets(python, costs):
    if "storage" in costs:
        found = costs["storage"]
        per_event = [(big - small) / (events - few) for big, small, events, few in zip(
            found["long, used bytes"], found["short, used bytes"], found["long, events"], found["short, events"])]
        yield Target("bytes per event on disk, definitions aside", figure(per_event), 8, True, "")
        for length in ("short", "long"):
            added = _difference(found, "%s, %s" % (length, MTRACE_RUN), "%s, %s" % (length, UNTRACED), 1 / 1024)
            yield Target("peak memory added, %s program" % length, added, 8, True, "MB")
    if "openable" in costs:
        found = costs["openable"]
        for name, target in (("JSON", 20), ("Perfetto", 40)):
            sooner = [a / b for a, b in zip(found[VIZTRACER[True]], found["%s, %s" % (MTRACE_RUN, name)])]
            yield Target("VizTracer's wait for a file / ours, %s, 2.7 M calls" % name, figure(sooner), target, False, "")
    if "fork" in costs:
        added = _difference(costs["fork"], MTRACE_RUN, UNTRACED, 1e6)
        empty = figure(costs["fork"]["empty file"]).median * 1e6
        yield Target("a fork's first event, later by (an empty file takes %.0f µs)" % empty, added, 200, True, "µs")
    if "threads" in costs:
        found = costs["threads"]
        for n, target in ((16, 1.0), (2, 1.8)):
            if n == 2 and not python.free_threaded:
                continue
            traced, plain = (figure([a / b for a, b in zip(found["%s, %d" % (name, n)], found["%s, 1" % name])])
                             for name in (MTRACE_RUN, UNTRACED))
            # Threads that take turns cost something untraced, too.
            what = "event rate of %d threads / of one, two cores (untraced: %.2f)" % (n, plain.median)
            yield Target(what, traced, target, False, "")


def targets(python, groups, costs):
    """What is to be reached, as far as it was measured. A figure of None: too little to compare."""
    found = list(_peer_targets(python, groups))
    if "micro" in groups:
        found += _clock_targets(python, groups["micro"])
    return [t for t in found if t.figure is not None] + list(_cost_targets(python, costs))
