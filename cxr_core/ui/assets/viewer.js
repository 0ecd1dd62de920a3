// The film viewer. Nothing here asks the server for anything: window, zoom, maps and opacity are local,
// and none of them changes the reading.

const KEYS = {
  o: "original", m: "map", c: "contour", i: "invert", f: "fit", 0: "fit", 1: "one", w: "window-reset",
  "+": "in", "=": "in", "-": "out",
  ArrowUp: "brighter", ArrowDown: "darker", ArrowLeft: "narrower", ArrowRight: "wider",
};

class Viewer {
  constructor(root) {
    this.root = root.querySelector(".viewer");
    const find = (query) => this.root.querySelector(query);
    this.canvas = find("canvas.film");
    this.stage = find(".stage");
    this.legend = find(".legend");
    this.slider = find(".opacity input");
    this.context = this.canvas.getContext?.("2d") ?? null;
    this.filmCanvas = document.createElement("canvas");
    this.mapCanvas = document.createElement("canvas");
    this.film = null;
    this.presets = find("select.presets");
    this.views = (store.views ??= new Map()); // film -> view; survives reruns and page switches
    this.shared = (store.viewer ??= { opacity: 0.65, contour: true, tool: "window" });
    this.renders = 0;
    this.hovered = false;
    this.pointers = new Map();
    this.stops = [];
    this.listen();
  }

  // --- the film and its view -------------------------------------------------------------------

  show(bytes) {
    const film = unpackFilm(bytes);
    if (this.film?.sha === film.sha && this.film.version === film.version) return;
    this.film = film;
    if (this.views.get(film.sha)?.version !== film.version) this.views.set(film.sha, this.freshView(film));
    this.painted = this.mapPainted = this.legendKey = null;
    // text of a file goes into the page as text
    this.presets.replaceChildren(...["the file's first window", ...film.presets].map((name, i) => {
      const option = make("option", "", name);
      option.value = String(i);
      return option;
    }));
    this.presets.hidden = film.presets.length === 0;
    this.canvas.setAttribute("aria-label", film.alt);
    if (!this.context) this.plain();
    this.refresh();
  }

  freshView(film) {
    return { ...this.ownWindow(film), version: film.version, fitted: true, zoom: 1, x: 0, y: 0, original: false, mapOn: new Map() };
  }

  ownWindow(film) {
    return { center: film.voi.center, width: film.voi.width, invert: false, own: true, preset: null };
  }

  get view() { return this.views.get(this.film.sha); }

  plain() {
    const image = this.root.querySelector("img.plain");
    image.src = URL.createObjectURL(filmAsBitmap(this.film));
    image.alt = this.film.alt;
    image.hidden = false;
    this.canvas.hidden = true;
  }

  maps() { return store.maps.get(this.film.sha) ?? null; }

  label() {
    const maps = this.maps();
    if (!maps) return null;
    const chosen = store.chosen.get(this.film.sha);
    return chosen in maps.maps ? chosen : maps.order[0];
  }

  // A map is on by itself only where the finding is at or over its operating point.
  mapOn(label) {
    if (!label) return false;
    return this.view.mapOn.get(label) ?? this.maps().maps[label].onAtFirst;
  }

  // --- drawing ---------------------------------------------------------------------------------

  refresh() {
    if (!this.film) return;
    this.words();
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  measure() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const { film, view } = this;
    if (view.fitted) {
      view.zoom = Math.min(width / film.shownColumns, height / film.shownRows);
      view.x = (width - view.zoom * film.shownColumns) / 2;
      view.y = (height - view.zoom * film.shownRows) / 2;
    }
    // whole screen pixels, so that at 1:1 the screen shows the film's own numbers
    view.x = Math.round(view.x);
    view.y = Math.round(view.y);
    return { width, height, ratio };
  }

