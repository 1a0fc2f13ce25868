// access.js - the same in words, for whoever does not see the picture: a table of the threads in view,
// what the keyboard is on, and the range. Tests read them, too.

let wordsTimer = 0;

// Soon, and not at each frame of a movement.
function wordsChanged() {
  clearTimeout(wordsTimer);
  wordsTimer = setTimeout(putWords, 120);
}

// How many calls of a track are in view, wholly or in part.
function countInView(track, from, to) {
  let n = 0;
  for (let depth = 0; track.isReady && depth < nRows(track); depth++)
    n += firstAfter(track.start, track.offsets[depth], track.offsets[depth + 1], to) - firstEndingAfter(track, depth, from);
  return n;
}

function describeRange(range) {
  const step = Math.max(1, (range.to - range.from) / 1000);
  return formatTime(Math.max(0, range.from), step) + ' to ' + formatTime(Math.min(model.end, range.to), step);
}

function wordsOfTrack(lane, inView) {
  const {track} = lane, losses = track.losses.map(lossText);
  return [
    shorten(track.info.name || 'Thread', 200), track.info.tid, shorten(track.process.info.name || 'process', 200),
    track.process.info.pid, track.process.info.host, formatCount(track.nCalls), track.isReady ? formatCount(inView) : 'loading',
    formatCount(nRows(track)), formatCount(track.nUnfinished || 0), losses.join('; ') || 'none',
  ];
}

function putWords() {
  if (!model.head) return;
  const lanes = visibleLanes().filter(lane => lane.kind === 'track');
  let n = 0;
  const rows = lanes.map(lane => {
    const inView = countInView(lane.track, view.from, view.to);
    n += inView;
    return element('tr', {}, wordsOfTrack(lane, inView).map(text => element('td', {textContent: text})));
  });
  document.getElementById('tracks').replaceChildren(...rows);
  setText('in-view', describeRange(view) + ' (' + formatDuration(view.to - view.from) + '): ' + formatMany(n, 'call') +
    ' in ' + formatMany(lanes.length, 'thread') + ' on the screen');
  setText('selected', view.range ? 'Selected: ' + describeRange(view.range) + ' (' +
    formatDuration(view.range.to - view.range.from) + ')' : '');
  sayCurrent();
  settlePlace();
}

// The arrows, or the first of them.
function putStarts() {
  document.getElementById('starts').replaceChildren(...model.arrows.slice(0, 2000).map(([from, to, fromNs]) => {
    const [parent, child] = [model.trackOf.get(from), model.trackOf.get(to)];
    return element('li', {textContent: shorten(titleOfProcess(parent.process), 200) + ', ' + shorten(titleOfTrack(parent), 200) +
      ' started ' + shorten(titleOfProcess(child.process), 200) + ' at ' + formatTime(fromNs, 1)});
  }));
}

// What the keyboard is on: a call, or a lane.
function sayCurrent() {
  const lane = view.lanes[view.current];
  let text = 'Nothing was recorded';
  if (view.picked) {
    const {title, facts} = describeCall(view.picked);
    text = shorten(title, 200) + '; ' + inShort(facts).filter(([, value]) => value).map(([name, value]) => name + ' ' + value).join('; ');
  } else if (lane && lane.kind === 'track') {
    text = 'Thread ' + shorten(titleOfTrack(lane.track), 200) + ', ' + formatMany(lane.track.nCalls, 'call');
  } else if (lane) {
    text = lane.kind === 'process' ? 'Process ' + shorten(titleOfProcess(lane.process), 200) + (lane.process.isOpen ? ', open' : ', closed')
      : 'Host ' + shorten(lane.name, 200);
  }
  setText('active', text);
}

// What there is and what is wrong with it, in a line.
function summaryOfAll() {
  const {head} = model, n = (count, what) => formatCount(count) + ' ' + what + (count === 1 ? '' : what === 'process' ? 'es' : 's');
  const pids = new Set(model.processes.map(process => process.info.host + '\n' + process.info.pid)).size;
  const parts = [n(pids, 'process'), n(model.tracks.length, 'thread'), n(model.nCalls, 'call'), formatDuration(head.last)];
  if (head.hosts > 1) parts.unshift(n(head.hosts, 'host'));
  return parts.join(' · ');
}

function summaryOfTroubles() {
  const lost = model.processes.reduce((sum, process) => sum + (process.info.lost || 0), 0);
  const gaps = model.tracks.reduce((sum, track) => sum + track.losses.length, 0);
  const open = model.tracks.reduce((sum, track) => sum + (track.nUnfinished || 0), 0);
  const parts = [];
  if (lost) parts.push(formatCount(lost) + ' events lost');
  else if (gaps) parts.push('parts are missing');
  if (open) parts.push(formatCount(open) + ' unfinished ' + (open === 1 ? 'call' : 'calls'));
  return parts.join(' · ');
}
