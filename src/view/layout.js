// layout.js - where everything is: the part of time that is shown, and lanes for hosts, processes and
// threads below one another.

const ROW = 16, LANE = 22, HEADER = 26;
const MAX_GUTTER = 232, GUTTER_SHARE = 0.26;

const view = {
  from: 0, to: 1, // ns
  width: 1, height: 1, // CSS pixels of the timeline, without the gutter
  gutter: MAX_GUTTER, // where the names are
  scroll: 0,
  lanes: [], contentHeight: 0,
  laneOf: new Map(), // by track and by process
  threads: '', // which of them are shown: see matchesThread
  current: 0, // lane that the keyboard is on
  picked: null, // {track, index}: the call that was clicked
  range: null, // {from, to}: the selection
  hover: null, // {track, index}
};

// ---- time

function nsPerPixel() {
  return (view.to - view.from) / view.width;
}

function xOf(ns) {
  return (ns - view.from) / nsPerPixel();
}

function nsOf(x) {
  return view.from + x * nsPerPixel();
}

// At least a nanosecond is shown for four pixels, at most a bit more than everything.
function setTime(from, to) {
  const least = Math.max(10, view.width / 64), most = model.end * 1.04;
  const length = Math.min(Math.max(to - from, least), most);
  const middle = (from + to) / 2, margin = model.end * 0.02;
  view.from = Math.min(Math.max(middle - length / 2, -margin), model.end + margin - length);
  view.from = Math.max(view.from, -margin);
  view.to = view.from + length;
  timeChanged();
}

function zoomAt(ns, factor) {
  const length = (view.to - view.from) * factor, share = (ns - view.from) / (view.to - view.from);
  const least = Math.max(10, view.width / 64);
  if (factor < 1 && view.to - view.from <= least) return;
  setTime(ns - length * share, ns + length * (1 - share));
}

function pan(ns) {
  const margin = model.end * 0.02;
  const by = Math.min(Math.max(ns, -margin - view.from), model.end + margin - view.to);
  setTime(view.from + by, view.to + by);
}

function showAll() {
  setTime(0, model.end);
}

// ---- lanes

// As many rows as one screen can do with. Where there are many threads, only the first one has its
// calls shown; the lanes of the others show which function is running.
function initialRows(track) {
  const n = model.tracks.filter(other => other.n).length;
  return n <= 4 ? 24 : n <= 8 ? 12 : track === model.tracks[0] ? 10 : 0;
}

function buildLanes() {
  const lanes = [];
  let host = null, y = 0;
  const add = lane => {
    lane.y = y;
    y += lane.h;
    lane.index = lanes.length;
    lanes.push(lane);
  };
  for (const process of model.processes) {
    if (!process.tracks.some(track => track.isShown) && (view.threads || process.tracks.length)) continue;
    if (model.head.hosts > 1 && process.info.host !== host) add({kind: 'host', h: HEADER, name: process.info.host});
    host = process.info.host;
    add({kind: 'process', process, h: HEADER});
    if (!process.isOpen) continue;
    for (const track of process.tracks) {
      if (!track.isShown) continue;
      const rows = Math.min(track.shownRows, nRows(track));
      add({kind: 'track', track, rows, h: rows > 1 ? rows * ROW + 6 : LANE});
    }
  }
  view.lanes = lanes;
  view.laneOf = new Map(lanes.map(lane => [lane.track || lane.process || lane, lane]));
  view.contentHeight = y + 8;
  view.current = Math.min(view.current, Math.max(0, lanes.length - 1));
}

// Words of which each must be in a name of the thread, its process or host, or be its number; with - before it, not.
function matchesThread(track, words) {
  const {info} = track.process, names = [track.info.name || 'Thread', info.name || 'process'];
  if (model.head.hosts > 1) names.push(info.host);
  const text = names.join('\n').toLowerCase(), numbers = [String(track.info.tid), String(info.pid)];
  const has = word => text.includes(word) || numbers.includes(word);
  return words.every(word => word.length > 1 && word.startsWith('-') ? !has(word.slice(1)) : has(word));
}

function shownTracks() {
  return model.tracks.filter(track => track.isShown);
}

function filterThreads(text) {
  const box = document.getElementById('thread-filter'), words = text.toLowerCase().split(/\s+/).filter(word => word);
  if (box.value !== text) box.value = text;
  view.threads = words.join(' ');
  for (const track of model.tracks) track.isShown = matchesThread(track, words);
  if (view.picked && !view.picked.track.isShown) pick(null);
  if (screen.filter) startSearch(search.text);
  lanesChanged();
  document.getElementById('scroller').scrollTop = 0;
  shownThreadsChanged();
}

function setInitialRows() {
  for (const track of model.tracks) track.shownRows = initialRows(track);
  if (model.processes.length > 60) model.processes.forEach(process => { process.isOpen = process.tracks.length < 4; });
}

// Whether only the function that is running is shown, and not the calls around it.
function isSummary(lane) {
  return lane.rows <= 1 && nRows(lane.track) > 1;
}

function laneAt(y) {
  let lo = 0, hi = view.lanes.length;
  while (lo < hi) {
    const middle = (lo + hi) >>> 1;
    if (view.lanes[middle].y + view.lanes[middle].h <= y) lo = middle + 1;
    else hi = middle;
  }
  return view.lanes[lo] && y >= 0 ? view.lanes[lo] : null;
}

function laneOfTrack(track) {
  return view.laneOf.get(track);
}

// A lane's next state: one line, up to 12 rows, all rows.
function toggleLane(lane) {
  if (lane.kind === 'process') lane.process.isOpen = !lane.process.isOpen;
  else if (lane.kind === 'track') {
    const n = nRows(lane.track);
    lane.track.shownRows = isSummary(lane) ? 12 : lane.rows < n && lane.rows <= 12 ? n : 0;
  }
  lanesChanged();
}

function setAllRows(rows) {
  for (const track of model.tracks) track.shownRows = rows;
  lanesChanged();
}

// So that a call can be seen: its process is open, and its row shown.
function reveal(track, depth) {
  if (!track.isShown) filterThreads('');
  const lane = laneOfTrack(track);
  if (lane && (isSummary(lane) ? false : lane.rows > depth)) return;
  track.process.isOpen = true;
  track.shownRows = Math.max(track.shownRows, depth + 1);
  lanesChanged();
}

function rowY(lane, depth) {
  return isSummary(lane) ? lane.y + 3 : lane.y + 3 + depth * ROW;
}

// The call there (in pixels of the timeline's content), or null.
function callAtPoint(x, y) {
  const lane = laneAt(y);
  if (!lane || lane.kind !== 'track' || !lane.track.isReady) return null;
  const {track} = lane, at = nsOf(x), reach = 1.5 * nsPerPixel();
  if (!isSummary(lane)) {
    const index = callAt(track, Math.floor((y - lane.y - 3) / ROW), at, reach);
    return index < 0 ? null : {track, index};
  }
  for (const near of [0, reach]) {
    for (let depth = nRows(track) - 1; depth >= 0; depth--) {
      const index = callAt(track, depth, at, near);
      if (index >= 0) return {track, index};
    }
  }
  return null;
}
