// stats.js - what happened in a range of time: calls and times of each function, and a flame graph. Both
// come from one walk over the calls of all tracks, which is done piece by piece so that the page goes
// on; a newer one ends it.

const MAX_NODES = 200000, STEPS = 40000, PIECE_MS = 40;
const ROOT = 0, NO_NODE = -1;

// A tree of stacks: node n has a function and a parent, and what was measured. Children are found by a
// hash of parent and function.
class Tree {
  constructor() {
    this.n = 0;
    this.room(1024);
    this.slots = new Int32Array(4096).fill(NO_NODE);
    this.isCut = false;
    this.add(NO_NODE, -1);
  }
  room(n) {
    const grow = (old, type) => {
      const grown = new type(n);
      if (old) grown.set(old);
      return grown;
    };
    this.func = grow(this.func, Int32Array);
    this.parent = grow(this.parent, Int32Array);
    this.total = grow(this.total, Float64Array);
    this.self = grow(this.self, Float64Array);
    this.calls = grow(this.calls, Float64Array);
    this.latest = grow(this.latest, Int32Array); // the child that was looked for last; 0: none
  }
  add(parent, func) {
    if (this.n === this.func.length) this.room(2 * this.n);
    this.func[this.n] = func;
    this.parent[this.n] = parent;
    return this.n++;
  }
  slotOf(parent, func) {
    const mask = this.slots.length - 1;
    let slot = Math.imul(Math.imul(parent, 0x9e3779b1) ^ func, 0x85ebca6b) >>> 7 & mask;
    for (; ; slot = slot + 1 & mask) {
      const node = this.slots[slot];
      if (node === NO_NODE || (this.parent[node] === parent && this.func[node] === func)) return slot;
    }
  }
  child(parent, func) {
    const latest = this.latest[parent];
    if (latest && this.func[latest] === func) return latest;
    const node = this.otherChild(parent, func);
    if (node !== NO_NODE) this.latest[parent] = node;
    return node;
  }
  otherChild(parent, func) {
    const slot = this.slotOf(parent, func);
    if (this.slots[slot] !== NO_NODE) return this.slots[slot];
    if (this.n >= MAX_NODES) {
      this.isCut = true;
      return NO_NODE;
    }
    const node = this.slots[slot] = this.add(parent, func);
    if (2 * this.n > this.slots.length) this.rehash();
    return node;
  }
  rehash() {
    this.slots = new Int32Array(2 * this.slots.length).fill(NO_NODE);
    for (let node = 1; node < this.n; node++) this.slots[this.slotOf(this.parent[node], this.func[node])] = node;
  }
}

class Walk {
  constructor(tracks, from, to) {
    const n = model.head.func_name.length;
    Object.assign(this, {tracks: tracks.filter(track => track.isReady), from, to, at: -1, tree: new Tree(), nCalls: 0});
    this.calls = new Float64Array(n);
    this.total = new Float64Array(n);
    this.self = new Float64Array(n);
    this.open = new Int32Array(n);
  }

  nextTrack() {
    if (++this.at >= this.tracks.length) return false;
    const track = this.track = this.tracks[this.at], rows = nRows(track);
    this.depth = 0;
    this.next = new Uint32Array(rows + 1);
    for (let d = 0; d < rows; d++) this.next[d] = firstEndingAfter(track, d, this.from);
    this.node = new Int32Array(rows + 2);
    this.funcs = new Uint32Array(rows + 1);
    this.until = new Float64Array(rows + 1); // a call at the depth below begins before it
    return true;
  }

  // Some steps, each into a call or out of one. True: the track is done. As in decode.js, one loop.
  steps(n) {
    const {track, from, to, next, node, funcs, until, tree, open, self, total, calls} = this;
    const {start, dur, func: words, offsets, long} = track, rows = nRows(track);
    let {depth, nCalls} = this, isDone = false;
    for (; n > 0; n--) {
      const index = next[depth];
      const isIn = depth < rows && index < offsets[depth + 1] && start[index] < to && (!depth || start[index] < until[depth - 1]);
      if (!isIn) {
        if (!depth) {
          isDone = true;
          break;
        }
        open[funcs[--depth]]--;
        continue;
      }
      next[depth] = index + 1;
      const begin = start[index], end = begin + (dur[index] < LONG ? dur[index] : long.get(index));
      const word = words[index], func = word & FUNC_MASK, time = (end < to ? end : to) - (begin > from ? begin : from);
      const above = node[depth], at = above === NO_NODE ? NO_NODE : tree.child(above, func);
      const isNew = word >>> FLAG_SHIFT & FLAG.REOPENED ? 0 : 1;
      self[func] += time;
      if (depth) self[funcs[depth - 1]] -= time;
      if (open[func]++ === 0) total[func] += time;
      calls[func] += isNew;
      nCalls += isNew;
      if (above !== NO_NODE) tree.self[above] -= time;
      if (at !== NO_NODE) {
        tree.total[at] += time;
        tree.self[at] += time;
        tree.calls[at] += isNew;
      }
      if (!depth) tree.total[ROOT] += time;
      until[depth] = index + 1 < offsets[depth + 1] ? start[index + 1] : Infinity;
      funcs[depth] = func;
      node[++depth] = at;
    }
    this.depth = depth;
    this.nCalls = nCalls;
    return isDone;
  }

  // Until so many ms are over. True: all is done.
  run(ms) {
    const over = performance.now() + ms;
    if (this.at < 0 && !this.nextTrack()) return true;
    do {
      if (this.steps(STEPS) && !this.nextTrack()) return true;
    } while (performance.now() < over);
    return false;
  }

  rows() {
    const rows = [];
    for (let func = 0; func < this.calls.length; func++)
      if (this.calls[func] || this.total[func])
        rows.push({func, calls: this.calls[func], total: this.total[func], self: this.self[func]});
    return rows;
  }
}

let newestWalk = 0;

// Calls `done` with a Walk that is over; nothing if another one is begun meanwhile.
function summarize(tracks, from, to, done) {
  const walk = new Walk(tracks, from, to), number = ++newestWalk;
  const go = () => {
    if (number !== newestWalk) return;
    if (walk.run(PIECE_MS)) done(walk);
    else setTimeout(go, 0);
  };
  go();
}