  draw() {
    const { film, context } = this;
    if (!film || !context) return;
    const { width, height, ratio } = this.measure();
    const view = this.view;
    // only now is a fitted film's zoom known
    const percent = Math.round((100 * view.zoom * film.shownColumns) / film.columns);
    this.root.querySelector(".corner.right.bottom").textContent = `${percent} %`;
    const window_ = view.original ? this.ownWindow(film) : view;
    const recipe = [film.sha, window_.own, window_.preset, window_.center, window_.width, window_.invert].join();
    if (this.painted !== recipe) {
      const preset = window_.preset === null ? null : film.presetTables[window_.preset];
      const table = preset ?? (window_.own ? null : windowTable(film, window_.center, window_.width));
      paintFilm(this.filmCanvas, film, table, window_.invert);
      this.painted = recipe;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = view.zoom !== 1;
    context.imageSmoothingQuality = view.zoom < 1 ? "high" : "low";
    const box = [view.x, view.y, view.zoom * film.shownColumns, view.zoom * film.shownRows];
    context.drawImage(this.filmCanvas, ...box);
    const label = this.label();
    if (label && !view.original) this.drawOverlay(label, box, ratio);
    this.renders += 1;
    this.report(label, window_);
  }

  drawOverlay(label, box, ratio) {
    const { film, context } = this;
    const { colour, contourColour, maps } = this.maps();
    const map = maps[label];
    const place = (x, y) => [
      box[0] + ((x + 0.5) * box[2]) / film.columns,
      box[1] + ((y + 0.5) * box[3]) / film.rows,
    ];
    if (!everythingSeen(film, map.seen)) drawUnseen(context, film, map.seen, place, ratio);
    if (!this.mapOn(label)) return;
    const recipe = film.sha + label;
    if (this.mapPainted !== recipe) {
      paintMap(this.mapCanvas, film, map, colour);
      this.mapPainted = recipe;
    }
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low"; // bilinear
    context.globalAlpha = this.shared.opacity;
    context.drawImage(this.mapCanvas, ...box);
    context.globalAlpha = 1;
    if (this.shared.contour) drawContour(context, map, place, contourColour, 1.5 * ratio);
  }

  // What is on the screen, for assistive software and for tests.
  report(label, window_) {
    const view = this.view;
    Object.assign(this.canvas.dataset, {
      sha: this.film.sha,
      label: label ?? "",
      map: label && !view.original && this.mapOn(label) ? "on" : "off",
      contour: this.shared.contour ? "on" : "off",
      mode: view.original ? "original" : "overlay",
      opacity: this.shared.opacity.toFixed(2),
      window: `${number(window_.center)}/${number(window_.width)}`,
      preset: window_.preset === null ? "" : this.film.presets[window_.preset],
      invert: window_.invert ? "on" : "off",
      zoom: String(view.zoom),
      at: `${view.x},${view.y}`,
      renders: String(this.renders),
    });
  }

  // --- words -----------------------------------------------------------------------------------

  words() {
    const { film, view } = this;
    const label = this.label();
    const on = this.mapOn(label);
    const corner = (where, text) => { this.root.querySelector(`.corner.${where}`).textContent = text; };
    const shown = view.original ? this.ownWindow(film) : view;
    corner("left.top", label && on && !view.original ? this.maps().maps[label].title : "");
    // a table has no center and no width: its name stands alone
    const table = shown.preset !== null && !film.presetWindows[shown.preset];
    const numbers = table ? film.presets[shown.preset] : `C ${number(shown.center)}  W ${number(shown.width)}`;
    corner("right.top", numbers + (shown.invert ? "\ninverted" : ""));
    const reduced = film.shownRows < film.rows ? `\nshown reduced to ${film.shownColumns} × ${film.shownRows}` : "";
    corner("left.bottom", `${film.columns} × ${film.rows}${reduced}`);
    this.root.querySelector(".banner").hidden = !view.original;
    this.root.dataset.tool = this.shared.tool;
    const press = (name, state) => this.root.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", state);
    press("window", this.shared.tool === "window");
    press("pan", this.shared.tool === "pan");
    press("invert", view.invert);
    press("map", on);
    press("contour", this.shared.contour);
    press("original", view.original);
    for (const name of ["map", "contour"]) this.root.querySelector(`[data-do="${name}"]`).disabled = !label;
    this.presets.value = String(view.preset === null ? 0 : view.preset + 1);
    this.slider.disabled = !label;
    this.slider.value = Math.round(100 * this.shared.opacity);
    this.writeLegend(label, on);
  }

  writeLegend(label, on) {
    const maps = this.maps();
    const key = JSON.stringify([this.film.sha, label, on, this.shared.opacity, maps?.version]);
    if (this.legendKey === key) return;
    this.legendKey = key;
    this.legend.replaceChildren();
    if (!label) return;
    const map = maps.maps[label];
    const text = make("div");
    text.append(make("span", "title", `${map.title}: `));
    if (!on) {
      text.append(make("span", "words", map.onAtFirst ? "map off. " : `${map.stateWords}; its map is off until asked for. `));
      const ask = make("button", "ask", "Show the map");
      ask.type = "button";
      ask.title = "M";
      ask.onclick = () => this.act("map");
      text.append(ask);
    } else {
      text.append(make("span", "words", `${map.place}.`));
      if (!map.onAtFirst) text.append(make("span", "words", ` ${map.stateWords[0].toUpperCase()}${map.stateWords.slice(1)}.`));
      text.append(make("div", "", map.scaleWords));
    }
    if (!everythingSeen(this.film, map.seen)) {
      const unseen = make("div", "unseen");
      unseen.append(make("span", "hatch"), "not seen by the model");
      text.append(unseen);
    }
    this.legend.append(text);
    if (on) this.legend.append(this.scale(map, maps.contourShare));
  }

  scale(map, contourShare) {
    const scale = make("div", "scale");
    const ramp = make("div", "ramp");
    const fill = make("i");
    fill.style.opacity = this.shared.opacity;
    const line = make("b");
    line.style.left = `${100 * contourShare}%`;
    ramp.append(fill, line);
    const ticks = make("div", "ticks");
    for (const [at, words] of [[0, "0"], [contourShare, `line ${map.contourValue}`], [1, map.fullColour]]) {
      const tick = make("span", "", words);
      tick.style.left = `${100 * at}%`;
      ticks.append(tick);
    }
    scale.append(ramp, ticks, make("div", "unit", "logit units per cell"));
    return scale;
  }

  // --- what the hands do -----------------------------------------------------------------------

  act(what) {
    if (!this.film) return;
    const { view, shared } = this;
    const label = this.label();
    const step = Math.max(1, 0.04 * this.film.voi.width);
    const actions = {
      window: () => { shared.tool = "window"; },
      pan: () => { shared.tool = "pan"; },
      in: () => this.zoomBy(1.25),
      out: () => this.zoomBy(1 / 1.25),
      fit: () => { view.fitted = true; },
      one: () => this.zoomTo(1),
      invert: () => { this.leaveOriginal(); view.invert = !view.invert; },
      reset: () => { Object.assign(view, this.ownWindow(this.film)); view.fitted = true; },
      "window-reset": () => Object.assign(view, this.ownWindow(this.film)),
      map: () => { if (label) { this.leaveOriginal(); view.mapOn.set(label, !this.mapOn(label)); } },
      contour: () => { shared.contour = !shared.contour; },
      original: () => { view.original = !view.original; },
      brighter: () => this.windowBy(-step, 0),
      darker: () => this.windowBy(step, 0),
      narrower: () => this.windowBy(0, -step),
      wider: () => this.windowBy(0, step),
    };
    actions[what]?.();
    this.refresh();
  }

  leaveOriginal() { this.view.original = false; }

  windowBy(center, width) {
    const view = this.view;
    this.leaveOriginal();
    const least = this.film.voi.function === "LINEAR" ? 1 : this.film.scale;
    view.center += this.film.inverted ? -center : center;
    view.width = Math.max(least, view.width + width);
    view.preset = null;
    view.own = view.center === this.film.voi.center && view.width === this.film.voi.width;
  }

  zoomBy(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) { this.zoomTo(this.view.zoom * factor, x, y); }

  zoomTo(zoom, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const view = this.view;
    const next = Math.min(32, Math.max(0.02, zoom));
    view.x = x - ((x - view.x) * next) / view.zoom;
    view.y = y - ((y - view.y) * next) / view.zoom;
    view.zoom = next;
    view.fitted = false;
  }

  listen() {
    const on = (target, name, handler, options) => {
      target.addEventListener(name, handler, options);
      this.stops.push(() => target.removeEventListener(name, handler, options));
    };
    for (const button of this.root.querySelectorAll("[data-do]")) on(button, "click", () => this.act(button.dataset.do));
    on(this.presets, "change", () => {
      const index = Number(this.presets.value) - 1;
      const own = this.ownWindow(this.film);
      const [center, width] = this.film.presetWindows[index] ?? [own.center, own.width];
      Object.assign(this.view, own, { center, width, preset: index < 0 ? null : index, own: index < 0 });
      this.leaveOriginal();
      this.refresh();
    });
    on(this.slider, "input", () => { this.shared.opacity = this.slider.value / 100; this.refresh(); });
    on(this.stage, "pointerenter", () => { this.hovered = true; });
    on(this.stage, "pointerleave", () => { this.hovered = false; });
    on(this.canvas, "pointerdown", (event) => this.grab(event));
    on(this.canvas, "pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) on(this.canvas, name, (event) => this.pointers.delete(event.pointerId));
    on(this.canvas, "dblclick", () => this.act("reset"));
    on(this.canvas, "auxclick", (event) => event.preventDefault());
    on(this.canvas, "wheel", (event) => {
      if (!this.film) return;
      event.preventDefault();
      const ratio = this.canvas.width / this.canvas.clientWidth;
      this.zoomBy(Math.exp(-Math.sign(event.deltaY) * Math.min(0.3, Math.abs(event.deltaY) / 500)), event.offsetX * ratio, event.offsetY * ratio);
      this.refresh();
    }, { passive: false });
    // capture, because the page has keys of its own (C, R)
    on(window, "keydown", (event) => this.press(event), { capture: true });
    const told = () => this.refresh();
    store.listeners.add(told);
    const observer = new ResizeObserver(told);
    observer.observe(this.stage);
    this.stops.push(() => store.listeners.delete(told), () => observer.disconnect());
  }

  grab(event) {
    if (!this.film || event.button > 1) return;
    if (event.button === 1) event.preventDefault();
    this.root.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const move = event.button === 1 || event.shiftKey || this.shared.tool === "pan";
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, move });
  }

