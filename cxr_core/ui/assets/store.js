// State that the components of the reading page share in the browser, and the requests that fill it.
//
// The code of each component is a separate module, so the store is a property of window. Nothing of it is written to
// the browser's storage or into an address.
//
// current        id of the image on the screen (its SHA-256); may be ahead of the server's
// images         id -> {status, name, study, summary, warnings, notes, findings, hidden, rows, columns, wait (text
//                while it waits), unloaded (a sentence), ...}: image_content of cxr_core/ui/reading_messages.py,
//                with moment: when it was made at the earliest, in seconds of the server's clock, where a route has sent it
// worklist       {studies, rejected, removed, chosen, readFirst, outdated}: worklist_body of
//                cxr_core/ui/reading_messages.py, with moment: when it was made at the latest; null before the first answer
// listed         ids of the images in the worklist strip, in its order: filtered, sorted and searched
// uploads        {open, drops, problems, bytes, total, ...}: what is being added (upload.js)
// lost           sentence that says why the server answers no more, or ""
// show(id)       choose an image: fetch what is missing, notify at once, tell Streamlit afterwards
// pixels(id)     -> Promise of the unpacked radiograph: the reduced one where the full one is not there yet
// isNamed(id)    whether study and patient of an image are known
// pixelsNow(id)  the radiograph that is there (full before reduced), or null
// onPixels       listeners(id, radiograph) for pixels that have arrived
// listeners, notify()   for every other change
// maps, chosen   id -> findings with their maps; id -> chosen label
// follow(data, send)    what a script run says: {token, path, chosen, version, stored}; send tells Streamlit

const PIXEL_CACHE_BYTES = 256e6; // and at least two images, of which one may be a prior beside the other
const FRAME_MS = 500; // the longest that a frame is waited for
const LATE_MS = 1000; // the longest that a worklist waits for the image on the screen
const CATCH_UP_MS = 3000; // a script run that was asked for may be overtaken by another, and is asked for again
const RENEW_TURNS = 40; // two minutes

// The message of cxr_core/ui/viewer.py: magic, header, table, codes, and a grey plane where there is one.
function unpackRadiograph(buffer) {
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== "SRF1") throw new Error("not a radiograph");
  const length = view.getUint32(4, true);
  const radiograph = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const count = radiograph.shownRows * radiograph.shownColumns;
  let at = 8 + length;
  const take = (size) => { const part = bytes.subarray(at, at + size); at += size; return part; };
  radiograph.table = take(radiograph.levels);
  radiograph.presetTables = radiograph.presets.map(() => take(radiograph.levels));
  const codes = take(count * radiograph.bytesPerCode);
  if (radiograph.bytesPerCode === 1) radiograph.codes = codes;
  // without a copy where they lie at an even address, as the server arranges it
  else if (codes.byteOffset % 2 === 0) radiograph.codes = new Uint16Array(codes.buffer, codes.byteOffset, count);
  else radiograph.codes = new Uint16Array(codes.slice().buffer);
  radiograph.grey = radiograph.greyPlane ? take(count) : null;
  radiograph.reduced = radiograph.shownRows < radiograph.rows || radiograph.shownColumns < radiograph.columns;
  radiograph.bytes = bytes.byteLength;
  return radiograph;
}

