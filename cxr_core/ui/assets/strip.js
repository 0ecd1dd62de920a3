// The films that were dropped, as a strip: name, state, and for a refused one the reason.

class Strip {
  constructor(root) {
    this.root = root.querySelector(".strip");
    this.root.addEventListener("keydown", (event) => this.move(event));
    this.root.addEventListener("wheel", (event) => {
      if (this.root.scrollWidth <= this.root.clientWidth || event.deltaX) return;
      event.preventDefault();
      this.root.scrollLeft += event.deltaY;
    }, { passive: false });
  }

  show(data, send) {
    this.send = send;
    const focused = this.root.getRootNode().activeElement?.dataset?.id;
    this.root.replaceChildren(...data.films.map((film) => this.chip(film, data.chosen)));
    const node = (id) => [...this.root.children].find((chip) => chip.dataset.id === id);
    if (focused) node(focused)?.focus({ preventScroll: true });
    if (this.seen !== data.chosen) node(data.chosen)?.scrollIntoView({ block: "nearest", inline: "nearest" });
    this.seen = data.chosen;
  }

  chip(film, chosen) {
    const chip = make("button", `chip ${film.status}`);
    chip.type = "button";
    chip.dataset.id = film.id;
    chip.dataset.status = film.status;
    chip.setAttribute("role", "option");
    chip.setAttribute("aria-selected", film.id === chosen);
    chip.tabIndex = film.id === chosen ? 0 : -1;
    chip.title = `${film.name}\n${film.words}`;
    chip.append(make("span", "name", film.name), make("span", "words", film.words));
    chip.onclick = () => this.send("pick", film.id);
    return chip;
  }

  move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = step > 0 ? event.target.nextElementSibling : event.target.previousElementSibling;
    next?.focus();
    next?.click();
  }
}

const strips = (store.strips ??= new WeakMap());

export default function ({ parentElement, data, setTriggerValue }) {
  let strip = strips.get(parentElement);
  if (!strip) {
    strip = new Strip(parentElement);
    strips.set(parentElement, strip);
  }
  strip.show(data, setTriggerValue);
  return () => strips.delete(parentElement);
}
