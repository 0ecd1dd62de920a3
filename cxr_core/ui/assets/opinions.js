// The reader's opinion of each finding: its buttons and keys, the comment, and what was stated before.
//
// An opinion counts once the server has answered. Image content has `opinions` (label -> [{opinion, comment, created,
// shown}], only added to) and, while the findings are hidden, `asked` ([{label, title, evaluated}]).

const OPINIONS = { present: "Y", absent: "E", uncertain: "U" };
const OPINION_KEYS = new Map(Object.entries(OPINIONS).map(([opinion, key]) => [key.toLowerCase(), opinion]));
const COMMENT_LENGTH = 2000;

function opinionsOn(image, label) { return image?.opinions?.[label] ?? []; }

// The last opinion before the findings were shown, and the last one of all; undefined where there is none.
function opinionAlone(image, label) { return opinionsOn(image, label).filter(({ shown }) => !shown).at(-1); }
function opinionNow(image, label) { return opinionsOn(image, label).at(-1); }

// The comment on a finding: one that waits for an opinion, or that of the last opinion.
function commentOn(image, label) { return store.drafts.get(`${image.id} ${label}`) ?? opinionNow(image, label)?.comment ?? ""; }

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
  let response;
  try {
    const body = JSON.stringify({ label, opinion, comment });
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body, keepalive: true };
    response = await store.connection.deliver(`/images/${id}/opinions`, () => options);
  } catch (error) {
    return `Not stored: ${error.message}`;
  }
  if (!response.ok) return `Not stored: ${(await response.text()).slice(0, 300)}`;
  const { version, opinions } = await response.json();
  const image = store.images.get(id);
  store.drafts.delete(`${id} ${label}`);
  if (!image) return "";
  // where something else has changed as well, the image is fetched again
  const isSame = image.version.split(".")[0] === version.split(".")[0];
  store.images.set(id, { ...image, opinions, version: isSame ? version : image.version });
  store.notify();
  return "";
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
  comment.dataset.of = `comment ${label}`;
  comment.setAttribute("aria-label", "Comment");
  comment.onblur = () => act.comment(label, comment.value.trim());
  comment.onkeydown = (event) => {
    if (event.key === "Escape") comment.value = commentOn(image, label);
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

store.drafts ??= new Map(); // "id label" -> comment on a finding without an opinion

store.keys?.push(
  { group: "Findings", key: "Y, E, U", text: "Your opinion of the chosen finding: present, absent, uncertain" },
  { group: "Findings", key: "J, Z", text: "Agree or disagree with the model on the chosen finding" },
  { group: "Findings", key: "T", text: "Comment on the chosen finding; Enter stores it" },
);
