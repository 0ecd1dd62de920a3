// Files that are dropped on the page, wherever and whenever: they wait until there is a reading page to take them.

const NOTE_MS = 12_000;

// Files of a drop, those of folders with their paths, and the paths of what cannot be read. Entries must be taken before
// the event ends.
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const dropped = { files: [], unreadable: [] };
  if (!entries.some((entry) => entry.isDirectory)) return { ...dropped, files: [...transfer.files] };
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      file.path = path + entry.name;
      dropped.files.push(file);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const inner of part) await tryWalk(inner, `${path}${entry.name}/`);
    }
  };
  const tryWalk = (entry, path) => walk(entry, path).catch(() => dropped.unreadable.push(path + entry.name));
  for (const entry of entries) await tryWalk(entry, "");
  return dropped;
}

// For the whole page and as long as it is open: a file that is dropped beside a target would replace the page.
function acceptDrops() {
  if (store.acceptsDrops) return;
  store.acceptsDrops = true;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  // Streamlit's own upload fields, on other pages, take their drops themselves
  const elsewhere = (event) => event.composedPath().some((node) => node.dataset?.testid === "stFileUploaderDropzone");
  let over = null;
  const mark = (on) => { for (const panel of store.uploadPanels) panel.mark(on); };
  window.addEventListener("dragover", (event) => {
    if (!hasFiles(event) || elsewhere(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    mark(true);
    clearTimeout(over);
    // no event says that the pointer has left the window with the files
    over = setTimeout(() => mark(false), 300);
  }, { capture: true });
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event) || elsewhere(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(false);
    hold(droppedFiles(event.dataTransfer));
  }, { capture: true });
}

// Keep a drop (a promise of its files) until a panel takes it: between two pages, and while a script run mounts the panel,
// there is none. A page without one says where images are added, and they are if the reader goes there.
function hold(dropped) {
  store.heldDrops.push(dropped);
  addHeld();
  if (!store.heldDrops.length) return;
  const note = document.querySelector(".st-key-drop-note");
  note?.setAttribute("role", "status");
  note?.classList.add("sr-shown");
  clearTimeout(store.noteTimer);
  store.noteTimer = setTimeout(forgetHeld, store.noteMs);
}

// Add what was held, in its order, where the panel of a page that takes files is there.
function addHeld() {
  if (!store.isOpen) return;
  for (const dropped of store.heldDrops.splice(0)) {
    // what goes wrong with one drop is not in the way of the next
    store.adding = store.adding.catch(() => {}).then(() => dropped).then(({ files, unreadable }) => {
      store.upload(files);
      store.uploads.problems.push(...unreadable.map((name) => ({ name, text: "cannot be read on this computer." })));
      store.notify();
    });
  }
}

// The reader did not follow the note. While a script runs the next page may be on its way.
function forgetHeld() {
  const note = document.querySelector(".st-key-drop-note");
  const isIdle = document.querySelector('[data-test-script-state="notRunning"]');
  if (note && isIdle) {
    note.classList.remove("sr-shown");
    store.heldDrops = [];
  } else if (store.heldDrops.length) store.noteTimer = setTimeout(forgetHeld, 1000);
}

store.heldDrops ??= [];
store.noteMs ??= NOTE_MS;
store.adding ??= Promise.resolve();
