// The table of stored reads. A row opens its read; its address is a link, for a new tab.

class Reads {
  constructor(root) {
    this.root = root.querySelector(".reads");
  }

  show({ rows, withPatient, withReader }, send) {
    const content = JSON.stringify([rows, withPatient, withReader]);
    this.send = send;
    if (content === this.content) return;
    this.content = content;
    const columns = [
      ["Time", "time"],
      ...(withPatient ? [["Patient", "patient"], ["Study date", "study-date"]] : []),
      ["View", "view"],
      ["Above threshold", "above"],
      ["Quality", "quality"],
      ["Model", "model"],
      ["Operating point", "point"],
      ...(withReader ? [["Reader", "reader"]] : []),
      ["On screen", "seconds"],
      ["Opinions", "opinions"],
    ];
    const table = element("table");
    const head = element("thead");
    const line = element("tr");
    line.append(...columns.map(([title, name]) => element("th", name, title)));
    head.append(line);
    const body = element("tbody");
    body.append(...rows.map((row) => this.row(row, columns)));
    table.append(head, body);
    this.root.replaceChildren(table);
  }

  row(row, columns) {
    const node = element("tr", row.kind);
    node.dataset.id = row.id;
    const link = element("a", "", row.time);
    const address = new URL(location.href);
    address.search = new URLSearchParams({ read: row.id });
    link.href = address.href;
    const cells = {
      time: [link],
      patient: [row.patient || element("span", "quiet", "not in the file"), ...(row.patientId ? [element("span", "quiet", ` ${row.patientId}`)] : [])],
      "study-date": [row.studyDate],
      view: [row.view],
      above: [row.above],
      quality: [element("span", `quality-${row.quality}`, row.quality)],
      model: [row.model, element("span", "quiet", row.version ? ` v${row.version}` : "")],
      point: [row.point],
      reader: [row.reader],
      seconds: [row.seconds],
      opinions: [row.opinions ? String(row.opinions) : ""],
    };
    for (const [title, name] of columns) {
      const cell = element("td", name);
      cell.dataset.title = title;
      cell.append(...cells[name]);
      if (!cell.textContent) cell.classList.add("empty");
      node.append(cell);
    }
    node.onclick = (event) => {
      // a new tab or window is the browser's, and text may be marked to be copied
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button || getSelection()?.toString()) return;
      event.preventDefault();
      this.send("open", row.id);
    };
    return node;
  }
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

const tables = (window.secondReadTables ??= new WeakMap());

export default function ({ parentElement, data, setTriggerValue }) {
  let table = tables.get(parentElement);
  if (!table) {
    table = new Reads(parentElement);
    tables.set(parentElement, table);
  }
  table.show(data, setTriggerValue);
  return () => tables.delete(parentElement);
}
