// One pane: a radiograph on a canvas, with its heat map, rulers, and the text in the corners and at the edges.

class Pane {
  // `shared`: the settings of the tools.
  constructor(node, shared) {
    this.node = node;
    this.shared = shared;
    this.stage = node.querySelector(".stage");
    this.field = node.querySelector(".field");
    this.canvas = node.querySelector("canvas");
    this.context = this.canvas.getContext?.("2d", { alpha: false }) ?? null;
    this.painter = new Painter();
    this.lens = new Painter();
    this.mapCanvas = document.createElement("canvas");
    this.radiograph = null;
    this.pointerAt = null; // of the mouse, in pixels of the canvas
    this.painted = ""; // all that the pixels of the canvas depend on, as they are
    this.renders = 0;
  }

  // Returns whether it is another radiograph, or the same with more of its pixels.
  show(radiograph) {
    const old = this.radiograph;
    if (old?.sha === radiograph.sha && old.version === radiograph.version && old.shownColumns === radiograph.shownColumns) return false;
    this.radiograph = radiograph;
    if (store.views.get(radiograph.sha)?.version !== radiograph.version) store.views.set(radiograph.sha, freshView(radiograph));
    this.mapPainted = null;
    this.say("");
    this.canvas.setAttribute("aria-label", radiograph.alt);
    if (!this.context) this.plain();
    return true;
  }

  // Show nothing of an image, at once: its patient may no longer be the one named above.
  clear(text) {
    if (this.radiograph) this.reset(text);
    else this.say(text);
  }

