// What the reader has set for one radiograph: window, zoom and position, turn, measurements. A view never changes the reading.
// Zoom is in device pixels per pixel of the original radiograph, also while only a reduced copy is there.

const ZOOM_RANGE = [0.02, 32];
const UPRIGHT = [1, 0, 0, 1];

// The step to the right and the step down of the radiograph, on the screen: [a, b, c, d] of x = a u + b v, y = c u + d v.
const TURNS = { rotate: [0, -1, 1, 0], flip: [-1, 0, 0, 1] };

function freshView(radiograph) {
  return {
    ...defaultWindow(radiograph), version: radiograph.version, fitted: true, zoom: 1, x: 0, y: 0, turn: UPRIGHT,
    original: false, mapOn: new Map(), rulers: [], angle: [],
  };
}

// --- window --------------------------------------------------------------------------------------

function defaultWindow(radiograph) {
  return { center: radiograph.voi.center, width: radiograph.voi.width, invert: false, isDefault: true, preset: null, named: null };
}

function changeWindow(radiograph, view, center, width) {
  const least = radiograph.voi.function === "LINEAR" ? 1 : radiograph.scale;
  view.center += radiograph.inverted ? -center : center;
  view.width = Math.max(least, view.width + width);
  view.preset = view.named = null;
  view.isDefault = view.center === radiograph.voi.center && view.width === radiograph.voi.width;
}

// Position in the list of presets: the default window, those of the file, then windows by percentiles.
function presetIndex(radiograph, view) {
  if (view.preset !== null) return view.preset + 1;
  return view.named === null ? 0 : radiograph.presets.length + view.named + 1;
}

function presetNames(radiograph) {
  return ["Default window", ...radiograph.presets, ...radiograph.windows.map(([name]) => name)];
}

function choosePreset(radiograph, view, index) {
  const initial = defaultWindow(radiograph);
  const named = index - radiograph.presets.length - 1;
  if (named >= 0) {
    const [, center, width] = radiograph.windows[named];
    Object.assign(view, initial, { center, width, named, isDefault: false });
  } else {
    const [center, width] = radiograph.presetWindows[index - 1] ?? [initial.center, initial.width];
    Object.assign(view, initial, { center, width, preset: index ? index - 1 : null, isDefault: !index });
  }
}

// Give a view the window of another radiograph's: the same preset by name, or the same change from its own default
// window. Where both have the same default window, that is the same centre and width.
function copyWindow(from, fromView, to, toView) {
  const name = presetNames(from)[presetIndex(from, fromView)];
  const index = presetNames(to).indexOf(name);
  const isPreset = fromView.preset !== null || fromView.named !== null;
  if (fromView.isDefault) Object.assign(toView, defaultWindow(to));
  else if (isPreset && index >= 0) choosePreset(to, toView, index);
  else {
    const scale = to.voi.width / from.voi.width;
    const change = (fromView.center - from.voi.center) * scale * (from.inverted === to.inverted ? 1 : -1);
    const width = fromView.width * scale;
    Object.assign(toView, defaultWindow(to), { center: to.voi.center + change, width, isDefault: false });
  }
  toView.invert = fromView.invert;
}

// --- geometry ------------------------------------------------------------------------------------

// The turned radiograph's size in its own pixels, and where its corner (0, 0) lies in it.
function turned(radiograph, [a, b, c, d]) {
  const { rows, columns } = radiograph;
  return {
    width: Math.abs(a) * columns + Math.abs(b) * rows,
    height: Math.abs(c) * columns + Math.abs(d) * rows,
    left: (a < 0 ? columns : 0) + (b < 0 ? rows : 0),
    top: (c < 0 ? columns : 0) + (d < 0 ? rows : 0),
  };
}

