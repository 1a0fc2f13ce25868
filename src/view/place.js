// place.js - which time is shown: in the page's address, so that it can be passed on and a reload stays there,
// and the places before, to go back to.
//
// A place is one at which a movement came to rest.

const MAX_PLACES = 100;
const places = {all: [], at: -1, address: ''}; // {from, to, scroll}

function seconds(ns) {
  const whole = Math.round(ns);
  return whole < 0 ? '0' : Math.floor(whole / 1e9) + '.' + String(whole % 1e9).padStart(9, '0');
}

// "#from=0.5&to=0.75&select=0.6-0.61", in seconds, as --from and --to have them; nothing where all is shown.
function addressOfPlace() {
  const parts = [];
  if (view.from > 0 || view.to < model.end) parts.push('from=' + seconds(view.from), 'to=' + seconds(Math.min(view.to, model.end)));
  if (view.range) parts.push('select=' + seconds(view.range.from) + '-' + seconds(view.range.to));
  return parts.length ? '#' + parts.join('&') : '';
}

// When something has come to rest.
function settlePlace() {
  const now = places.all[places.at], place = {from: view.from, to: view.to, scroll: view.scroll};
  if (now && now.from === place.from && now.to === place.to) {
    now.scroll = place.scroll;
  } else {
    places.all.splice(places.at + 1, Infinity, place);
    if (places.all.length > MAX_PLACES) places.all.shift();
    places.at = places.all.length - 1;
  }
  const address = addressOfPlace();
  if (address === places.address) return;
  places.address = address;
  try {
    history.replaceState(null, '', address || location.pathname + location.search);
  } catch {
    // Some browsers allow so many in a while, or none from a disk: then the address is an older one.
  }
}

// To the place before, or behind.
function goToPlace(step) {
  settlePlace();
  const place = places.all[places.at + step];
  if (!place) return;
  places.at += step;
  setTime(place.from, place.to);
  document.getElementById('scroller').scrollTop = place.scroll;
}

// What the address says; what it does not say, or says wrongly, stays.
function readAddress() {
  if (location.hash === places.address) return;
  const wanted = new URLSearchParams(location.hash.slice(1));
  const ns = text => text && Number.isFinite(Number(text) * 1e9) ? Math.round(Number(text) * 1e9) : NaN;
  const [from, to] = [ns(wanted.get('from')), ns(wanted.get('to'))];
  const [first, last] = (wanted.get('select') || '').split('-').map(ns);
  if (to > from) setTime(from, to);
  if (last > first) select(first, last);
}
