// State that the components of the reading page share in the browser, and the requests that fill it.
//
// The code of each component is a separate module, so the store is a property of window. Nothing of it is written to
// the browser's storage or into an address.
//
// connection     to the server (connection.js)
// radiographs    the pixels of images (radiographs.js)
// current        id of the image on the screen (its SHA-256); may be ahead of the server's
// images         id -> {status, name, study, summary, warnings, notes, findings, hidden, rows, columns, wait (text
//                while it waits), unloaded (a sentence), ...}: image_content of cxr_core/ui/reading_messages.py,
//                with moment: when it was made at the earliest, in seconds of the server's clock, where a route has sent it
// worklist       {studies, rejected, removed, chosen, readFirst, outdated}: worklist_body of
//                cxr_core/ui/reading_messages.py, with moment: when it was made at the latest; null before the first answer
// listed         ids of the images in the worklist strip, in its order: filtered, sorted and searched
// uploads        {open, drops, problems, bytes, total, ...}: what is being added (upload.js)
// show(id)       choose an image: fetch what is missing, notify at once, tell Streamlit afterwards
// pixels(id)     -> Promise of the unpacked radiograph: the reduced one where the full one is not there yet
// isNamed(id)    whether study and patient of an image are known
// pixelsNow(id)  the radiograph that is there (full before reduced), or null
// listeners, notify()   for every change
// maps, chosen   id -> findings with their maps; id -> chosen label
// follow(data, send)    what a script run says: {token, path, chosen, version, stored}; send tells Streamlit

const FRAME_MS = 500; // the longest that a frame is waited for
const LATE_MS = 1000; // the longest that a worklist waits for the image on the screen
const PREPARE_MS = 150; // the longest that an image which was added stays out of sight while it is fetched
const CATCH_UP_MS = 3000; // a script run that was asked for may be overtaken by another, and is asked for again
const [ASK_AGAIN_MS, LONGEST_ASK_MS] = [1000, 10_000]; // for an image that could not be fetched

class Store {
  constructor() {
    this.maps = new Map();
    this.chosen = new Map();
    this.listeners = new Set();
    this.images = new Map();
    this.current = null;
    this.worklist = null;
    this.listed = [];
    this.uploads = null;
    this.send = null;
    this.announced = null; // the image that Streamlit was notified of last and has not confirmed
    this.loading = new Map(); // id -> Promise
    this.tag = "";
    this.caughtUp = 0;
    this.unsent = false; // whether the reader left the page before Streamlit was notified of something
    this.prepareMs = PREPARE_MS;
    this.asked = null; // the request that waits for changes: {visible, abort}
    this.radiographs = new Radiographs(this);
    this.connection = new Connection({
      changed: () => this.notify(),
      isOpen: () => this.isOpen,
      ask: () => this.send?.("shown", this.current ?? ""),
      back: () => this.resume(),
    });
    document.addEventListener("visibilitychange", () => this.look());
    // The keys of the page for the panel that lists them: store.keys.push({group, key, text}), group "Page", "Worklist",
    // "Findings" or "Viewer". Modules are loaded again with every message: an entry that is there stays one.
    this.keys = {
      entries: new Map(),
      push(...entries) { for (const entry of entries) this.entries.set(`${entry.group}/${entry.key}`, entry); },
    };
  }

  notify() { for (const listener of [...this.listeners]) listener(); }

  choose(id, label) {
    if (this.chosen.get(id) === label) return;
    this.chosen.set(id, label);
    this.notify();
  }

  // --- the server -----------------------------------------------------------------------------

  request(path, options) { return this.connection.request(path, options); }

  // What a script run says. The server's image is shown unless the browser is ahead of it.
  follow(data, send) {
    const { token } = this.connection;
    this.send = send;
    const isOther = this.connection.use(data);
    const isGone = isOther && token && !data.stored && data.chosen === null && this.current !== null;
    if (isOther) {
      // the image on the screen stays there
      if (token && data.stored && this.current !== null) send("shown", (this.announced = this.current));
      this.tag = "";
      // the clock of another process is another one
      if (this.worklist) this.worklist.moment = -Infinity;
      // a new session of the server knows none of these
      for (const known of [this.images, this.loading, this.radiographs, this.maps]) known.clear();
      this.watching = null;
    }
    if (this.announced === data.chosen) this.announced = null;
    // chosen while the reader was leaving the page
    if (this.unsent && this.announced !== null) send("shown", this.announced);
    this.unsent = false;
    if (this.announced === null && this.current !== data.chosen) this.show(data.chosen, { tell: false });
    else if (isOther) this.resume();
    if (isGone) this.report("The worklist of this page has ended: the server was restarted, or was not reached for too long. Add the images again.");
    this.watch();
    if (data.version !== this.tag) this.refresh();
  }

