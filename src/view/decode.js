// decode.js - what runs in workers: blocks of events become calls. src/sink/view_block.c writes them, and
// docs/view.md tells what is in them. The function is turned into text and back, so it uses nothing else
// of the page.
//
// A track's calls are three columns, row by row (a row is a depth), each row in the order of time:
//   start  Float64Array, ns
//   dur    Uint32Array, ns; LONG: it is in the map `long`
//   func   Uint32Array, the function's number and flags in the top byte
// offsets[d] is where row d begins. How many calls a row has the head tells, so that nothing has to grow.

function decodeWorker() {
  'use strict';
  const LONG = 0xffffffff, FLAG_SHIFT = 24;
  const RESUMED = 1, REOPENED = 2, EXCEPTION = 4, SUSPENDED = 8, REPAIRED = 16, CUT = 32, UNFINISHED = 64;
  // Of include/mtrace/event.h.
  const EVENT_FLAGS = [[1, REOPENED], [2, RESUMED], [4, SUSPENDED], [8, EXCEPTION], [16, REPAIRED], [64, CUT]];
  const END_EXCEPTION = 1, END_SUSPEND = 2, END_FLAGS = 3, NEXT_RESUMES = 4, NEXT_FLAGS = 5, LOST = 6, FIRST_FUNC = 7;
  // Level k has a quantum of FIRST_QUANTUM * 4^k ns.
  const FIRST_QUANTUM = 4096, QUANTUM_FACTOR = 4, MIN_CALLS = 1024;

  const tracks = new Map();
  const text = new TextDecoder();

  function flagsOf(bits) {
    let flags = 0;
    for (const [bit, flag] of EVENT_FLAGS) if (bits & bit) flags |= flag;
    return flags;
  }

  // ---- bytes

  function bytesOfBase64(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const binary = atob(base64), bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  async function inflate(base64, nBytes) {
    const stream = new Blob([bytesOfBase64(base64)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const reader = stream.getReader(), bytes = new Uint8Array(nBytes);
    for (let at = 0; ;) {
      const {done, value} = await reader.read();
      if (done) {
        if (at !== nBytes) throw new Error('a block of events ends too early');
        return bytes;
      }
      bytes.set(value, at);
      at += value.length;
    }
  }

  class Reader {
    constructor(bytes, at) {
      this.bytes = bytes;
      this.at = at;
    }
    number() {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = this.bytes[this.at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    }
    numbers(n) {
      const all = new Uint32Array(n);
      for (let i = 0; i < n; i++) all[i] = this.number();
      return all;
    }
    text(nBytes) {
      this.at += nBytes;
      return text.decode(this.bytes.subarray(this.at - nBytes, this.at));
    }
  }

  // ---- events

  function openTrack(info) {
    const offsets = new Uint32Array(info.rows.length + 1);
    info.rows.forEach((n, d) => { offsets[d + 1] = offsets[d] + n; });
    const n = offsets[info.rows.length];
    return {
      info, offsets, next: offsets.slice(), depth: 0, nOpen: n,
      start: new Float64Array(n), dur: new Uint32Array(n), func: new Uint32Array(n),
      long: [], losses: [], now: 0,
    };
  }

  // All events of a segment. This is where the time goes: one loop, and nothing is allocated in it.
  function decodeSegment(track, segment, symbols, times, extras, names) {
    const {start, dur, func, next} = track, bytes = symbols.bytes;
    const nRows = track.info.rows.length;
    let at = symbols.at, timeAt = times.at, now = segment.first, depth = track.depth, flags = 0;
    for (let i = 0; i < segment.nSymbols; i++) {
      let symbol = bytes[at++];
      if (symbol > 127) {
        symbol -= 128;
        for (let shift = 7; ; shift += 7) {
          const byte = bytes[at++];
          symbol |= (byte & 127) << shift;
          if (byte < 128) break;
        }
      }
      if (symbol === NEXT_RESUMES) {
        flags = RESUMED;
        continue;
      }
      if (symbol === NEXT_FLAGS) {
        flags = flagsOf(extras.number());
        continue;
      }
      let byte = bytes[timeAt++];
      if (byte < 128) {
        now += byte;
      } else {
        let delta = byte & 127, scale = 128;
        do {
          byte = bytes[timeAt++];
          delta += (byte & 127) * scale;
          scale *= 128;
        } while (byte > 127);
        now += delta;
      }
      if (symbol >= FIRST_FUNC) {
        if (depth >= nRows) throw new Error('a track is deeper than the head says');
        const index = next[depth]++, number = symbol - FIRST_FUNC;
        start[index] = now;
        func[index] = ((names ? names[number] : number) | flags << FLAG_SHIFT) >>> 0;
        flags = 0;
        depth++;
      } else if (symbol === LOST) {
        readLoss(track, now, extras);
      } else {
        if (!depth) throw new Error('an end without a begin');
        const index = next[--depth] - 1, length = now - start[index];
        if (length < LONG) {
          dur[index] = length;
        } else {
          dur[index] = LONG;
          track.long.push([index, length]);
        }
        if (symbol) func[index] |= endFlags(symbol, extras) << FLAG_SHIFT;
      }
    }
    symbols.at = at;
    times.at = timeAt;
    track.depth = depth;
    track.now = now;
  }

  function endFlags(symbol, extras) {
    return symbol === END_EXCEPTION ? EXCEPTION : symbol === END_SUSPEND ? SUSPENDED : flagsOf(extras.number());
  }

  function readLoss(track, at, extras) {
    const count = extras.number(), until = at + extras.number();
    const reason = extras.number(), error = extras.number();
    track.losses.push({at, until, count, reason, error, why: extras.text(extras.number())});
  }

  // What never ended lasts to the end of its track.
  function closeTrack(track) {
    const last = Math.max(track.info.last, track.now);
    for (let depth = 0; depth < track.depth; depth++) {
      const index = track.next[depth] - 1, length = last - track.start[index];
      track.func[index] |= UNFINISHED << FLAG_SHIFT;
      track.dur[index] = Math.min(length, LONG);
      if (length >= LONG) track.long.push([index, length]);
    }
  }

  function decodeBlock(bytes) {
    const head = new Reader(bytes, 0), nNames = head.number();
    const names = nNames ? head.numbers(nNames) : null, segments = [];
    for (let n = head.number(); n > 0; n--) {
      const segment = {track: head.number(), nSymbols: head.number(), first: head.number()};
      segment.open = head.numbers(head.number());
      segments.push(segment);
    }
    const nSymbols = head.number(), nTimes = head.number();
    head.number();
    const symbols = new Reader(bytes, head.at), times = new Reader(bytes, head.at + nSymbols);
    const extras = new Reader(bytes, head.at + nSymbols + nTimes);
    for (const segment of segments) {
      const track = tracks.get(segment.track);
      if (track.depth !== segment.open.length) throw new Error('a block does not go on where the one before it ends');
      decodeSegment(track, segment, symbols, times, extras, names);
    }
    return segments;
  }

  // ---- levels

  // A level of a row, from the calls or from the level below: what is shorter than the quantum is
  // merged with what begins in the same quantum; such an entry has the longest one's name, and the
  // time in which something was there.
  function buildLevel(from, quantum, room) {
    const {start, end, func, busy} = room;
    let n = -1, bin = -1, longest = 0;
    for (let i = 0; i < from.n; i++) {
      const begin = from.start[i], over = from.endOf(i), length = over - begin, time = from.busyOf(i);
      const inBin = length < quantum ? Math.floor(begin / quantum) : -1;
      if (inBin >= 0 && inBin === bin) {
        end[n] = over;
        busy[n] += time;
        if (time > longest) {
          longest = time;
          func[n] = from.func[i];
        }
        continue;
      }
      n++;
      start[n] = begin;
      end[n] = over;
      busy[n] = time;
      func[n] = from.func[i];
      bin = inBin;
      longest = time;
    }
    return n + 1;
  }

  function columns(n) {
    return {start: new Float64Array(n), end: new Float64Array(n), func: new Uint32Array(n), busy: new Float64Array(n)};
  }

  function buildLevels(track, depth, rooms) {
    const from = track.offsets[depth], n = track.offsets[depth + 1] - from, levels = [];
    if (n < MIN_CALLS) return levels;
    const start = track.start.subarray(from, from + n), dur = track.dur.subarray(from, from + n);
    const long = track.longMap;
    const durOf = i => dur[i] < LONG ? dur[i] : long.get(from + i);
    let source = {n, start, func: track.func.subarray(from, from + n), endOf: i => start[i] + durOf(i), busyOf: durOf};
    for (let quantum = FIRST_QUANTUM, turn = 0; source.n >= MIN_CALLS / 4 && quantum < 2 ** 52; quantum *= QUANTUM_FACTOR) {
      if (!rooms[turn] || rooms[turn].start.length < source.n) rooms[turn] = columns(source.n);
      const room = rooms[turn], made = buildLevel(source, quantum, room);
      if (made > 0.8 * source.n) continue;
      levels.push({quantum, start: room.start.slice(0, made), end: room.end.slice(0, made),
        func: room.func.slice(0, made), busy: shares(room, made)});
      source = {n: made, start: room.start, func: room.func, endOf: i => room.end[i], busyOf: i => room.busy[i]};
      turn = 1 - turn;
    }
    return levels;
  }

  // How much of an entry is busy, of 255.
  function shares(room, n) {
    const all = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const length = room.end[i] - room.start[i];
      all[i] = length > 0 ? Math.max(1, Math.round(255 * Math.min(1, room.busy[i] / length))) : 255;
    }
    return all;
  }

  // ---- what the page gets

  function buffersOf(level) {
    return [level.start.buffer, level.end.buffer, level.func.buffer, level.busy.buffer];
  }

  function sendTrack(index) {
    const track = tracks.get(index), {start, dur, func, offsets, long, losses} = track;
    tracks.delete(index);
    closeTrack(track);
    track.longMap = new Map(long);
    const rooms = [], levels = [];
    for (let depth = 0; depth + 1 < offsets.length; depth++) levels.push(buildLevels(track, depth, rooms));
    postMessage({track: index, start, dur, func, offsets, long, losses, levels},
      [start.buffer, dur.buffer, func.buffer, offsets.buffer, ...levels.flat().flatMap(buffersOf)]);
  }

  async function take(message) {
    if (message.tracks) message.tracks.forEach(([index, info]) => tracks.set(index, openTrack(info)));
    if (message.base64 !== undefined) {
      const segments = decodeBlock(await inflate(message.base64, message.nBytes));
      if (message.isLast) for (const segment of segments) sendTrack(segment.track);
      postMessage({blockDone: true});
    }
  }

  let before = Promise.resolve();
  onmessage = event => {
    before = before.then(() => take(event.data)).catch(error => postMessage({error: String(error.message || error)}));
  };
}
