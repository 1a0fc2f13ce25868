// colors.js - the theme, and a color for each function: hues by file, C functions nearly grey.

const theme = {
  isDark: false,
  css: {}, // the page's own colors, from page.css
  fills: new Uint32Array(0), // by function, as the framebuffer has them: 0xffBBGGRR
  dimmed: new Uint32Array(0), // where a search does not match
  ground: 0,
};

function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let i = Math.max(0, text.length - 300); i < text.length; i++) // paths differ in their ends
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}

// Hue in degrees, the others from 0 to 1.
function pixelOfHsl(hue, saturation, lightness) {
  const a = saturation * Math.min(lightness, 1 - lightness);
  const channel = n => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return (255 << 24 | channel(4) << 16 | channel(8) << 8 | channel(0)) >>> 0;
}

function pixelOfCss(color) {
  const n = parseInt(color.trim().slice(1), 16);
  return (255 << 24 | (n & 255) << 16 | (n >> 8 & 255) << 8 | n >> 16) >>> 0;
}

// `share` of 255 of the first color over the second.
function mix(color, ground, share) {
  const rest = 255 - share;
  const even = ((color & 0xff00ff) * share + (ground & 0xff00ff) * rest) >>> 8 & 0xff00ff;
  const green = ((color >> 8 & 255) * share + (ground >> 8 & 255) * rest) & 0xff00;
  return (0xff000000 | even | green) >>> 0;
}

function fillOf(func) {
  const place = hashOf(funcs.file(func) || funcs.name(func).split('.')[0]), own = hashOf(funcs.name(func)) / 2 ** 32;
  if (funcs.isC(func))
    return theme.isDark ? pixelOfHsl(215, 0.10, 0.30 + 0.07 * own) : pixelOfHsl(215, 0.16, 0.80 + 0.07 * own);
  const hue = (place % 24) * 15 + (own - 0.5) * 12;
  return theme.isDark ? pixelOfHsl(hue, 0.34 + 0.12 * own, 0.36 + 0.08 * own) : pixelOfHsl(hue, 0.38 + 0.12 * own, 0.72 + 0.08 * own);
}

function computeColors() {
  const css = getComputedStyle(document.documentElement);
  for (const name of ['ground', 'panel', 'ink', 'faint', 'line', 'accent', 'loss', 'lane', 'range', 'match'])
    theme.css[name] = css.getPropertyValue('--' + name).trim();
  theme.ground = pixelOfCss(theme.css.ground);
  const n = model.head ? model.head.func_name.length : 0;
  theme.fills = new Uint32Array(n);
  theme.dimmed = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    theme.fills[i] = fillOf(i);
    theme.dimmed[i] = mix(theme.fills[i], theme.ground, 46);
  }
}

function cssOfPixel(pixel) {
  return 'rgb(' + (pixel & 255) + ' ' + (pixel >> 8 & 255) + ' ' + (pixel >> 16 & 255) + ')';
}

function setTheme(isDark) {
  theme.isDark = isDark;
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  const button = document.getElementById('theme');
  button.setAttribute('aria-pressed', String(isDark));
  computeColors();
}
