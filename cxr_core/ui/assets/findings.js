// The list of findings. Choosing one is told to the viewer at once, and to the server for its downloads.

class Findings {
  constructor(root) {
    this.root = root.querySelector(".findings");
    this.told = () => this.mark();
    store.listeners.add(this.told);
    this.root.addEventListener("keydown", (event) => this.move(event));
  }

  show(data, send) {
    this.send = send;
    if (this.data && this.data.sha !== data.sha) store.maps.delete(this.data.sha);
    const same = JSON.stringify(this.data) === JSON.stringify(data);
    this.data = data;
    store.maps.set(data.sha, data);
    if (!store.chosen.has(data.sha)) store.chosen.set(data.sha, data.chosen);
    if (!same) this.write();
    store.tell();
  }

  write() {
    const { rows, folded } = this.data;
    const open = this.root.querySelector("details")?.open ?? false;
    this.root.replaceChildren();
    const list = make("div", "list");
    list.setAttribute("role", "radiogroup");
    list.setAttribute("aria-label", "Findings; choosing one shows its heat map");
    const evaluated = rows.filter((row) => row.state !== "not_evaluated");
    for (const row of evaluated) list.append(this.row(row));
    this.root.append(list);
    const others = rows.filter((row) => row.state === "not_evaluated");
    if (others.length) {
      const details = make("details", "folded");
      details.open = open;
      const summary = make("summary");
      summary.append(make("span", "count", `Not evaluated (${others.length})`), make("span", "why", folded));
      details.append(summary, ...others.map((row) => this.row(row)));
      this.root.append(details);
    }
    this.mark();
  }

  row(row) {
    const node = make("button", `row ${row.state}`);
    node.type = "button";
    node.dataset.label = row.label;
    node.dataset.state = row.state;
    node.setAttribute("role", "radio");
    node.title = row.distance;
    node.append(make("span", "name", row.title));
    const values = make("span", "values");
    values.append(make("b", "", row.value), make("span", "", row.threshold ? `threshold ${row.threshold}` : "no threshold"));
    node.append(values);
    if (row.bar !== null) node.append(this.bar(row));
    node.append(make("span", "state", row.stateWords));
    if (row.interval) {
      const interval = make("span", "interval", `interval ${row.interval}`);
      interval.title = row.intervalWords;
      node.append(interval);
    }
    if (row.caveat) node.append(make("span", "caveat", row.caveat));
    node.onclick = () => this.choose(row.label);
    return node;
  }

  // Log-odds, the threshold in the middle; the ends are open.
  bar(row) {
    const bar = make("span", "bar");
    const fill = make("i");
    const width = 50 * Math.abs(row.bar);
    fill.style.width = `${width}%`;
    fill.style.left = `${row.bar < 0 ? 50 - width : 50}%`;
    bar.append(fill);
    if (row.span) {
      const span = make("u");
      span.style.left = `${50 + 50 * row.span[0]}%`;
      span.style.width = `${50 * (row.span[1] - row.span[0])}%`;
      bar.append(span);
    }
    bar.append(make("b"));
    bar.setAttribute("aria-hidden", "true");
    return bar;
  }

  choose(label) {
    store.choose(this.data.sha, label);
    this.send("pick", { sha: this.data.sha, label });
  }

  mark() {
    if (!this.data) return;
    const chosen = store.chosen.get(this.data.sha);
    for (const node of this.root.querySelectorAll(".row")) {
      const on = node.dataset.label === chosen;
      node.setAttribute("aria-checked", on);
      node.tabIndex = on ? 0 : -1;
    }
  }

  move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName === "SUMMARY") return;
    event.preventDefault();
    const nodes = [...this.root.querySelectorAll(".list .row, details[open] .row")];
    const at = nodes.findIndex((node) => node === event.target);
    const next = nodes[Math.min(nodes.length - 1, Math.max(0, at + step))];
    next?.focus();
    next?.click();
  }

  stop() {
    store.listeners.delete(this.told);
    if (this.data) store.maps.delete(this.data.sha);
    store.tell();
  }
}

const lists = (store.lists ??= new WeakMap());

export default function ({ parentElement, data, setTriggerValue }) {
  let list = lists.get(parentElement);
  if (!list) {
    list = new Findings(parentElement);
    lists.set(parentElement, list);
  }
  list.show(data, setTriggerValue);
  return () => {
    list.stop();
    lists.delete(parentElement);
  };
}
