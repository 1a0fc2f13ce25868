"""An independent reader of Perfetto's format, for tests: Perfetto's own schema parses the packets, and
what they mean is worked out here from its documentation, as strictly as it can be read.

    timeline = packets.read(data)
    timeline.calls       sorted list of Call
    timeline.marks       sorted list of Mark: instants
    timeline.flows       sorted list of (from, to): each a pid, a tid and a time
    timeline.processes   {pid: name}, in the order of their ranks
    timeline.threads     {(pid, tid): name}, in the order of processes and ranks

read_chrome() makes the same of the events of a Chrome trace.
"""
import collections

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

BOOTTIME, TRACK_CLOCK, CLEARED = 6, 64, 1

# duration: None where the call never ended; place: "file:line" or None
Call = collections.namedtuple("Call", "pid tid ts depth name duration category place args")
Mark = collections.namedtuple("Mark", "pid tid ts name category args")
Flow = collections.namedtuple("Flow", "origin target")


class Wrong(Exception):
    """The file breaks a rule of the format."""


def need(condition, *what):
    if not condition:
        raise Wrong(*what)


class Sequence:
    """What holds for the packets of one sequence."""

    def __init__(self):
        self.cleared = False
        self.now = None  # of the clock that counts
        self.clock = self.track = None  # of packets that do not say
        self.names, self.categories, self.places, self.annotations = {}, {}, {}, {}

    def apply(self, packet):
        if packet.sequence_flags & CLEARED:
            self.__init__()
            self.cleared = True
        if packet.HasField("trace_packet_defaults"):
            need(self.cleared, "defaults before the state was cleared")
            self.clock = packet.trace_packet_defaults.timestamp_clock_id
            self.track = packet.trace_packet_defaults.track_event_defaults.track_uuid
        if packet.HasField("clock_snapshot"):
            self.set_clock({c.clock_id: c for c in packet.clock_snapshot.clocks})
        for entries, table in ((packet.interned_data.event_names, self.names),
                               (packet.interned_data.event_categories, self.categories),
                               (packet.interned_data.source_locations, self.places),
                               (packet.interned_data.debug_annotation_names, self.annotations)):
            for entry in entries:
                need(entry.iid and entry.iid not in table, "an iid is 0, or there already", entry)
                table[entry.iid] = entry

    def set_clock(self, clocks):
        need(BOOTTIME in clocks, "a snapshot without the trace's clock")
        if TRACK_CLOCK in clocks:
            need(clocks[TRACK_CLOCK].is_incremental, "a clock that does not count")
            need(clocks[TRACK_CLOCK].timestamp == clocks[BOOTTIME].timestamp, "clocks differ")
            need(self.now is None or clocks[BOOTTIME].timestamp >= self.now, "time goes backwards")
            self.now = clocks[BOOTTIME].timestamp

    def time(self, packet):
        need(packet.HasField("timestamp"), "an event without a time")
        if (packet.timestamp_clock_id or self.clock) != TRACK_CLOCK:
            return packet.timestamp
        self.now += packet.timestamp
        return self.now

    def args(self, event):
        args = {}
        for annotation in event.debug_annotations:
            name = annotation.name or self.annotations[annotation.name_iid].name
            args[name] = getattr(annotation, annotation.WhichOneof("value"))
        return args

    def category(self, event):
        found = [self.categories[iid].name for iid in event.category_iids] + list(event.categories)
        need(len(found) <= 1, "several categories")
        return found[0] if found else None

    def place(self, event):
        if not event.source_location_iid:
            return None
        place = self.places[event.source_location_iid]
        need(place.function_name == self.names[event.name_iid].name, "a place of another function", place)
        return "%s:%d" % (place.file_name, place.line_number)


