// search.js - functions by name, and their calls in the order of time.

const SEARCH_BINS = 2048;
const search = {text: '', count: 0, rank: 0, current: null, bins: null}; // bins of the minimap: 1 where a match begins

// Which functions match: a part of the name or of the file, or with = before it the whole name. null:
// nothing is searched for.
function matching(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return null;
  const filter = new Uint8Array(model.head.func_name.length);
  if (text.startsWith('=') && text.length > 1) {
    for (let i = 0; i < filter.length; i++) filter[i] = funcs.name(i) === text.slice(1) ? 1 : 0;
    return filter;
  }
  for (let i = 0; i < filter.length; i++) {
    const name = model.head.func_name[i].toLowerCase();
    filter[i] = name.includes(wanted) || funcs.file(i).toLowerCase().includes(wanted) ? 1 : 0;
  }
  return filter;
}

// How many calls of the track match, of those up to an index in each row.
function countIn(track, filter, lo, hi) {
  const {func} = track;
  let n = 0;
  for (let i = lo; i < hi; i++) n += filter[func[i] & FUNC_MASK];
  return n;
}

// All of them; and where they are.
function findIn(track, filter) {
  const {func, start} = track, {bins} = search, scale = SEARCH_BINS / model.end;
  let n = 0;
  for (let i = 0; i < track.n; i++) {
    if (!filter[func[i] & FUNC_MASK]) continue;
    n++;
    bins[start[i] * scale | 0] = 1;
  }
  return n;
}

function startSearch(text) {
  search.text = text;
  search.current = null;
  search.rank = search.count = 0;
  search.bins = new Uint8Array(SEARCH_BINS + 1);
  screen.filter = matching(text);
  if (screen.filter && screen.filter.includes(1))
    for (const track of shownTracks()) if (track.isReady) search.count += findIn(track, screen.filter);
  requestDraw();
  showSearch();
}

// All calls are in the order of their begin; then of tracks; then of depth. Is a before b?
function isBefore(a, b) {
  if (a.at !== b.at) return a.at < b.at;
  if (a.order !== b.order) return a.order < b.order;
  return a.index < b.index;
}

function keyOf(call, order) {
  return {at: call.track.start[call.index], order, index: call.index, track: call.track};
}

// Of a track's row the first match behind a key, or the last before it; null: none.
function matchInRow(track, order, depth, key, isForward, best) {
  const {start, func, offsets} = track, lo = offsets[depth], hi = offsets[depth + 1], {filter} = screen;
  if (isForward) {
    for (let i = firstAfter(start, lo, hi, key.at - 0.5); i < hi && (!best || start[i] <= best.at); i++) {
      const found = filter[func[i] & FUNC_MASK] && {at: start[i], order, index: i, track};
      if (found && isBefore(key, found)) return found;
    }
    return null;
  }
  for (let i = firstAfter(start, lo, hi, key.at) - 1; i >= lo && (!best || start[i] >= best.at); i--) {
    const found = filter[func[i] & FUNC_MASK] && {at: start[i], order, index: i, track};
    if (found && isBefore(found, key)) return found;
  }
  return null;
}

function nearestMatch(key, isForward) {
  let best = null;
  model.tracks.forEach((track, order) => {
    for (let depth = 0; track.isReady && track.isShown && depth < nRows(track); depth++) {
      const found = matchInRow(track, order, depth, key, isForward, best);
      if (found && (!best || isBefore(found, best) === isForward)) best = found;
    }
  });
  return best;
}

function rankOf(key) {
  let n = 1;
  model.tracks.forEach((track, order) => {
    for (let depth = 0; track.isReady && track.isShown && depth < nRows(track); depth++) {
      const lo = track.offsets[depth], hi = track.offsets[depth + 1];
      let end = firstAfter(track.start, lo, hi, key.at);
      while (end > lo && track.start[end - 1] === key.at && !isBefore({at: key.at, order, index: end - 1}, key)) end--;
      n += countIn(track, screen.filter, lo, end);
    }
  });
  return n;
}

// To the next or the former match, round the ends.
function goToMatch(isForward) {
  if (!screen.filter || !search.count) return;
  const before = {at: -Infinity, order: -1, index: -1}, behind = {at: Infinity, order: Infinity, index: Infinity};
  const from = search.current || (view.picked ? keyOf(view.picked, model.tracks.indexOf(view.picked.track))
    : {at: view.from, order: -1, index: -1});
  search.current = nearestMatch(from, isForward) || nearestMatch(isForward ? before : behind, isForward);
  search.rank = rankOf(search.current);
  pick({track: search.current.track, index: search.current.index}, true);
  showSearch();
}

function showSearch() {
  const count = document.getElementById('count'), has = Boolean(screen.filter);
  const n = formatMany(search.count, 'call');
  count.textContent = !has ? '' : search.rank ? formatCount(search.rank) + ' of ' + n : n;
  for (const id of ['next', 'former']) document.getElementById(id).disabled = !search.count;
}
