// What stands around the panes: the buttons (what is on, what can be done), and the legend of the heat map.

class Toolbar {
  constructor(root, viewer, on) {
    this.root = root;
    this.presets = root.querySelector("select.presets");
    this.slider = root.querySelector(".opacity");
    this.buttons = new Map([...root.querySelectorAll("[data-do]")].map((button) => [button.dataset.do, button]));
    this.styles = [...root.querySelectorAll("[data-style]")];
    for (const [action, button] of this.buttons) {
      button.title = tooltip(action);
      on(button, "click", () => viewer.act(action));
    }
    for (const button of this.styles) on(button, "click", () => viewer.showMap(button.dataset.style));
    on(this.presets, "change", () => viewer.preset(Number(this.presets.value)));
    on(this.slider, "input", () => viewer.setOpacity(this.slider.value / 100));
  }

  // `pane` is the one that the tools act on; maps are those of the current image.
  update(pane, current, comparison) {
    const label = current.radiograph && current.label();
    const able = (control, state) => { control.disabled = !state; };
    for (const [action, button] of this.buttons) {
      able(button, action === "keys" || (pane.radiograph && (action !== "compare" || comparison.available())));
    }
    for (const button of this.styles) able(button, label);
    able(this.presets, pane.radiograph);
    if (!pane.radiograph) return;
    const { shared, view, radiograph } = pane;
    this.writePresets(pane);
    const on = label && current.mapOn(label);
    const pressed = {
      window: shared.tool === "window", pan: shared.tool === "pan", measure: shared.tool === "measure", angle: shared.tool === "angle",
      lens: shared.lens, invert: view.invert, original: view.original, study: shared.studyWindow,
      compare: comparison.on, link: comparison.on && shared.linked,
    };
    for (const [action, state] of Object.entries(pressed)) this.set(this.buttons.get(action), "aria-pressed", String(state));
    for (const button of this.styles) {
      const chosen = button.dataset.style === (on ? shared.mapStyle : "off");
      this.set(button, "aria-checked", String(chosen));
    }
    this.slider.disabled = !on || shared.mapStyle !== "colour";
    this.slider.value = Math.round(100 * shared.opacity);
    this.presets.value = String(presetIndex(radiograph, view));
    this.buttons.get("link").hidden = !comparison.on;
    this.buttons.get("full").hidden = !document.fullscreenEnabled;
    this.root.dataset.tool = shared.tool;
  }

  set(node, name, value) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }

  // Names from the file are set as text only.
  writePresets({ radiograph }) {
    const key = `${radiograph.sha}|${radiograph.version}`;
    if (this.presetsOf === key) return;
    this.presetsOf = key;
    this.presets.replaceChildren(...presetNames(radiograph).map((name, i) => {
      const option = make("option", "", name);
      option.value = String(i);
      return option;
    }));
  }
}

// The text under the panes: where the heat map of the chosen finding is strongest, its scale, and what was not seen.

class Legend {
  constructor(node, showMap) {
    this.node = node;
    this.showMap = showMap;
    this.key = null;
  }

  update(pane) {
    const { radiograph, shared } = pane;
    const maps = radiograph && pane.maps();
    const label = maps && pane.label();
    const on = label && pane.mapOn(label);
    const key = JSON.stringify([radiograph?.sha, radiograph?.version, label, on, shared.mapStyle, shared.opacity, maps?.version]);
    if (this.key === key) return;
    this.key = key;
    this.node.replaceChildren();
    if (!label) return;
    const map = maps.maps[label];
    const right = make("div");
    if (on) right.append(this.scale(map, maps.contourLevel, shared));
    if (!everythingSeen(radiograph, map.seen)) {
      const unseen = make("div", "unseen");
      unseen.append(make("span", "hatch"), "not seen by the model");
      right.append(unseen);
    }
    this.node.append(this.text(map, on), right);
  }

  text(map, on) {
    const text = make("div");
    text.append(make("span", "title", `${map.title}: `));
    if (on) {
      text.append(make("span", "text", `${map.place}.`));
      if (!map.above) text.append(make("span", "text", ` ${map.stateText[0].toUpperCase()}${map.stateText.slice(1)}.`));
      if (map.localisationText) text.append(make("div", "text", map.localisationText));
      text.append(make("div", "", map.scaleText));
    } else {
      text.append(make("span", "text", map.above ? "heat map hidden. " : `${map.stateText}, heat map hidden. `));
      const ask = make("button", "ask", "Show heat map");
      ask.type = "button";
      ask.title = "M";
      ask.onclick = this.showMap;
      text.append(ask);
    }
    return text;
  }

  scale(map, contourLevel, shared) {
    const scale = make("div", "scale");
    const ramp = make("div", "ramp");
    const line = make("b");
    line.style.left = `${100 * contourLevel}%`;
    if (shared.mapStyle === "colour") {
      const fill = make("i");
      fill.style.opacity = shared.opacity;
      ramp.append(fill);
    }
    ramp.append(line);
    const ticks = make("div", "ticks");
    for (const [at, text] of [[0, "0"], [contourLevel, `contour ${map.contourValue}`], [1, map.fullColour]]) {
      const tick = make("span", "", text);
      tick.style.left = `${100 * at}%`;
      ticks.append(tick);
    }
    scale.append(ramp, ticks, make("div", "unit", "contribution to the score (logit)"));
    return scale;
  }
}
