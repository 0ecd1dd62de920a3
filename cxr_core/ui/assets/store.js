// What the viewer, the findings and the list of films share on the page: one store, by film.
// A component's code is a module of its own, so the store hangs on window; whoever comes first makes it.
const store = (window.secondRead ??= {
  maps: new Map(),      // film -> {order, maps: {label: map}}; there only while the findings may be seen
  chosen: new Map(),    // film -> label; the page is ahead of the server here
  listeners: new Set(),
  tell() { for (const listener of [...this.listeners]) listener(); },
  choose(sha, label) {
    if (this.chosen.get(sha) === label) return;
    this.chosen.set(sha, label);
    this.tell();
  },
});

// Text from outside (file names, reasons) goes into the page by textContent only.
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}
