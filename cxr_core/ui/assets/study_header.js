// Whose image is on the screen. It draws from the store, so it changes with the image and not after it.

class StudyHeader {
  constructor(root) {
    this.root = root.querySelector(".study-header");
    this.onStoreChange = () => this.draw();
    store.listeners.add(this.onStoreChange);
  }

  show() { this.draw(); }

  draw() {
    const image = store.images.get(store.current) ?? listedImage(store.current);
    const key = JSON.stringify([store.current, image?.name, image?.study]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.root.dataset.id = store.current ?? "";
    this.root.replaceChildren(...(image ? this.parts(image) : []));
  }

  parts(image) {
    const { study, name } = image;
    const file = [study?.view, name].filter(Boolean).join(", ");
    const parts = [make("h2", "name", study?.name || file)];
    for (const text of [study?.patient, study?.visit]) if (text) parts.push(make("span", "", text));
    if (study?.name) parts.push(make("span", "file", file));
    parts.push(make("span", "digest", `image ${image.id.slice(0, 12)}`));
    if (study?.origin) parts.push(make("span", "origin", study.origin));
    const [prior, ...earlier] = study?.priors ?? [];
    if (prior) {
      const button = make("button", "prior", `Show prior of ${prior.date}${earlier.length ? ` (${earlier.length + 1} prior studies)` : ""}`);
      button.type = "button";
      button.onclick = () => store.show(prior.id);
      parts.push(button);
    }
    if (study?.alarms.length) {
      const alarms = make("div", "alarms");
      alarms.setAttribute("role", "alert");
      alarms.append(make("b", "", "Check the patient before reading"), ...study.alarms.map((alarm) => make("div", "", alarm)));
      parts.push(alarms);
    }
    return parts;
  }

  stop() {
    store.listeners.delete(this.onStoreChange);
  }
}

// What the worklist says of an image whose own content is on its way; or null.
function listedImage(id) {
  for (const study of store.worklist?.studies ?? []) {
    const image = study.images.find((one) => one.id === id);
    if (!image) continue;
    const visit = [study.date && `Study of ${study.date}`, study.description, study.accession && `accession ${study.accession}`];
    const patient = study.patientId && `ID ${study.patientId}`;
    return { id, name: image.name, study: { ...study, patient, visit: visit.filter(Boolean).join(" · "), view: image.view, origin: "", priors: [], alarms: [study.alarm].filter(Boolean) } };
  }
  return null;
}

export default component("header", (root) => new StudyHeader(root));
