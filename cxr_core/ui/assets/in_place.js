// Elements that are changed into others in place: what stays the same element keeps the focus, and a click that has begun
// on it still ends on it.

// Change the children of an element into others. The same are those with the same tag that stand for the same image or
// study, or are in the same order.
function update(node, wanted) {
  const there = new Map();
  for (const child of node.childNodes) there.set(nameOf(child), [...(there.get(nameOf(child)) ?? []), child]);
  const children = wanted.map((child) => {
    const same = there.get(nameOf(child))?.shift();
    if (same) change(same, child);
    return same ?? child;
  });
  for (const gone of [...there.values()].flat()) gone.remove();
  let next = node.firstChild;
  for (const child of children) {
    if (child === next) next = next.nextSibling;
    else node.insertBefore(child, next);
  }
}

function change(node, wanted) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  node.onclick = wanted.onclick;
  update(node, [...wanted.childNodes]);
}

function nameOf(node) {
  const named = node.dataset?.id ? node : node.querySelector?.("[data-id]");
  return `${node.nodeName} ${named?.dataset.id ?? ""} ${node.dataset?.kind ?? ""}`;
}