  reset(text) {
    this.say(text);
    this.radiograph = null;
    for (const name of Object.keys(this.canvas.dataset)) delete this.canvas.dataset[name];
    for (const node of this.node.querySelectorAll(".corner, .edge, .turned, .pixel")) node.textContent = "";
    this.node.querySelector(".scale-bar").hidden = true;
    this.node.querySelector(".banner").hidden = this.node.querySelector("img.plain").hidden = true;
    this.canvas.setAttribute("aria-label", "No image");
    this.painted = "";
    this.context?.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  say(text) {
    const node = this.node.querySelector(".message");
    if (node.textContent !== text) node.textContent = text;
  }

  // For browsers without canvas.
  plain() {
    const image = this.node.querySelector("img.plain");
    image.src = URL.createObjectURL(radiographAsBitmap(this.radiograph));
    image.alt = this.radiograph.alt;
    image.hidden = false;
    this.canvas.hidden = true;
  }

  get view() { return store.views.get(this.radiograph.sha); }

  get size() { return { width: this.canvas.width, height: this.canvas.height }; }

  // --- heat map ------------------------------------------------------------------------------------

  maps() { return store.maps.get(this.radiograph.sha) ?? null; }

  label() {
    const maps = this.maps();
    if (!maps) return null;
    const chosen = store.chosen.get(this.radiograph.sha);
    return chosen in maps.maps ? chosen : maps.order[0];
  }

  // A heat map is shown once a finding that is above its threshold was chosen, or on request.
  mapOn(label) {
    if (!label) return false;
    const chosen = store.chosen.get(this.radiograph.sha) === label;
    return this.view.mapOn.get(label) ?? (chosen && this.maps().maps[label].above);
  }

  // --- drawing -------------------------------------------------------------------------------------

  // The canvas has exactly the device pixels that it covers, and begins at a whole one, also where the display is scaled:
  // a fraction of a pixel would smooth, repeat or skip what is 1:1.
  measure() {
    const ratio = window.devicePixelRatio || 1;
    const box = this.field.getBoundingClientRect();
    const inset = (edge) => Math.ceil(edge * ratio - 0.01) / ratio - edge;
    const left = inset(box.left + this.field.clientLeft);
    const top = inset(box.top + this.field.clientTop);
    const width = Math.max(1, Math.floor((this.field.clientWidth - left) * ratio));
    const height = Math.max(1, Math.floor((this.field.clientHeight - top) * ratio));
    const { style } = this.canvas;
    const place = `${left}px ${top}px ${width} ${height} ${ratio}`;
    if (this.placed !== place) {
      this.placed = place;
      if (this.canvas.width !== width || this.canvas.height !== height) {
        Object.assign(this.canvas, { width, height });
        this.pointerAt = null; // it was in pixels of another canvas
      }
      style.left = `${left}px`;
      style.top = `${top}px`;
      style.width = `${width / ratio}px`;
      style.height = `${height / ratio}px`;
    }
    settle(this.radiograph, this.view, width, height);
    return { width, height, ratio };
  }

  draw() {
    const { radiograph, context } = this;
    if (!radiograph || !context) return;
    const size = this.measure();
    const view = this.view;
    const window_ = view.original ? defaultWindow(radiograph) : view;
    const label = this.label();
    // the store tells of every change, and most are not of the image
    const painted = this.recipe(label, size);
    if (painted !== this.painted) this.paint(label, window_, size);
    this.painted = painted;
    this.write(label, window_, size.ratio);
    this.report(label, window_);
  }

  recipe(label, { width, height, ratio }) {
    const { sha, version, shownRows, shownColumns } = this.radiograph;
    const map = label && this.isDrawnOver(label) && [label, this.mapOn(label), this.maps().version];
    const lens = this.shared.lens && this.pointerAt;
    const { opacity, mapStyle } = this.shared;
    return JSON.stringify([sha, version, shownRows, shownColumns, width, height, ratio, this.view, map, lens, opacity, mapStyle]);
  }

  paint(label, window_, { width, height, ratio }) {
    const { radiograph, context, view } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    this.painter.paint(context, radiograph, view, [0, 0, width, height], window_);
    const place = (x, y) => toCanvas(radiograph, view, [x, y]);
    if (label && !view.original) this.drawOverlay(label, place, ratio);
    if (this.shared.lens && this.pointerAt) drawLens(context, this.lens, radiograph, view, window_, this.pointerAt, ratio);
    drawMeasurements(context, radiograph, view, place, ratio);
    this.renders += 1;
  }

  // Whether a label's map, or what the model was not given, is drawn over the image; else findings do not change it.
  isDrawnOver(label) {
    return this.mapOn(label) || !everythingSeen(this.radiograph, this.maps().maps[label].seen);
  }

  drawOverlay(label, place, ratio) {
    const { radiograph, context, view } = this;
    const { colour, contourColour, maps } = this.maps();
    const map = maps[label];
    if (!everythingSeen(radiograph, map.seen)) drawUnseen(context, radiograph, map.seen, place, ratio);
    if (!this.mapOn(label)) return;
    if (this.shared.mapStyle === "colour") {
      const recipe = radiograph.sha + radiograph.version + label + this.maps().version;
      if (this.mapPainted !== recipe) paintMap(this.mapCanvas, radiograph, map, colour);
      this.mapPainted = recipe;
      const [a, b, c, d] = view.turn.map((step) => step * view.zoom);
      context.setTransform(a, c, b, d, ...place(-0.5, -0.5));
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = "low"; // bilinear
      context.globalAlpha = this.shared.opacity;
      context.drawImage(this.mapCanvas, 0, 0, radiograph.columns, radiograph.rows);
      context.globalAlpha = 1;
      context.setTransform(1, 0, 0, 1, 0, 0);
    }
    drawContour(context, map, place, contourColour, 1.5 * ratio);
  }

  // --- text ----------------------------------------------------------------------------------------

  set(query, text) {
    const node = this.node.querySelector(query);
    if (node.textContent !== text) node.textContent = text;
  }

  write(label, window_, ratio) {
    const { radiograph, view } = this;
    const set = (query, text) => this.set(query, text);
    const on = label && !view.original && this.mapOn(label);
    set(".corner.left.top", on ? this.maps().maps[label].title : "");
    // a table has no center and no width: its name stands alone
    const table = window_.preset !== null && !radiograph.presetWindows[window_.preset];
    const numbers = table
      ? radiograph.presets[window_.preset]
      : `C ${formatNumber(window_.center)}  W ${formatNumber(window_.width)}`;
    set(".corner.right.top", numbers + (window_.invert ? "\ninverted" : ""));
    const reduced = isWhole(radiograph) ? "" : `\nreduced to ${radiograph.shownColumns} × ${radiograph.shownRows}`;
    const measured = [describeRulers(radiograph, view.rulers), describeAngle(radiograph, view.angle)].filter(Boolean).join("\n");
    set(".corner.left.bottom", `${measured ? `${measured}\n` : ""}${radiograph.columns} × ${radiograph.rows}${reduced}`);
    set(".corner.right.bottom", this.describeZoom());
    const letters = edgeLetters(radiograph, view);
    for (const edge of Object.keys(letters)) set(`.edge.${edge}`, letters[edge]);
    const turn = describeTurn(view.turn);
    set(".turned", turn ? `View ${turn}` : "");
    this.node.querySelector(".banner").hidden = !view.original;
    this.writeScaleBar(ratio);
    this.writePixel();
  }

  // Note where the pointer of the mouse is, in pixels of the canvas; null: not over an image.
  point(at) {
    this.pointerAt = at;
    this.writePixel();
  }

  writePixel() {
    const { radiograph, view, pointerAt } = this;
    this.set(".pixel", pointerAt ? describePixel(radiograph, view, pointerAt) : "");
  }

  writeScaleBar(ratio) {
    const node = this.node.querySelector(".scale-bar");
    const bar = this.shared.scaleBar && scaleBar(this.radiograph, this.view, this.canvas.width);
    node.hidden = !bar;
    if (!bar) return;
    this.set(".scale-bar span", bar.text);
    node.querySelector("i").style.width = `${bar.width / ratio}px`;
  }

  describeZoom() {
    const { zoom } = this.view;
    const percent = `${Math.round(100 * zoom)} %`;
    if (zoom !== 1) return percent;
    return isWhole(this.radiograph) ? `1:1  ${percent}` : `${percent} of the original size, reduced image`;
  }

  // What is on the screen, for assistive software and for tests.
  report(label, window_) {
    const { view, radiograph, shared } = this;
    const letters = edgeLetters(radiograph, view);
    Object.assign(this.canvas.dataset, {
      sha: radiograph.sha,
      label: label ?? "",
      map: label && !view.original && this.mapOn(label) ? "on" : "off",
      mapStyle: shared.mapStyle,
      mode: view.original ? "original" : "overlay",
      opacity: shared.opacity.toFixed(2),
      window: `${formatNumber(window_.center)}/${formatNumber(window_.width)}`,
      preset: window_.preset === null ? "" : radiograph.presets[window_.preset],
      invert: window_.invert ? "on" : "off",
      tool: shared.tool,
      lens: shared.lens ? "on" : "off",
      rulers: describeRulers(radiograph, view.rulers),
      angle: describeAngle(radiograph, view.angle),
      turn: describeTurn(view.turn),
      letters: [letters.left, letters.top, letters.right, letters.bottom].join(","),
      pixels: isWhole(radiograph) ? "full" : "reduced",
      zoom: String(view.zoom),
      at: `${view.x},${view.y}`,
      renders: String(this.renders),
    });
  }
}
