// The panel beside the image: summary, warnings, the findings as rows, and the details of the chosen one. It draws from
// the store. A choice goes to the viewer at once, and to the server for its downloads.

const FINDING_KEYS = new Set(["n", ...OPINION_KEYS.keys(), "j", "z", "t", "s"]);

class Findings {
  constructor(root) {
    const find = (name) => root.querySelector(`.${name}`);
    this.root = find("panel");
    [this.summary, this.warnings, this.list, this.problem, this.details, this.live] = ["summary", "warnings", "findings", "problem", "details", "live"].map(find);
    this.onStoreChange = () => this.draw();
    this.onPageKey = (event) => this.onKeyAnywhere(event);
    store.listeners.add(this.onStoreChange);
    this.observer = new MutationObserver(markFollowing);
    this.observer.observe(document.querySelector(".st-key-cockpit-findings") ?? document.body, { childList: true, subtree: true });
    window.addEventListener("keydown", this.onPageKey);
    this.onPageHide = () => this.details.querySelector(".comment")?.onblur();
    window.addEventListener("pagehide", this.onPageHide);
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.act = { choose: (label) => this.choose(label), give: (...opinion) => this.give(...opinion), type: (...comment) => this.type(...comment), discard: (label) => store.drafts.discard(this.image, label), comment: (...comment) => this.comment(...comment), leaveComment: (field) => this.leaveComment(field) };
    store.keys?.push(
      { group: "Findings", key: "N, Shift+N", text: "Next and previous finding" },
      { group: "Findings", key: "↓ ↑ Home End", text: "Move through the findings, while the list has the focus" },
      { group: "Findings", key: "S", text: "Show the findings, with Read first" },
    );
  }

  show({ content }, send) {
    this.send = send;
    if (content) store.offer(content);
    this.draw();
    if (!this.isKept) store.focus.keep("findings", this.root, ({ key }) => FINDING_KEYS.has(key.toLowerCase()));
    this.isKept = true;
  }

  get image() { return store.images.get(store.current) ?? null; }
  get data() { return this.image?.findings ?? null; }

  // The label that is chosen; while the findings are hidden, the first one until the reader chooses.
  get chosen() {
    const { image } = this;
    if (!image) return undefined;
    if (!image.asked) return store.chosen.get(image.id);
    return store.askedLabel.get(image.id) ?? image.asked.find(({ evaluated }) => evaluated)?.label ?? image.asked[0]?.label;
  }

  // --- drawing -----------------------------------------------------------------------------------

  draw() {
    markFollowing();
    this.writeProblem();
    const { image, chosen } = this;
    if (image === this.drawn && chosen === this.drawnChosen) return;
    [this.drawn, this.drawnChosen] = [image, chosen];
    const content = JSON.stringify([image?.id, image?.status, image?.summary, image?.wait, image?.warnings, image?.notes, image?.findings?.rows, image?.asked, image?.opinions]);
    if (content !== this.content) {
      this.content = content;
      this.keepingFocus(() => this.write(image));
      this.announce(image);
    }
    this.keepingFocus(() => this.markChosen());
    // where it was gone for a while, such as while the image was read again
    if (this.isKept) store.focus.drawn("findings");
  }

  write(image) {
    const open = this.list.querySelector("details")?.open ?? false;
    this.root.dataset.status = image?.status ?? "";
    this.root.dataset.id = image?.id ?? "";
    this.summary.textContent = image?.wait || (image?.summary ?? "");
    this.writeWarnings(image);
    const rows = image?.asked ? askedRows : image?.findings ? findingRows : () => [];
    this.list.replaceChildren(...rows(image, this.chosen, open, this.act));
  }

  // What has the focus is written again: the same thing has it afterwards, with what was typed into it.
  keepingFocus(change) {
    const find = (...data) => this.root.querySelector(data.map(([name, value]) => `[data-${name}="${CSS.escape(value)}"]`).join(""));
    const node = this.root.getRootNode().activeElement;
    const data = node && this.root.contains(node) ? Object.entries(node.dataset).filter(([name]) => ["id", "label", "of", "opinion"].includes(name)) : [];
    const typed = node?.tagName === "INPUT" ? [node.value, node.selectionStart, node.selectionEnd] : null;
    change();
    const after = data.length ? find(...data) : null;
    if (!after || after === node) return;
    after.focus({ preventScroll: true });
    if (typed) {
      after.value = typed[0];
      after.setSelectionRange(typed[1], typed[2]);
    }
  }

