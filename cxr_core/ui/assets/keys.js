// Keys of the viewer, and the panel that lists the keys of the whole page (store.keys).

// Action of the viewer -> its keys and what it does; also the tooltips of the buttons.
const ACTIONS = {
  window: [["D"], "Drag to change window and level"],
  pan: [["P"], "Drag to move the image (also the middle button, or Space or Shift + drag)"],
  measure: [["L"], "Ruler: drag a line. A second line gives the quotient, for example the cardiothoracic ratio"],
  angle: [["A"], "Angle between two lines, for example of Cobb: drag one line, then the other"],
  "clear-lines": [["Delete", "Backspace"], "Remove rulers and angle"],
  "scale-bar": [["Shift+L"], "Scale bar in mm, where the file states a pixel spacing"],
  lens: [["G"], "Magnifier under the pointer"],
  out: [["-", "−"], "Zoom out"],
  in: [["+", "="], "Zoom in"],
  fit: [["0", "F"], "Fit the whole image (also a double click)"],
  one: [["1"], "One image pixel per screen pixel"],
  invert: [["I"], "Invert grey levels"],
  rotate: [["R"], "Rotate the view by 90° clockwise; the reading is not changed"],
  flip: [["H"], "Flip the view left to right; the reading is not changed"],
  reset: [["Shift+R"], "Reset window, zoom, rotation, rulers and angle"],
  "window-reset": [["W"], "Default window"],
  study: [["B"], "Same window for all images of this study"],
  wheel: [["Shift+W"], "Mouse wheel: zoom or next image"],
  presets: [["2", "3", "4", "5", "6", "7", "8", "9"], "Window preset, by its place in the list"],
  map: [["M"], "Show or hide the heat map"],
  fainter: [[","], "Heat map in colour more transparent"],
  stronger: [["."], "Heat map in colour less transparent"],
  contour: [["C"], "Heat map as outline or in colour"],
  original: [["O"], "Image without overlay, in the default window"],
  compare: [["V"], "Prior study of this patient side by side"],
  link: [["K"], "Link window, zoom and position of both images"],
  full: [["X"], "Full screen"],
  brighter: [["ArrowUp"], "Brighter"],
  darker: [["ArrowDown"], "Darker"],
  narrower: [["ArrowLeft"], "Narrower window, more contrast"],
  wider: [["ArrowRight"], "Wider window, less contrast"],
  keys: [["?"], "Keys and settings"],
};

const KEY_NAMES = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };
const KEY_ACTIONS = new Map(Object.entries(ACTIONS).flatMap(([action, [keys]]) => keys.map((key) => [key, action])));

for (const [keys, text] of Object.values(ACTIONS)) {
  const group = keys[0] === "?" ? "Page" : "Viewer";
  store.keys.push({ group, key: keys.map((key) => KEY_NAMES[key] ?? key).join(" "), text });
}

// The tooltip of a button: what it does, and its keys.
function tooltip(action) {
  const [keys, text] = ACTIONS[action];
  return `${text} (${keys.map((key) => KEY_NAMES[key] ?? key).join(" or ")})`;
}

// The action of a keyboard event, or undefined. Letters and signs work on the whole page but where somebody types;
// arrows only where the viewer has the focus or the pointer, since lists use them too.
function actionOf(event, nearby) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const target = event.composedPath()[0];
  if (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName)) return undefined;
  const isArrow = event.key.startsWith("Arrow");
  if (target.tagName === "INPUT" && (!["range", "checkbox", "radio", "button"].includes(target.type) || isArrow)) return undefined;
  if (!nearby && (isArrow || event.key === "Delete" || event.key === "Backspace")) return undefined;
  const letter = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  return (event.shiftKey && KEY_ACTIONS.get(`Shift+${letter}`)) || KEY_ACTIONS.get(letter);
}

class KeyPanel {
  constructor(dialog, shared, changed) {
    this.dialog = dialog;
    this.shared = shared;
    this.wheel = dialog.querySelector("select.wheel");
    this.wheel.onchange = () => { shared.wheel = this.wheel.value; changed(); };
    this.scaleBar = dialog.querySelector("input.scale-bar-on");
    this.scaleBar.onchange = () => { shared.scaleBar = this.scaleBar.checked; changed(); };
    dialog.querySelector(".close").onclick = () => dialog.close();
    dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  }

  toggle() {
    if (this.dialog.open) {
      this.dialog.close();
      return;
    }
    this.wheel.value = this.shared.wheel;
    this.scaleBar.checked = this.shared.scaleBar;
    const groups = new Map();
    for (const entry of store.keys.entries.values()) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
    const order = (group) => ["Page", "Worklist", "Findings", "Viewer"].indexOf(group) + 1 || 9;
    const sections = [...groups].sort(([one], [other]) => order(one) - order(other)).map(([group, entries]) => {
      const section = make("section");
      const list = make("dl");
      for (const { key, text } of entries) list.append(make("dt", "", key), make("dd", "", text));
      section.append(make("h3", "", group), list);
      return section;
    });
    this.dialog.querySelector(".groups").replaceChildren(...sections);
    this.dialog.showModal();
  }
}
