// flame.js - the flame graph of the selection: callers above, callees below, as wide as the time that they
// took, all threads together.

const FLAME_ROW = 18, FLAME_LEAST = 0.6;
const flame = {canvas: null, context: null, walk: null, root: ROOT, boxes: [], width: 0, current: 0};

function setFlame(walk) {
  flame.walk = walk;
  flame.root = ROOT;
  flame.current = 0;
  layFlame();
}

// Nodes that are wide enough, by parent, the largest first.
function wideNodes(tree, least) {
  const children = new Map();
  for (let node = 1; node < tree.n; node++) {
    if (tree.total[node] < least) continue;
    const siblings = children.get(tree.parent[node]);
    if (siblings) siblings.push(node);
    else children.set(tree.parent[node], [node]);
  }
  for (const siblings of children.values()) siblings.sort((a, b) => tree.total[b] - tree.total[a] || a - b);
  return children;
}

// Where each box is, outermost first. Those around the root are as wide as all.
function layFlame() {
  const {tree} = flame.walk, whole = tree.total[flame.root] || 1;
  flame.width = flame.canvas.parentElement.clientWidth;
  const scale = flame.width / whole, children = wideNodes(tree, FLAME_LEAST / scale), boxes = [];
  const around = [];
  for (let node = flame.root; node !== NO_NODE; node = tree.parent[node]) around.unshift(node);
  around.forEach((node, depth) => boxes.push({node, depth, x: 0, width: flame.width}));
  const place = (node, depth, x) => {
    for (const child of children.get(node) || []) {
      const box = {node: child, depth, x, width: tree.total[child] * scale};
      boxes.push(box);
      x += box.width;
    }
  };
  for (let i = around.length - 1; i < boxes.length; i++) place(boxes[i].node, boxes[i].depth + 1, boxes[i].x);
  flame.boxes = boxes;
  const height = FLAME_ROW * (1 + boxes.reduce((most, box) => Math.max(most, box.depth), 0));
  flame.canvas.width = Math.round(flame.width * screen.ratio);
  flame.canvas.height = Math.min(16000, Math.round(height * screen.ratio));
  flame.canvas.style.width = flame.width + 'px';
  flame.canvas.style.height = height + 'px';
  flame.context = flame.canvas.getContext('2d', {alpha: false});
  drawFlame();
}

function nameOfNode(node) {
  if (node !== ROOT) return funcs.name(flame.walk.tree.func[node]);
  return panel.scope === 'one' ? titleOfTrack(panel.track) : panel.scope === 'shown' ? 'Shown threads' : 'All threads';
}

function drawFlame() {
  const {context, walk} = flame, colors = currentColors();
  if (!walk || !context) return;
  context.setTransform(screen.ratio, 0, 0, screen.ratio, 0, 0);
  context.fillStyle = theme.css.ground;
  context.fillRect(0, 0, flame.width, flame.canvas.height);
  context.font = FONT;
  context.textAlign = 'left';
  flame.boxes.forEach((box, i) => {
    const y = box.depth * FLAME_ROW, func = walk.tree.func[box.node];
    context.fillStyle = box.node === ROOT ? theme.css.lane : cssOfPixel(colors[func]);
    context.fillRect(box.x, y, Math.max(0.5, box.width - (box.width > 2 ? 1 : 0)), FLAME_ROW - 1);
    if (i === flame.current && document.activeElement === flame.canvas) {
      context.strokeStyle = theme.css.accent;
      context.lineWidth = 2;
      context.strokeRect(box.x + 1, y + 1, Math.max(1, box.width - 3), FLAME_ROW - 3);
    }
    if (box.width < 26) return;
    context.fillStyle = theme.css.ink;
    context.fillText(fitName(context, isolate(shorten(nameOfNode(box.node), 160)), box.width - 8), box.x + 4, y + 12.5);
  });
}

function boxAt(x, y) {
  const depth = Math.floor(y / FLAME_ROW);
  return flame.boxes.findIndex(box => box.depth === depth && x >= box.x && x < box.x + box.width);
}

function describeNode(node) {
  const {tree} = flame.walk, whole = tree.total[ROOT] || 1, func = tree.func[node];
  const share = formatShare(tree.total[node], whole);
  const facts = [['Total', formatDuration(tree.total[node]) + ', ' + share]];
  if (node !== ROOT) {
    facts.push(['Self', formatDuration(Math.max(0, tree.self[node]))], ['Calls', formatCount(tree.calls[node])]);
    facts.push(['Where', funcs.place(func)]);
  }
  return {title: nameOfNode(node), facts};
}

function zoomFlame(index) {
  if (index < 0) return;
  flame.root = flame.boxes[index].node;
  flame.current = flame.boxes.findIndex(box => box.node === flame.root);
  layFlame();
  sayFlame();
}

// The box above, below or beside: dx and dy are -1, 0 or 1.
function moveFlame(dx, dy) {
  const {boxes, walk} = flame, now = boxes[flame.current];
  if (!now) return;
  let next = -1;
  if (dy < 0) next = boxes.findIndex(box => box.node === walk.tree.parent[now.node]);
  else if (dy > 0) next = boxes.findIndex(box => walk.tree.parent[box.node] === now.node);
  else {
    const row = boxes.map((box, i) => i).filter(i => boxes[i].depth === now.depth);
    next = row[row.indexOf(flame.current) + dx];
  }
  if (next === undefined || next < 0) return;
  flame.current = next;
  sayFlame();
  drawFlame();
}

function sayFlame() {
  const box = flame.boxes[flame.current];
  if (!box) return;
  const {title, facts} = describeNode(box.node);
  setText('flame-active', shorten(title, 200) + '; ' + inShort(facts).map(([name, value]) => name + ' ' + value).join('; '));
}