  drag(event) {
    const held = this.pointers.get(event.pointerId);
    if (!held) return;
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    if (this.pointers.size === 2) {
      const other = [...this.pointers.entries()].find(([id]) => id !== event.pointerId)[1];
      const before = Math.hypot(held.x - other.x, held.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const box = this.canvas.getBoundingClientRect();
      const middle = [(event.clientX + other.x) / 2 - box.left, (event.clientY + other.y) / 2 - box.top];
      if (before > 0) this.zoomBy(after / before, middle[0] * ratio, middle[1] * ratio);
      this.view.x += (dx * ratio) / 2;
      this.view.y += (dy * ratio) / 2;
    } else if (held.move) {
      this.view.x += dx * ratio;
      this.view.y += dy * ratio;
      this.view.fitted = false;
    } else if (dx || dy) {
      const step = this.film.voi.width / 500;
      this.windowBy(dy * step, dx * step);
    }
    Object.assign(held, { x: event.clientX, y: event.clientY });
    this.refresh();
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.film) return;
    const target = event.composedPath()[0];
    if (!this.hovered && !event.composedPath().includes(this.root)) return;
    if (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)) return;
    if (target.tagName === "INPUT" && (target.type !== "range" || event.key.startsWith("Arrow"))) return;
    const what = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!what) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.act(what);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    for (const stop of this.stops) stop();
  }
}

function number(value) {
  return Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3);
}

// on the store: the page loads this module anew with every message
const viewers = (store.viewers ??= new WeakMap());

export default function ({ parentElement, data }) {
  let viewer = viewers.get(parentElement);
  if (!viewer) {
    viewer = new Viewer(parentElement);
    viewers.set(parentElement, viewer);
  }
  viewer.show(data);
  return () => {
    viewer.stop();
    viewers.delete(parentElement);
  };
}
