// copy.js - what is shown, as text for other programs: a call with its callers, and the table as CSV.

function stackOf({track, index}) {
  const calls = [];
  for (let i = index; i >= 0; i = parentOf(track, i)) calls.unshift(i);
  return calls.map(i => funcAt(track, i));
}

// Outermost first, as in a traceback.
function stackText(call) {
  return stackOf(call).map(func => {
    const place = funcs.place(func);
    return funcs.name(func) + (place ? ' (' + place + ')' : '');
  }).join('\n') + '\n';
}

function csvField(value) {
  const text = String(value), first = text.charAt(0);
  // A name that a spreadsheet would take for a formula is text.
  const safe = typeof value === 'string' && '=+-@\t\r'.includes(first) && first ? "'" + text : text;
  return /[",\r\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
}

// All of the functions, in the table's order; columns have the names that `mtrace report -f csv` gives them.
function csvText() {
  const lines = [['function', 'ncalls', 'cumtime_ns', 'tottime_ns', 'file', 'line']];
  for (const {func, calls, total, self} of sortedRows())
    lines.push([funcs.name(func), calls, total, Math.max(0, self), funcs.file(func), funcs.file(func) ? funcs.line(func) : '']);
  return lines.map(line => line.map(csvField).join(',') + '\r\n').join('');
}

const isTableShown = () => panel.isOpen && panel.tab !== 'call';

function canCopy() {
  return isTableShown() ? Boolean(panel.walk) && !panel.stale : Boolean(view.picked);
}

// Of what the panel shows; null: nothing.
function textToCopy() {
  if (!canCopy()) return null;
  return isTableShown() ? csvText() : stackText(view.picked);
}

// When there is something else to copy: what was said is of what was there before.
function copyChanged() {
  setText('copied', '');
  document.getElementById('copy').disabled = !canCopy();
}

// By the button, or by Ctrl+C where no text is marked.
function onCopy(event) {
  const text = String(getSelection()) || event.target.tagName === 'INPUT' ? null : textToCopy();
  if (text === null) return;
  event.clipboardData.setData('text/plain', text);
  event.preventDefault();
  sayCopied(text);
}

function sayCopied(text) {
  setText('copied', formatMany(text.split('\n').length - 1, 'line') + ' copied');
}

async function copyByButton() {
  const text = textToCopy();
  if (text === null) return;
  setText('copied', '');
  try {
    await navigator.clipboard.writeText(text);
    sayCopied(text);
  } catch {
    // Where it is allowed, onCopy() has said so.
    if (!document.execCommand('copy')) setText('copied', 'the browser does not allow it; Ctrl+C does');
  }
}
