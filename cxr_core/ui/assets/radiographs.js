// The pixels of images in the browser: fetched reduced first where they are large, and kept as far as memory allows.

const PIXEL_CACHE_BYTES = 256e6; // and at least two images, of which one may be a prior beside the other
const POLL_MS = 200; // while an image waits to be read
const LONGEST_POLL_MS = 10_000; // after failures

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

class Radiographs {
  constructor(store) {
    this.store = store;
    this.cache = new Map(); // id -> {full, reduced}, the one used last at the end
    this.fetching = new Map(); // id -> Promise
    this.listeners = new Set(); // called with id and radiograph when pixels have arrived
  }

  // Forget all: another session of the server sends them.
  clear() {
    this.cache.clear();
    this.fetching.clear();
  }

  forget(id) { this.cache.delete(id); }

  // Follow a message of an image, of which there may have been another one before.
  follow(image, before) {
    const there = this.now(image.id);
    if (there && !this.isCurrent(image.id, there)) this.cache.delete(image.id);
    // a request that is on its way may bring the pixels of before
    if (before?.pixelsVersion && before.pixelsVersion !== image.pixelsVersion) this.fetching.delete(image.id);
  }

  // Whether pixels are those that the reading is of: not rotated, mirrored or shown by another table since.
  isCurrent(id, radiograph) {
    const version = this.store.images.get(id)?.pixelsVersion;
    return !version || radiograph.version === version;
  }

  // The radiograph that is there (full before reduced), or null.
  now(id) {
    const cached = this.cache.get(id);
    return cached?.full ?? cached?.reduced ?? null;
  }

  // The first radiograph that arrives. Of a large image that is the reduced one, and who asks again has the full one
  // fetched: not before the image was read, because all that takes the same processors.
  get(id) {
    const there = this.now(id);
    if (there && !there.reduced) {
      this.cache.set(id, this.touch(id));
      return Promise.resolve(there);
    }
    if (!this.fetching.has(id)) {
      // the answer to the first is the full one of an image that is not large
      const fetched = this.fetchUntilThere(id, there ? "" : "?reduced").finally(() => {
        if (this.fetching.get(id) === fetched) this.fetching.delete(id);
      });
      this.fetching.set(id, fetched);
    }
    return there ? Promise.resolve(there) : this.fetching.get(id);
  }

  touch(id) {
    const cached = this.cache.get(id) ?? { full: null, reduced: null };
    this.cache.delete(id);
    this.cache.set(id, cached);
    return cached;
  }

  // Fetch pixels until they are there; null where there are none, or where the image is not looked at any more.
  async fetchUntilThere(id, query) {
    const { connection } = this.store;
    const { token } = connection;
    for (let pause = POLL_MS; ;) {
      const { status, radiograph } = await this.fetchOnce(id, query);
      if (token !== connection.token || (radiograph && radiograph.sha !== id)) return null;
      if (radiograph) {
        const there = this.now(id);
        if (this.isCurrent(id, radiograph)) {
          this.keep(id, radiograph);
          return radiograph;
        }
        // sent before the image was rotated or mirrored, and overtaken
        if (there && !there.reduced) return there;
      } else if (status === 202 || status === 503) {
        // it waits to be read; of those that are no longer looked at, a prior may still be wanted
        if (!this.isChosen(id) && (this.fetching.size > 2 || !(id in (this.store.worklist?.versions ?? {})))) return null;
      } else {
        if (!isPassing(status) || !this.isChosen(id)) return null;
        pause = Math.min(2 * pause, LONGEST_POLL_MS);
      }
      await after(pause);
    }
  }

  // {status, radiograph}: status 0 where there is no answer, or not the whole.
  async fetchOnce(id, query) {
    try {
      const response = await this.store.request(`/images/${id}/pixels${query}`);
      const { status } = response;
      return { status, radiograph: status === 200 ? unpackRadiograph(await response.arrayBuffer()) : null };
    } catch {
      return { status: 0, radiograph: null };
    }
  }

  isChosen(id) { return this.store.current === id; }

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
      if (old === id || this.isChosen(old)) continue;
      this.cache.delete(old);
      total -= size(entry);
    }
    for (const listener of [...this.listeners]) listener(id, radiograph);
    this.store.notify();
  }
}
