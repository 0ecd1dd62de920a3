// The reader's opinion of each finding: its buttons and keys, the comment, and what was stated before.
//
// An opinion counts once the server has answered. Image content has `opinions` (label -> [{opinion, comment, created,
// shown}], only added to) and, while the findings are hidden, `asked` ([{label, title, evaluated}]).

const OPINIONS = { present: "Y", absent: "E", uncertain: "U" };
const OPINION_KEYS = new Map(Object.entries(OPINIONS).map(([opinion, key]) => [key.toLowerCase(), opinion]));
const COMMENT_LENGTH = 2000;
const TYPED_MS = 300; // from the last letter of a comment until what is typed is sent

function opinionsOn(image, label) { return image?.opinions?.[label] ?? []; }

// The last opinion before the findings were shown, and the last one of all; undefined where there is none.
function opinionAlone(image, label) { return opinionsOn(image, label).filter(({ shown }) => !shown).at(-1); }
function opinionNow(image, label) { return opinionsOn(image, label).at(-1); }

// The comment on a finding: one that waits for an opinion, here or on the server, or that of the last opinion.
function commentOn(image, label) {
  return store.drafts.get(image.id, label) ?? image.comments?.[label] ?? opinionNow(image, label)?.comment ?? "";
}

// Whether an opinion contradicts the state of the model; one that is uncertain does not.
function contradicts(opinion, state) {
  return (opinion?.opinion === "present" && state === "below") || (opinion?.opinion === "absent" && state === "above");
}

// What agreeing with a state means, or its contrary; null where a finding has no state.
function opinionOf(state, agrees) {
  if (state !== "above" && state !== "below") return null;
  return (state === "above") === agrees ? "present" : "absent";
}

// Send an opinion, and return what went wrong, or "".
async function sendOpinion(id, label, opinion, comment) {
  store.drafts.hold(id, label);
  const { problem, response } = await post(`/images/${id}/opinions`, { label, opinion, comment });
  if (problem) return problem;
  const { version, opinions } = await response.json();
  const image = store.images.get(id);
  // what was typed since waits for the next
  if ((store.drafts.get(id, label) ?? comment) === comment) store.drafts.delete(id, label);
  if (!image) return "";
  const { [label]: stored, ...comments } = image.comments ?? {};
  // where something else has changed as well, the image is fetched again
  const isSame = image.version.split(".")[0] === version.split(".")[0];
  store.images.set(id, { ...image, opinions, comments, version: isSame ? version : image.version });
  store.notify();
  return "";
}

// {problem: why the server has not stored it, or "", response}.
async function post(path, content) {
  try {
    const body = JSON.stringify(content);
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true };
    const response = await store.connection.deliver(path, () => options);
    return { problem: response.ok ? "" : `Not stored: ${(await response.text()).slice(0, 300)}`, response };
  } catch (error) {
    return { problem: `Not stored: ${error.message}`, response: null };
  }
}

// Comments on findings that were typed here and wait for an opinion. The server keeps them in memory with the worklist,
// for a reload of the page and for other tabs; a session of another process is sent them again.
class Drafts {
  constructor() {
    this.texts = new Map(); // "id label" -> text, or "" where there was one
    this.unsent = new Set();
    this.typed = null; // {id, label, before}: the comment that is being typed, in whichever field, and what it was
    this.token = "";
    this.sent = Promise.resolve(); // the last that was sent, once it is answered
  }

  get(id, label) { return this.texts.get(`${id} ${label}`); }

  set(id, label, text) {
    this.texts.set(`${id} ${label}`, text);
    this.unsent.add(`${id} ${label}`);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), TYPED_MS);
  }

  // A comment is being typed until its field is left, or another image comes.
  type(image, label, text) {
    if (!this.isTyped(image.id, label)) this.typed = { id: image.id, label, before: commentOn(image, label) };
    this.set(image.id, label, text);
  }

  isTyped(id, label) { return this.typed?.id === id && this.typed.label === label; }

  // Return the comment as it was before it was typed into.
  discard(image, label) {
    if (this.isTyped(image.id, label)) this.set(image.id, label, this.typed.before);
    return commentOn(image, label);
  }

  // It goes with an opinion.
  hold(id, label) { this.unsent.delete(`${id} ${label}`); }

  delete(id, label) {
    this.hold(id, label);
    this.texts.delete(`${id} ${label}`);
  }

  // Send what the server does not have, once what is being sent is answered: it may be refused, and goes with this. Gives
  // what went wrong with the last of it, or "".
  send() {
    clearTimeout(this.timer);
    this.sent = this.sent.then(() => this.sendUnsent());
    return this.sent;
  }

  async sendUnsent() {
    this.token = store.connection.token;
    const sent = [...this.unsent].map((key) => this.sendOne(key));
    this.unsent.clear();
    return (await Promise.all(sent)).findLast(Boolean) ?? "";
  }

  // What is refused goes with the next, unless its image is gone or it was changed meanwhile.
  async sendOne(key) {
    const [id] = key.split(" ", 1);
    const comment = this.texts.get(key);
    const { problem, response } = await post(`/images/${id}/comments`, { label: key.slice(id.length + 1), comment });
    if (problem && response?.status !== 404 && this.texts.get(key) === comment) this.unsent.add(key);
    return problem;
  }

  follow() {
    if (this.typed && this.typed.id !== store.current) {
      this.typed = null;
      this.send();
    }
    const { token } = store.connection;
    if (!token || token === this.token) return;
    const isOther = this.token !== "";
    this.token = token;
    if (!isOther) return;
    for (const [key, text] of this.texts) if (text) this.unsent.add(key);
    this.send();
  }
}

