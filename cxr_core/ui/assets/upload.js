// Files in: by a dialog, or dropped anywhere on the page. They go to our own route one by one, a few at a time.

const AT_ONCE = 3; // a browser opens six connections, and the store waits on two
const PATIENCE_MS = 1000; // the longest that the other files of a drop wait for the first to be on the screen
const SLOW_SECONDS = 2; // what takes longer shows its progress

class Uploads {
  constructor() {
    this.waiting = []; // {file, name, upload, position, count, drop}
    // those that are not added yet, in their order; `on`: images that the first one of a drop takes the place of
    this.drops = new Set();
    this.dropped = 0;
    this.sending = 0;
    this.problems = []; // {name, text, isElse}: isElse where it is not of an upload
    this.duplicates = 0;
    this.patience = PATIENCE_MS;
    this.clear();
  }

  get open() { return this.waiting.length + this.sending > 0; }

  clear() { Object.assign(this, { files: 0, done: 0, bytes: 0, sentBytes: 0, began: 0 }); }

  add(files) {
    if (!files.length) return;
    const upload = `${Date.now()}-${Math.floor(1e9 * Math.random())}`;
    if (!this.open) {
      this.clear();
      // what else went wrong stays until the reader dismisses it
      this.problems = this.problems.filter((problem) => problem.isElse);
      this.duplicates = 0;
      this.began = performance.now();
    }
    // also of what a script run may show before the drop does that was answered already
    const coming = [...this.drops].filter(({ on }) => on.has(store.current)).map((drop) => drop.coming);
    const drop = { number: (this.dropped += 1), shown: null, coming: "", instead: "", begun: false, left: files.length, on: new Set([store.current, ...coming]) };
    this.drops.add(drop);
    files.forEach((file, position) => {
      this.waiting.push({ file, name: file.path ?? (file.webkitRelativePath || file.name), upload, position, count: files.length, drop });
      this.files += 1;
      this.bytes += file.size;
    });
    setTimeout(() => store.notify(), 1000 * SLOW_SECONDS + 50);
    store.notify();
    this.fill();
  }

  // The reader works on the image on the screen: it stays there when what was dropped before is added.
  stay() {
    if (!this.drops.size || store.current === null) return;
    for (const drop of this.drops) drop.on.clear();
    store.announced = store.current;
  }

  // The first file of a drop goes alone: it is the one that is shown, and the others would slow it down.
  fill() {
    const isNext = ({ drop, position }) => (position ? drop.begun : !this.sending);
    while (this.waiting.length && this.sending < AT_ONCE && isNext(this.waiting[0])) this.next();
  }

  // The others follow once it has been read and drawn, which takes the same processors, or where nothing is shown.
  async begin(drop) {
    if (drop.left) await Promise.race([drop.shown, after(this.patience)]);
    drop.begun = true;
    this.fill();
  }

  async next() {
    const item = this.waiting.shift();
    if (!item) return;
    const { drop } = item;
    this.sending += 1;
    const first = item.position === 0;
    let [shown, image] = ["", null];
    try {
      const answer = await this.send(item);
      ({ shown, image } = answer);
      drop.instead ||= answer.added[0] ?? "";
    } catch (error) {
      this.problems.push({ name: item.name, text: error.message });
    }
    this.sending -= 1;
    this.done += 1;
    drop.left -= 1;
    this.fill();
    // of lateral views alone the first is shown
    if (!drop.left && !drop.shown) shown ||= drop.instead;
    // the reader may have chosen another image since the drop, and a script run this one
    const isAwaited = () => shown && !drop.shown && (drop.on.has(store.current) || [null, shown].includes(store.current));
    // for what was dropped later this image is no choice of the reader
    if (isAwaited()) {
      drop.coming = shown;
      for (const { on } of this.following(drop)) on.add(shown);
    }
    if (first && isAwaited() && store.current !== null) await store.prepare(shown);
    const isGone = image?.id === shown && (await this.isGone(image));
    if (isAwaited() && !isGone) {
      // whose image it is
      if (image?.id !== shown) store.refresh();
      else if (!store.isOutdated(image) && !(store.images.get(shown)?.moment > image.moment)) store.take(image);
      // a run of the script that began before knows of the image before
      store.announced = shown;
      // whoever goes back to the image of before stays there
      for (const later of this.following(drop)) later.on = new Set([shown]);
      drop.shown = store.current === shown ? store.complete(shown) : store.show(shown, { tell: false });
      if (drop.left) this.tell(drop);
    }
    if (!drop.left) {
      this.drops.delete(drop);
      this.tell(drop);
    }
    if (first) this.begin(drop);
    store.notify();
  }

  // The drops that came later and take the place of the same image as this one, or of the one on the screen.
  following(drop) {
    const taken = [store.current, ...drop.on];
    return [...this.drops].filter(({ number, on }) => number > drop.number && taken.some((id) => on.has(id)));
  }

  // Whether an image that was added is gone from the worklist: another tab may have removed it since.
  async isGone(image) {
    const isListed = () => !store.isOutdated(image) || image.id in store.worklist.versions;
    if (isListed()) return false;
    // the worklist may be from before the image was added
    await store.refresh();
    return !isListed();
  }

