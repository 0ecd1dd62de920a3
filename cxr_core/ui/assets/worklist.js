// The worklist: studies with the state of each image, what was refused with its reason, and what came from the PACS. It
// draws from the store; a choice goes to the store, removals and what is opened go to the server.

const WORKLIST_KEYS = new Set(["pagedown", "pageup", "]", "[", "/", "q"]);

class WorklistStrip {
  constructor(root) {
    this.root = root.querySelector(".worklist");
    const find = (name) => this.root.querySelector(`.${name}`);
    [this.list, this.undo, this.foot, this.search, this.toggle] = ["list", "undo", "foot", "search", "toggle"].map(find);
    this.order = (store.worklistOrder ??= { filter: "all", sort: "added", search: "" });
    this.selects = [find("filter"), find("sort")];
    for (const [index, name] of ["filter", "sort"].entries()) {
      const select = this.selects[index];
      select.value = this.order[name];
      select.onchange = () => this.reorder(name, select.value);
      select.onkeydown = (event) => { if (event.key === "Escape") this.toList(event); };
    }
    this.search.value = this.order.search;
    this.search.oninput = () => this.reorder("search", this.search.value);
    this.search.onkeydown = (event) => this.onSearchKey(event);
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.toggle.onclick = () => this.open(!store.worklistOpen);
    this.onPageKey = (event) => this.onKeyAnywhere(event);
    this.onStoreChange = () => { this.openAgain(); this.draw(); };
    window.addEventListener("keydown", this.onPageKey);
    store.listeners.add(this.onStoreChange);
    this.asking = false;
    this.open(store.worklistOpen ?? false);
    store.keys?.push(
      { group: "Worklist", key: "Page Down, Page Up", text: "Next and previous study" },
      { group: "Worklist", key: "], [", text: "Next and previous image" },
      { group: "Worklist", key: "/", text: "Search the worklist" },
      { group: "Worklist", key: "Q, Shift+Q", text: "Filter, and sort; then the arrow keys. Escape: back to the images" },
      { group: "Worklist", key: "↓ ↑ Home End", text: "Move through the images, while the worklist has the focus" },
      { group: "Worklist", key: "Delete", text: "Remove the image; with Shift the study" },
      { group: "Worklist", key: "Ctrl+Z", text: "Undo the removal" },
    );
  }

  show(data, send) {
    this.send = send;
    // the script has run since: what could not be opened may be tried again
    if (this.openedBy === store.connection.token) this.opening = null;
    // until the browser has fetched it
    store.worklist ??= data;
    this.draw();
    if (!this.isKept) store.focus.keep("worklist", this.root, ({ key }) => WORKLIST_KEYS.has(key.toLowerCase()));
    this.isKept = true;
  }

  reorder(name, value) {
    this.order[name] = value;
    this.draw();
  }

  // --- drawing -----------------------------------------------------------------------------------

