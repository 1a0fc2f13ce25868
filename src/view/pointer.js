// pointer.js - mouse, pen and fingers on the timeline and the strip above it, and what hangs at the pointer.

const DRAG_LEAST = 4;
const drag = {kind: null, x: 0, y: 0, from: 0, scroll: 0, at: 0, moved: false, ends: null};
const fingers = new Map(); // x of each pointer that is down

function pointOf(event) {
  const box = screen.canvas.getBoundingClientRect();
  return {x: event.clientX - box.left - view.gutter, y: event.clientY - box.top};
}

function onWheel(event) {
  const {x} = pointOf(event), unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  const dx = event.deltaX * unit, dy = event.deltaY * unit;
  if ((x < 0 || event.altKey) && !event.ctrlKey) return; // the names scroll
  event.preventDefault();
  dropHover();
  // Two fingers on a touchpad come as a wheel with Ctrl, in small steps.
  if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) pan((Math.abs(dx) > Math.abs(dy) ? dx : dy) * nsPerPixel());
  else zoomAt(nsOf(Math.max(0, x)), Math.exp(Math.max(-300, Math.min(300, event.ctrlKey ? 4 * dy : dy)) * 0.0025));
}

function onDown(event) {
  if (event.button !== 0) return;
  const {x, y} = pointOf(event);
  screen.canvas.focus();
  dropHover();
  screen.canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, x);
  if (fingers.size === 2) {
    const [a, b] = fingers.values();
    Object.assign(drag, {kind: 'pinch', ends: [nsOf(a), nsOf(b)]});
  } else if (fingers.size === 1) {
    const kind = x < 0 ? 'names' : event.shiftKey ? 'select' : 'move';
    Object.assign(drag, {kind, x, y, from: view.from, scroll: view.scroll, at: nsOf(x), moved: false});
  }
}

// What two fingers were put on stays below them.
function pinch() {
  const [a, b] = fingers.values(), [from, to] = drag.ends;
  if (Math.abs(a - b) < DRAG_LEAST || (a - b) * (from - to) <= 0) return;
  const scale = (to - from) / (b - a), start = from - a * scale;
  setTime(start, start + scale * view.width);
}

function onMove(event) {
  const {x, y} = pointOf(event);
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, x);
  if (drag.kind === 'pinch') {
    if (fingers.size === 2) pinch();
    return;
  }
  if (!drag.kind) {
    if (event.pointerType !== 'touch') hoverAt(x, y, event);
    return;
  }
  drag.moved = drag.moved || Math.hypot(x - drag.x, y - drag.y) >= DRAG_LEAST;
  if (!drag.moved) return;
  if (drag.kind === 'select') {
    const at = nsOf(x);
    view.range = {from: Math.max(0, Math.min(at, drag.at)), to: Math.min(model.end, Math.max(at, drag.at))};
    requestDraw();
    wordsChanged();
    return;
  }
  if (drag.kind === 'move') pan(drag.from - (x - drag.x) * nsPerPixel() - view.from);
  document.getElementById('scroller').scrollTop = drag.scroll - (y - drag.y);
}

function onUp(event) {
  const {kind, moved} = drag, {x, y} = pointOf(event);
  onCancel(event);
  if (kind === 'select' && moved) select(view.range.from, view.range.to);
  else if (kind === 'names' && !moved) clickName(y);
  else if ((kind === 'select' || kind === 'move') && !moved) pick(callAtPoint(x, y + view.scroll));
}

// The rest of a pinch, by the finger that is still there, is nothing.
function onCancel(event) {
  fingers.delete(event.pointerId);
  if (drag.kind !== 'pinch' || !fingers.size) drag.kind = null;
}

function clickName(y) {
  const lane = laneAt(y + view.scroll);
  if (!lane) return;
  view.current = lane.index;
  toggleLane(lane);
}

function hoverAt(x, y, event) {
  const call = x >= 0 && model.head ? callAtPoint(x, y + view.scroll) : null, old = view.hover;
  if ((call && old && call.track === old.track && call.index === old.index) || (!call && !old)) {
    if (call) placeTip(event);
    return;
  }
  view.hover = call;
  if (call) showTip(describeCall(call), event);
  else hideTip();
  requestDraw();
}

function onMapDown(event) {
  if (!model.head) return;
  const box = map.canvas.getBoundingClientRect();
  const go = e => {
    const x = e.clientX - box.left - view.gutter;
    if (event.clientY - box.top < MAP_HEIGHT) {
      const length = view.to - view.from, at = x / view.width * model.end;
      setTime(at - length / 2, at + length / 2);
    } else {
      const a = nsOf(event.clientX - box.left - view.gutter), b = nsOf(x);
      view.range = {from: Math.max(0, Math.min(a, b)), to: Math.min(model.end, Math.max(a, b))};
      requestDraw();
    }
  };
  const before = view.range, isMoved = event.clientY - box.top < MAP_HEIGHT;
  const end = () => { map.canvas.onpointermove = map.canvas.onpointerup = map.canvas.onpointercancel = null; };
  map.canvas.setPointerCapture(event.pointerId);
  map.canvas.onpointermove = go;
  map.canvas.onpointerup = e => {
    end();
    if (!isMoved) select(view.range && Math.abs(e.clientX - event.clientX) >= DRAG_LEAST ? view.range.from : 0, view.range ? view.range.to : 0);
  };
  map.canvas.onpointercancel = () => {
    end();
    if (!isMoved) select(before ? before.from : 0, before ? before.to : 0);
  };
  if (isMoved) go(event);
}

// ---- what hangs at the pointer

function showTip({title, facts}, event) {
  setText('tip-name', shorten(title, 300));
  putFacts(document.getElementById('tip-facts'), inShort(facts));
  document.getElementById('tip').hidden = false;
  placeTip(event);
}

function placeTip(event) {
  const tip = document.getElementById('tip'), {offsetWidth: width, offsetHeight: height} = tip;
  const x = Math.min(event.clientX + 14, innerWidth - width - 8), y = event.clientY + 18;
  tip.style.transform = 'translate(' + Math.max(8, x) + 'px,' + (y + height > innerHeight ? Math.max(4, event.clientY - height - 10) : y) + 'px)';
}

// What is below the pointer moves away without it.
function dropHover() {
  view.hover = null;
  hideTip();
}

function hideTip() {
  document.getElementById('tip').hidden = true;
}