// Turn what is on the screen about the middle of the canvas.
function turnView(radiograph, view, how, width, height) {
  const [a, b, c, d] = TURNS[how];
  const [e, f, g, h] = view.turn;
  const [x, y] = toRadiograph(radiograph, view, [width / 2, height / 2]);
  view.turn = [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
  const [nx, ny] = toCanvas(radiograph, view, [x, y]);
  view.x += width / 2 - nx;
  view.y += height / 2 - ny;
}

// Canvas pixels of a point of the radiograph, in its pixels with integers at their centres.
function toCanvas(radiograph, view, [x, y]) {
  const [a, b, c, d] = view.turn;
  const { left, top } = turned(radiograph, view.turn);
  const [u, v] = [x + 0.5, y + 0.5];
  return [view.x + view.zoom * (a * u + b * v + left), view.y + view.zoom * (c * u + d * v + top)];
}

function toRadiograph(radiograph, view, [x, y]) {
  const [a, b, c, d] = view.turn;
  const { left, top } = turned(radiograph, view.turn);
  const [p, q] = [(x - view.x) / view.zoom - left, (y - view.y) / view.zoom - top];
  return [a * p + c * q - 0.5, b * p + d * q - 0.5];
}

function fitZoom(radiograph, view, width, height) {
  const size = turned(radiograph, view.turn);
  return Math.min(width / size.width, height / size.height);
}

// Fit where asked, and keep the position on whole device pixels: at 1:1 they show the radiograph's own numbers.
function settle(radiograph, view, width, height) {
  if (view.fitted) {
    const size = turned(radiograph, view.turn);
    view.zoom = fitZoom(radiograph, view, width, height);
    view.x = (width - view.zoom * size.width) / 2;
    view.y = (height - view.zoom * size.height) / 2;
  }
  view.x = Math.round(view.x);
  view.y = Math.round(view.y);
}

function zoomTo(view, zoom, x, y) {
  const next = Math.min(ZOOM_RANGE[1], Math.max(ZOOM_RANGE[0], zoom));
  view.x = x - ((x - view.x) * next) / view.zoom;
  view.y = y - ((y - view.y) * next) / view.zoom;
  view.zoom = next;
  view.fitted = false;
}

// Show the same part of another radiograph as of the first: position relative to the image, zoom relative to fit.
function copyPosition(from, fromView, fromSize, to, toView, toSize) {
  toView.turn = fromView.turn;
  toView.fitted = fromView.fitted;
  if (fromView.fitted) return;
  const [x, y] = toRadiograph(from, fromView, [fromSize.width / 2, fromSize.height / 2]);
  const zoom = fromView.zoom / fitZoom(from, fromView, fromSize.width, fromSize.height);
  toView.zoom = zoom * fitZoom(to, toView, toSize.width, toSize.height);
  const point = [((x + 0.5) / from.columns) * to.columns - 0.5, ((y + 0.5) / from.rows) * to.rows - 0.5];
  const [nx, ny] = toCanvas(to, toView, point);
  toView.x += toSize.width / 2 - nx;
  toView.y += toSize.height / 2 - ny;
}

// --- text -----------------------------------------------------------------------------------------

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };

// The letters at the edges of the screen by Patient Orientation (PS3.3 C.7.6.1.1.1: the direction of the rows, then of
// the columns); empty where the file does not state it.
function edgeLetters(radiograph, view) {
  const [across = "", down = ""] = (radiograph.orientation ?? "").split("\\");
  const opposite = (direction) => [...direction].map((letter) => OPPOSITE[letter] ?? "").join("");
  const towards = ([along, against]) => {
    if (along) return along > 0 ? across : opposite(across);
    return against > 0 ? down : opposite(down);
  };
  const [a, b, c, d] = view.turn;
  return { right: towards([a, b]), left: towards([-a, -b]), bottom: towards([c, d]), top: towards([-c, -d]) };
}

function describeTurn([a, b, c, d]) {
  const flipped = a * d - b * c < 0;
  // the step down of an upright radiograph points down, left, up, right after 0 to 3 quarter turns clockwise
  const quarters = [[0, 1], [-1, 0], [0, -1], [1, 0]].findIndex(([x, y]) => b === x && d === y);
  const parts = [flipped ? "flipped left to right" : "", quarters ? `rotated ${90 * quarters}°` : ""];
  return parts.filter(Boolean).join(", ");
}

function formatNumber(value) {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3);
}