class Store {
  constructor() {
    this.maps = new Map();
    this.chosen = new Map();
    this.listeners = new Set();
    this.onPixels = new Set();
    this.images = new Map();
    this.current = null;
    this.worklist = null;
    this.listed = [];
    this.lost = "";
    this.uploads = null;
    this.token = this.path = "";
    this.send = null;
    this.announced = null; // the image that Streamlit was notified of last and has not confirmed
    this.cache = new Map(); // id -> {full, reduced}, the one used last at the end
    this.fetching = new Map(); // id -> Promise
    this.loading = new Map(); // id -> Promise
    this.tag = "";
    this.caughtUp = 0;
    this.isStored = this.renewing = false; // whether another process has the worklist, and is asked for a token
    this.asked = null; // the request that waits for changes: {visible, abort}
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

  async request(path, options = {}) {
    const { token } = this;
    const headers = { ...options.headers, "X-Second-Read-Token": token };
    const response = await fetch(this.path + path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
    // an answer to a token of before says nothing of this one
    if ((response.status === 401 || response.status === 403) && token === this.token) {
      // whoever asked reads the response too
      this.lost = await response.clone().text();
      this.notify();
      this.renew();
    }
    return response;
  }

  // The process that had the session of this page has ended. What is stored, the next one has: a script run brings its
  // token. Asked for again, since a message is lost while there is no connection.
  async renew() {
    if (!this.isStored || this.renewing) return;
    const { token } = this;
    this.renewing = true;
    for (let turn = 0; turn < RENEW_TURNS && this.token === token && this.uploadPanels?.size; turn++) {
      this.send?.("shown", this.current ?? "");
      await new Promise((wake) => setTimeout(wake, CATCH_UP_MS));
    }
    this.renewing = false;
  }

  // What a script run says. The server's image is shown unless the browser is ahead of it.
  follow(data, send) {
    this.send = send;
    this.isStored = data.stored;
    if (this.token !== data.token) {
      this.token = data.token;
      this.path = data.path;
      // the image on the screen stays there
      if (this.renewing && this.current !== null) send("shown", (this.announced = this.current));
      this.lost = this.tag = "";
      // the clock of another process is another one
      if (this.worklist) this.worklist.moment = -Infinity;
      // a new session of the server knows none of these
      for (const known of [this.images, this.cache, this.maps]) known.clear();
      this.watching = null;
    }
    if (this.announced === data.chosen) this.announced = null;
    if (this.announced === null && this.current !== data.chosen) this.show(data.chosen, { tell: false });
    this.watch();
    if (data.version !== this.tag) this.refresh();
  }

  // Keep the worklist up to date: each request waits on the server until something has changed.
  async watch() {
    if (this.watching) return;
    const turn = (this.watching = {});
    let pause = 0;
    while (this.watching === turn && !this.lost) {
      if (document.hidden) await new Promise((wake) => document.addEventListener("visibilitychange", wake, { once: true }));
      const asked = (this.asked = { visible: this.visible, abort: new AbortController() });
      try {
        const known = this.tag ? { "If-None-Match": this.tag } : {};
        await this.fetchWorklist(asked.visible ? { ...known, "X-Second-Read-Visible": "1" } : known, asked.abort.signal);
        this.catchUp();
        pause = 0;
      } catch {
        pause = asked.abort.signal.aborted ? 0 : Math.min(10, 2 * pause + 0.5);
      }
      // several images are read in a second
      await after(200 + 1000 * pause);
    }
    if (this.watching === turn) this.watching = null;
  }

  // Whether the reading page is in sight: for so long the time of the chosen image is counted.
  get visible() { return !document.hidden && Boolean(this.uploadPanels?.size); }

  // End the request that waits for changes where it no longer says rightly whether the page is in sight.
  look() { if (this.asked && this.asked.visible !== this.visible) this.asked.abort.abort(); }

  // Another tab of the person has changed what the script run of this one has drawn: another run draws it again.
  catchUp() {
    if (!this.worklist?.outdated || !this.uploadPanels?.size || Date.now() - this.caughtUp < CATCH_UP_MS) return;
    this.caughtUp = Date.now();
    this.send?.("shown", this.current ?? "");
  }

  async refresh() {
    try { await this.fetchWorklist({}); } catch { /* watch() tries again */ }
  }

  async fetchWorklist(headers, signal) {
    const token = this.token;
    const response = await this.request("", { headers, signal });
    if (response.status === 304) return;
    if (!response.ok) throw new Error(`worklist: ${response.status}`);
    // the image on the screen comes first
    if (this.loading.has(this.current)) await Promise.race([this.complete(this.current), after(LATE_MS)]);
    const worklist = await response.json();
    const moment = Number(response.headers.get("X-Second-Read-Moment"));
    // two are asked for at the same time, and the older one may come last
    if (token !== this.token || moment < this.worklist?.moment) return;
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
    this.notify();
  }

  forget(id) {
    for (const known of [this.images, this.maps, this.cache]) known.delete(id);
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

  // Fetch the message of an image, again and again until it was read.
  load(id, { again = false } = {}) {
    const image = this.images.get(id);
    if (!this.loading.has(id) && (again || !image || image.status === "waiting")) {
      const ended = () => this.loading.delete(id);
      this.loading.set(id, this.loadUntilRead(id).finally(ended));
    }
    return this.loading.get(id) ?? Promise.resolve(image);
  }

  async loadUntilRead(id) {
    for (;;) {
      const { token } = this;
      const response = await this.request(`/images/${id}`);
      if (response.status === 404) this.forget(id);
      if (response.status === 503) {
        await after(1000);
        continue;
      }
      if (!response.ok || token !== this.token) return null;
      const image = await response.json();
      // where a worklist that may be newer names another version, it is asked for again
      const version = this.worklist?.versions?.[id];
      if (version && version !== image.version && !(image.moment > this.worklist.moment)) continue;
      this.take(image);
      if (image.status !== "waiting") return image;
      // one that is no longer looked at is read in its turn; the worklist says when
      if (this.current !== id) return image;
    }
  }

  take(image) {
    const before = this.images.get(image.id);
    this.images.set(image.id, image);
    if (image.findings) this.maps.set(image.id, image.findings);
    else this.maps.delete(image.id);
    if (image.findings?.chosen && !this.chosen.has(image.id)) this.chosen.set(image.id, image.findings.chosen);
    const there = this.pixelsNow(image.id);
    if (there && !this.isCurrent(image.id, there)) this.cache.delete(image.id);
    // a request that is on its way may bring the pixels of before
    if (before?.pixelsVersion && before.pixelsVersion !== image.pixelsVersion) this.fetching.delete(image.id);
    if (image.id === this.current && image.pixelsVersion) this.complete(image.id);
    this.notify();
  }

  // --- pixels --------------------------------------------------------------------------------

  // Whether pixels are those that the reading is of: not rotated, mirrored or shown by another table since.
  isCurrent(id, radiograph) {
    const version = this.images.get(id)?.pixelsVersion;
    return !version || radiograph.version === version;
  }

  // Whether it is known whose image it is; until then it is not drawn.
  isNamed(id) {
    return this.images.has(id) || Boolean(this.worklist?.studies.some((study) => study.images.some((image) => image.id === id)));
  }

  pixelsNow(id) {
    const cached = this.cache.get(id);
    return cached?.full ?? cached?.reduced ?? null;
  }

  // The first radiograph that arrives. Of a large image that is the reduced one, and who asks again has the full one
  // fetched: not before the image was read, because all that takes the same processors.
  pixels(id) {
    const there = this.pixelsNow(id);
    if (there && !there.reduced) {
      this.cache.set(id, this.touch(id));
      return Promise.resolve(there);
    }
    if (!this.fetching.has(id)) {
      // the answer to the first is the full one of an image that is not large
      const fetched = this.fetchMessage(id, there ? "" : "?reduced").finally(() => {
        if (this.fetching.get(id) === fetched) this.fetching.delete(id);
      });
      fetched.catch(() => {}); // whoever waits for it receives the error
      this.fetching.set(id, fetched);
    }
    return there ? Promise.resolve(there) : this.fetching.get(id);
  }

  // Fetch the pixels of the image on the screen; those of a large one in full once its findings are there.
  async complete(id) {
    const there = this.pixelsNow(id);
    await Promise.allSettled([there?.reduced ? there : this.pixels(id), this.loading.get(id)]);
    await onScreen();
    if (this.current === id && this.pixelsNow(id)?.reduced) this.pixels(id);
  }

  touch(id) {
    const cached = this.cache.get(id) ?? { full: null, reduced: null };
    this.cache.delete(id);
    this.cache.set(id, cached);
    return cached;
  }

  async fetchMessage(id, query) {
    for (;;) {
      const token = this.token;
      const response = await this.request(`/images/${id}/pixels${query}`);
      if (response.status === 200) {
        const radiograph = unpackRadiograph(await response.arrayBuffer());
        if (token !== this.token || radiograph.sha !== id) return null;
        const there = this.pixelsNow(id);
        if (this.isCurrent(id, radiograph)) {
          this.keep(id, radiograph);
          return radiograph;
        }
        // sent before the image was rotated or mirrored, and overtaken
        if (there && !there.reduced) return there;
        await after(200);
        continue;
      }
      if (response.status !== 202 && response.status !== 503) return null;
      // it waits to be read; of those that are no longer looked at, a prior may still be wanted
      if (this.current !== id && (this.fetching.size > 2 || !(id in (this.worklist?.versions ?? {})))) return null;
      await after(200);
    }
  }

  keep(id, radiograph) {
    const cached = this.touch(id);
    if (radiograph.reduced) {
      if (cached.full) return;
      cached.reduced = radiograph;
    } else {
      cached.full = radiograph;
      cached.reduced = null;
    }
    const size = (entry) => (entry.full?.bytes ?? 0) + (entry.reduced?.bytes ?? 0);
    let total = [...this.cache.values()].reduce((sum, entry) => sum + size(entry), 0);
    for (const [old, entry] of [...this.cache]) {
      if (total <= PIXEL_CACHE_BYTES || this.cache.size <= 2) break;
      if (old === id || old === this.current) continue;
      this.cache.delete(old);
      total -= size(entry);
    }
    for (const listener of [...this.onPixels]) listener(id, radiograph);
    this.notify();
  }
}

// Once what was drawn last is on the screen: what takes the same processors can wait until then.
function onScreen() {
  const drawn = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  // a page that is not in sight has no frames
  return Promise.race([drawn, after(FRAME_MS)]);
}

function after(ms) { return new Promise((done) => setTimeout(done, ms)); }

const store = (window.secondRead ??= new Store());

// Text from outside (file names, reasons) is set as textContent only.
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}
