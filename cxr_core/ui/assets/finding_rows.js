// One finding: its row (name, bar, number, state), and its details.

const COLUMN_NAMES = { probability: "prob." };

// The rows of the evaluated findings, and the others folded into one line. What the reader stated otherwise before the
// findings were shown comes first. `act` is what the reader does: {choose(label), give(label, opinion)}.
function findingRows(image, chosen, open, act) {
  const { rows, notEvaluated } = image.findings;
  const differed = (row) => contradicts(opinionAlone(image, row.label), row.state);
  const ranked = rows.filter((row) => row.state !== "not_evaluated");
  const evaluated = [...ranked.filter(differed), ...ranked.filter((row) => !differed(row))];
  const others = rows.filter((row) => row.state === "not_evaluated");
  const kinds = new Set(evaluated.map((row) => row.value.split(" ")[0]));
  const nodes = [];
  if (evaluated.length) {
    const head = make("div", "columns");
    head.append(make("span", "", "Finding"), make("span", "", "threshold"), make("span", "number", [...kinds].map((kind) => COLUMN_NAMES[kind] ?? kind).join(", ")), make("span", "", "state"), make("span", "yours", "opinion"));
    head.setAttribute("aria-hidden", "true");
    const list = make("div", "list");
    list.setAttribute("role", "radiogroup");
    list.setAttribute("aria-label", "Findings; choose one to show its details and heat map");
    list.append(...evaluated.map((row) => findingLine(row, image, chosen, kinds.size > 1, act)));
    nodes.push(head, list);
    // its place is there before: it comes while the reader points at what is below
    const marked = evaluated.find((row) => row.unstable);
    nodes.push(make("div", "key", marked ? `≈ ${marked.unstable}` : "\u00a0"));
  }
  if (others.length) {
    const details = make("details", "not-evaluated");
    details.open = open;
    const summary = make("summary");
    summary.title = notEvaluated;
    summary.append(make("span", "count", `Not evaluated (${others.length})`), make("span", "why", notEvaluated));
    const list = make("div");
    list.setAttribute("role", "radiogroup");
    list.setAttribute("aria-label", "Findings that are not evaluated");
    list.append(...others.map((row) => findingLine(row, image, chosen, true, act)));
    details.append(summary, list);
    nodes.push(details);
  }
  return nodes;
}

// A row and the reader's opinion beside it.
function findingLine(row, image, chosen, withKind, act) {
  const line = make("div", "line");
  const differs = contradicts(opinionNow(image, row.label), row.state);
  const mark = make("span", "differs", differs ? "≠" : "");
  if (differs) {
    mark.title = "Your opinion differs from the model";
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", mark.title);
  }
  line.append(findingRow(row, withKind, act.choose), mark, opinionButtons(row, image, row.label === chosen, act.give, false));
  return line;
}

function findingRow(row, withKind, choose) {
  const node = make("button", `row ${row.state}`);
  node.type = "button";
  node.dataset.label = row.label;
  node.dataset.state = row.state;
  node.setAttribute("role", "radio");
  node.title = [row.distance, row.stateText].filter(Boolean).join("; ");
  const [kind, number] = row.value.split(" ");
  node.append(make("span", "name", row.title), row.bar === null ? make("span", "bar none") : logOddsBar(row));
  const value = make("span", "number");
  value.append(make("span", withKind ? "kind" : "unseen", `${kind} `), make("span", "", number));
  const state = make("span", "state", row.state === "not_evaluated" ? "–" : row.state);
  node.append(value, state);
  if (row.unstable) {
    const mark = make("span", "unstable", "≈");
    mark.title = `${row.unstable}. ${row.unstableText}`;
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", row.unstable);
    state.append(mark);
  }
  node.onclick = () => choose(row.label);
  return node;
}

// Log-odds, the threshold in the middle; the ends are open.
function logOddsBar(row) {
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

function findingDetails(data, chosen) {
  const row = data.rows.find((one) => one.label === chosen);
  if (!row) return [make("p", "quiet", "Choose a finding for its threshold, interval, rates and heat map (N, or the arrow keys).")];
  const title = make("h3", row.state);
  title.append(make("span", "name", row.title), make("span", "state", row.stateText));
  const numbers = make("dl");
  const [kind, number] = row.value.split(" ");
  const add = (name, text, className, explanation) => {
    if (!text) return;
    const value = make("dd", className, text);
    if (explanation) value.title = explanation;
    numbers.append(make("dt", "", name), value);
  };
  add(kind, number);
  add("threshold", row.threshold || "none", "", row.distance);
  add("interval", row.interval, "interval", row.intervalText);
  const parts = [title, numbers];
  const line = (className, text, explanation) => {
    if (!text) return;
    const node = make("p", className, text);
    if (explanation) node.title = explanation;
    parts.push(node);
  };
  line("rates", row.rates, row.ratesText);
  line("quiet", row.ratesText);
  line("unstable-text", row.unstable && `${row.unstable[0].toUpperCase()}${row.unstable.slice(1)}. ${row.unstableText}.`);
  line("caveat", row.caveat);
  const map = data.maps[row.label];
  line("place", `Heat map, ${map.place[0].toLowerCase()}${map.place.slice(1)}.`);
  line("quiet", map.localisationText);
  return parts;
}
