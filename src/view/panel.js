// panel.js - below the timeline: the call that was clicked, the functions of the selection, and its flame
// graph.

const MAX_ROWS = 500;
const MAX_PLACE = 48, MAX_PATH = 4200; // characters of a path in the table, and in its title
const panel = {tab: 'call', isOpen: false, scope: 'all', track: null, // of the scope 'one'
  walk: null, stale: true, sort: 'self', isDown: true};

const COLUMNS = [
  ['name', 'Function', row => funcs.name(row.func).toLowerCase()],
  ['calls', 'Calls', row => row.calls],
  ['total', 'Total', row => row.total],
  ['self', 'Self', row => row.self],
  ['share', 'Self %', row => row.self],
  ['mean', 'Mean', row => row.calls ? row.total / row.calls : 0],
  ['place', 'Where', row => funcs.place(row.func)],
];

function element(name, properties, children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children || []);
  return made;
}

function setText(id, text) {
  const node = document.getElementById(id);
  if (node.textContent !== text) node.textContent = text;
}

// ---- one call

function describeCall(call) {
  const {track, index} = call, func = funcAt(track, index), {info} = track.process;
  const facts = [
    ['Where', shorten(funcs.place(func), MAX_PATH)],
    ['Duration', formatDuration(durAt(track, index)) + notesOn(flagsAt(track, index))],
    ['Process', shorten(info.name || 'process', 200) + ', pid ' + info.pid],
    ['Self', formatDuration(selfOf(track, index))],
    ['Thread', shorten(track.info.name || 'Thread', 200) + ', tid ' + track.info.tid],
    ['Start', formatTime(track.start[index], 1)],
    ['Depth', String(depthOf(track, index) + 1)],
  ];
  if (model.head.hosts > 1) facts.push(['Host', info.host]);
  return {title: funcs.name(func), facts};
}

// Of facts, what fits beside the pointer and can be listened to.
function inShort(facts) {
  return facts.map(([name, value]) => [name, name === 'Where' ? shortenPlace(value, 120) : value]);
}

function notesOn(flags) {
  const notes = [];
  if (flags & FLAG.UNFINISHED) notes.push('unfinished: it had not ended when recording did');
  if (flags & FLAG.CUT) notes.push('goes on behind the slice');
  if (flags & FLAG.REOPENED) notes.push('began earlier');
  if (flags & FLAG.RESUMED) notes.push('goes on after a suspension');
  if (flags & FLAG.EXCEPTION) notes.push('ended by an exception');
  if (flags & FLAG.SUSPENDED) notes.push('suspended');
  if (flags & FLAG.REPAIRED) notes.push('its end was not recorded');
  return notes.length ? ' (' + notes.join('; ') + ')' : '';
}

function putFacts(list, facts) {
  list.replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) =>
    [element('dt', {textContent: name}), element('dd', {textContent: value, dir: 'auto'})]));
}

function showCall() {
  const call = view.picked, box = document.getElementById('call');
  box.classList.toggle('empty', !call);
  if (!call) return;
  const {title, facts} = describeCall(call), func = funcAt(call.track, call.index);
  facts.push(['Wall clock', formatClock(model.head.zero_real_ms, call.track.start[call.index])]);
  const [first, last] = childrenOf(call.track, call.index);
  facts.push(['Calls made', formatCount(last - first)]);
  setText('call-name', shorten(title, 400));
  setText('call-kind', funcs.isC(func) ? 'C function' : 'Python function');
  document.getElementById('call-kind').classList.toggle('is-c', funcs.isC(func));
  putFacts(document.getElementById('call-facts'), facts);
  putLinks(document.getElementById('call-facts'), call);
}

// ---- the functions of a range

function rangeOfPanel() {
  return view.range || {from: -1, to: model.end + 1};
}

function refreshStats() {
  if (!panel.isOpen || panel.tab === 'call' || !model.head) {
    panel.stale = true;
    return;
  }
  copyChanged();
  panel.stale = false;
  const {from, to} = rangeOfPanel(), tracks = tracksOfScope();
  setText('stats-note', 'Adding up…');
  document.getElementById('stats').setAttribute('aria-busy', 'true');
  summarize(tracks, from, to, walk => {
    panel.walk = walk;
    document.getElementById('stats').removeAttribute('aria-busy');
    showStats();
    copyChanged();
    document.body.dataset.stats = String(Number(document.body.dataset.stats || 0) + 1); // for whoever waits
  });
}

function noteOnStats(nRowsShown, n) {
  const of = view.range ? formatDuration(view.range.to - view.range.from) + ' selected' : 'all of the recording';
  const where = panel.scope === 'one' ? titleOfTrack(panel.track) : formatMany(panel.walk.tracks.length, 'thread');
  const cut = n > nRowsShown ? '; the first ' + nRowsShown + ' rows' : '';
  return shorten(of + ', ' + where + ': ' + formatMany(panel.walk.nCalls, 'call') + ' of ' + formatMany(n, 'function') + cut, 300);
}

