// model.js - what was recorded: functions, processes, tracks and their calls, and how to find one.

const LONG = 0xffffffff, FUNC_MASK = 0xffffff, FLAG_SHIFT = 24;
const FLAG = {RESUMED: 1, REOPENED: 2, EXCEPTION: 4, SUSPENDED: 8, REPAIRED: 16, CUT: 32, UNFINISHED: 64};

const model = {
  head: null, // as view_head.c writes it
  end: 1, // ns; the timeline goes from 0 to here
  processes: [],
  tracks: [], // those that are shown, in their order
  trackOf: new Map(), // by the number in the head
  overview: null, // {func, share}, by track and bin
  nCalls: 0,
};

// ---- functions

const funcs = {
  name: func => model.head.func_name[func],
  file: func => model.head.files[model.head.func_file[func]],
  line: func => model.head.func_line[func],
  isC: func => model.head.func_is_c[func] === 1,
  place(func) {
    const file = funcs.file(func);
    return file ? file + ':' + funcs.line(func) : funcs.isC(func) ? 'C function' : '';
  },
};

// ---- processes and tracks

function titleOfProcess(process) {
  return (process.info.name || 'process') + ' ' + process.info.pid;
}

function titleOfTrack(track) {
  return (track.info.name || 'Thread') + ' ' + track.info.tid;
}

function takeHead(head) {
  model.head = head;
  model.end = Math.max(1, head.last);
  model.processes = head.processes.map((info, index) => ({info, index, tracks: [], isOpen: true}));
  head.tracks.forEach((info, index) => {
    if (info.left_out) return;
    const process = model.processes[info.process];
    const track = {info, index, process, n: info.rows.reduce((a, b) => a + b, 0), isReady: false, isShown: true, losses: [], levels: []};
    process.tracks.push(track);
    model.trackOf.set(index, track);
    track.nCalls = track.n - (info.reopened || 0); // the others began elsewhere
    model.nCalls += track.nCalls;
  });
  model.processes = model.processes.filter(process => !process.info.left_out);
  model.tracks = model.processes.flatMap(process => process.tracks);
  model.arrows = head.arrows.filter(([from, to]) => model.trackOf.has(from) && model.trackOf.has(to));
}

// Varints of all bins of a track, then its shares; and the next track.
function takeOverview(bytes) {
  const {bins, tracks} = model.head;
  const func = new Int32Array(bins * tracks.length), share = new Uint8Array(bins * tracks.length);
  let at = 0;
  for (let track = 0; track < tracks.length; track++) {
    for (let i = track * bins; i < (track + 1) * bins; i++) {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        value |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      func[i] = value - 1;
    }
    share.set(bytes.subarray(at, at + bins), track * bins);
    at += bins;
  }
  model.overview = {func, share, binNs: 2 ** model.head.shift};
}

// What a worker made of it.
function takeTrack(message) {
  const track = model.trackOf.get(message.track);
  if (!track) return;
  const {start, dur, func, offsets, losses, levels} = message;
  Object.assign(track, {start, dur, func, offsets, losses, levels, long: new Map(message.long), isReady: true});
  track.nUnfinished = 0;
  for (let depth = 0; depth + 1 < offsets.length; depth++) // the last of its row, if any
    if (offsets[depth + 1] > offsets[depth] && flagsAt(track, offsets[depth + 1] - 1) & FLAG.UNFINISHED) track.nUnfinished++;
}

// ---- calls: a track and an index into its columns

function durAt(track, index) {
  const dur = track.dur[index];
  return dur < LONG ? dur : track.long.get(index);
}

function endAt(track, index) {
  return track.start[index] + durAt(track, index);
}

function flagsAt(track, index) {
  return track.func[index] >>> FLAG_SHIFT;
}

function funcAt(track, index) {
  return track.func[index] & FUNC_MASK;
}

function nRows(track) {
  return track.info.rows.length;
}

// The first of a row, from lo on, that begins after `at`; `hi` if none does.
function firstAfter(start, lo, hi, at) {
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if (start[middle] <= at) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}

// The first of a row that ends after `at`.
function firstEndingAfter(track, depth, at) {
  const lo = track.offsets[depth], index = firstAfter(track.start, lo, track.offsets[depth + 1], at);
  return index > lo && endAt(track, index - 1) > at ? index - 1 : index;
}

// The call of a row that is running then, or begins or ends within `reach` ns of it; -1: none.
function callAt(track, depth, at, reach) {
  if (!track.isReady || depth < 0 || depth >= nRows(track)) return -1;
  const lo = track.offsets[depth], hi = track.offsets[depth + 1];
  const next = firstAfter(track.start, lo, hi, at);
  if (next > lo && endAt(track, next - 1) + reach >= at) return next - 1;
  return next < hi && track.start[next] - reach <= at ? next : -1;
}

function depthOf(track, index) {
  return firstAfter(track.offsets, 0, track.offsets.length, index) - 1;
}

// Of the call that this one is in; -1: none.
function parentOf(track, index) {
  const depth = depthOf(track, index);
  return depth ? firstAfter(track.start, track.offsets[depth - 1], track.offsets[depth], track.start[index]) - 1 : -1;
}

// [first, end) of the calls that it made itself. Of calls that begin at the same ns, as one of no length and
// the next one, the last is the one that all calls from then on are in; so is it in parentOf and stats.js.
function childrenOf(track, index) {
  const depth = depthOf(track, index), next = index + 1;
  if (depth + 1 >= nRows(track)) return [0, 0];
  const lo = track.offsets[depth + 1], hi = track.offsets[depth + 2];
  const first = firstAfter(track.start, lo, hi, track.start[index] - 0.5);
  return [first, next < lo ? firstAfter(track.start, first, hi, track.start[next] - 0.5) : hi];
}

function selfOf(track, index) {
  const [first, last] = childrenOf(track, index);
  let self = durAt(track, index);
  for (let i = first; i < last; i++) self -= durAt(track, i);
  return Math.max(0, self);
}
