// The findings of a stored read, as they were shown, with the opinions of its reader. The choice of one goes to the
// viewer; nothing is sent to the server.

class StoredFindings {
  constructor(root) {
    this.root = root.querySelector(".stored");
  }

  show({ follow, content }) {
    // the worklist of a stored read does not change
    store.watch = () => {};
    if (store.connection.token !== follow.token) {
      store.current = store.announced = null;
      store.chosen.clear();
    }
    store.follow(follow, () => {});
    this.id = follow.chosen;
    const written = JSON.stringify([follow.token, content]);
    if (written === this.written) return;
    this.written = written;
    this.content = content;
    this.write();
  }

  write() {
    const { summary, warnings, notes, rows } = this.content;
    const parts = [make("h2", "summary", summary)];
    if (rows.length || warnings.length) {
      const box = make("div", warnings.length ? "warnings some" : "warnings");
      const list = make("ul");
      list.append(...(warnings.length ? warnings : ["None. The reading can still be wrong."]).map((line) => make("li", "", line)));
      box.append(make("h3", "", rows.length ? "Warnings" : "Reasons"), list);
      if (notes.length) box.append(make("p", "", `Notes: ${notes.join("; ")}`));
      parts.push(box);
    }
    if (rows.length) parts.push(this.table(rows));
    this.root.replaceChildren(...parts);
    this.mark();
  }

  table(rows) {
    const withOpinions = rows.some((row) => row.opinion);
    const table = make("table");
    const head = make("thead");
    const line = make("tr");
    const kinds = [...new Set(rows.filter((row) => row.threshold).map((row) => row.kind))];
    const titles = ["Finding", kinds.join(" or ") || "score", "threshold", "state", ...(withOpinions ? ["opinion"] : [])];
    line.append(...titles.map((title, index) => make("th", index === 1 || index === 2 ? "n" : "", title)));
    head.append(line);
    const body = make("tbody");
    for (const row of rows) body.append(...this.rows(row, withOpinions, kinds.length > 1 || !row.threshold, titles.length));
    table.append(head, body);
    return table;
  }

  rows(row, withOpinions, withKind, columns) {
    const node = make("tr", row.state);
    node.dataset.label = row.label;
    const name = make("button", "", row.title);
    name.type = "button";
    name.setAttribute("aria-expanded", "false");
    name.title = this.content.hasMaps ? "Show details and heat map" : "Show details";
    const value = make("td", "n", row.value);
    if (withKind && row.kind === "score") value.prepend(make("span", "quiet", "score "));
    const state = make("td", "state", row.state === "not_evaluated" ? "not evaluated" : row.state);
    if (row.unstable) state.append(make("span", "unstable", " ≈"));
    const first = make("td");
    first.append(name);
    node.append(first, value, make("td", "n", row.threshold || "–"), state);
    if (withOpinions) node.append(make("td", "opinion", row.opinion || "–"));
    const more = make("tr", "more");
    more.hidden = true;
    more.dataset.of = row.label;
    const cell = make("td");
    cell.colSpan = columns;
    const lines = [...row.details, ...row.opinions.map((text) => `Opinion: ${text}`)];
    cell.append(...(lines.length ? lines : ["No further details."]).map((text) => make("p", "", text)));
    more.append(cell);
    node.onclick = () => this.choose(row.label);
    return [node, more];
  }

  choose(label) {
    this.open = this.open === label ? null : label;
    store.choose(this.id, label);
    this.mark();
  }

  mark() {
    for (const row of this.root.querySelectorAll("tbody tr")) {
      if (row.dataset.of) row.hidden = row.dataset.of !== this.open;
      else {
        row.classList.toggle("chosen", row.dataset.label === this.open);
        row.querySelector("button").setAttribute("aria-expanded", row.dataset.label === this.open);
      }
    }
  }
}

export default component("stored", (root) => new StoredFindings(root));
