// The focus in a list that is drawn again, or mounted again, at any time: it stays on the same entry, and the keys that
// come while the list is gone are not lost.

const NAMES = ["kind", "id", "label", "of", "opinion"]; // data by which an element is the same one afterwards
const LIST_KEYS = new Set(["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "Delete", "Enter", " "]);
const GONE_MS = 10_000; // the longest that keys wait for their list

class KeptFocus {
  constructor() {
    this.roots = new Map(); // name of a list -> its element
    this.at = null; // {list, names, index, page}: what has the focus, or had it when it was removed
    this.keys = []; // {key, shiftKey, repeat, image, time}: pressed while the list was gone
    const isWithin = (event) => [...this.roots.values()].some((root) => event.composedPath().includes(root));
    const leave = (event) => { if (!isWithin(event)) this.leave(); };
    for (const name of ["focusin", "pointerdown"]) window.addEventListener(name, leave, { capture: true });
    window.addEventListener("keydown", (event) => this.press(event), { capture: true });
  }

  // Take a list over that is mounted, once it is drawn.
  keep(list, root) {
    this.roots.set(list, root);
    // what moves within a shadow tree is seen within it only
    root.addEventListener("focusin", ({ target }) => this.note(list, target));
    if (this.at?.list !== list) return;
    if (this.restore(list)) this.replay(root);
    else this.keys = [];
  }

  leave() { Object.assign(this, { at: null, keys: [] }); }

  note(list, node) {
    const names = namesOf(node);
    this.at = names ? { list, names, index: alike(this.roots.get(list), names).indexOf(node), page: location.pathname } : null;
  }

  // Give the focus to the same entry, or to what is in its place, unless it is somewhere else by now; returns whether the
  // same one has it.
  restore(list) {
    if (this.at?.list !== list || document.activeElement !== document.body) return false;
    const { names, index } = this.at;
    const nodes = alike(this.roots.get(list), names);
    const same = nodes.find((node) => namesOf(node) === names);
    (same ?? nodes[Math.min(index, nodes.length - 1)])?.focus({ preventScroll: true });
    return Boolean(same);
  }

  // A key that comes while nothing has the focus: the list is gone, or its entry was removed.
  press(event) {
    if (!this.at || document.activeElement !== document.body || event.ctrlKey || event.metaKey || event.altKey) return;
    const { list, names, page } = this.at;
    // on another page, to which the browser's own button leads too, there is no such list to come
    if (location.pathname !== page) {
      this.leave();
      return;
    }
    const isText = JSON.parse(names).kind === "search" && event.key.length === 1;
    if (!LIST_KEYS.has(event.key) && !isText) return;
    const root = this.roots.get(list);
    if (root.isConnected && !this.restore(list)) return;
    if (performance.now() - this.keys[0]?.time > GONE_MS) this.leave();
    else {
      event.preventDefault();
      event.stopImmediatePropagation();
      this.keys.push({ key: event.key, shiftKey: event.shiftKey, repeat: event.repeat, image: store.current, time: performance.now() });
      if (root.isConnected) this.replay(root);
    }
  }

  // With another image on the screen by now a key would do what nobody asked for.
  replay(root) {
    const keys = this.keys.filter(({ image, time }) => image === store.current && performance.now() - time < GONE_MS);
    this.keys = [];
    for (const key of keys) type(root.getRootNode().activeElement, key);
  }
}

function namesOf(node) {
  const names = NAMES.filter((name) => node.dataset[name]).map((name) => [name, node.dataset[name]]);
  return names.length ? JSON.stringify(Object.fromEntries(names)) : "";
}

// The elements of a list that are named alike, in its order.
function alike(root, names) {
  const { kind, ...others } = JSON.parse(names);
  const query = kind ? `[data-kind="${kind}"]` : Object.keys(others).map((name) => `[data-${name}]`).join("");
  return [...root.querySelectorAll(query)];
}

// Do what a key does that was pressed on an element.
function type(node, { key, shiftKey, repeat }) {
  if (node?.tagName === "INPUT" && key.length === 1) {
    node.setRangeText(key, node.selectionStart, node.selectionEnd, "end");
    node.dispatchEvent(new InputEvent("input", { bubbles: true }));
  } else if (node?.tagName === "BUTTON" && (key === "Enter" || key === " ")) node.click();
  else node?.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, repeat, bubbles: true, composed: true, cancelable: true }));
}

store.focus ??= new KeptFocus();
