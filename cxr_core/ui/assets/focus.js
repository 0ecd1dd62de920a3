// The focus in a list that is drawn again, or mounted again, at any time: it stays on the same entry or in the same field,
// and the keys that come while the list, or another part of the page, is gone are not lost.

const NAMES = ["kind", "id", "label", "of", "opinion"]; // data by which an element is the same one afterwards
const LIST_KEYS = new Set(["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "Delete", "Enter", " "]);
const FIELD_KEYS = new Set(["Backspace", "Escape"]); // those and every letter are of a field, too
const GONE_MS = 10_000; // the longest that keys wait for their part, from the last of them

class KeptFocus {
  constructor() {
    this.parts = new Map(); // name of a part -> {root, isKey}: its element, and whether a key of the page is for it
    this.page = ""; // path of the page that has them
    this.at = null; // {list, names, index, node, page}: what has the focus, or had it when it was removed
    this.keys = []; // {list, key, shiftKey, repeat, image, time}: pressed while the list, or a part of the page, was gone
    this.pointed = null; // what has the focus while the pointer is pressed beside it
    window.addEventListener("focusin", (event) => { if (!this.isWithin(event)) this.leave(); }, { capture: true });
    window.addEventListener("pointerdown", (event) => this.point(event), { capture: true });
    window.addEventListener("keydown", (event) => this.press(event), { capture: true });
  }

  // Take a part over that is mounted, once it is drawn. `isKey(event)`: whether a key is for it wherever the focus is.
  keep(name, root, isKey) {
    this.parts.set(name, { root, isKey });
    this.page = location.pathname;
    // what moves within a shadow tree is seen within it only
    root.addEventListener("focusin", ({ target }) => this.note(name, target));
    root.addEventListener("focusout", ({ target }) => queueMicrotask(() => this.lose(target)));
    this.drawn(name);
    // keys act in their order: those of a list wait for it
    if (!this.keys.some(({ list }) => list)) this.replay();
  }

  // What has the focus was drawn again, or its place: it has the focus again, and the keys that came meanwhile act.
  drawn(name) {
    // one that is being mounted is kept once it is drawn
    if (!this.parts.get(name)?.root.isConnected) return;
    if (this.restore(name)) this.replay();
    // those of an entry that is gone do not
    else if (this.at?.list === name && !this.isField) this.keys = this.keys.filter(({ list }) => list !== name);
  }

  leave() { Object.assign(this, { at: null, keys: [] }); }

  leaveFieldOf(list) {
    const { at, isField } = this;
    if (!isField || at.list !== list) return;
    at.node.blur();
    this.leave();
  }

  isWithin(event) { return [...this.parts.values()].some(({ root }) => event.composedPath().includes(root)); }

  // The pointer is pressed, perhaps beside the entries of a list, which has what had the focus lose it. A finger that
  // scrolls the page leaves it where it is.
  point(event) {
    const node = this.at?.node;
    if (event.composedPath().includes(node)) return;
    this.keys = [];
    if (node && focusedElement() === node) this.pointed = node;
    else this.leave();
  }

  // What is removed loses the focus, too: nobody has left it.
  lose(node) {
    if (node === this.pointed && node === this.at?.node && node.isConnected && focusedElement() !== node) this.leave();
  }

  note(list, node) {
    const names = namesOf(node);
    this.at = names ? { list, names, index: alike(this.parts.get(list).root, names).indexOf(node), node, page: location.pathname } : null;
  }

  get isField() { return /^(INPUT|SELECT)$/.test(this.at?.node.tagName); }

  get isFieldOfOther() { return this.isField && ![undefined, store.current].includes(JSON.parse(this.at.names).id); }

  // Give the focus to the same entry, or to what is in its place, unless it is somewhere else by now; returns whether the
  // same one has it. A field has what was typed into it, and nothing takes its place.
  restore(list) {
    if (this.at?.list !== list || document.activeElement !== document.body) return false;
    const { at: { names, index, node }, isField } = this;
    const nodes = alike(this.parts.get(list).root, names);
    const same = nodes.find((one) => namesOf(one) === names);
    if (same || !isField) (same ?? nodes[Math.min(index, nodes.length - 1)])?.focus({ preventScroll: true });
    if (same && isField && same !== node) {
      same.value = node.value;
      same.setSelectionRange?.(node.selectionStart, node.selectionEnd);
    }
    return Boolean(same);
  }

  // A key that comes while what it is for is gone.
  press(event) {
    this.pointed = null;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // on another page, to which the browser's own button leads too, and with an empty worklist there is no list to come
    if (this.at && (location.pathname !== this.at.page || isEmpty(store.worklist))) this.leave();
    const isOfList = this.isOfList(event);
    if (!isOfList && !this.isOfPage(event)) return;
    if (this.isLate) {
      this.leave();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const { key, shiftKey, repeat } = event;
    // by these the reader leaves the field, also one that is gone with its image
    if (isOfList && this.isFieldOfOther && (key === "Escape" || key === "Enter")) {
      this.leave();
      return;
    }
    this.keys.push({ list: isOfList ? this.at.list : "", key, shiftKey, repeat, image: store.current, time: performance.now() });
    if (isOfList && document.activeElement !== document.body) this.replay();
  }

  // Whether a key is for what had the focus: its list is gone, or its entry was removed. What is typed into a field never
  // becomes a key of the page.
  isOfList({ key }) {
    const { at, isField } = this;
    if (!at || document.activeElement !== document.body) return false;
    if (!LIST_KEYS.has(key) && !(isField && (key.length === 1 || FIELD_KEYS.has(key)))) return false;
    return !this.parts.get(at.list).root.isConnected || this.restore(at.list) || isField;
  }

  // Whether a key of the whole page is for a part that is gone, or comes after one that waits for such a part: keys act
  // in their order.
  isOfPage(event) {
    if (isTyping(event) || store.current === null || location.pathname !== this.page) return false;
    const parts = [...this.parts.values()];
    const gone = parts.filter(({ root }) => !root.isConnected);
    if (!gone.length || !this.keys.length) return gone.some(({ isKey }) => isKey(event));
    return parts.some(({ isKey }) => isKey(event)) || (LIST_KEYS.has(event.key) && this.isWithin(event));
  }

  // Whether the part has been gone for so long that nobody expects the keys to act any more.
  get isLate() { return performance.now() - this.keys.at(-1)?.time > GONE_MS; }

  // With another image on the screen by now a key would do what nobody asked for.
  replay() {
    const keys = this.isLate ? [] : this.keys.filter(({ image }) => image === store.current);
    this.keys = [];
    for (const key of keys) type(focusedElement(), key);
  }
}

function isEmpty(worklist) {
  return Boolean(worklist) && !worklist.studies.length && !worklist.rejected.length && !worklist.received?.length;
}

function namesOf(node) {
  const names = NAMES.filter((name) => node.dataset[name]).map((name) => [name, node.dataset[name]]);
  return names.length ? JSON.stringify(Object.fromEntries(names)) : "";
}

// The elements of a list that are named alike, in its order: none that does something else.
function alike(root, names) {
  const { kind, ...others } = JSON.parse(names);
  const query = kind ? `[data-kind="${kind}"]` : NAMES.map((name) => (name in others ? `[data-${name}]` : `:not([data-${name}])`)).join("");
  return [...root.querySelectorAll(query)];
}

// What has the focus, also within a component.
function focusedElement() {
  let node = document.activeElement;
  while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node;
}

// What a key does in a field of text: [the part that it replaces, by what], or [where the caret is then].
function edit(key, { value, selectionStart: from, selectionEnd: to }) {
  const [left, right] = from === to ? [Math.max(0, from - 1), Math.min(value.length, to + 1)] : [from, to];
  if (key.length === 1) return [from, to, key];
  return { Backspace: [left, to, ""], Delete: [from, right, ""], ArrowLeft: [left], ArrowRight: [right], Home: [0], End: [value.length] }[key];
}

// Do what a key does that was pressed on an element.
function type(node, { key, shiftKey, repeat }) {
  const edited = typeof node.selectionStart === "number" && edit(key, node);
  if (edited) {
    const [from, to, text] = edited;
    if (to === undefined) node.setSelectionRange(from, from);
    else {
      node.setRangeText(text, from, to, "end");
      node.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
  } else if (node.tagName === "BUTTON" && (key === "Enter" || key === " ")) node.click();
  else node.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, repeat, bubbles: true, composed: true, cancelable: true }));
}

store.focus ??= new KeptFocus();
