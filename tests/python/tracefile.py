"""An independent reader of trace files, for tests: written from the tables in format.h, sharing no
code with src/reader, so that a fault in one of them shows.

    trace = tracefile.read(path)            one file
    traces = tracefile.read_all(directory)  every *.trace in it, sorted by pid and file time

A Trace has the header's fields as attributes, .threads (a list of Thread), .names, .notes and
.process_names. A Thread has .tid, .number, .names and .records, a list of Record in order;
Thread.calls() pairs begins and ends, and fails on a record that does not nest.
"""
import collections
import glob
import os
import struct

PY_BEGIN, PY_END, PY_END_EXC, PY_SUSPEND, PY_RESUME = 1, 2, 3, 4, 5
C_BEGIN, C_END, C_END_EXC, GAP, EXT = 6, 7, 8, 11, 15
LOST, RESYNC = 1, 2
ENGINES = {1: "setprofile", 2: "monitoring", 3: "frame"}
BEGINS = {PY_BEGIN, PY_RESUME, C_BEGIN}
ENDS = {PY_END: PY_BEGIN, PY_END_EXC: PY_BEGIN, PY_SUSPEND: PY_BEGIN, C_END: C_BEGIN, C_END_EXC: C_BEGIN}

Function = collections.namedtuple("Function", "kind name file line")
# kind: a number above; function: a Function or None; tick: absolute; payload: words of GAP and EXT
Record = collections.namedtuple("Record", "kind id function tick payload")
# outcome: "return", "exception", "open" (never ended), "restated" (a later RESYNC says anew what is open); reopened:
# stated by a RESYNC, not a call
Call = collections.namedtuple("Call", "function begin end depth outcome reopened")


class Damaged(Exception):
    """The file breaks a rule of the format."""


class Thread:
    def __init__(self, number, tid):
        self.number, self.tid = number, tid
        self.names = []
        self.records = []
        self.chunks = []
        self.orphans = 0  # ends of calls that were open before recording began; set by calls()

    @property
    def name(self):
        return self.names[-1] if self.names else None

    def count(self, name, kind=PY_BEGIN):
        """How many records of that kind there are for a function, without reopened ones."""
        return sum(1 for r in self.live() if r.kind == kind and r.function and r.function.name == name)

    def live(self):
        """The records without the begins that a RESYNC announces."""
        skip = 0
        for record in self.records:
            if record.kind == EXT and record.id >> 12 == RESYNC:
                skip = record.payload[0] >> 32
            elif skip and record.kind == PY_BEGIN:
                skip -= 1
                continue
            yield record

    def lost(self):
        """Events lost on this thread, as marked where it happened."""
        return sum(r.payload[0] for r in self.records if r.kind == EXT and r.id >> 12 == LOST)

    def calls(self):
        """All calls in the order of their begins. Raises Damaged where begin and end do not nest.

        An end without begin is allowed only while nothing is open: it belongs to a call that was
        open when recording began (counted in .orphans). So is the end of a C function in a Python
        call that a RESYNC stated: those of C are not stated (os.fork() in the child).
        """
        calls, stack, skip = [], [], 0
        self.orphans = 0
        for r in self.records:
            if r.kind == EXT and r.id >> 12 == RESYNC:
                for at in stack:
                    calls[at] = calls[at]._replace(end=r.tick, outcome="restated")
                stack = []
                skip = r.payload[0] >> 32
            elif r.kind in BEGINS:
                stack.append(len(calls))
                calls.append(Call(r.function, r.tick, None, len(stack) - 1, "open", skip > 0))
                skip = max(0, skip - 1)
            elif r.kind in ENDS:
                if not stack:
                    self.orphans += 1
                    continue
                at = stack.pop()
                call = calls[at]
                if call.reopened and r.kind in (C_END, C_END_EXC):
                    stack.append(at)
                    self.orphans += 1
                    continue
                if call.function != r.function:
                    raise Damaged("thread %d: end of %s inside %s" % (self.tid, r.function, call.function))
                outcome = "exception" if r.kind in (PY_END_EXC, C_END_EXC) else "return"
                calls[at] = call._replace(end=r.tick, outcome=outcome)
        return calls