  writeWarnings(image) {
    this.warnings.replaceChildren();
    if (!image || (image.status !== "read" && !image.warnings.length)) return;
    const lines = image.warnings.length ? image.warnings : ["None. The reading can still be wrong."];
    const list = make("ul");
    list.append(...lines.map((line) => make("li", "", line)));
    const refused = image.status !== "read";
    this.warnings.className = image.warnings.length ? "warnings some" : "warnings";
    this.warnings.append(make("h3", "", refused ? "Reasons" : "Warnings"), list);
    if (image.notes.length) this.warnings.append(make("p", "notes", `Notes: ${image.notes.join("; ")}`));
  }

  announce(image) {
    if (!image) return;
    const reasons = image.warnings.map((reason) => reason.replace(/^not read: /, ""));
    const text = image.findings ? `Findings ready: ${image.summary}` : [image.summary, reasons.join("; ")].filter(Boolean).join(": ");
    if (text !== this.announced) this.live.textContent = text;
    this.announced = text;
  }

  rows() {
    return [...this.list.querySelectorAll(".findings > .list :is(.row, .ask), details[open] :is(.row, .ask)")];
  }

  markChosen() {
    const { image, chosen } = this;
    this.list.querySelectorAll(".line").forEach((line, index) => {
      const [node, ...buttons] = line.querySelectorAll("[data-label], .opinion button");
      const on = node.dataset.label === chosen;
      node.setAttribute("aria-checked", on);
      // before a choice the first row takes the focus
      node.tabIndex = on || (!chosen && index === 0) ? 0 : -1;
      for (const button of buttons) button.tabIndex = on ? 0 : -1;
    });
    const row = this.data?.rows.find(({ label }) => label === chosen);
    const asked = image?.asked?.find(({ label }) => label === chosen);
    this.details.hidden = !this.data && !asked;
    this.details.classList.toggle("asked", Boolean(asked));
    this.details.replaceChildren(
      ...(this.data ? findingDetails(this.data, chosen) : []),
      ...(asked ? [make("h3", "", asked.title)] : []),
      ...(row || asked ? opinionDetails(image, chosen, row?.state ?? "", this.act) : []),
    );
  }

  // --- what the reader does ----------------------------------------------------------------------

  choose(label) {
    const { id, asked } = this.image;
    if (asked) {
      store.askedLabel.set(id, label);
      this.draw();
      return;
    }
    store.choose(id, label);
    this.draw();
    this.send("pick", { sha: id, label });
  }

  // Store an opinion; the comment stays the one before, unless another is given.
  async give(label, opinion, comment = commentOn(this.image, label)) {
    const { id, name } = this.image;
    const title = (this.data?.rows ?? this.image.asked ?? []).find((row) => row.label === label)?.title ?? label;
    const problem = await sendOpinion(id, label, opinion, comment);
    if (this.image?.id !== id) {
      // the reader has gone on to another image meanwhile
      if (problem) store.report(`your opinion "${title}: ${opinion}". ${problem}`, name);
      return;
    }
    this.say(problem);
    if (problem) return;
    this.live.textContent = `${title}: ${opinion}${comment ? ", with a comment" : ""}`;
    // the paragraph for a report, which a script run writes, has the opinions
    clearTimeout(this.noting);
    if (this.data) this.noting = setTimeout(() => this.send("noted", Date.now()), 1000);
  }

  // Whether the findings are hidden only the server knows: what is here of the image may be of before "Read first" was
  // turned on, or not fetched yet. Where they are shown, nothing happens.
  async reveal() {
    const id = store.current;
    const { name } = store.images.get(id) ?? { name: "" };
    const { problem, changed } = await showFindings(id);
    if (store.current === id) this.say(problem);
    else if (problem) store.report(problem, name);
    if (changed) this.send("noted", Date.now());
  }

