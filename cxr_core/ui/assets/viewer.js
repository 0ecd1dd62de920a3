// The viewer: the pane of the current image, that of its prior, the toolbar, and what each action does.
// Everything here is local to the browser: it sends no request, and it does not change the reading.

const WHEEL_STEP_MS = 150; // between two images; a wheel turns in many small events

class Viewer {
  constructor(root) {
    this.root = root.querySelector(".viewer");
    this.stops = [];
    this.on = this.on.bind(this);
    store.views ??= new Map(); // radiograph -> view; survives reruns and page switches
    this.shared = (store.viewer ??= {
      opacity: 0.65, mapStyle: "colour", tool: "window", lens: false, linked: true, compare: null, studyWindow: false,
      wheel: sessionStorage.getItem("second-read-wheel") ?? "zoom", scaleBar: sessionStorage.getItem("second-read-scale-bar") !== "off",
    });
    this.current = new Pane(this.root.querySelector(".pane"), this.shared);
    this.active = this.current;
    this.comparison = new Comparison(this);
    this.pointer = new Pointer(this.current, this, this.on);
    this.toolbar = new Toolbar(this.root, this, this.on);
    this.legend = new Legend(this.root.querySelector(".legend"), () => this.act("map"));
    this.keys = new KeyPanel(this.root.querySelector("dialog.keys"), this.shared, () => this.keepSettings());
    // pointed: the reader last moved the pointer over the viewer, and pressed no key since
    this.spaceHeld = this.hovered = this.pointed = false;
    this.listen();
  }

  show() {
    this.follow();
    // what is above it may have another height
    this.refresh();
    if (!this.isKept) store.focus.keep("viewer", this.root, (event) => actionOf(event, false) !== undefined);
    this.isKept = true;
  }

  // Show the store's image. Another image is drawn in the same frame as the name above it, a change of it in the next.
  follow() {
    const { current: id } = store;
    const radiograph = id && store.isNamed(id) && store.pixelsNow(id);
    // the store tells of every change, and a frame takes the processors from the image that is being read
    const drawnFrom = [id, radiograph, store.images.get(id), store.chosen.get(id), store.worklist, store.connection.trouble, store.pixelsNow(this.comparison.id)];
    if (drawnFrom.every((part, at) => part === this.drawnFrom?.[at])) return;
    this.drawnFrom = drawnFrom;
    const isOther = this.id !== id;
    this.id = id;
    if (!radiograph) this.current.clear(id ? waitingText(id) : "");
    else if (this.current.show(radiograph)) this.inheritWindow();
    if (isOther) this.draw();
    else this.refresh();
  }

  panes() { return [this.current, this.comparison.pane].filter((pane) => pane?.radiograph); }