  draw() {
    const worklist = store.worklist;
    if (!worklist) return;
    const kept = (image) => !store.removals.has(image);
    const shown = listed({
      studies: worklist.studies.map((study) => ({ ...study, images: study.images.filter(kept) })),
      rejected: worklist.rejected.filter(kept),
      received: worklist.received,
    }, this.order);
    this.selects[0].querySelector('[value="pacs"]').hidden = !worklist.received;
    if (!worklist.received?.some(({ id }) => id === this.opening)) this.opening = null;
    store.listed = [...shown.studies.flatMap((study) => study.images), ...shown.rejected].map((image) => image.id);
    const offered = store.removals.offered().length;
    const key = JSON.stringify([shown, store.current, offered, this.asking, this.opening]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.drawList(shown);
    this.drawFoot(shown, offered);
    // of an entry that has moved or is gone
    store.focus.drawn("worklist");
    if (this.chosen !== store.current) this.nodes("entry").find((node) => node.dataset.id === store.current)?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.chosen = store.current;
  }

  nodes(kind) {
    return [...this.list.querySelectorAll(`[data-kind="${kind}"]`)];
  }

  drawList(shown) {
    const act = { choose: (id) => this.choose(id), remove: (ids) => this.remove(ids), open: (id) => this.openReceived(id) };
    const groups = shown.studies.map((study) => studyEntries(study, act));
    if (shown.rejected.length) groups.push(rejectedEntries(shown.rejected, act));
    if (shown.received.length) groups.push(receivedEntries(shown.received, this.opening, act));
    if (!groups.length) groups.push(make("p", "none", shown.total ? "No image matches." : "No images."));
    update(this.list, groups);
    // one stop for the Tab key: the chosen image, else the first
    const entries = this.nodes("entry");
    const stop = entries.find((node) => node.dataset.id === store.current) ?? entries[0];
    for (const node of entries) node.tabIndex = node === stop ? 0 : -1;
    for (const [at, node] of this.nodes("received").entries()) node.tabIndex = at === 0 ? 0 : -1;
  }

  drawFoot({ images, total }, offered) {
    const removed = () => [make("span", "", `Removed ${count(offered, "image")}. `), this.button("Undo", () => this.restore())];
    update(this.undo, offered ? removed() : []);
    const counts = make("span", "counts", images === total ? count(total, "image") : `${images} of ${count(total, "image")}`);
    if (!this.asking) {
      update(this.foot, total ? [counts, this.button("Clear worklist", () => this.ask(true))] : []);
      return;
    }
    const all = this.button("Remove", () => { this.ask(false); this.remove(null); });
    all.classList.add("danger");
    update(this.foot, [make("span", "counts", `Remove all ${total}?`), all, this.button("Cancel", () => this.ask(false))]);
  }

  button(text, act) {
    const button = make("button", "small", text);
    button.type = "button";
    button.onclick = act;
    return button;
  }

  // --- what the reader does ----------------------------------------------------------------------

  // On a narrow screen the strip is one row of images; open, it has everything.
  open(on) {
    store.worklistOpen = on;
    this.root.classList.toggle("open", on);
    // there it has the width of the screen; Streamlit may draw the elements around it again at any time
    document.documentElement.classList.toggle("sr-worklist-open", on);
    this.toggle.setAttribute("aria-expanded", String(on));
  }

  ask(on) {
    this.asking = on;
    this.draw();
    this.foot.querySelector("button").focus();
  }

  choose(id) {
    this.open(false);
    store.show(id);
  }

  // Open a study that came from the PACS: the server adds it to the worklist and shows its first image.
  openReceived(id) {
    if (this.opening) return;
    this.opening = id;
    this.openedBy = store.connection.token;
    this.open(false);
    this.draw();
    this.send("opened", id);
  }

  // What was sent to Streamlit while the server was restarted did not arrive.
  openAgain() {
    const { opening } = this;
    if (!opening || this.openedBy === store.connection.token) return;
    this.opening = null;
    this.openReceived(opening);
  }

  // Remove images by id, or all of them (null); the next image in the list is shown.
  remove(ids) {
    const entries = this.nodes("entry").map((node) => node.dataset.id);
    const every = [...store.worklist.studies.flatMap((study) => study.images), ...store.worklist.rejected].map((image) => image.id);
    const taken = new Set(ids ?? every);
    const at = entries.findIndex((id) => taken.has(id));
    const next = [...entries.slice(at), ...entries.slice(0, at).reverse()].find((id) => !taken.has(id));
    store.removals.add(taken);
    store.removals.send();
    if (taken.has(store.current) && next) store.show(next);
    this.draw();
    this.nodes("entry").find((node) => node.dataset.id === next)?.focus({ preventScroll: true });
  }

  restore() {
    store.removals.undo();
    store.removals.send();
    this.draw();
  }

  step(by, from) {
    const entries = this.nodes("entry");
    const next = entries[Math.min(entries.length - 1, Math.max(0, entries.indexOf(from) + by))];
    next?.focus();
    if (next && next !== from) next.click();
  }

  stepStudy(by) {
    const groups = [...this.list.querySelectorAll(".study")];
    const at = groups.findIndex((group) => group.querySelector('[aria-current="true"]'));
    const next = groups[at < 0 ? 0 : at + by]?.querySelector('[data-kind="entry"]');
    if (next) next.click();
  }

  stepImage(by) {
    const entries = this.nodes("entry");
    const at = entries.findIndex((entry) => entry.getAttribute("aria-current") === "true");
    entries[at < 0 ? 0 : at + by]?.click();
  }

  // Among the studies that came from the PACS the arrow keys move the focus; Enter opens one.
  stepReceived(event, from) {
    const entries = this.nodes("received");
    const by = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!by) return;
    event.preventDefault();
    entries[Math.min(entries.length - 1, Math.max(0, entries.indexOf(from) + by))].focus();
  }

  onKey(event) {
    const received = event.target.closest('[data-kind="received"]');
    if (received) {
      this.stepReceived(event, received);
      return;
    }
    const entry = event.target.closest('[data-kind="entry"]');
    if (!entry || event.ctrlKey || event.altKey || event.metaKey) return;
    const act = {
      ArrowDown: () => this.step(1, entry), ArrowRight: () => this.step(1, entry),
      ArrowUp: () => this.step(-1, entry), ArrowLeft: () => this.step(-1, entry),
      Home: () => this.step(-Infinity, entry), End: () => this.step(Infinity, entry),
      Delete: () => (event.shiftKey ? this.removeStudy(entry) : this.remove([entry.dataset.id])),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    // a key that is held removes one image, not all
    if (event.key !== "Delete" || !event.repeat) act();
  }

  // As its button does, also of images that are not listed.
  removeStudy(entry) { entry.closest(".study").querySelector(".head .remove").click(); }

  to(control) {
    this.open(true);
    control.focus();
  }

  toList(event) {
    event.preventDefault();
    this.nodes("entry")[0]?.focus();
  }

  onSearchKey(event) {
    if (event.key === "Escape") {
      this.search.value = "";
      this.reorder("search", "");
    }
    if (event.key === "ArrowDown" || event.key === "Enter") this.toList(event);
    event.stopPropagation();
  }

  // Keys that work wherever the reader is, unless somebody types or a dialog is open.
  onKeyAnywhere(event) {
    if (isTyping(event) || event.defaultPrevented) return;
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && store.removals.offered().length) this.restore();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "PageDown") this.stepStudy(1);
    else if (event.key === "PageUp") this.stepStudy(-1);
    else if (event.key === "]") this.stepImage(1);
    else if (event.key === "[") this.stepImage(-1);
    else if (event.key === "/") this.to(this.search);
    else if (event.key.toLowerCase() === "q") this.to(this.selects[event.shiftKey ? 1 : 0]);
    else return;
    event.preventDefault();
  }

  stop() {
    window.removeEventListener("keydown", this.onPageKey);
    store.listeners.delete(this.onStoreChange);
  }
}

export default component("worklist", (root) => new WorklistStrip(root));
