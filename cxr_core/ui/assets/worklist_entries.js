// The studies of the strip: one line for each image, with its state, and what was refused with its reason.
// `act` is what the reader does: {choose(id), remove(ids), open(id)}.

function studyEntries(study, act) {
  const node = make("section", study.alarm ? "study alarm" : "study");
  node.setAttribute("aria-label", `Study: ${[study.name, study.date].filter(Boolean).join(", ")}`);
  const head = make("div", "head");
  const title = make("div", "title");
  title.append(make("h3", "name", study.name));
  const details = [study.patientId, study.date, study.description].filter(Boolean).join(" · ");
  if (details) title.append(make("div", "details", details));
  if (study.origin) title.append(make("div", "details origin", study.origin));
  const accession = study.accession && `accession ${study.accession}`;
  title.title = [study.name, study.patient, study.when, study.description, accession, study.origin, study.alarm].filter(Boolean).join("\n");
  head.append(title, removeButton(study.every, `Remove study of ${study.name}`, act));
  node.append(head);
  if (study.alarm) node.append(make("div", "check", "Check the patient"));
  const images = make("div", "images");
  images.append(...study.images.map((image) => imageEntry(image, act)));
  node.append(images);
  return node;
}

function imageEntry(image, act) {
  const row = make("div", "row");
  const entry = entryButton(image.id, image.status, `${image.view || "view not stated"}, ${image.path}\n${image.reason || image.text}`, act);
  entry.append(make("span", "view", image.view || "image"), make("span", "file", image.name));
  const state = make("span", image.above > 0 ? "state flagged" : "state", image.text);
  entry.append(state);
  if (image.warnings) {
    const warned = make("span", "warned", `⚠ ${image.warnings}`);
    warned.setAttribute("role", "img");
    warned.setAttribute("aria-label", count(image.warnings, "warning"));
    entry.append(warned);
  }
  row.append(entry, removeButton([image.id], `Remove ${image.name}`, act));
  return row;
}

// Studies that came over the network and are not in the worklist: one button each, which opens the study.
function receivedEntries(studies, opening, act) {
  const node = make("section", "study received");
  node.setAttribute("aria-label", "From the PACS");
  const head = make("div", "head");
  head.append(make("h3", "name", `From the PACS (${studies.length})`));
  const list = make("div", "images");
  node.append(head, list);
  for (const study of studies) {
    const entry = make("button", "entry");
    entry.type = "button";
    Object.assign(entry.dataset, { id: study.id, kind: "received" });
    const accession = study.accession && `accession ${study.accession}`;
    const arrived = `received ${localTime(study.received)}`;
    entry.title = [study.name, study.patient, study.when, study.description, accession, study.origin, arrived, study.alarm].filter(Boolean).join("\n");
    const details = [study.patientId, study.date, study.description, count(study.count, "image")].filter(Boolean).join(" · ");
    const state = study.id === opening ? "opening" : localTime(study.received);
    entry.append(make("span", "name", study.name), make("span", "state", state), make("span", "details", details), make("span", "details origin", study.origin));
    if (study.alarm) entry.append(make("span", "check", "Check the patient"));
    entry.onclick = () => act.open(study.id);
    const row = make("div", "row");
    row.append(entry);
    list.append(row);
  }
  return node;
}

// 14:05 of today, else 26 Nov.
function localTime(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString("en-GB", today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" });
}

function rejectedEntries(entries, act) {
  const node = make("section", "study rejected");
  node.setAttribute("aria-label", "Refused or cannot be read");
  const head = make("div", "head");
  const title = make("h3", "name", `Refused or cannot be read (${entries.length})`);
  head.append(title, removeButton(entries.map((entry) => entry.id), "Remove all of these", act));
  const images = make("div", "images");
  node.append(head, images);
  for (const { id, status, path, reason, patient } of entries) {
    const row = make("div", "row");
    const entry = entryButton(id, status, [path, patient, reason].filter(Boolean).join("\n"), act);
    entry.append(make("span", "file", path), make("span", "reason", reason));
    row.append(entry, removeButton([id], `Remove ${path}`, act));
    images.append(row);
  }
  return node;
}

function entryButton(id, status, title, act) {
  const entry = make("button", `entry ${status}`);
  entry.type = "button";
  Object.assign(entry.dataset, { id, status, kind: "entry" });
  entry.title = title;
  if (id === store.current) entry.setAttribute("aria-current", "true");
  entry.onclick = () => act.choose(id);
  return entry;
}

function removeButton(ids, text, act) {
  const button = make("button", "remove", "×");
  button.type = "button";
  button.tabIndex = -1;
  button.title = text;
  button.setAttribute("aria-label", text);
  Object.assign(button.dataset, { id: ids[0], kind: "remove" });
  button.onclick = () => act.remove(ids);
  return button;
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