  async send(item) {
    let sent = 0;
    const answer = await sendFile(item, (bytes) => {
      this.sentBytes += bytes - sent;
      sent = bytes;
      store.notify();
    });
    const { skipped, reason, duplicates } = answer;
    if (skipped) this.problems.push({ name: item.name, text: `${skipped === 1 ? "" : `${skipped} files `}not added: ${reason}` });
    this.duplicates += duplicates;
    return answer;
  }

  // The script run of Streamlit takes the server's time: it comes once the first image is on the screen, or where
  // there is no viewer yet.
  async tell(drop) {
    if (store.worklistShown) await Promise.race([drop.shown, new Promise((wake) => setTimeout(wake, 2000))]);
    if (store.current !== null) store.send?.("shown", store.current);
  }

  // Estimated seconds until all is sent, or null before there is an estimate.
  secondsLeft() {
    const seconds = (performance.now() - this.began) / 1000;
    const part = this.bytes ? this.sentBytes / this.bytes : this.done / this.files;
    return part > 0.02 ? (seconds * (1 - part)) / part : null;
  }

  isSlow() { return this.open && performance.now() - this.began > 1000 * SLOW_SECONDS; }
}

// The buttons, the progress, and what was refused.
class UploadPanel {
  constructor(root) {
    this.root = root.querySelector(".upload");
    const find = (query) => this.root.querySelector(query);
    [this.status, this.problems, this.overlay] = [find(".status"), find(".problems"), find(".overlay")];
    for (const name of ["files", "folder"]) {
      const input = find(`input.${name}`);
      find(`button.${name}`).onclick = () => input.click();
      input.onchange = () => {
        store.upload([...input.files]);
        // the same file can be chosen again
        input.value = "";
      };
    }
    find("button.dismiss").onclick = () => {
      Object.assign(store.uploads, { problems: [], duplicates: 0 });
      store.notify();
    };
    this.onStoreChange = () => this.write();
    store.listeners.add(this.onStoreChange);
    store.uploadPanels.add(this);
    store.look();
  }

  show(data, send) {
    this.root.dataset.mode = data.mode;
    for (const button of this.root.querySelectorAll("button.files, button.folder")) button.title = data.accepted;
    store.worklistShown = data.mode !== "welcome";
    this.write();
    store.follow(data, send);
    addHeld();
  }

  mark(on) { this.overlay.hidden = !on; }

  write() {
    const uploads = store.uploads;
    const { trouble } = store.connection;
    const text = trouble || (uploads.isSlow() ? this.progressText(uploads) : "");
    if (this.status.textContent !== text) {
      this.status.replaceChildren(...(text ? [make("span", "", text)] : []));
      if (!trouble && text) {
        this.bar = make("progress");
        this.bar.max = 1;
        this.bar.setAttribute("aria-label", "Adding images");
        this.status.append(this.bar);
      }
    }
    if (this.bar && uploads.bytes) this.bar.value = uploads.sentBytes / uploads.bytes;
    this.writeProblems(uploads);
  }

  progressText(uploads) {
    const left = uploads.secondsLeft();
    const estimate = left === null ? "" : `, about ${Math.max(1, Math.round(left))} s left`;
    return `Adding file ${Math.min(uploads.files, uploads.done + 1)} of ${uploads.files}${estimate}`;
  }

  writeProblems({ problems, duplicates }) {
    const shown = problems.length + (duplicates ? 1 : 0);
    const key = JSON.stringify([problems, duplicates]);
    if (this.problemsKey === key) return;
    this.problemsKey = key;
    this.problems.hidden = !shown;
    const list = this.problems.querySelector("ul");
    const lines = problems.map(({ name, text }) => (name ? `${name}: ${text}` : text));
    if (duplicates) lines.push(`${duplicates} already in the worklist`);
    list.replaceChildren(...lines.map((line) => make("li", "", line)));
  }

  stop() {
    store.listeners.delete(this.onStoreChange);
    store.uploadPanels.delete(this);
    store.look();
  }
}

store.uploads ??= new Uploads();
store.uploadPanels ??= new Set();
store.upload ??= (files) => store.uploads.add(files);

// What has not been sent would be lost with the page: the browser asks before a reload, a sign-out and a closed tab.
function askBeforeLeaving() {
  if (store.asksBeforeLeaving) return;
  store.asksBeforeLeaving = true;
  window.addEventListener("beforeunload", (event) => { if (store.uploads.open || store.connection.isUnsent) event.preventDefault(); });
}

// After the whole worklist was removed there is no strip whose key this is, and between two runs of the page's script no
// panel: the key is the page's as long as it is open.
function acceptUndo() {
  if (store.acceptsUndo) return;
  store.acceptsUndo = true;
  window.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
    const button = document.querySelector(".st-key-undo-removal button");
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}

acceptDrops();
acceptUndo();
askBeforeLeaving();

const panel = component("upload", (root) => new UploadPanel(root));

// on any other page nothing is added
export default function (call) { return call.data.mode === "none" ? undefined : panel(call); }
