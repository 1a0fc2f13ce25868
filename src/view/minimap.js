// minimap.js - above the timeline: all of the time with the part that is shown, and the axis.

const MAP_HEIGHT = 36, AXIS_HEIGHT = 24;
const map = {canvas: null, context: null, busy: null};

function sizeMap() {
  const {canvas} = map, width = view.width + view.gutter;
  canvas.width = Math.round(width * screen.ratio);
  canvas.height = Math.round((MAP_HEIGHT + AXIS_HEIGHT) * screen.ratio);
  canvas.style.width = width + 'px';
  canvas.style.height = MAP_HEIGHT + AXIS_HEIGHT + 'px';
  map.context = canvas.getContext('2d', {alpha: false});
}

// By bin: in how many threads something ran, of 255 each.
function sumBusy() {
  const {bins} = model.head, busy = new Float64Array(bins);
  for (const track of model.tracks)
    for (let i = 0; i < bins; i++) busy[i] += model.overview.share[track.index * bins + i];
  map.busy = busy;
}

function mapX(ns) {
  return ns / model.end * view.width;
}

function drawMap() {
  const {context} = map;
  if (!context || !model.head) return;
  context.setTransform(screen.ratio, 0, 0, screen.ratio, 0, 0);
  context.fillStyle = theme.css.panel;
  context.fillRect(0, 0, view.width + view.gutter, MAP_HEIGHT + AXIS_HEIGHT);
  context.font = FONT;
  context.textAlign = 'left';
  context.fillStyle = theme.css.faint;
  context.fillText(fitText(context, isolate('Threads running'), view.gutter - 14), 10, 22);
  context.save();
  context.translate(view.gutter, 0);
  drawBusy(context);
  drawMatches(context);
  drawWindow(context);
  drawAxis(context);
  context.restore();
  context.fillStyle = theme.css.line;
  context.fillRect(0, MAP_HEIGHT, view.width + view.gutter, 1);
  context.fillRect(0, MAP_HEIGHT + AXIS_HEIGHT - 1, view.width + view.gutter, 1);
  context.fillRect(view.gutter - 1, 0, 1, MAP_HEIGHT + AXIS_HEIGHT);
}

function drawBusy(context) {
  const {binNs} = model.overview, most = map.busy.reduce((a, b) => Math.max(a, b), 1);
  context.fillStyle = theme.css.accent;
  context.globalAlpha = 0.35;
  for (let x = 0; x < view.width; x++) {
    const a = Math.floor(x / view.width * model.end / binNs), b = Math.max(a + 1, Math.ceil((x + 1) / view.width * model.end / binNs));
    let busy = 0;
    for (let i = a; i < b && i < map.busy.length; i++) busy = Math.max(busy, map.busy[i]);
    if (busy) context.fillRect(x, MAP_HEIGHT - 2 - (MAP_HEIGHT - 6) * busy / most, 1, (MAP_HEIGHT - 6) * busy / most);
  }
  context.globalAlpha = 1;
}

// Where what is searched for begins.
function drawMatches(context) {
  if (!screen.filter) return;
  context.fillStyle = theme.css.match;
  for (let i = 0; i < SEARCH_BINS; i++) if (search.bins[i]) context.fillRect(Math.floor(i / SEARCH_BINS * view.width), MAP_HEIGHT - 9, 1.5, 8);
}

function drawWindow(context) {
  const a = mapX(Math.max(0, view.from)), b = Math.max(a + 2, mapX(Math.min(model.end, view.to)));
  context.fillStyle = theme.css.ground;
  context.globalAlpha = 0.6;
  context.fillRect(0, 0, a, MAP_HEIGHT);
  context.fillRect(b, 0, view.width - b, MAP_HEIGHT);
  context.globalAlpha = 1;
  context.strokeStyle = theme.css.accent;
  context.lineWidth = 1;
  context.strokeRect(a + 0.5, 0.5, Math.max(1, b - a - 1), MAP_HEIGHT - 1);
  if (!view.range) return;
  context.fillStyle = theme.css.range;
  context.globalAlpha = 0.2;
  context.fillRect(mapX(view.range.from), 0, Math.max(1, mapX(view.range.to) - mapX(view.range.from)), MAP_HEIGHT);
  context.globalAlpha = 1;
}

function drawAxis(context) {
  const {step, all} = ticks();
  if (view.range) {
    const a = Math.max(0, xOf(view.range.from)), b = Math.min(view.width, xOf(view.range.to));
    context.fillStyle = theme.css.range;
    context.globalAlpha = 0.18;
    context.fillRect(a, MAP_HEIGHT, Math.max(0, b - a), AXIS_HEIGHT);
    context.globalAlpha = 1;
  }
  context.fillStyle = theme.css.faint;
  for (const at of all) {
    const x = Math.round(xOf(at));
    context.fillRect(x, MAP_HEIGHT + AXIS_HEIGHT - 6, 1, 5);
    context.fillText(formatTime(at, step), x + 4, MAP_HEIGHT + 14);
  }
}