  // Fetch again what the image on the screen lacks.
  resume() {
    if (this.current === null) return;
    this.load(this.current);
    this.complete(this.current);
  }

  // Say something beside the worklist until the reader dismisses it.
  report(text, name = "") {
    this.uploads?.problems.push({ name, text, isElse: true });
    this.notify();
  }

  // Keep the worklist up to date: each request waits on the server until something has changed.
  async watch() {
    if (this.watching) return;
    const turn = (this.watching = {});
    const retry = new Retry(this.connection, false);
    while (this.watching === turn && !this.connection.isOver) {
      if (document.hidden) await new Promise((wake) => document.addEventListener("visibilitychange", wake, { once: true }));
      const asked = (this.asked = { visible: this.visible, abort: new AbortController() });
      try {
        const known = this.tag ? { "If-None-Match": this.tag } : {};
        await this.fetchWorklist(asked.visible ? { ...known, "X-Second-Read-Visible": "1" } : known, asked.abort.signal);
        this.catchUp();
        retry.end();
      } catch {
        if (!asked.abort.signal.aborted) await retry.pause(0);
      }
      // several images are read in a second
      await after(200);
    }
    retry.end();
    if (this.watching === turn) this.watching = null;
  }

  // Whether the reading page is in sight: for so long the time of the chosen image is counted.
  get visible() { return !document.hidden && this.isOpen; }

  // Whether the reading page is there, also in the background.
  get isOpen() { return [...(this.uploadPanels ?? [])].some(({ root }) => root.isConnected); }

  // End the request that waits for changes where it no longer says rightly whether the page is in sight.
  look() { if (this.asked && this.asked.visible !== this.visible) this.asked.abort.abort(); }

  // Another tab of the person has changed what the script run of this one has drawn: another run draws it again.
  catchUp() {
    if (!this.worklist?.outdated || !this.isOpen || Date.now() - this.caughtUp < CATCH_UP_MS) return;
    this.caughtUp = Date.now();
    this.send?.("shown", this.current ?? "");
  }

  async refresh() {
    try { await this.fetchWorklist({}); } catch { /* watch() tries again */ }
  }

