// draw.js - the timeline. Rectangles go into a framebuffer of our own, one line for a row, which is then
// copied to the row's height; text, marks and arrows are drawn on top.

const LABEL_WIDTH = 30, MAX_LABELS = 1500;

const screen = {
  canvas: null, context: null, image: null, pixels: null,
  ratio: 1, width: 0, height: 0, // device pixels of the timeline
  labels: [], marks: [],
  filter: null, // by function: 1 where the search matches; null: no search
};

function sizeScreen() {
  const {canvas} = screen, box = canvas.parentElement.parentElement;
  const width = box.clientWidth, height = box.clientHeight;
  screen.ratio = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = Math.round(width * screen.ratio);
  canvas.height = Math.round(height * screen.ratio);
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  view.gutter = Math.min(MAX_GUTTER, Math.round(width * GUTTER_SHARE));
  view.width = Math.max(100, width - view.gutter);
  view.height = height;
  screen.width = Math.max(1, Math.round(view.width * screen.ratio));
  screen.height = Math.max(1, canvas.height);
  screen.context = canvas.getContext('2d', {alpha: false});
  screen.image = screen.context.createImageData(screen.width, screen.height);
  screen.pixels = new Uint32Array(screen.image.data.buffer);
}

// ---- rows

// A row's entries: calls, or those of the coarsest level that is not coarser than a pixel.
function levelFor(track, depth, scale) {
  let found = null;
  for (const level of track.levels[depth]) {
    if (level.quantum > scale) break;
    found = level;
  }
  return found;
}

function drawCall(line, colors, x0, x1, word, last) {
  const width = screen.width, color = colors[word & FUNC_MASK];
  const a = x0 < 0 ? 0 : x0 | 0;
  let b = x1 > width ? width : x1 | 0;
  if (b <= a) b = a + 1;
  if (b - a > 2) b--; // so that neighbours can be told apart
  line.fill(color, a < last ? last : a, b);
  return b;
}

function drawLevel(line, level, colors, scale) {
  const {start, end, func, busy} = level, n = start.length, width = screen.width, from = view.from;
  const inverse = 1 / scale, over = nsOf(view.width);
  let i = firstAfter(start, 0, n, from);
  if (i > 0 && end[i - 1] > from) i--;
  let pixel = -1, longest = 0;
  for (; i < n && start[i] < over; i++) {
    const x0 = (start[i] - from) * inverse, length = (end[i] - start[i]) * inverse;
    if (length >= 1.5) {
      const color = busy[i] === 255 ? colors[func[i] & FUNC_MASK] : mix(colors[func[i] & FUNC_MASK], theme.ground, busy[i]);
      const a = x0 < 0 ? 0 : x0 | 0, b = Math.min(width, (x0 + length) | 0);
      line.fill(color, a, b - a > 2 ? b - 1 : Math.max(b, a + 1));
      pixel = -1;
      continue;
    }
    const x = x0 < 0 ? 0 : x0 | 0, weight = length * busy[i];
    if (x === pixel && weight <= longest) continue;
    longest = x === pixel ? longest + weight : weight;
    pixel = x;
    if (x < width) line[x] = mix(colors[func[i] & FUNC_MASK], theme.ground, Math.min(255, 60 + weight | 0));
  }
}

function drawCalls(line, track, depth, colors, scale) {
  const {start, func} = track, n = track.offsets[depth + 1], from = view.from, over = nsOf(view.width);
  const inverse = 1 / scale;
  let pixel = -1, longest = 0, last = 0;
  for (let i = firstEndingAfter(track, depth, from); i < n && start[i] < over; i++) {
    const x0 = (start[i] - from) * inverse, length = durAt(track, i) * inverse;
    if (length >= 1.5) {
      last = drawCall(line, colors, x0, x0 + length, func[i], 0);
      pixel = -1;
      continue;
    }
    const x = x0 < 0 ? 0 : x0 | 0;
    if (x === pixel && length <= longest) continue;
    pixel = x;
    longest = length;
    if (x < screen.width) line[x] = mix(colors[func[i] & FUNC_MASK], theme.ground, Math.min(255, 60 + 195 * length | 0));
  }
}

function drawRow(line, track, depth, colors) {
  const scale = nsPerPixel() / screen.ratio, level = levelFor(track, depth, scale);
  if (level) drawLevel(line, level, colors, scale);
  else drawCalls(line, track, depth, colors, scale);
}