// Have the findings of an image shown: {problem: why they are not, or "", changed: whether they were hidden}. They come
// with the next message of the image.
async function showFindings(id) {
  try {
    const response = await store.connection.deliver(`/images/${id}/reveal`, () => ({ method: "POST", keepalive: true }));
    if (response.ok) return { problem: "", changed: (await response.json()).changed };
    return { problem: `Findings not shown: ${(await response.text()).slice(0, 300)}`, changed: false };
  } catch (error) {
    return { problem: `Findings not shown: ${error.message}`, changed: false };
  }
}

// Three buttons: letters in the row of a finding, full names while the findings are hidden.
function opinionButtons({ label, title }, image, isChosen, give, named) {
  const group = make("span", named ? "opinion named" : "opinion");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `Your opinion: ${title}`);
  const now = opinionNow(image, label)?.opinion;
  for (const [opinion, key] of Object.entries(OPINIONS)) {
    const name = opinion[0].toUpperCase() + opinion.slice(1);
    const button = make("button", opinion, named ? name : name[0]);
    button.type = "button";
    Object.assign(button.dataset, { of: label, opinion });
    button.setAttribute("aria-pressed", String(now === opinion));
    if (!named) button.setAttribute("aria-label", name);
    button.title = `${name} (${key})`;
    button.tabIndex = isChosen ? 0 : -1;
    button.onclick = () => give(label, opinion);
    group.append(button);
  }
  return group;
}

// While the findings are hidden: the labels, of which nothing is known but their names.
function askedRows(image, chosen, open, act) {
  const row = (asked) => {
    const line = make("div", "line");
    const name = make("button", "ask");
    name.type = "button";
    name.dataset.label = asked.label;
    name.setAttribute("role", "radio");
    name.append(make("span", "name", asked.title));
    name.onclick = () => act.choose(asked.label);
    line.append(name, opinionButtons(asked, image, asked.label === chosen, act.give, true));
    return line;
  };
  const list = (asked, name) => {
    const node = make("div", "list");
    node.setAttribute("role", "radiogroup");
    node.setAttribute("aria-label", name);
    node.append(...asked.map(row));
    return node;
  };
  const evaluated = image.asked.filter((asked) => asked.evaluated);
  const others = image.asked.filter((asked) => !asked.evaluated);
  const given = evaluated.filter(({ label }) => opinionNow(image, label)).length;
  const head = make("div", "asked-head");
  head.append(make("span", "", "Your opinion"), make("span", "given", `${given} of ${evaluated.length} given`));
  const nodes = [head, list(evaluated, "Findings; choose one and state your opinion")];
  if (others.length) {
    const details = make("details", "not-evaluated");
    details.open = open;
    const summary = make("summary");
    summary.append(make("span", "count", `Not evaluated by the model (${others.length})`));
    details.append(summary, list(others, "Findings that the model does not evaluate"));
    nodes.push(details);
  }
  return nodes;
}

// Below the details of the chosen finding: agree, disagree, the comment, and what was stated before.
function opinionDetails(image, label, state, act) {
  const given = opinionsOn(image, label);
  const now = given.at(-1);
  const node = make("div", "yours");
  for (const [name, key, agrees] of [["Agree", "J", true], ["Disagree", "Z", false]]) {
    const opinion = opinionOf(state, agrees);
    if (!opinion) continue;
    const button = make("button", "", name);
    button.type = "button";
    button.dataset.of = name;
    button.setAttribute("aria-pressed", String(now?.opinion === opinion));
    button.title = `${name} with the model: ${opinion} (${key})`;
    button.onclick = () => act.give(label, opinion);
    node.append(button);
  }
  const comment = make("input", "comment");
  Object.assign(comment, { type: "text", maxLength: COMMENT_LENGTH, value: commentOn(image, label), autocomplete: "off", placeholder: "Comment (T)" });
  Object.assign(comment.dataset, { id: image.id, of: `comment ${label}` });
  comment.setAttribute("aria-label", "Comment");
  comment.oninput = () => act.type(label, comment.value.trim());
  // Chrome has what is removed lose the focus first: nobody has left it
  comment.onblur = () => queueMicrotask(() => { if (comment.isConnected) act.comment(label, comment.value.trim()); });
  comment.onkeydown = (event) => {
    if (event.key === "Escape") comment.value = act.discard(label);
    if (event.key === "Escape" || event.key === "Enter") act.leaveComment(comment);
  };
  node.append(comment);
  const history = make("p", "history", given.map((opinion, at) => describeOpinion(opinion, given[at - 1])).join("; "));
  return given.length ? [node, history] : [node];
}

// Day and time where the reader is: ["2026-11-26", "23:04"].
function localTime(when) {
  return new Date(when - 60_000 * when.getTimezoneOffset()).toISOString().slice(0, 16).split("T");
}

// One opinion in a sentence, with its time where the reader is.
function describeOpinion({ opinion, comment, created, shown }, before) {
  const [day, time] = localTime(new Date(created));
  const at = day === localTime(new Date())[0] ? time : `${day} ${time}`;
  const when = !before || before.shown !== shown ? `, ${shown ? "findings shown" : "before the findings were shown"}` : "";
  const what = before?.opinion === opinion && before.comment !== comment ? "comment changed" : opinion;
  return `${before ? what : `You: ${what}`}, ${at}${when}`;
}

if (!store.drafts) {
  store.drafts = new Drafts();
  store.listeners.add(() => store.drafts.follow());
}

store.keys?.push(
  { group: "Findings", key: "Y, E, U", text: "Your opinion of the chosen finding: present, absent, uncertain" },
  { group: "Findings", key: "J, Z", text: "Agree or disagree with the model on the chosen finding" },
  { group: "Findings", key: "T", text: "Comment on the chosen finding; Enter stores it" },
);