  async fetchWorklist(headers, signal) {
    const { current, connection: { token } } = this;
    const response = await this.request("", { headers, signal });
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`worklist: ${response.status}`);
    // the image on the screen comes first
    if (this.loading.has(this.current)) await Promise.race([this.complete(this.current), after(LATE_MS)]);
    const worklist = await response.json();
    const moment = Number(response.headers.get("X-Second-Read-Moment"));
    // two are asked for at the same time, and the older one may come last
    if (token !== this.connection.token || moment < this.worklist?.moment) return;
    this.tag = response.headers.get("ETag") ?? "";
    this.worklist = { ...worklist, moment };
    const { versions } = worklist;
    for (const [id, image] of [...this.images]) {
      // its message is newer
      if (image.moment > this.worklist.moment) continue;
      if (!(id in versions)) this.forget(id);
      else if (versions[id] === image.version) continue;
      else if (id === this.current) this.load(id, { again: true });
      // fetched when it is shown
      else for (const known of [this.images, this.maps]) known.delete(id);
    }
    if (this.announced !== null && !(this.announced in versions) && !this.uploads?.open) this.announced = null;
    this.leaveRemoved(current);
    this.notify();
  }

  // Where another tab has removed the image on the screen, the one that the server has chosen instead is shown. Whether it
  // was removed says only a worklist that was asked for (`asked`: what was on the screen then) since it is on the screen.
  leaveRemoved(asked) {
    const { current, worklist: { chosen, versions } } = this;
    if (current === null || current in versions || this.images.has(current) || this.removals?.undone.has(current)) return;
    if (asked !== current) this.refresh();
    else if (chosen in versions) {
      this.announced = null;
      this.show(chosen, { tell: false });
    }
  }

  forget(id) {
    for (const known of [this.images, this.maps]) known.delete(id);
    this.radiographs.forget(id);
  }

  // --- readings ------------------------------------------------------------------------------

  // Show an image. Its pixels and its reading are fetched at the same time.
  async show(id, { tell = true } = {}) {
    if (id === this.current) return;
    this.current = id;
    this.notify();
    if (id === null) return;
    if (tell) this.announced = id;
    this.load(id);
    await this.complete(id);
    if (tell && this.current === id) this.send?.("shown", id);
  }

  // Fetch an image before it is shown, for a moment: drawn once, whole, it does not take the processors from its reading.
  prepare(id) { return Promise.race([Promise.allSettled([this.pixels(id), this.load(id)]), after(this.prepareMs)]); }

  // Fetch the message of an image, again and again until it was read.
  load(id, { again = false } = {}) {
    const image = this.images.get(id);
    if (!this.loading.has(id) && (again || !image || image.status === "waiting")) {
      const loaded = this.loadUntilRead(id).finally(() => {
        if (this.loading.get(id) === loaded) this.loading.delete(id);
      });
      this.loading.set(id, loaded);
    }
    return this.loading.get(id) ?? Promise.resolve(image);
  }

  async loadUntilRead(id) {
    const { token } = this.connection;
    for (let pause = ASK_AGAIN_MS; ;) {
      const response = await this.request(`/images/${id}`).catch(() => null);
      const image = response?.ok ? await response.json().catch(() => null) : null;
      // another session of the server is asked again
      if (token !== this.connection.token) return null;
      if (response?.status === 404) this.forget(id);
      if (!image) {
        // one that is not looked at any more is fetched when it is shown
        if (!isPassing(response?.ok ? 0 : response?.status ?? 0) || this.current !== id) return null;
        await after(pause);
        if (response?.status !== 503) pause = Math.min(2 * pause, LONGEST_ASK_MS);
        continue;
      }
      // where a worklist that may be newer names another version, it is asked for again
      if (id in (this.worklist?.versions ?? {}) && this.isOutdated(image)) continue;
      this.take(image);
      if (image.status !== "waiting") return image;
      // one that is no longer looked at is read in its turn; the worklist says when
      if (this.current !== id) return image;
    }
  }

  // Whether what a worklist says of an image is newer than a message of it, or may be.
  isOutdated({ id, version, moment = -Infinity }) {
    const { worklist } = this;
    return worklist?.moment > -Infinity && worklist.versions[id] !== version && !(moment > worklist.moment);
  }

  // What a script run knew of an image when it began.
  offer(image) {
    if (this.images.has(image.id)) return;
    if (!this.isOutdated(image)) this.take(image);
    else if (image.id === this.current) this.load(image.id);
  }

  take(image) {
    const before = this.images.get(image.id);
    this.images.set(image.id, image);
    if (image.findings) this.maps.set(image.id, image.findings);
    else this.maps.delete(image.id);
    if (image.findings?.chosen && !this.chosen.has(image.id)) this.chosen.set(image.id, image.findings.chosen);
    this.radiographs.follow(image, before);
    if (image.id === this.current && image.pixelsVersion) this.complete(image.id);
    this.notify();
  }

  // --- pixels --------------------------------------------------------------------------------

  // Whether it is known whose image it is; until then it is not drawn.
  isNamed(id) {
    return this.images.has(id) || Boolean(this.worklist?.studies.some((study) => study.images.some((image) => image.id === id)));
  }

  pixelsNow(id) { return this.radiographs.now(id); }

  pixels(id) { return this.radiographs.get(id); }

  // Fetch the pixels of the image on the screen; those of a large one in full once its findings are there.
  async complete(id) {
    const there = this.pixelsNow(id);
    await Promise.allSettled([there?.reduced ? there : this.pixels(id), this.loading.get(id)]);
    await onScreen();
    if (this.current === id && this.pixelsNow(id)?.reduced) this.pixels(id);
  }
}

// Once what was drawn last is on the screen: what takes the same processors can wait until then.
function onScreen() {
  const drawn = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  // a page that is not in sight has no frames
  return Promise.race([drawn, after(FRAME_MS)]);
}

const store = (window.secondRead ??= new Store());

// Text from outside (file names, reasons) is set as textContent only.
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}