  giveByKey(opinion) {
    if (this.chosen && opinion) this.give(this.chosen, opinion);
    else this.say(this.chosen ? "The model has no state to agree with: Y, E or U states your opinion." : "Choose a finding first (N).");
  }

  // What is typed is kept until it is stored, also where the page is reloaded meanwhile.
  type(label, text) {
    if (!this.image) return;
    store.drafts.type(this.image, label, text);
    // on another image the next letters would be keys
    store.uploads?.stay();
  }

  // A comment is stored with an opinion: with the last one again, or with the one that follows.
  async comment(label, text) {
    const { image } = this;
    if (!image) return;
    const now = opinionNow(image, label);
    // one of before a reload, too
    if (now && text !== now.comment) this.give(label, now.opinion, text);
    if (!store.drafts.isTyped(image.id, label)) return;
    store.drafts.typed = null;
    if (now && text !== now.comment) return;
    const problem = await store.drafts.send();
    if (this.image?.id === image.id) this.say(problem || (text && !now ? "The comment is stored with your opinion: Y, E or U." : ""));
  }

  toComment() {
    const field = this.details.querySelector(".comment");
    if (field) field.focus();
    else this.say("Choose a finding first (N).");
  }

  leaveComment(field) {
    const row = this.rows().find((one) => one.dataset.label === this.chosen);
    if (row) row.focus({ preventScroll: true });
    else {
      field.blur();
      store.focus.leave();
    }
  }

  // What went wrong with what the reader did on this image, until the next time.
  say(text) {
    store.problem = { id: store.current, text };
    this.problem.textContent = text;
    // the panel may have been mounted again meanwhile, and this one be gone
    store.notify();
  }

  writeProblem() {
    if (store.problem?.id !== store.current) store.problem = null;
    const text = store.problem?.text ?? "";
    if (text !== this.problem.textContent) this.problem.textContent = text;
  }

  step(to) {
    const rows = this.rows();
    const row = rows[Math.min(rows.length - 1, Math.max(0, to))];
    row?.focus({ preventScroll: false });
    row?.click();
  }

  onKey(event) {
    if (event.target.tagName === "SUMMARY" || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.rows().indexOf(event.target.closest(".line")?.querySelector("[data-label]"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.step(to);
  }

  onKeyAnywhere(event) {
    if (isTyping(event) || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "s" && store.current) {
      event.preventDefault();
      if (!event.repeat) this.reveal();
      return;
    }
    const isOpinion = OPINION_KEYS.has(key) || key === "j" || key === "z";
    if (!this.data && !this.image?.asked) {
      const isComing = !this.image || this.image.status === "waiting";
      if (!store.current || !(isOpinion || key === "t")) return;
      if (!isComing) this.say("This image has no findings.");
      else this.say(`${isOpinion ? "Not stored: the" : "The"} findings of this image are not here yet. Press the key again.`);
      return;
    }
    const state = this.data?.rows.find(({ label }) => label === this.chosen)?.state;
    const act = {
      n: () => {
        const at = this.rows().findIndex((row) => row.getAttribute("aria-checked") === "true");
        this.step(event.shiftKey ? Math.max(0, at - 1) : at + 1);
      },
      j: () => this.giveByKey(opinionOf(state, true)),
      z: () => this.giveByKey(opinionOf(state, false)),
      t: () => this.toComment(),
    }[key] ?? (isOpinion && (() => this.giveByKey(OPINION_KEYS.get(key))));
    if (!act) return;
    event.preventDefault();
    // an opinion stays: a key that is held states one
    if (key === "n" || !event.repeat) act();
  }

  stop() {
    clearTimeout(this.noting);
    this.observer.disconnect();
    window.removeEventListener("keydown", this.onPageKey);
    window.removeEventListener("pagehide", this.onPageHide);
    store.listeners.delete(this.onStoreChange);
  }
}

store.askedLabel ??= new Map(); // id -> label that is chosen while the findings are hidden

export default component("findings", (root) => new Findings(root));
