// input.js - the keyboard, and what it shares with the pointers (pointer.js): picking, selecting, searching.

const KEYS = [
  ['W  S', 'zoom in, out (Shift: faster)'], ['A  D', 'move back, forth'], ['0', 'show all'],
  ['Backspace', 'the place before (Shift: the one behind)'],
  ['← →', 'former, next call of a row'], ['↑ ↓', 'caller, callee; or the thread above, below'],
  ['Enter', 'zoom to the call; open or close a thread or process'], ['Page ↑ ↓', 'scroll'],
  ['E  C', 'expand, collapse all threads'], ['L', 'show some threads only, by their names'],
  ['J', 'along an arrow: to the process that the call started, or to what started its process'],
  ['/', 'search'], ['N  P', 'next, former match'],
  ['M', 'select the time of the call, or what is in view'], ['Esc', 'drop selection, call, search, threads; close'],
  ['F  G  I', 'functions, flame graph, call'],
  ['Ctrl+C', 'copy the call with its callers, or the table as CSV'], ['T', 'light or dark'], ['?', 'this help'],
];

// ---- calls

function pick(call, isShown) {
  view.picked = call;
  if (call) {
    if (isShown) showPicked(call);
    const lane = laneOfTrack(call.track);
    if (lane) view.current = lane.index;
    openPanel('call');
  } else {
    showCall();
    copyChanged();
  }
  sayCurrent();
  requestDraw();
}

// Brings a call into view, as wide as can be seen.
function showPicked({track, index}) {
  reveal(track, depthOf(track, index));
  const start = track.start[index], length = Math.max(1, durAt(track, index)), shown = view.to - view.from;
  if (length > shown || length < shown / 400) setTime(start - length, start + 2 * length);
  else if (start < view.from || start + length > view.to) setTime(start + length / 2 - shown / 2, start + length / 2 + shown / 2);
  scrollTo(laneOfTrack(track), depthOf(track, index));
}

function scrollTo(lane, depth) {
  if (!lane) return;
  const y = lane.kind === 'track' ? rowY(lane, depth || 0) : lane.y;
  const box = document.getElementById('scroller');
  if (y < view.scroll) box.scrollTop = Math.max(0, y - 2 * ROW);
  else if (y + 2 * ROW > view.scroll + view.height) box.scrollTop = y + 2 * ROW - view.height;
}

// By the arrow keys.
function moveAlong(dx) {
  const {track, index} = view.picked, depth = depthOf(track, index), next = index + dx;
  if (next >= track.offsets[depth] && next < track.offsets[depth + 1]) pick({track, index: next}, true);
}

function moveAcross(dy) {
  if (view.picked) {
    const {track, index} = view.picked, [first, last] = childrenOf(track, index);
    const next = dy < 0 ? parentOf(track, index) : first < last ? first : -1;
    if (next >= 0) pick({track, index: next}, true);
    return;
  }
  view.current = Math.min(Math.max(view.current + dy, 0), view.lanes.length - 1);
  scrollTo(view.lanes[view.current]);
  sayCurrent();
  requestDraw();
}

// Into the lane: its first call that is in view.
function enterLane() {
  const lane = view.lanes[view.current];
  if (!lane || lane.kind !== 'track' || !lane.track.isReady || !lane.track.n) return;
  const index = Math.min(firstEndingAfter(lane.track, 0, view.from), lane.track.offsets[1] - 1);
  pick({track: lane.track, index}, false);
}

function zoomToPicked() {
  const {track, index} = view.picked, length = Math.max(1, durAt(track, index));
  setTime(track.start[index] - 0.05 * length, endAt(track, index) + 0.05 * length);
}

// ---- the selection

function select(from, to) {
  const range = {from: Math.max(0, from), to: Math.min(model.end, to)};
  view.range = range.to > range.from ? range : null;
  panel.stale = true;
  if (view.range && panel.tab === 'call') openPanel('functions');
  else refreshStats();
  wordsChanged();
  requestDraw();
}

function selectByKey() {
  if (view.picked) select(view.picked.track.start[view.picked.index], endAt(view.picked.track, view.picked.index));
  else select(view.from, view.to);
}

function dropOne() {
  if (!document.getElementById('help').hidden) showHelp(false);
  else if (view.range) select(0, 0);
  else if (view.picked) pick(null);
  else if (screen.filter) searchFor('');
  else if (view.threads) filterThreads('');
  else if (panel.isOpen) closePanel();
}

function searchFor(text) {
  const box = document.getElementById('search');
  box.value = text;
  startSearch(text);
}

// ---- keyboard

const ACTIONS = {
  w: event => zoomAt(middle(), event.shiftKey ? 0.4 : 0.7),
  s: event => zoomAt(middle(), event.shiftKey ? 2.5 : 1.4),
  a: event => pan(-(view.to - view.from) * (event.shiftKey ? 0.6 : 0.2)),
  d: event => pan((view.to - view.from) * (event.shiftKey ? 0.6 : 0.2)),
  0: showAll, home: showAll,
  backspace: event => goToPlace(event.shiftKey ? 1 : -1),
  j: followArrow, l: () => document.getElementById('thread-filter').focus(),
  n: () => goToMatch(true), p: () => goToMatch(false),
  '/': () => document.getElementById('search').focus(),
  m: selectByKey, escape: dropOne,
  f: () => openPanel('functions'), g: () => openPanel('flame'), i: () => openPanel('call'),
  t: () => switchTheme(!theme.isDark), '?': () => showHelp(document.getElementById('help').hidden),
  e: () => setAllRows(24), c: () => setAllRows(0),
};

