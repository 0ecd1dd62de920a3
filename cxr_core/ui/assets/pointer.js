// Mouse and touch on a pane. Mouse, as on a workstation: the left button does the chosen tool, right zooms, middle (or
// Space or Shift) pans, a double click fits. Touch: one finger scrolls the page, two zoom and pan, one that was held
// does the chosen tool.

const HOLD_MS = 450;
const HOLD_PIXELS = 10; // a finger that moves farther before it was held scrolls the page
const DOUBLE_TAP_MS = 300;

class Pointer {
  // `viewer` hears what changed; `on` adds a listener that ends with the viewer.
  constructor(pane, viewer, on) {
    this.pane = pane;
    this.viewer = viewer;
    this.held = null; // the mouse button that is down: {x, y, tool, at}
    this.touch = null; // {x, y, timer} of one finger, {pinch} of two, {x, y, holding} of one that was held
    const { canvas } = pane;
    on(canvas, "pointerdown", (event) => this.grab(event));
    on(canvas, "pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) on(canvas, name, (event) => this.release(event));
    on(canvas, "pointerleave", () => { pane.pointerAt = null; viewer.refresh(); });
    on(canvas, "dblclick", () => this.fit());
    for (const name of ["auxclick", "contextmenu"]) on(canvas, name, (event) => event.preventDefault());
    on(canvas, "wheel", (event) => this.wheel(event), { passive: false });
    on(canvas, "touchstart", (event) => this.touchStart(event), { passive: false });
    on(canvas, "touchmove", (event) => this.touchMove(event), { passive: false });
    for (const name of ["touchend", "touchcancel"]) on(canvas, name, (event) => this.touchEnd(event), { passive: false });
  }

  // --- mouse ---------------------------------------------------------------------------------------

  tool(event) {
    if (event.button === 2) return "zoom";
    if (event.button === 1 || event.shiftKey || this.viewer.spaceHeld) return "pan";
    return this.pane.shared.tool;
  }

  grab(event) {
    if (!this.pane.radiograph || event.button > 2 || event.pointerType === "touch") return;
    if (event.button) event.preventDefault();
    this.pane.canvas.setPointerCapture(event.pointerId);
    const at = this.onCanvas(event);
    this.held = { x: event.clientX, y: event.clientY, tool: this.tool(event), at, of: this.pane.radiograph.sha };
    this.viewer.activate(this.pane);
    this.begin(this.held.tool, at);
  }

  move(event) {
    if (event.pointerType === "touch") return;
    if (!this.pane.radiograph) {
      this.pane.pointerAt = null;
      return;
    }
    const at = this.onCanvas(event);
    this.pane.point(at);
    if (this.pane.shared.lens) this.viewer.refresh();
    const { held } = this;
    if (held?.of !== this.pane.radiograph.sha) return;
    this.drag(held.tool, event.clientX - held.x, event.clientY - held.y, at, held.at);
    Object.assign(held, { x: event.clientX, y: event.clientY });
  }

  release(event) {
    if (event.pointerType === "touch" || !this.held) return;
    this.end(this.held.tool);
    this.held = null;
  }

  wheel(event) {
    const isStep = this.pane.shared.wheel === "image" && !event.ctrlKey;
    // on to the next image also while the pixels of this one are not here yet
    if (!this.pane.radiograph && !isStep) return;
    event.preventDefault();
    this.viewer.activate(this.pane, { focus: false });
    if (isStep) {
      if (event.deltaY) this.viewer.stepByWheel(Math.sign(event.deltaY), event.timeStamp);
      return;
    }
    const factor = Math.exp(-Math.sign(event.deltaY) * Math.min(0.3, Math.abs(event.deltaY) / 500));
    zoomTo(this.pane.view, this.pane.view.zoom * factor, ...this.onCanvas(event));
    this.viewer.moved(this.pane);
  }

  fit() {
    if (!this.pane.radiograph) return;
    this.pane.view.fitted = true;
    this.viewer.moved(this.pane);
  }

  // --- what a drag does ----------------------------------------------------------------------------

  begin(tool, at) {
    const lines = linesOf(this.pane.view, tool);
    if (lines) startLine(lines, toRadiograph(this.pane.radiograph, this.pane.view, at));
  }

  // `dx`, `dy` in CSS pixels since the last event; `at` now and `from` at the start, in pixels of the canvas.
  drag(tool, dx, dy, at, from) {
    const { pane } = this;
    const { radiograph, view } = pane;
    const ratio = this.ratio();
    const lines = linesOf(view, tool);
    if (lines) {
      moveLine(lines, toRadiograph(radiograph, view, at));
      this.viewer.refresh();
    } else if (tool === "window") {
      if (!dx && !dy) return;
      const step = radiograph.voi.width / 500;
      view.original = false;
      changeWindow(radiograph, view, dy * step, dx * step);
      this.viewer.windowed(pane);
    } else {
      if (tool === "pan") Object.assign(view, { x: view.x + dx * ratio, y: view.y + dy * ratio, fitted: false });
      else zoomTo(view, view.zoom * Math.exp(-dy / 200), ...from);
      this.viewer.moved(pane);
    }
  }

  end(tool) {
    const lines = this.pane.radiograph && linesOf(this.pane.view, tool);
    if (lines) endLine(lines);
    this.viewer.refresh();
  }

  ratio() { return this.pane.canvas.width / this.pane.canvas.clientWidth; }

  onCanvas({ clientX, clientY }) {
    const ratio = this.ratio();
    const box = this.pane.canvas.getBoundingClientRect();
    return [(clientX - box.left) * ratio, (clientY - box.top) * ratio];
  }

  // --- touch ---------------------------------------------------------------------------------------

  touchStart(event) {
    if (!this.pane.radiograph) return;
    this.endHold();
    const [first, second] = event.touches;
    if (second) {
      event.preventDefault(); // the page would scroll or zoom
      this.touch = { pinch: this.pinch(first, second) };
    } else {
      const timer = setTimeout(() => this.hold(first), HOLD_MS);
      this.touch = { x: first.clientX, y: first.clientY, timer };
    }
    this.viewer.activate(this.pane, { focus: false });
  }

  hold(finger) {
    if (!this.pane.radiograph) return;
    const { tool } = this.pane.shared;
    this.touch = { x: finger.clientX, y: finger.clientY, holding: tool, from: this.onCanvas(finger) };
    this.pane.stage.dataset.holding = { window: "Window", pan: "Pan", measure: "Measure", angle: "Angle" }[tool];
    this.begin(tool, this.touch.from);
  }

  touchMove(event) {
    const { touch } = this;
    const [first, second] = event.touches;
    if (!touch || !this.pane.radiograph) return;
    if (touch.pinch && second) {
      event.preventDefault();
      const next = this.pinch(first, second);
      const { view } = this.pane;
      view.x += next.x - touch.pinch.x;
      view.y += next.y - touch.pinch.y;
      zoomTo(view, (view.zoom * next.span) / Math.max(1, touch.pinch.span), next.x, next.y);
      touch.pinch = next;
      this.viewer.moved(this.pane);
    } else if (touch.holding) {
      event.preventDefault();
      const at = this.onCanvas(first);
      if (this.pane.shared.lens) this.pane.pointerAt = at;
      this.drag(touch.holding, first.clientX - touch.x, first.clientY - touch.y, at, touch.from);
      Object.assign(touch, { x: first.clientX, y: first.clientY });
    } else if (touch.timer && Math.hypot(first.clientX - touch.x, first.clientY - touch.y) > HOLD_PIXELS) {
      this.endHold();
    }
  }

  touchEnd(event) {
    const tapped = this.touch?.timer && event.type === "touchend" && !event.touches.length;
    this.endHold();
    if (!tapped) return;
    if (event.timeStamp - (this.tappedAt ?? -Infinity) < DOUBLE_TAP_MS) this.fit();
    this.tappedAt = event.timeStamp;
  }

  endHold() {
    if (!this.touch) return;
    clearTimeout(this.touch.timer);
    if (this.touch.holding) {
      delete this.pane.stage.dataset.holding;
      this.pane.pointerAt = null;
      this.end(this.touch.holding);
    }
    this.touch = null;
  }

  // The middle between two fingers and their distance, in pixels of the canvas.
  pinch(first, second) {
    const [[x0, y0], [x1, y1]] = [this.onCanvas(first), this.onCanvas(second)];
    return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, span: Math.hypot(x1 - x0, y1 - y0) };
  }
}
