// overlay.js - what is drawn on top of the timeline's rectangles: text, marks of losses and of calls
// that never ended, the selection, arrows, and the names of the lanes.

const FONT = '11px system-ui, "Segoe UI", "DejaVu Sans", sans-serif', BOLD = '600 ' + FONT;
const patterns = {};

// Diagonal lines; made once for each color.
function hatch(context, color) {
  if (patterns[color]) return patterns[color];
  const tile = document.createElement('canvas');
  tile.width = tile.height = 8;
  const pen = tile.getContext('2d');
  pen.strokeStyle = color;
  pen.lineWidth = 1.6;
  pen.beginPath();
  for (const x of [-8, 0, 8]) {
    pen.moveTo(x, 8);
    pen.lineTo(x + 8, 0);
  }
  pen.stroke();
  return patterns[color] = context.createPattern(tile, 'repeat');
}

// ---- the grid of time; the axis has the same ticks

function tickStep() {
  const least = nsPerPixel() * 110, power = 10 ** Math.floor(Math.log10(least));
  return Math.max(1, [1, 2, 5, 10].map(n => n * power).find(step => step >= least));
}

function ticks() {
  const step = tickStep(), all = [];
  for (let at = Math.ceil(Math.max(0, view.from) / step) * step; at <= view.to; at += step) all.push(at);
  return {step, all};
}

// Below everything.
function drawGrid() {
  const {pixels, width, height, ratio} = screen, color = mix(pixelOfCss(theme.css.line), theme.ground, 150);
  for (const at of ticks().all) {
    const x = Math.round(xOf(at) * ratio);
    if (x < 0 || x >= width) continue;
    for (let i = x; i < width * height; i += width) pixels[i] = color;
  }
}

// ---- names of calls

// What is to be written on a row's calls, and what is to be marked.
function labelRow(context, lane, depth, y, state) {
  const {track} = lane, n = track.offsets[depth + 1], least = LABEL_WIDTH * nsPerPixel();
  const level = levelFor(track, depth, least / 2);
  if (level) { // calls that are wide enough are in it as they are
    for (let i = Math.max(0, firstAfter(level.start, 0, level.start.length, view.from) - 1);
      i < level.start.length && level.start[i] < view.to; i++) {
      if (level.end[i] - level.start[i] >= least && level.busy[i] === 255)
        labelCall(context, level.func[i], xOf(level.start[i]), xOf(level.end[i]), y, state);
    }
    return;
  }
  for (let i = firstEndingAfter(track, depth, view.from); i < n && track.start[i] < view.to; i++) {
    const length = durAt(track, i);
    if (length >= least) labelCall(context, track.func[i], xOf(track.start[i]), xOf(track.start[i] + length), y, state);
  }
}

function labelCall(context, word, x0, x1, y, state) {
  const a = Math.max(0, x0), b = Math.min(view.width, x1), width = b - a - 8, flags = word >>> FLAG_SHIFT;
  if (flags) markCall(context, flags, a, b, x1, y);
  if (width < 18 || state.n++ > MAX_LABELS) return;
  const func = word & FUNC_MASK, name = state.names.get(func) || shorten(funcs.name(func), 160);
  state.names.set(func, name);
  context.fillStyle = screen.filter && !screen.filter[func] ? theme.css.faint : theme.css.ink;
  context.fillText(fitName(context, isolate(name), width), a + 4, y + 11.5);
}

// What fits of an isolated text, by a guess from its width: its beginning and its end, in which names of threads
// differ.
function fitText(context, text, width) {
  const full = context.measureText(text).width;
  if (full <= width) return text;
  const n = Math.floor((text.length - 2) * width / full) - 1;
  return n < 2 ? '' : isolate(shortenMiddle(text.slice(1, -1), n));
}

// The same of a function. The last part of a qualified name tells the most.
function fitName(context, text, width) {
  const full = context.measureText(text).width, dot = text.lastIndexOf('.') + 1;
  if (full <= width) return text;
  const last = dot > 0 && text[dot] !== '<' ? isolate(text.slice(dot, -1)) : text;
  if (last !== text && context.measureText(last).width <= width) return last;
  const n = Math.floor((text.length - 2) * width / full) - 1;
  return n < 2 ? '' : isolate(shorten(text.slice(1, -1), n));
}

function markCall(context, flags, a, b, x1, y) {
  if (flags & (FLAG.UNFINISHED | FLAG.CUT)) {
    context.fillStyle = hatch(context, theme.css.faint);
    context.globalAlpha = 0.25;
    context.fillRect(a, y, b - a, ROW - 1);
    context.globalAlpha = 1;
  }
  if (x1 > view.width) return;
  if (flags & FLAG.EXCEPTION) {
    context.fillStyle = theme.css.loss;
    context.fillRect(b - 3, y, 2, ROW - 1);
  } else if (flags & FLAG.SUSPENDED) {
    context.fillStyle = theme.css.accent;
    context.fillRect(b - 3, y, 2, ROW - 1);
  }
}

