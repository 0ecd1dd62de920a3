// The prior study beside the current image: which image it is, whose, and how the two views are linked.

const AGAIN_MS = 1500;
const WIDE = 1800; // CSS pixels of the window from which on the prior is shown unasked

// The study of an image in the worklist, and its images in the order of the strip.
function studyOf(id) {
  return store.worklist?.studies.find((study) => study.images.some((image) => image.id === id)) ?? null;
}

// The image of the latest prior study to compare with: of the same view where there is one; or null.
function priorImage(id) {
  const prior = id && store.images.get(id)?.study?.priors?.[0];
  if (!prior) return null;
  const view = studyOf(id)?.images.find((image) => image.id === id).view;
  const images = (studyOf(prior.id)?.images ?? []).filter((image) => image.status !== "unreadable");
  return (images.find((image) => image.view === view) ?? images[0])?.id ?? null;
}

// Whose image it is, when it was made, and what contradicts itself in the headers of its study; as text.
function describeImage(id) {
  const study = studyOf(id);
  const view = study?.images.find((image) => image.id === id).view;
  const patient = [study?.name, study?.patientId].filter(Boolean).join(" · ");
  const visit = [study?.date || "date unknown", view, study?.description].filter(Boolean).join(" · ");
  return { patient, visit, alarm: study?.alarm ?? "" };
}

class Comparison {
  constructor(viewer) {
    this.viewer = viewer;
    this.id = null; // of the prior image beside the current one
    this.pane = null;
  }

  get on() { return this.pane !== null; }

  available() { return priorImage(store.current) !== null; }

  // Whether the reader wants the prior beside: as chosen last, else on a wide screen.
  wanted() { return store.viewer.compare ?? window.innerWidth >= WIDE; }

  // Follow the current image: show its prior, another prior, or none.
  update() {
    const id = this.wanted() ? priorImage(store.current) : null;
    if (id !== this.id) {
      this.close();
      this.id = id;
      if (id !== null) this.open();
    }
    const radiograph = id && store.pixelsNow(id);
    if (radiograph && this.pane.show(radiograph) && this.viewer.shared.linked) this.follow(this.viewer.current, "position");
  }

  open() {
    const { current, shared } = this.viewer;
    const node = current.node.cloneNode(true);
    node.classList.replace("current", "prior");
    node.querySelector("canvas").className = "prior";
    current.node.after(node);
    this.pane = new Pane(node, shared);
    this.pane.reset("Loading the prior image");
    // the listeners go with the canvas
    this.pointer = new Pointer(this.pane, this.viewer, (target, ...listener) => target.addEventListener(...listener));
    this.load(this.id);
  }

  // Asks again while the image waits to be decoded.
  async load(id) {
    while (this.id === id && this.on) {
      const radiograph = await store.pixels(id).catch(() => null);
      if (radiograph) {
        if (radiograph.reduced) store.pixels(id);
        this.viewer.refresh();
        return;
      }
      // where the connection was lost, both are asked for again
      const image = await store.load(id).catch(() => null);
      if (image?.unloaded && this.id === id && this.on) this.pane.reset(image.unloaded);
      await new Promise((wake) => setTimeout(wake, AGAIN_MS));
    }
  }

  close() {
    if (this.viewer.active === this.pane) this.viewer.active = this.viewer.current;
    this.pane?.node.remove();
    this.pane = this.id = null;
  }

  // Carry what changed in one pane to the other.
  follow(pane, what) {
    const other = pane === this.pane ? this.viewer.current : this.pane;
    if (!this.viewer.shared.linked || !pane.radiograph || !other?.radiograph) return;
    if (what === "window") copyWindow(pane.radiograph, pane.view, other.radiograph, other.view);
    else copyPosition(pane.radiograph, pane.view, pane.measure(), other.radiograph, other.view, other.measure());
  }

  // The names over the panes: while there are two, and in full screen, where the page's study header is out of sight.
  writeCaptions() {
    const needed = this.on || document.fullscreenElement !== null;
    const write = (pane, role, id) => {
      const node = pane.node.querySelector(".caption");
      node.hidden = !needed || id === null;
      if (node.hidden) return;
      const { patient, visit, alarm } = describeImage(id);
      const key = [role, patient, visit, alarm].join("\n");
      if (node.dataset.key === key) return;
      node.dataset.key = key;
      node.replaceChildren(make("b", "", role), make("span", "patient", patient), make("span", "", visit), make("span", "alarm", alarm));
    };
    write(this.viewer.current, "Current", store.current);
    if (this.on) write(this.pane, "Prior", this.id);
  }
}
