// arrows.js - from a call to the processes that it started, and back: by a key, and by buttons beside the
// facts of the call. overlay.js draws the arrows.

const MAX_LINKS = 20;

function innermostAt(track, ns) {
  for (let depth = nRows(track) - 1; depth >= 0; depth--) {
    const index = callAt(track, depth, ns, 0);
    if (index >= 0) return {track, index};
  }
  return null;
}

// Where arrows lead to that begin while the call runs, and where the one to its process begins: [text, call].
function linksOf(call) {
  const {track, index} = call, from = track.start[index], to = endAt(track, index), started = [], starters = [];
  for (const [parent, child, parentNs, childNs] of model.arrows) {
    const [at, other] = [model.trackOf.get(parent), model.trackOf.get(child)];
    if (at === track && parentNs >= from && parentNs <= to) started.push(['Started', titleOfProcess(other.process), innermostAt(other, childNs)]);
    if (other.process === track.process && at.process !== track.process) starters.push(['Started by', titleOfProcess(at.process), innermostAt(at, parentNs)]);
  }
  return [...started, ...starters].filter(([, , end]) => end);
}

// Without a call: from the thread that the keyboard is on.
function followArrow() {
  const lane = view.lanes[view.current], track = lane && (lane.track || lane.process && lane.process.tracks[0]);
  const call = view.picked || (track && track.isReady && track.n ? {track, index: 0} : null);
  const [link] = call ? linksOf(call) : [];
  if (link) pick(link[2], true);
}

function putLinks(list, call) {
  for (const [what, where, end] of linksOf(call).slice(0, MAX_LINKS)) {
    const button = element('button', {className: 'link', textContent: shorten(where, 200), title: 'Go there (J)'});
    button.onclick = () => pick(end, true);
    list.append(element('dt', {textContent: what}), element('dd', {dir: 'auto'}, [button]));
  }
}