const CANVAS_ACTIONS = {
  arrowleft: () => view.picked ? moveAlong(-1) : pan(-(view.to - view.from) * 0.1),
  arrowright: () => view.picked ? moveAlong(1) : enterLane(),
  arrowup: () => moveAcross(-1), arrowdown: () => moveAcross(1),
  enter: () => view.picked ? zoomToPicked() : toggleLane(view.lanes[view.current]),
  ' ': () => view.lanes.length && toggleLane(view.lanes[view.current]),
  pageup: () => { document.getElementById('scroller').scrollTop -= view.height * 0.8; },
  pagedown: () => { document.getElementById('scroller').scrollTop += view.height * 0.8; },
};

// Where zooming by keys goes to: the call that is picked, if it is in view.
function middle() {
  if (view.picked) {
    const {track, index} = view.picked, at = (track.start[index] + endAt(track, index)) / 2;
    if (at > view.from && at < view.to) return at;
  }
  return (view.from + view.to) / 2;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !model.head) return;
  const {target} = event, key = event.key.toLowerCase();
  if (target.tagName === 'INPUT' || target.tagName === 'SELECT') {
    if (key === 'enter' && target.id === 'search') goToMatch(!event.shiftKey);
    else if (key === 'escape' || key === 'enter') screen.canvas.focus();
    return;
  }
  // Where nothing has the focus, as at first, the keys are the timeline's.
  const isOfCanvas = target === screen.canvas || target === document.body;
  const action = (isOfCanvas && CANVAS_ACTIONS[key]) || ACTIONS[key];
  if (!action || (target.tagName === 'BUTTON' && (key === 'enter' || key === ' '))) return;
  if (!view.lanes.length && key in CANVAS_ACTIONS) return;
  event.preventDefault();
  if (target === document.body && key in CANVAS_ACTIONS) screen.canvas.focus();
  dropHover();
  action(event);
}

function onFlameKey(event) {
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  if (moves[event.key]) moveFlame(...moves[event.key]);
  else if (event.key === 'Enter' || event.key === ' ') zoomFlame(flame.current);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function listen() {
  const {canvas} = screen, on = (id, name, action) => document.getElementById(id).addEventListener(name, action);
  canvas.addEventListener('pointerdown', onDown);
  canvas.addEventListener('pointermove', onMove);
  canvas.addEventListener('pointerup', onUp);
  canvas.addEventListener('pointercancel', onCancel);
  canvas.addEventListener('dblclick', () => view.picked && zoomToPicked());
  canvas.addEventListener('pointerleave', () => {
    view.hover = null;
    hideTip();
    requestDraw();
  });
  canvas.addEventListener('focus', requestDraw);
  canvas.addEventListener('blur', requestDraw);
  document.getElementById('scroller').addEventListener('wheel', onWheel, {passive: false});
  on('scroller', 'scroll', event => {
    view.scroll = event.target.scrollTop;
    requestDraw();
    wordsChanged();
  });
  map.canvas.addEventListener('pointerdown', onMapDown);
  document.addEventListener('keydown', onKey);
  on('search', 'input', event => startSearch(event.target.value));
  on('thread-filter', 'input', event => filterThreads(event.target.value));
  on('copy', 'click', copyByButton);
  on('next', 'click', () => goToMatch(true));
  on('former', 'click', () => goToMatch(false));
  on('all', 'click', showAll);
  on('theme', 'click', () => switchTheme(!theme.isDark));
  on('help-button', 'click', () => showHelp(true));
  on('help-close', 'click', () => showHelp(false));
  on('close', 'click', closePanel);
  on('scope', 'change', event => setScope(event.target.value));
  for (const name of ['call', 'functions', 'flame']) {
    on('tab-' + name, 'click', () => openPanel(name));
    on('open-' + name, 'click', () => openPanel(name));
  }
  on('tabs', 'keydown', onTabKey);
  listenToFlame();
  window.addEventListener('resize', resized);
  window.addEventListener('hashchange', readAddress);
  document.addEventListener('copy', onCopy);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', event => switchTheme(event.matches));
  listenToPrint();
}

function onTabKey(event) {
  const names = ['call', 'functions', 'flame'], step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  openPanel(names[(names.indexOf(panel.tab) + step + 3) % 3]);
  document.getElementById('tab-' + panel.tab).focus();
}

function listenToFlame() {
  const {canvas} = flame, boxOf = event => boxAt(event.offsetX, event.offsetY);
  canvas.addEventListener('click', event => {
    canvas.focus();
    zoomFlame(boxOf(event));
  });
  canvas.addEventListener('pointermove', event => {
    const i = flame.walk ? boxOf(event) : -1;
    if (i >= 0) showTip(describeNode(flame.boxes[i].node), event);
    else hideTip();
  });
  canvas.addEventListener('pointerleave', hideTip);
  canvas.addEventListener('keydown', onFlameKey);
  canvas.addEventListener('focus', () => {
    sayFlame();
    drawFlame();
  });
  canvas.addEventListener('blur', drawFlame);
}

// Paper is white.
function listenToPrint() {
  let wasDark = false;
  const show = isDark => {
    switchTheme(isDark);
    drawTimeline();
    drawMap();
  };
  window.addEventListener('beforeprint', () => {
    wasDark = theme.isDark;
    if (wasDark) show(false);
  });
  window.addEventListener('afterprint', () => { if (wasDark) show(true); });
}

function showHelp(isShown) {
  const help = document.getElementById('help');
  help.hidden = !isShown;
  for (const other of document.body.children) other.inert = isShown && other !== help;
  if (isShown) document.getElementById('help-close').focus();
  else screen.canvas.focus();
}