class Trace:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            data = f.read()
        if len(data) < 4096 or data[:8] != b"\x89MTRACE\n":
            raise Damaged("%s: no header" % path)
        self.data = data
        (self.major, self.minor, self.header_bytes) = struct.unpack_from("<HHI", data, 8)
        self.file_id, self.run_id, self.parent_id, self.boot_id = (data[o:o + 16] for o in (16, 32, 48, 64))
        (self.pid_ns, self.pid, self.ppid, self.start_time, self.parent_start_time, self.image, self.part,
         self.origin, self.parent_tid, self.fork_tick, self.clock, self.tick_shift, self.tick_hz) = \
            struct.unpack_from("<QIIQQIIIIQIIQ", data, 80)
        self.pair = struct.unpack_from("<QQQ", data, 152)
        (engine, self.options, self.python_version, self.uid) = struct.unpack_from("<IIII", data, 176)
        self.engine = ENGINES[engine]
        (self.n_lost, self.loss_reason, self.loss_error, self.first_lost_tick, self.last_lost_tick, self.flags,
         self.n_displaced, self.end_tick) = struct.unpack_from("<QIIQQIIQ", data, 256)
        self.host, self.program, self.executable = (
            data[o:o + n].split(b"\0")[0].decode() for o, n in ((320, 64), (384, 64), (448, 512)))
        self.names, self.notes, self.process_names, self.threads = {}, [], [], []
        self._strings, self._thread_names = {}, []
        chunks = list(self._chunks())
        for chunk in chunks:
            if chunk[2] == 2:
                self._definitions(chunk)
        threads = {}
        for chunk in chunks:
            if chunk[2] == 1:
                thread = threads.setdefault(chunk[4], Thread(chunk[4], chunk[5]))
                if thread.tid != chunk[5] or chunk[3] != len(thread.chunks):
                    raise Damaged("%s: chunk at %d is out of sequence" % (path, chunk[0]))
                thread.chunks.append(chunk)
                self._records(thread, chunk)
        self.threads = [threads[n] for n in sorted(threads)]
        for number, _, name in self._thread_names:
            if number in threads:
                threads[number].names.append(name)

    def thread(self, tid=None):
        """The thread with that tid; without: the main thread."""
        found = [t for t in self.threads if t.tid == (tid or self.pid)]
        if len(found) != 1:
            raise Damaged("%s: %d threads with tid %s" % (self.path, len(found), tid or self.pid))
        return found[0]

    def count(self, name, kind=PY_BEGIN):
        return sum(t.count(name, kind) for t in self.threads)

    def _chunks(self):
        offset = 4096
        while offset + 64 <= len(self.data):
            magic, size, type_, flags, seq, thread, tid = struct.unpack_from("<IIHHIII", self.data, offset)
            if magic == 0 and size == 0:
                return
            if magic != 0x314B434D or size % 4096 or size == 0 or size > 1 << 20:
                raise Damaged("%s: bad chunk at %d" % (self.path, offset))
            if offset + size > len(self.data):
                raise Damaged("%s: chunk at %d is cut off" % (self.path, offset))
            start_tick, = struct.unpack_from("<Q", self.data, offset + 48)
            yield offset, size, type_, seq, thread, tid, start_tick
            offset += size

    def _definitions(self, chunk):
        at, end = chunk[0] + 64, chunk[0] + chunk[1]
        while at < end:
            head, = struct.unpack_from("<Q", self.data, at)
            if head == 0:
                return
            n, type_, id_ = head >> 48, head >> 32 & 0xFFFF, head & 0xFFFFFFFF
            payload = self.data[at + 8:at + 8 + 8 * n]
            at += 8 + 8 * n
            if type_ == 1:
                size, = struct.unpack_from("<I", payload)
                self._strings[id_] = payload[8:8 + size].decode()
            elif type_ == 2:
                file_id, line, _, size = struct.unpack_from("<IIII", payload)
                self._define(id_, Function("python", payload[16:16 + size].decode(),
                                           self._strings[file_id] if file_id else None, line))
            elif type_ == 3:
                n_owner, n_name = struct.unpack_from("<II", payload)
                owner, name = payload[8:8 + n_owner].decode(), payload[8 + n_owner:8 + n_owner + n_name].decode()
                self._define(id_, Function("c", owner + "." + name if owner else name, None, 0))
            elif type_ in (4, 5, 6):
                _, tid, size = struct.unpack_from("<QII", payload)
                text = payload[16:16 + size].decode()
                if type_ == 4:
                    self._thread_names.append((id_, tid, text))
                else:
                    (self.process_names if type_ == 5 else self.notes).append(text)
            else:
                raise Damaged("%s: definition of type %d" % (self.path, type_))

    def _define(self, id_, function):
        if id_ in self.names:
            raise Damaged("%s: id %d is defined twice" % (self.path, id_))
        self.names[id_] = function

    def _records(self, thread, chunk):
        at, end, tick = chunk[0] + 64, chunk[0] + chunk[1], chunk[6]
        while at < end:
            word, = struct.unpack_from("<Q", self.data, at)
            if word == 0:
                break
            kind, id_ = word >> 28 & 15, word & 0xFFFFFFF
            tick += (word >> 32) << self.tick_shift
            at += 8
            payload, function = (), None
            if kind in (GAP, EXT):
                n = id_ & 0xFFF if kind == EXT else id_
                payload = struct.unpack_from("<%dQ" % n, self.data, at)
                at += 8 * n
                if kind == GAP:
                    tick = payload[0]
            elif id_ == 0xFFFFFFF:
                function = Function("unnamed", "(unnamed)", None, 0)
            elif id_ not in self.names:
                raise Damaged("%s: id %d at %d is not defined" % (self.path, id_, at - 8))
            else:
                function = self.names[id_]
            if thread.records and tick < thread.records[-1].tick:
                raise Damaged("%s: time goes back at %d" % (self.path, at - 8))
            thread.records.append(Record(kind, id_, function, tick, payload))


def read(path):
    return Trace(path)


def read_all(directory):
    traces = [Trace(path) for path in glob.glob(os.path.join(str(directory), "*.trace"))]
    return sorted(traces, key=lambda t: (t.pair[1], t.pid))
