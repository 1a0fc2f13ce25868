// format.js - times and numbers as people read them.

const NS_UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];

function formatCount(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
}

// "1 thread", "1,024 threads".
function formatMany(n, what) {
  return formatCount(n) + ' ' + what + (n === 1 ? '' : 's');
}

// "12.3 ms": three digits or more.
function formatDuration(ns) {
  if (ns < 1000) return Math.round(ns) + ' ns';
  const [size, unit] = NS_UNITS.find(([s]) => ns >= s);
  const value = ns / size;
  return value.toFixed(value >= 100 ? 1 : value >= 10 ? 2 : 3) + ' ' + unit;
}

// "12.3 %"; what is there is not nothing.
function formatShare(part, whole) {
  const share = whole > 0 ? 100 * Math.max(0, part) / whole : 0;
  return (share > 0 && share < 0.05 ? '< 0.1' : share.toFixed(1)) + ' %';
}

// A time of the timeline, exact to `step` ns: "1.234 567 s".
function formatTime(ns, step) {
  const [size, unit] = NS_UNITS.find(([s]) => Math.abs(ns) >= s) || NS_UNITS[3];
  const needed = Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9));
  const decimals = Math.min(needed > 3 ? 3 * Math.ceil(needed / 3) : needed, Math.round(Math.log10(size)));
  const [whole, fraction] = (ns / size).toFixed(decimals).split('.');
  const grouped = fraction ? '.' + fraction.replace(/(\d{3})(?=\d)/g, '$1\u2009') : '';
  return formatCount(whole) + grouped + '\u00a0' + unit;
}

// The wall clock there, to the ms.
function formatClock(realMs, ns) {
  const date = new Date(realMs + ns / 1e6);
  return isNaN(date) ? '' : date.toISOString().replace('T', ' ').slice(0, 23) + ' UTC';
}

// Of a name that may be of any length and hold anything: what fits on a line.
function shorten(text, length) {
  const clean = text.length > 4 * length ? text.slice(0, 4 * length) : text;
  const line = clean.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
  if (line.length <= length && clean === text) return line;
  const cut = line.slice(0, length - 1);
  return (/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut) + '…'; // no half of a pair
}

// A line of so many characters, of which the end is a third.
function shortenMiddle(text, length) {
  if (text.length <= length) return shorten(text, length);
  const end = text.slice(text.length - Math.floor(length / 3)).replace(/^[\udc00-\udfff]/, '');
  return shorten(text, length - end.length) + shorten(end, length);
}

// Of where a function stands, the end: the file's name and the line say more than the folders above.
function shortenPlace(place, length) {
  const end = place.slice(-length), cut = end.indexOf('/');
  if (end === place) return shorten(place, length);
  return '…' + shorten(cut < 0 ? end.replace(/^[\udc00-\udfff]/, '') : end.slice(cut), length);
}

// A name that cannot turn around or hide what stands beside it.
function isolate(text) {
  return '\u2068' + text + '\u2069';
}
