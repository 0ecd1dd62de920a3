// What of the worklist is listed: filter, sort and search, in the browser only, and removals that the server follows.

const FILTERS = {
  all: () => true,
  flagged: (image) => image.above > 0,
  warnings: (image) => image.warnings > 0,
  refused: (image) => image.status === "refused" || image.status === "unreadable",
  waiting: (image) => image.status === "waiting",
  pacs: (image) => Boolean(image.origin),
};

// Findings that are hidden have no number, so the order says nothing of them.
const SORTS = {
  added: () => 0,
  flagged: (one, other) => mostAbove(other) - mostAbove(one),
  date: (one, other) => other.date.localeCompare(one.date),
  name: (one, other) => one.name.localeCompare(other.name),
};

function mostAbove(study) {
  return Math.max(0, ...study.images.map((image) => image.above ?? 0));
}

// The worklist as it is listed: {studies, rejected, received, images, total}; what was refused is not among the images of
// a study, whose `every` has the ids of all. What was received and not opened has no state that a filter could ask for.
function listed(worklist, { filter, sort, search }) {
  const rejectedIds = new Set(worklist.rejected.map((entry) => entry.id));
  const wanted = search.trim().toLowerCase();
  const has = (...texts) => texts.some((text) => text.toLowerCase().includes(wanted));
  const studies = [];
  let total = worklist.rejected.length;
  for (const study of worklist.studies) {
    const readable = study.images.filter((image) => !rejectedIds.has(image.id));
    total += readable.length;
    const named = has(study.name, study.patientId, study.accession, study.description);
    const images = readable.filter((image) => FILTERS[filter]({ ...image, origin: study.origin }) && (named || has(image.name)));
    // images of one upload without study data are one study, however many patients they are of
    if (sort === "flagged") images.sort((one, other) => (other.above ?? 0) - (one.above ?? 0));
    if (images.length) studies.push({ ...study, images, every: study.images.map((image) => image.id) });
  }
  studies.sort(SORTS[sort]);
  const owner = new Map(worklist.studies.flatMap((study) => study.images.map((image) => [image.id, study])));
  const rejected = worklist.rejected
    .map((entry) => ({ ...entry, patient: owner.get(entry.id)?.name ?? "" }))
    .filter((entry) => FILTERS[filter]({ ...entry, above: null, warnings: null }) && has(entry.path, entry.reason, entry.patient));
  const received = (worklist.received ?? [])
    .filter((study) => (filter === "all" || filter === "pacs") && has(study.name, study.patientId, study.accession, study.description, study.origin));
  const images = studies.reduce((count, study) => count + study.images.length, 0) + rejected.length;
  return { studies, rejected, received, images, total };
}

const KEEPALIVE_BYTES = 60_000; // of the 64 KiB that browsers allow

// Removals, of which the server keeps those that can be undone (`removed` of the worklist). They are of the store, not of
// the strip, which Streamlit may mount again at any time.
class Removals {
  constructor() {
    this.pending = new Set(); // ids of what was removed here and the server may still list
    this.undone = new Set(); // ids that the server still says are removed
    this.sending = this.unsent = false;
  }

  // Compare with what the server lists now.
  follow(worklist) {
    const present = new Set([...worklist.studies.flatMap((study) => study.images), ...worklist.rejected].map((image) => image.id));
    const removed = new Set(worklist.removed);
    for (const id of this.pending) if (!present.has(id)) this.pending.delete(id);
    // until it is sent: the process that follows a restart does not list what its predecessor has removed
    if (!this.sending) for (const id of this.undone) if (!removed.has(id)) this.undone.delete(id);
  }

  has(image) { return this.pending.has(image.id); }

  add(ids) {
    for (const id of ids) {
      this.pending.add(id);
      this.undone.delete(id);
    }
  }

  undo() {
    for (const id of this.offered()) this.undone.add(id);
    this.pending.clear();
  }

  // Send what is removed and undone until the server has it; what it refuses is listed again. One request at a time,
  // because each says all that is known here: what the reader does meanwhile goes with the next.
  async send() {
    this.unsent = true;
    if (this.sending) return;
    this.sending = true;
    const sent = new Set();
    while (this.unsent) {
      try {
        for (const id of await this.sendOnce()) sent.add(id);
      } catch (error) {
        this.unsent = false;
        this.pending.clear();
        this.undone.clear();
        store.report(`Not removed, and listed again: ${error.message}`);
      }
    }
    this.sending = false;
    // from now on the server's list says what is removed
    await store.refresh();
    for (const id of sent) this.pending.delete(id);
    store.notify();
    // Streamlit draws what follows from it
    store.send?.("shown", store.current ?? "");
  }

  // Returns the ids of all that are removed now; throws where the server refuses it.
  async sendOnce() {
    let ids = [];
    const options = () => {
      this.unsent = false;
      ids = this.offered();
      const body = JSON.stringify({ ids, undone: [...this.undone] });
      // what is small enough is sent even while the page is closed
      return { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: body.length < KEEPALIVE_BYTES };
    };
    const response = await store.connection.deliver("/removals", options, (answer) => isAway(answer) || answer.status === 503);
    if (!response.ok) throw new Error((await response.text()).slice(0, 300));
    return ids;
  }

  // Ids of all images that Undo restores. The server is sent these, and those that were undone: what neither has was
  // removed in another tab a moment ago, and stays so.
  offered() {
    return [...new Set([...(store.worklist?.removed ?? []), ...this.pending])].filter((id) => !this.undone.has(id));
  }
}

if (!store.removals) {
  store.removals = new Removals();
  // also while there is no strip, which an empty worklist lacks
  store.listeners.add(() => { if (store.worklist) store.removals.follow(store.worklist); });
}