// What drawCover has left.
function labelLane(context, lane, state) {
  const {cover} = lane, y = rowY(lane, 0) - view.scroll, least = LABEL_WIDTH * screen.ratio;
  for (let a = 0, b; cover && a < cover.length; a = b) {
    for (b = a + 1; b < cover.length && cover[b] === cover[a]; b++);
    if (cover[a] >= 0 && b - a >= least) labelCall(context, cover[a], a / screen.ratio, b / screen.ratio, y, state);
  }
}

function drawLabels(context, lanes) {
  const state = {n: 0, names: new Map()};
  context.font = FONT;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  for (const lane of lanes) {
    if (lane.kind !== 'track') continue;
    if (isSummary(lane) || !lane.track.isReady) {
      labelLane(context, lane, state);
      continue;
    }
    const first = Math.max(0, Math.floor((view.scroll - lane.y - 3) / ROW));
    for (let depth = first; depth < Math.min(lane.rows, nRows(lane.track)); depth++) {
      const y = rowY(lane, depth) - view.scroll;
      if (y > view.height) break;
      labelRow(context, lane, depth, y, state);
    }
  }
}

// ---- marks

// Of a thread on its lane; what no thread could tell, on its process's.
function lossesOf(lane) {
  if (lane.kind === 'track') return lane.track.losses;
  const info = lane.kind === 'process' ? lane.process.info : {};
  return info.lost_untold ? [{at: info.lost_from, until: info.lost_to, count: info.lost_untold, why: info.lost_why}] : [];
}

function drawLosses(context, lanes) {
  for (const lane of lanes) {
    for (const loss of lossesOf(lane)) {
      if (loss.until < view.from || loss.at > view.to) continue;
      const a = Math.max(-2, xOf(loss.at)), b = Math.min(view.width + 2, Math.max(xOf(loss.until), a + 4));
      context.fillStyle = theme.css.loss;
      context.globalAlpha = 0.16;
      context.fillRect(a, lane.y - view.scroll + 1, b - a, lane.h - 2);
      context.globalAlpha = 1;
      context.fillStyle = hatch(context, theme.css.loss);
      context.fillRect(a, lane.y - view.scroll + 1, b - a, lane.h - 2);
      if (b - a > 80 && lane.kind === 'track') labelLoss(context, lossText(loss), Math.max(a, 0) + 4, lane.y - view.scroll + 4);
    }
  }
}

function labelLoss(context, text, x, y) {
  context.font = FONT;
  context.fillStyle = theme.css.ground;
  context.globalAlpha = 0.9;
  context.fillRect(x, y, context.measureText(text).width + 10, 15);
  context.globalAlpha = 1;
  context.fillStyle = theme.css.loss;
  context.fillText(text, x + 5, y + 11.5);
}

function lossText(loss) {
  return (loss.count ? formatCount(loss.count) + ' events lost' : 'events lost') + (loss.why ? ': ' + loss.why : '');
}

function drawRange(context) {
  if (!view.range) return;
  const a = xOf(view.range.from), b = xOf(view.range.to);
  context.fillStyle = theme.css.range;
  context.globalAlpha = 0.14;
  context.fillRect(a, 0, b - a, view.height);
  context.globalAlpha = 0.8;
  context.fillRect(a, 0, 1, view.height);
  context.fillRect(b - 1, 0, 1, view.height);
  context.globalAlpha = 1;
}

// Where an end of an arrow is: the innermost call that is shown then. A closed process has its head.
function arrowEnd(index, ns) {
  const track = model.trackOf.get(index), lane = laneOfTrack(track);
  if (!lane) {
    const head = view.laneOf.get(track.process);
    return head ? head.y + head.h / 2 : null;
  }
  if (isSummary(lane) || !track.isReady) return lane.y + lane.h / 2;
  let depth = 0;
  while (depth + 1 < lane.rows && callAt(track, depth + 1, ns, 0) >= 0) depth++;
  return rowY(lane, depth) + ROW / 2;
}

function drawArrows(context) {
  context.strokeStyle = context.fillStyle = theme.css.accent;
  context.lineWidth = 1.5;
  for (const [from, to, fromNs, toNs] of model.arrows) {
    const x0 = xOf(fromNs), x1 = xOf(toNs);
    if (Math.max(x0, x1) < -50 || Math.min(x0, x1) > view.width + 50) continue;
    const y0 = arrowEnd(from, fromNs), y1 = arrowEnd(to, toNs);
    if (y0 === null || y1 === null) continue;
    drawArrow(context, x0, y0 - view.scroll, x1, y1 - view.scroll);
  }
}

function drawArrow(context, x0, y0, x1, y1) {
  if (Math.max(y0, y1) < 0 || Math.min(y0, y1) > view.height) return;
  const bend = Math.max(8, Math.min(120, (x1 - x0) / 2));
  context.globalAlpha = 0.85;
  context.beginPath();
  context.moveTo(x0, y0);
  context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
  context.stroke();
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - 7, y1 - 4);
  context.lineTo(x1 - 7, y1 + 4);
  context.fill();
  context.globalAlpha = 1;
}