  refresh() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.comparison.update();
    this.comparison.writeCaptions();
    this.fill();
    this.toolbar.update(this.active.radiograph ? this.active : this.current, this.current, this.comparison);
    this.legend.update(this.current);
    for (const pane of this.panes()) {
      pane.node.classList.toggle("active", this.comparison.on && pane === this.active);
      pane.draw();
    }
  }

  // The height that is left under what is above the viewer, so that the whole image is in sight without scrolling. A
  // page that knows better sets --sr-viewer-height.
  fill() {
    let scroller = this.root.getRootNode().host ?? this.root;
    while (scroller.parentElement && !/auto|scroll/.test(getComputedStyle(scroller).overflowY)) scroller = scroller.parentElement;
    // once the page was scrolled, what is above is no measure: the viewer may stay in sight while the page moves
    if (this.filled && scroller.scrollTop > 0) return;
    const notice = document.querySelector(".sr-notice")?.offsetHeight ?? 0;
    const height = Math.floor(window.innerHeight - this.root.getBoundingClientRect().top - notice - 8);
    if (height === this.filled) return;
    this.filled = height;
    this.root.style.setProperty("--left", `${height}px`);
  }

  // --- what a pane tells ---------------------------------------------------------------------------

  activate(pane, { focus = true } = {}) {
    this.active = pane;
    if (focus) this.root.focus({ preventScroll: true });
  }

  moved(pane) {
    this.comparison.follow(pane, "position");
    this.refresh();
  }

  windowed(pane) {
    this.comparison.follow(pane, "window");
    const { radiograph } = this.current;
    if (this.shared.studyWindow && radiograph) this.studyWindow = { study: studyOf(radiograph.sha), radiograph: withoutPixels(radiograph), view: { ...this.current.view } };
    this.refresh();
  }

  // "Same window for all images of this study": an image takes that of the one shown before.
  inheritWindow() {
    const { radiograph, view } = this.current;
    const last = this.studyWindow;
    if (!this.shared.studyWindow || !last || last.radiograph.sha === radiograph.sha) return;
    if (last.study?.images.some((image) => image.id === radiograph.sha)) copyWindow(last.radiograph, last.view, radiograph, view);
  }

  // --- actions -------------------------------------------------------------------------------------

  act(action, key) {
    if (action === "keys") this.keys.toggle();
    const { shared } = this;
    const pane = this.active.radiograph ? this.active : this.current;
    if (!pane.radiograph || action === "keys") return;
    const { view, radiograph } = pane;
    const { width, height } = pane.size;
    const step = Math.max(1, 0.04 * radiograph.voi.width);
    const zoom = (next) => { zoomTo(view, next, width / 2, height / 2); this.moved(pane); };
    const level = (center, window_) => {
      view.original = false;
      changeWindow(radiograph, view, center, window_);
      this.windowed(pane);
    };
    const turn = () => { turnView(radiograph, view, action, width, height); this.moved(pane); };
    const toDefault = () => { Object.assign(view, defaultWindow(radiograph)); this.windowed(pane); };
    const fit = () => { view.fitted = true; this.moved(pane); };
    const actions = {
      window: () => { shared.tool = "window"; },
      pan: () => { shared.tool = "pan"; },
      measure: () => { shared.tool = shared.tool === "measure" ? "window" : "measure"; },
      angle: () => { shared.tool = shared.tool === "angle" ? "window" : "angle"; },
      lens: () => { shared.lens = !shared.lens; },
      "clear-lines": () => clearLines(view),
      in: () => zoom(view.zoom * 1.25),
      out: () => zoom(view.zoom / 1.25),
      fit,
      one: () => zoom(1),
      invert: () => { view.original = false; view.invert = !view.invert; this.windowed(pane); },
      rotate: turn,
      flip: turn,
      reset: () => { clearLines(view); view.turn = UPRIGHT; toDefault(); fit(); },
      "window-reset": toDefault,
      study: () => { shared.studyWindow = !shared.studyWindow; this.windowed(this.current); },
      wheel: () => { shared.wheel = shared.wheel === "zoom" ? "image" : "zoom"; this.keepSettings(); },
      "scale-bar": () => { shared.scaleBar = !shared.scaleBar; this.keepSettings(); },
      presets: () => { if (Number(key) <= presetNames(radiograph).length) this.preset(Number(key) - 1); },
      fainter: () => this.setOpacity(Math.max(0.1, shared.opacity - 0.1)),
      stronger: () => this.setOpacity(Math.min(1, shared.opacity + 0.1)),
      map: () => this.showMap(this.current.mapOn(this.current.label()) ? "off" : shared.mapStyle),
      contour: () => this.showMap(shared.mapStyle === "colour" ? "outline" : "colour"),
      original: () => { view.original = !view.original; },
      compare: () => { if (this.comparison.available()) shared.compare = !this.comparison.on; },
      link: () => { if (this.comparison.on) { shared.linked = !shared.linked; this.moved(pane); } },
      full: () => this.fullScreen(),
      brighter: () => level(-step, 0),
      darker: () => level(step, 0),
      narrower: () => level(0, -step),
      wider: () => level(0, step),
    };
    actions[action]?.();
    this.refresh();
  }

  // "off", "outline" or "colour".
  showMap(style) {
    const label = this.current.radiograph && this.current.label();
    if (!label) return;
    this.current.view.original = false;
    this.current.view.mapOn.set(label, style !== "off");
    if (style !== "off") this.shared.mapStyle = style;
    this.refresh();
  }

  setOpacity(opacity) {
    this.shared.opacity = opacity;
    this.refresh();
  }

  preset(index) {
    const { radiograph, view } = this.active;
    const { invert } = view;
    choosePreset(radiograph, view, index);
    view.invert = invert && index > 0;
    view.original = false;
    this.windowed(this.active);
  }

  keepSettings() {
    sessionStorage.setItem("second-read-wheel", this.shared.wheel);
    sessionStorage.setItem("second-read-scale-bar", this.shared.scaleBar ? "on" : "off");
    this.refresh();
  }

  // `time`: when the wheel was turned, which on a slow machine is long before the page hears of it.
  stepByWheel(step, time) {
    if (time - (this.steppedAt ?? -Infinity) < WHEEL_STEP_MS) return;
    this.steppedAt = time;
    const at = store.listed.indexOf(store.current);
    const next = store.listed[at < 0 ? 0 : at + step];
    if (!next) return;
    // the reader has left what is typed on this image, and its field: it is stored while that is there
    store.focus.leaveFieldOf("findings");
    queueMicrotask(() => store.show(next));
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else {
      // each screen says what this is
      this.root.querySelector(".notice").textContent = document.querySelector(".sr-notice b")?.textContent ?? "";
      this.root.requestFullscreen?.();
    }
  }

  // --- page ----------------------------------------------------------------------------------------

  // Add a listener that ends with the viewer.
  on(target, name, handler, options) {
    target.addEventListener(name, handler, options);
    this.stops.push(() => target.removeEventListener(name, handler, options));
  }

  listen() {
    const { on } = this;
    on(this.root, "pointerenter", () => { this.hovered = true; });
    on(this.root, "pointermove", () => { this.pointed = true; });
    on(this.root, "pointerleave", () => { this.hovered = this.pointed = this.spaceHeld = false; });
    // capture, because the page has keys of its own (C, R)
    on(window, "keydown", (event) => this.press(event), { capture: true });
    on(window, "keyup", (event) => { if (event.key === " ") this.spaceHeld = false; }, { capture: true });
    on(window, "resize", () => this.refresh());
    on(document, "fullscreenchange", () => this.refresh());
    const refresh = () => this.refresh();
    const follow = () => this.follow();
    store.listeners.add(follow);
    const observer = new ResizeObserver(refresh);
    observer.observe(this.root);
    observer.observe(this.current.stage);
    this.stops.push(() => store.listeners.delete(follow), () => observer.disconnect());
  }

  press(event) {
    if (this.keys.dialog.open && event.key !== "?") return;
    const target = event.composedPath()[0];
    const nearby = event.composedPath().includes(this.root) || (this.hovered && target === document.body && !store.focus?.at);
    if (event.key === " " && (this.pointed || (nearby && target.tagName !== "BUTTON")) && !/^(SELECT|SUMMARY|INPUT|TEXTAREA)$/.test(target.tagName)) {
      this.spaceHeld = true; // held for panning; the page would scroll, or a button that was clicked before act again
      event.preventDefault();
      return;
    }
    this.pointed = false;
    const action = actionOf(event, nearby);
    if (!action) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.act(action, event.key);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.comparison.close();
    for (const stop of this.stops) stop();
  }
}

function waitingText(id) {
  const image = store.images.get(id);
  if (image?.status === "unreadable") return "This file cannot be read.";
  return image?.unloaded || store.connection.trouble || "Loading the image";
}

// What a window is defined by, without the arrays of an image that may be gone.
function withoutPixels({ sha, voi, inverted, scale, presets, presetWindows, windows }) {
  return { sha, voi, inverted, scale, presets, presetWindows, windows };
}

export default component("viewer", (root) => new Viewer(root));