// Of a lane of one line: by pixel, which function is shown there, the innermost one; or -1. Of long times, and
// before a track's events are there, the overview tells it.
function coverOf(lane) {
  const {track} = lane, cover = new Int32Array(screen.width).fill(-1), scale = nsPerPixel() / screen.ratio;
  if (!track.isReady || scale >= model.overview.binNs) {
    const {bins} = model.head, first = track.index * bins;
    for (let x = 0; x < cover.length; x++) {
      const bin = Math.floor((view.from + (x + 0.5) * scale) / model.overview.binNs);
      if (bin >= 0 && bin < bins) cover[x] = model.overview.func[first + bin];
    }
    return cover;
  }
  for (let depth = 0; depth < nRows(track); depth++) coverRow(cover, track, depth, scale);
  return cover;
}

function coverRow(cover, track, depth, scale) {
  const level = levelFor(track, depth, scale), {start, func} = level || track, {from} = view, over = view.to;
  const n = level ? start.length : track.offsets[depth + 1];
  let i = level ? Math.max(0, firstAfter(start, 0, n, from) - 1) : firstEndingAfter(track, depth, from);
  for (; i < n && start[i] < over; i++) {
    const a = (start[i] - from) / scale, b = ((level ? level.end[i] : endAt(track, i)) - from) / scale;
    if (b - a < 2) {
      if (b > 0) cover[a < 0 ? 0 : a | 0] = func[i] & FUNC_MASK;
    } else if (b > 0) {
      cover.fill(func[i] & FUNC_MASK, a < 0 ? 0 : a | 0, b | 0);
    }
  }
}

function drawCover(line, lane, colors) {
  const cover = lane.cover = coverOf(lane);
  const isRough = !lane.track.isReady || nsPerPixel() / screen.ratio >= model.overview.binNs;
  const {bins} = model.head, {share, binNs} = model.overview, scale = nsPerPixel() / screen.ratio;
  for (let x = 0; x < cover.length; x++) {
    if (cover[x] < 0) continue;
    const color = colors[cover[x]];
    if (!isRough) line[x] = color;
    else line[x] = mix(color, theme.ground, 40 + 0.84 * share[lane.track.index * bins + Math.floor((view.from + (x + 0.5) * scale) / binNs)] | 0);
  }
}

function drawLine(line, lane, depth, colors) {
  if (isSummary(lane) || !lane.track.isReady) {
    if (!depth) drawCover(line, lane, colors);
  } else {
    drawRow(line, lane.track, depth, colors);
  }
}

// A line of the framebuffer, and copies of it below. y in CSS pixels of the screen.
function drawBar(lane, depth, y, height, colors) {
  const {pixels, width, ratio} = screen;
  const top = Math.round(y * ratio), bottom = Math.min(screen.height, Math.round((y + height) * ratio));
  const first = Math.max(0, top);
  if (first >= bottom) return;
  const line = pixels.subarray(first * width, (first + 1) * width);
  drawLine(line, lane, depth, colors);
  for (let row = first + 1; row < bottom; row++) pixels.copyWithin(row * width, first * width, (first + 1) * width);
}

function visibleLanes() {
  const first = laneAt(view.scroll), lanes = [];
  for (let i = first ? first.index : view.lanes.length; i < view.lanes.length; i++) {
    if (view.lanes[i].y >= view.scroll + view.height) break;
    lanes.push(view.lanes[i]);
  }
  return lanes;
}

function currentColors() {
  if (!screen.filter) return theme.fills;
  const colors = theme.dimmed.slice();
  for (let i = 0; i < colors.length; i++) if (screen.filter[i]) colors[i] = theme.fills[i];
  return colors;
}

function drawLanes(lanes) {
  const colors = currentColors();
  screen.pixels.fill(theme.ground);
  drawGrid();
  for (const lane of lanes) {
    if (lane.kind !== 'track') continue;
    const y = lane.y - view.scroll + 3;
    if (isSummary(lane) || lane.rows <= 1) {
      drawBar(lane, 0, y, ROW, colors);
      continue;
    }
    for (let depth = Math.max(0, Math.floor(-y / ROW)); depth < lane.rows; depth++) {
      if (y + depth * ROW > view.height) break;
      drawBar(lane, depth, y + depth * ROW, ROW - 1, colors);
    }
  }
  screen.context.setTransform(1, 0, 0, 1, 0, 0);
  screen.context.putImageData(screen.image, Math.round(view.gutter * screen.ratio), 0);
}

// ---- all of it

function drawTimeline() {
  const lanes = visibleLanes(), {context, ratio} = screen;
  if (!model.head) return;
  drawLanes(lanes);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.save();
  context.beginPath();
  context.rect(view.gutter, 0, view.width, view.height);
  context.clip();
  context.translate(view.gutter, 0);
  drawBands(context, lanes);
  drawLabels(context, lanes);
  drawLosses(context, lanes);
  drawRange(context);
  drawArrows(context);
  drawPicked(context);
  context.restore();
  drawGutter(context, lanes);
}