function sortedRows() {
  const [, , key] = COLUMNS.find(([id]) => id === panel.sort), rows = panel.walk.rows();
  const way = panel.isDown ? -1 : 1;
  return rows.map(row => [key(row), row]).sort(([a, x], [b, y]) => (a < b ? -way : a > b ? way : x.func - y.func)).map(([, row]) => row);
}

function cellsOf(row) {
  const name = element('button', {textContent: shorten(funcs.name(row.func), 200), className: 'link', dir: 'auto',
    title: 'Find its calls'});
  name.onclick = () => searchFor('=' + funcs.name(row.func));
  const swatch = element('span', {className: 'swatch', ariaHidden: 'true'});
  swatch.style.background = cssOfPixel(theme.fills[row.func]);
  const exact = ns => formatCount(ns) + ' ns', place = funcs.place(row.func);
  return [
    element('td', {className: funcs.isC(row.func) ? 'is-c name' : 'name'}, [swatch, name]),
    element('td', {textContent: formatCount(row.calls)}),
    element('td', {textContent: formatDuration(row.total), title: exact(row.total)}),
    element('td', {textContent: formatDuration(Math.max(0, row.self)), title: exact(row.self)}),
    element('td', {textContent: formatShare(row.self, panel.walk.tree.total[ROOT])}),
    element('td', {textContent: row.calls ? formatDuration(row.total / row.calls) : ''}),
    element('td', {textContent: shortenPlace(place, MAX_PLACE), title: shorten(place, MAX_PATH), className: 'place', dir: 'auto'}),
  ];
}

function showStats() {
  if (!panel.walk) return;
  if (panel.tab === 'flame') showFlame();
  else showFunctions();
}

function showFlame() {
  const n = panel.walk.rows().length;
  setFlame(panel.walk);
  setText('stats-note', noteOnStats(n, n) + (panel.walk.tree.isCut ? '; rare stacks are left out' : ''));
}

function showFunctions() {
  const rows = sortedRows();
  document.getElementById('rows').replaceChildren(...rows.slice(0, MAX_ROWS).map(row => element('tr', {}, cellsOf(row))));
  document.querySelectorAll('#functions th').forEach(head => {
    if (head.dataset.key === panel.sort) head.setAttribute('aria-sort', panel.isDown ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  });
  setText('stats-note', noteOnStats(Math.min(rows.length, MAX_ROWS), rows.length));
}

function buildHeads() {
  document.getElementById('heads').replaceChildren(...COLUMNS.map(([key, title]) => {
    const button = element('button', {textContent: title});
    button.onclick = () => {
      panel.isDown = panel.sort === key ? !panel.isDown : key !== 'name' && key !== 'place';
      panel.sort = key;
      showStats();
    };
    const head = element('th', {scope: 'col'}, [button]);
    head.dataset.key = key;
    return head;
  }));
}

// ---- tabs

function openPanel(tab) {
  if (tab) panel.tab = tab;
  const wasOpen = panel.isOpen;
  panel.isOpen = true;
  document.getElementById('panel').hidden = false;
  for (const name of ['call', 'functions', 'flame']) {
    document.getElementById('tab-' + name).setAttribute('aria-selected', String(name === panel.tab));
    document.getElementById('tab-' + name).tabIndex = name === panel.tab ? 0 : -1;
  }
  document.getElementById('call').hidden = panel.tab !== 'call';
  document.getElementById('stats').hidden = panel.tab === 'call';
  document.getElementById('functions').hidden = panel.tab !== 'functions';
  document.getElementById('flame').hidden = panel.tab !== 'flame';
  if (!wasOpen) resized();
  if (panel.tab === 'call') showCall();
  else if (panel.stale || !panel.walk) refreshStats();
  else showStats();
  copyChanged();
}

function closePanel() {
  panel.isOpen = false;
  document.getElementById('panel').hidden = true;
  resized();
  screen.canvas.focus();
}

// Of a process: the first of its threads that are shown. A host's line has a process behind it.
function trackOfLane(lane) {
  if (lane.kind === 'host') return trackOfLane(view.lanes[lane.index + 1]);
  return lane.track || lane.process.tracks.find(track => track.isShown) || null;
}

// Which threads are added up: all, those that are shown, or the one of the call that is picked, or else of the
// line that the keyboard is on.
function setScope(scope) {
  const lane = view.lanes[view.current];
  panel.track = view.picked ? view.picked.track : lane ? trackOfLane(lane) : null;
  panel.scope = scope === 'one' && !panel.track ? 'all' : scope;
  document.getElementById('scope').value = panel.scope;
  refreshStats();
}

function tracksOfScope() {
  return panel.scope === 'one' ? [panel.track] : panel.scope === 'shown' ? shownTracks() : model.tracks;
}

// Whoever looks at some threads wants to see what they did.
function shownThreadsChanged() {
  document.getElementById('scope-shown').hidden = !view.threads;
  if (panel.scope !== 'one') setScope(view.threads ? 'shown' : 'all');
}