class Timeline:
    def __init__(self):
        self.calls, self.marks, self.flows = [], [], []
        self.processes, self.threads = {}, {}
        self.tracks, self.sequences, self.open, self.ends = {}, {}, {}, {}
        self.ranks, self.last, self.ordered = {}, {}, False

    def describe(self, track):
        need(track.uuid not in self.tracks, "a uuid is there twice")
        if track.HasField("process"):
            self.tracks[track.uuid] = track.process.pid, None
            need(track.process.pid not in self.processes, "a pid is there twice")
            self.processes[track.process.pid] = track.process.process_name
            self.ranks[track.process.pid] = track.sibling_order_rank
        elif track.HasField("thread"):
            self.tracks[track.uuid] = key = track.thread.pid, track.thread.tid
            self.threads[key] = track.thread.thread_name
            self.ranks[key] = self.ranks[key[0]], track.sibling_order_rank
        else:
            need(track.uuid == 0, "a track of neither a process nor a thread")
            self.ordered = track.process_ordering == 1 and track.thread_ordering == 1

    def event(self, sequence, packet):
        event = packet.track_event
        track = event.track_uuid or sequence.track
        where = self.tracks[track]
        ts = sequence.time(packet)
        stack = self.open.setdefault(track, [])
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            need(ts >= self.last.get(track, 0), "times of a track decrease")
            self.last[track] = ts
            stack.append(Call(*where, ts, len(stack), sequence.names[event.name_iid].name, None,
                              sequence.category(event), sequence.place(event), sequence.args(event)))
        elif event.type == TrackEvent.TYPE_SLICE_END:
            need(stack, "an end without a begin")
            call = stack.pop()
            self.last[track] = ts
            self.calls.append(call._replace(duration=ts - call.ts, args={**call.args, **sequence.args(event)}))
        elif event.type == TrackEvent.TYPE_INSTANT:
            self.marks.append(Mark(*where, ts, event.name, sequence.category(event), sequence.args(event)))
        else:
            self.flow_end(event, (*where, ts))

    def flow_end(self, event, end):
        legacy = event.legacy_event
        need(event.name == "start" and list(event.categories) == ["process"], "an arrow of another name")
        need(chr(legacy.phase) in "sf" and legacy.bind_to_enclosing == (chr(legacy.phase) == "f"), "a wrong end")
        self.ends.setdefault(legacy.unscoped_id, {})[chr(legacy.phase)] = end

    def finish(self):
        need(self.ordered, "no order")
        for stack in self.open.values():
            self.calls.extend(stack)
        self.flows = sorted(Flow(ends["s"], ends["f"]) for ends in self.ends.values())
        sort(self)
        for names in ("processes", "threads"):
            found = getattr(self, names)
            setattr(self, names, {key: found[key] for key in sorted(found, key=self.ranks.get)})
        return self


def sort(timeline):
    timeline.calls.sort(key=lambda c: (c.pid, c.tid, c.ts, c.depth, c.duration is None, c.duration))
    timeline.marks.sort(key=lambda m: (m.pid, m.tid is not None, m.tid, m.ts))


def read(data):
    trace = Trace.FromString(data)
    size = len(data)
    need(len(trace.SerializeToString()) == size, "numbers are not as short as they can be")
    trace.DiscardUnknownFields()
    need(len(trace.SerializeToString()) == size, "fields that the schema does not know")
    timeline = Timeline()
    for packet in trace.packet:
        sequence = timeline.sequences.setdefault(packet.trusted_packet_sequence_id, Sequence())
        sequence.apply(packet)
        if packet.HasField("track_descriptor"):
            timeline.describe(packet.track_descriptor)
        if packet.HasField("track_event"):
            need(sequence.cleared, "an event on a sequence without state")
            timeline.event(sequence, packet)
    return timeline.finish()


def ns(microseconds):
    return round(microseconds * 1000)


def read_chrome(events):
    """The same of a list of Chrome's events. There a category is that of all calls."""
    timeline = Timeline()
    ends = {}
    for event in events:
        pid, tid, args = event["pid"], event.get("tid"), event.get("args", {})
        if event["ph"] == "M":
            if event["name"] == "process_name":
                timeline.processes[pid] = args["name"]
            elif event["name"] == "thread_name":
                timeline.threads[pid, tid] = args["name"]
            continue
        ts = ns(event["ts"])
        stack = timeline.open.setdefault((pid, tid), [])
        if event["ph"] == "B":
            rest = {key: value for key, value in args.items() if key != "file"}
            stack.append(Call(pid, tid, ts, len(stack), event["name"], None, event["cat"], args.get("file"), rest))
        elif event["ph"] == "E":
            call = stack.pop()
            timeline.calls.append(call._replace(duration=ts - call.ts))
        elif event["ph"] == "i":
            args = {key: ns(value) if key == "until" else value for key, value in args.items()}
            timeline.marks.append(Mark(pid, tid if event["s"] == "t" else None, ts, event["name"], event["cat"], args))
        else:
            ends.setdefault(event["id"], {})[event["ph"]] = pid, tid, ts
    for stack in timeline.open.values():
        timeline.calls.extend(stack)
    timeline.flows = sorted(Flow(pair["s"], pair["f"]) for pair in ends.values())
    sort(timeline)
    return timeline