function outline(context, call, color, width) {
  const lane = laneOfTrack(call.track), depth = depthOf(call.track, call.index);
  if (!lane || (!isSummary(lane) && depth >= lane.rows)) return;
  const a = Math.max(-4, xOf(call.track.start[call.index])), b = Math.min(view.width + 4, xOf(endAt(call.track, call.index)));
  context.strokeStyle = color;
  context.lineWidth = width;
  context.strokeRect(a, rowY(lane, depth) - view.scroll, Math.max(2, b - a), ROW - 1);
}

function drawPicked(context) {
  if (view.hover) outline(context, view.hover, theme.css.faint, 1);
  if (view.picked) outline(context, view.picked, theme.css.accent, 2);
}

// ---- names of lanes

function drawGutter(context, lanes) {
  context.fillStyle = theme.css.panel;
  context.fillRect(0, 0, view.gutter, view.height);
  for (const lane of lanes) drawLaneName(context, lane, lane.y - view.scroll);
  context.fillStyle = theme.css.line;
  context.fillRect(view.gutter - 1, 0, 1, view.height);
}

// Behind a lane: a line below it, and the ground of heads.
function drawBand(context, lane, y, width) {
  if (lane.kind !== 'track') {
    context.fillStyle = theme.css.lane;
    context.fillRect(0, y, width, lane.h);
  }
  context.fillStyle = theme.css.line;
  context.globalAlpha = 0.6;
  context.fillRect(0, y + lane.h - 1, width, 1);
  context.globalAlpha = 1;
}

function drawBands(context, lanes) {
  for (const lane of lanes) {
    drawBand(context, lane, lane.y - view.scroll, view.width);
    if (lane.kind === 'process') noteOnProcess(context, lane);
  }
}

function noteOnProcess(context, lane) {
  const {process} = lane, {info} = process, facts = [];
  if (info.former !== undefined) facts.push('after exec');
  if (info.real_pid !== info.pid) facts.push('real pid ' + info.real_pid);
  if (!process.isOpen) facts.push(formatMany(process.tracks.length, 'thread'));
  if (info.lost) facts.push(lossText({count: info.lost, why: info.lost_why}));
  context.font = FONT;
  context.textAlign = 'left';
  context.fillStyle = info.lost ? theme.css.loss : theme.css.faint;
  context.fillText(facts.join(' · '), 8, lane.y - view.scroll + lane.h / 2 + 4);
}

function drawLaneName(context, lane, y) {
  drawBand(context, lane, y, view.gutter);
  if (lane.index === view.current && document.activeElement === screen.canvas) {
    context.fillStyle = theme.css.accent;
    context.fillRect(0, y, 3, lane.h - 1);
  }
  if (lane.kind === 'host') nameLane(context, y, lane.h, 10, BOLD, 'Host ' + lane.name, '');
  else if (lane.kind === 'process') nameProcess(context, lane, y);
  else nameTrack(context, lane, y);
}

// A name, which is shortened, and what stands behind it at the right.
function nameLane(context, y, height, x, font, name, note) {
  const middle = Math.min(height, LANE) / 2 + 4 + (height === HEADER ? 2 : 0);
  context.font = FONT;
  context.fillStyle = theme.css.faint;
  if (view.gutter < MAX_GUTTER) note = ''; // the name says more
  const noteWidth = note ? context.measureText(note).width + 12 : 4;
  context.textAlign = 'right';
  context.fillText(note, view.gutter - 10, y + middle);
  context.textAlign = 'left';
  context.font = font;
  context.fillStyle = theme.css.ink;
  context.fillText(fitText(context, isolate(shorten(name, 80)), view.gutter - x - noteWidth), x, y + middle);
}

function triangle(context, x, y, isDown) {
  context.fillStyle = theme.css.faint;
  context.beginPath();
  if (isDown) [[x - 4, y - 2], [x + 4, y - 2], [x, y + 3]].forEach(p => context.lineTo(...p));
  else [[x - 2, y - 4], [x - 2, y + 4], [x + 3, y]].forEach(p => context.lineTo(...p));
  context.fill();
}

function nameProcess(context, lane, y) {
  const {process} = lane, {info} = process;
  triangle(context, 14, y + lane.h / 2, process.isOpen);
  nameLane(context, y, lane.h, 26, BOLD, info.name || 'process', 'pid ' + info.pid);
}

function nameTrack(context, lane, y) {
  const {track} = lane, more = nRows(track) - lane.rows;
  if (nRows(track) > 1) triangle(context, 24, y + LANE / 2, !isSummary(lane));
  nameLane(context, y, lane.h, 36, FONT, track.info.name || 'Thread', 'tid ' + track.info.tid);
  if (lane.h >= 44 && more > 0) {
    context.font = FONT;
    context.fillStyle = theme.css.faint;
    context.fillText(fitText(context, isolate('+ ' + formatCount(more) + ' deeper rows'), view.gutter - 42), 36, y + lane.h - 8);
  }
}
