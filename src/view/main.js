// main.js - begins when all of the page is there: the head and the overview first, which is the first
// picture; then blocks go to workers, and tracks come back.
//
// The page's policy has a hash of the script, so it is one element, before the data.

const MAX_WORKERS = 4;
let isAsked = false;

// ---- what changes, is drawn at the next frame

function requestDraw() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    const start = performance.now();
    drawTimeline();
    drawMap();
    drawnMs.push(performance.now() - start);
    if (drawnMs.length > 1000) drawnMs.shift();
  });
}
const drawnMs = []; // of the latest frames; for the benchmark

function timeChanged() {
  requestDraw();
  wordsChanged();
}

function lanesChanged() {
  buildLanes();
  const isEmpty = !view.lanes.some(lane => lane.kind === 'track' || !view.threads);
  document.getElementById('nothing').hidden = model.nCalls > 0 && !isEmpty;
  setText('nothing', model.nCalls ? 'No thread has such a name.' : 'No calls were recorded.');
  document.getElementById('content').style.height = Math.max(view.contentHeight, view.height) + 'px';
  requestDraw();
  wordsChanged();
}

function resized() {
  sizeScreen();
  sizeMap();
  if (model.head) {
    document.getElementById('content').style.height = Math.max(view.contentHeight, view.height) + 'px';
    setTime(view.from, view.to);
    if (panel.isOpen && panel.tab === 'flame' && flame.walk) layFlame();
  }
  // Not at the next frame: a canvas that has a new size is empty.
  drawTimeline();
  drawMap();
}

function switchTheme(isDark) {
  setTheme(isDark);
  if (panel.walk && panel.isOpen && panel.tab !== 'call') showStats();
  requestDraw();
}

// ---- reading

async function textOf(id) {
  return new TextDecoder().decode(await bytesOf(id));
}

async function bytesOf(id) {
  const script = document.getElementById(id), base64 = script.textContent;
  script.remove();
  const packed = Uint8Array.fromBase64 ? Uint8Array.fromBase64(base64) : Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function startWorkers(n, take) {
  const url = URL.createObjectURL(new Blob(['(' + decodeWorker + ')()'], {type: 'text/javascript'}));
  return Array.from({length: n}, () => {
    const worker = new Worker(url);
    worker.onmessage = event => take(event.data);
    worker.onerror = event => fail(event.message || 'a worker could not be started');
    return worker;
  });
}

// Each track belongs to one worker, which gets its blocks in their order.
function decodeAll() {
  const blocks = [...document.querySelectorAll('script.block')], lastOf = new Map();
  blocks.forEach((block, i) => { if (block.dataset.track) lastOf.set(block.dataset.track, i); });
  const n = Math.max(1, Math.min(MAX_WORKERS, navigator.hardwareConcurrency || 1, blocks.length));
  let nLeft = blocks.length;
  if (!nLeft) {
    allDecoded();
    return;
  }
  const workers = startWorkers(n, message => {
    if (message.error) fail(message.error);
    else if (message.blockDone) {
      nLeft--;
      setText('loading', 'Reading ' + Math.round(100 * (1 - nLeft / blocks.length)) + ' %');
      if (nLeft === 0) {
        workers.forEach(worker => worker.terminate());
        allDecoded();
      }
    } else {
      takeTrack(message);
      requestDraw();
    }
  });
  const infos = model.head.tracks.map((info, index) => [index, info]);
  workers.forEach((worker, w) => worker.postMessage({tracks: n === 1 ? infos : infos.filter(([index, info]) => isFor(lastOf, index, w, n))}));
  blocks.forEach((block, i) => {
    const {track, bytes} = block.dataset;
    const message = {base64: block.textContent, nBytes: Number(bytes), isLast: !track || lastOf.get(track) === i};
    workers[track ? track % n : 0].postMessage(message);
    block.remove();
  });
}

// Those that share blocks are all of the first worker's.
function isFor(lastOf, index, worker, n) {
  return lastOf.has(String(index)) ? index % n === worker : worker === 0;
}

function allDecoded() {
  setText('loading', '');
  for (const track of model.tracks) { // that have no events have no block
    if (track.isReady) continue;
    Object.assign(track, {start: new Float64Array(0), dur: new Uint32Array(0), func: new Uint32Array(0),
      offsets: new Uint32Array(nRows(track) + 1), losses: [], levels: track.info.rows.map(() => []), long: new Map(),
      isReady: true, nUnfinished: 0, n: 0});
  }
  setText('troubles', summaryOfTroubles());
  if (screen.filter) startSearch(search.text);
  refreshStats();
  requestAnimationFrame(() => {
    drawTimeline();
    drawMap();
    putWords();
    setTimeout(() => {
      performance.mark('ready');
      document.body.dataset.ready = 'yes';
    }, 0);
  });
}

function fail(text) {
  setText('loading', '');
  const box = document.getElementById('failure');
  box.hidden = false;
  box.textContent = 'This page cannot be shown: ' + text;
  document.body.dataset.ready = 'failed';
}

// ---- the beginning

async function start() {
  screen.canvas = document.getElementById('timeline');
  map.canvas = document.getElementById('map');
  flame.canvas = document.getElementById('flame-canvas');
  if (typeof DecompressionStream === 'undefined') {
    fail('this browser is too old for it: it takes Chromium or Edge 103, Firefox 113, Safari 16.4 or later');
    return;
  }
  if (!document.getElementById('whole')) throw new Error('its end is missing');
  setTheme(matchMedia('(prefers-color-scheme: dark)').matches);
  const head = JSON.parse(await textOf('head'));
  if (head.version !== 1) throw new Error('its data is of another version');
  takeHead(head);
  takeOverview(await bytesOf('overview'));
  computeColors();
  setText('title', shortenPlace(head.title, 70));
  document.getElementById('title').title = shorten(head.title, MAX_PATH);
  document.title = shortenPlace(head.title, 70) + ' - mtrace';
  setText('summary', summaryOfAll());
  document.getElementById('keys').replaceChildren(...KEYS.flatMap(([keys, text]) =>
    [element('dt', {textContent: keys}), element('dd', {textContent: text})]));
  putStarts();
  buildHeads();
  setInitialRows();
  sumBusy();
  resized();
  lanesChanged();
  showAll();
  settlePlace();
  showSearch();
  listen();
  readAddress();
  drawTimeline();
  drawMap();
  // So that it is on the screen before anything else is done.
  requestAnimationFrame(() => setTimeout(() => {
    performance.mark('overview');
    decodeAll();
  }, 0));
}

document.documentElement.dataset.script = 'runs';
setText('loading', 'Reading');
document.addEventListener('DOMContentLoaded', () => start().catch(error => fail(String(error.message || error))));
