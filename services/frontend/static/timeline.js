// The timeline: each upload with the calls that it made, and what each of them changed.

import { draw } from "./diagram.js";
import { build } from "./elements.js";
import { countDownForms, decode, explain, showPolicy } from "./policy.js";
import { offerCopies } from "./snippets.js";

const list = () => document.querySelector("#timeline");
const MOST = 24;
const SHOWN = 16;
/** Pixels above an entry that is scrolled to. */
const MARGIN = 12;
/** The time in which systems take two clicks for a double click. */
const DOUBLE_CLICK_MILLISECONDS = 500;

/** The parts of the system by the paths of their calls. */
const PLACES = {
  "/auth/": ["service", "auth service"],
  "/uploads/": ["service", "uploads service"],
};
const SECRETS = /signature|security-token|credential|upload[-_]token|access_token|authorization/i;

/** The entry of an upload or an attack. The newest is first. */
export class Entry {
  #began = null;
  #calls = new Map();
  #ended = null;
  #clicked = -Infinity;
  /** The names and details of the calls, for the diagram. */
  #drawn = [];
  #seen = [];
  /** The keys that the calls named. The page asks what became of their objects. */
  keys = new Set();

  constructor(title, { withProgress = true } = {}) {
    this.element = build("li", { className: "entry" });
    this.heading = build("h3", { textContent: title, tabIndex: -1 });
    this.status = build("p", { className: "entry-status" });
    this.status.setAttribute("role", "status");
    this.actions = build("div", { className: "entry-actions" });
    this.list = build("ol", { className: "calls" });
    this.pictures = build("span", { className: "pictures" });
    const head = build("div", { className: "entry-head" }, this.pictures, this.heading, this.status, this.actions);
    this.element.append(head);
    if (withProgress) {
      this.bar = build("progress", { max: 1, value: 0 });
      this.bar.setAttribute("aria-label", title);
      this.element.append(this.bar);
    }
    this.element.append(this.list);
    // The diagram shows the entry that was used last.
    this.element.addEventListener("click", () => this.#draw());
    list().prepend(this.element);
    while (list().children.length > MOST) list().lastElementChild.remove();
    list().parentElement.scrollTop = 0;
  }

  say(kind, text) {
    this.status.className = `entry-status ${kind}`;
    this.status.textContent = text;
    this.element.dataset.state = kind;
    // The calls may have scrolled the reason and the buttons away.
    if (kind === "failed") list().parentElement.scrollTop = this.element.offsetTop - MARGIN;
  }

  /** Bring what happened into view: on a wide screen all of it, with the bucket and the table, and otherwise its beginning,
   * since the entry grows. */
  reveal() {
    const evidence = document.querySelector(".evidence");
    const isBeside = getComputedStyle(evidence).position === "sticky";
    if (isBeside) evidence.scrollIntoView({ block: "nearest" });
    else document.querySelector("#happened").scrollIntoView({ block: "start" });
  }

  progress(part) {
    this.bar.value = part;
  }

  /** Show a button in place of the former ones, and further buttons, each `[text, action]`. */
  offer(text, action, ...others) {
    this.#showButtons([[text, action], ...others].map((choice) => this.#makeButton(...choice)));
  }

  offerNothing() {
    this.#showButtons([]);
  }

  #showButtons(buttons) {
    const hadFocus = this.actions.contains(document.activeElement);
    this.actions.replaceChildren(...buttons);
    // Otherwise the next Tab key would start at the top of the page.
    if (hadFocus) this.heading.focus({ preventScroll: true });
  }

  #makeButton(text, action) {
    const button = build("button", { type: "button", className: "quiet", textContent: text });
    button.addEventListener("click", ({ detail, timeStamp }) => {
      // The second click of a double click is meant for the button that was here before. Firefox counts the clicks of each
      // button anew. A click by keyboard has no count.
      const isSecond = detail > 0 && timeStamp - this.#clicked < DOUBLE_CLICK_MILLISECONDS;
      this.#clicked = timeStamp;
      if (!isSecond) action();
    });
    return button;
  }

  /** The `observe` function for a call with this name. `tell(call)` returns the meaning of its response as a sentence. */
  observe(name, tell = () => "") {
    return (call) => {
      const item = this.#calls.get(call) ?? this.#add(call, name);
      if (call.ended === null) this.#begin(item, call);
      else this.#end(item, call, tell);
      this.#draw();
    };
  }

  /** Show a call before it is sent, with its policy. */
  prepare(call, name) {
    for (const details of this.list.querySelectorAll(".call > details")) details.open = false;
    const item = this.#add(call, name);
    item.className = "call waiting";
    item.querySelector(".answer").textContent = "not sent yet";
    if (call.sent.fields) showPolicyOf(call, item);
    item.querySelector("details").open = true;
    this.#draw();
    showFromItsTop(item);
  }

  /** Mark the prepared call as one that was not sent. */
  leaveOut(call) {
    const item = this.#calls.get(call);
    item.className = "call left-out";
    item.querySelector(".answer").textContent = "not sent";
    item.querySelector("details").open = false;
  }

  /** Each call as `{name, place, outcome}`, who refused the last one that was refused, and the lines of the policies that
   * the refused ones violated. */
  summarize() {
    const calls = this.#drawn.map(({ call, name }) => ({ name, place: findPlace(call.url)[1], outcome: nameOutcome(call) }));
    const refused = this.#drawn.findLast(({ call }) => call.error);
    const refusedBy = refused ? (findPlace(refused.call.url)[0] === "bucket" ? "S3" : refused.name) : "nobody";
    const posts = [...this.#calls.keys()].filter(({ sent, error }) => error && sent.fields);
    const violated = posts.flatMap(({ sent, error }) => explain(sent.fields, { size: sent.size, error }));
    return { calls, refusedBy, violated: violated.filter(({ isViolated }) => isViolated) };
  }

  #draw() {
    draw(this.heading.textContent, this.#drawn, this.#seen);
  }

  /** Add an item that is not a call, for example for a confirm that was left out. */
  note(kind, text, ...details) {
    const item = build("li", { className: `call ${kind}` }, build("p", { className: "tells", textContent: text }), ...details);
    this.list.append(item);
    follow(item);
  }

  /** Show what became of the upload, in place of what was shown before. */
  showResult({ pictures, list: result }) {
    this.pictures.replaceChildren(...pictures);
    this.result?.remove();
    this.result = result;
    this.list.before(result);
  }

  /** Add the observed changes to the latest call. */
  showEffects(effects) {
    const last = this.list.lastElementChild;
    if (!last || !effects.length) return;
    last.append(build("ul", { className: "effects" }, ...effects.map(describeEffect)));
    const gone = effects.filter(({ kind }) => kind === "gone");
    this.#seen.push(...gone.map(({ was }) => ({ to: "S3", text: `seen afterwards: deleted ${was}` })));
    this.#draw();
  }

  #add(call, name) {
    const [kind, place] = findPlace(call.url);
    const summary = build("summary", {},
      build("b", { textContent: name }),
      build("span", { className: `place ${kind}`, textContent: place }),
      build("code", { textContent: `${call.method} ${kind === "bucket" ? call.url.host : call.url.pathname}` }),
      build("span", { className: "answer", textContent: "…" }),
    );
    const time = build("div", { className: "time" }, build("span"));
    time.setAttribute("aria-hidden", "true");
    const exchange = build("div", { className: "exchange" }, show("Request", call.sent));
    const details = build("details", {}, summary, offerCopies(call), exchange);
    const item = build("li", {}, details, time, build("p", { className: "tells" }));
    this.list.append(item);
    this.#calls.set(call, item);
    this.#drawn.push({ call, name, detail: nameDetail });
    if (call.sent.fields) this.keys.add(call.sent.fields.key);
    return item;
  }

  #begin(item, call) {
    this.#began ??= call.began;
    item.className = "call running";
    item.querySelector(".answer").textContent = "…";
    follow(item);
  }

  #end(item, call, tell) {
    const good = call.status >= 200 && call.status < 300;
    const isCancelled = call.error?.code === "cancelled";
    item.className = `call ${good ? "done" : isCancelled ? "left-out" : "failed"}`;
    const milliseconds = Math.max(1, Math.round(call.ended - call.began));
    item.querySelector(".answer").textContent = `${call.status || (isCancelled ? "cancelled" : "no response")} · ${milliseconds.toLocaleString("en")} ms`;
    const received = { headers: call.headers, body: call.received };
    item.querySelector(".exchange").append(show(call.status ? `Response: ${call.status}` : "No response", received));
    showPolicyOf(call, item);
    for (const key of [call.received?.key, call.received?.avatar]) if (key) this.keys.add(key);
    item.querySelector(".tells").textContent = good ? tell(call) : `${call.error.code}. ${call.error.said}`.trim();
    this.#ended = call.ended;
    this.#drawTimes();
  }

  /** Draw each call's bar on a scale from the start of the first call to the end of the last one. */
  #drawTimes() {
    const whole = this.#ended - this.#began;
    for (const [call, item] of this.#calls) {
      if (call.began === null) continue;
      const { style } = item.querySelector(".time span");
      style.setProperty("--from", (call.began - this.#began) / whole);
      style.setProperty("--to", ((call.ended ?? this.#ended) - this.#began) / whole);
    }
  }
}

/** Show the policy of the form that the call sends or has received. */
function showPolicyOf(call, item) {
  const fields = call.sent.fields ?? call.received?.fields;
  item.querySelector(".policy")?.remove();
  if (!fields || !decode(fields)) return;
  item.querySelector(".exchange").after(showPolicy(fields, { size: call.sent.size, error: call.error }, shorten));
  countDownForms(item);
}

/** Scroll to the item's beginning: on a wide screen the timeline, on a narrow one the page. */
function showFromItsTop(item) {
  const box = list().parentElement;
  const isBox = getComputedStyle(box).overflowY === "auto";
  if (isBox) box.scrollTop = item.offsetTop - item.closest(".entry").querySelector(".entry-head").offsetHeight - MARGIN;
  else item.scrollIntoView({ block: "start" });
}

/** Scroll the timeline to the item, and not the page. */
function follow(item) {
  const box = list().parentElement;
  const hidden = item.offsetTop + item.offsetHeight - box.scrollTop - box.clientHeight;
  if (hidden > 0) box.scrollTop += hidden;
}

function findPlace(url) {
  if (url.origin !== location.origin) return ["bucket", "S3"];
  const found = Object.keys(PLACES).find((path) => url.pathname.includes(path));
  return PLACES[found] ?? ["service", "frontend service"];
}

/** What a call sends, in a few words. */
function nameDetail({ url, method, sent }) {
  if (sent.fields) return `the form and ${sent.size.toLocaleString("en")} bytes to ${sent.fields.key}`;
  const { content_type: type, size, key } = sent.body ?? {};
  if (type) return `${type}, ${size.toLocaleString("en")} bytes`;
  return key ?? `${method} ${url.pathname}`;
}

function nameOutcome({ status, error }) {
  return [status || "", error?.code].filter(Boolean).join(" ");
}

function describeEffect({ kind, what, was, now }) {
  const words = { added: "new ", changed: "", gone: "deleted " }[kind];
  const item = build("li", { className: kind }, build("span", { textContent: `${words}${what} ` }));
  if (was) item.append(build("del", { textContent: was }));
  if (was && now) item.append(" → ");
  if (now) item.append(build("ins", { textContent: now }));
  return item;
}

function show(title, content) {
  const heading = build("h4", { textContent: title });
  const text = build("pre", { textContent: format(content), tabIndex: 0 });
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", title);
  return build("section", {}, heading, text);
}

/** The content as text, with signatures, credentials and tokens shortened, so that nobody can use them from a screen. */
function format({ headers, fields, size, body }) {
  const lines = Object.entries(headers ?? {}).filter(([, value]) => value).map(([name, value]) => `${name}: ${shorten(name, value)}`);
  if (fields) lines.push(...Object.entries(fields).map(([name, value]) => `${name} = ${shorten(name, value)}`));
  if (size !== undefined) lines.push(`file = ${size.toLocaleString("en")} bytes`);
  if (body) lines.push(typeof body === "string" ? body.trim() : JSON.stringify(body, shorten, 2));
  return lines.filter(Boolean).join("\n") || "nothing";
}

function shorten(name, value) {
  if (typeof value !== "string") return value;
  // It contains credentials, too. Its conditions are shown beneath.
  if (name === "policy") return `${value.slice(0, SHOWN)}… (${value.length} characters, decoded below)`;
  if (!SECRETS.test(name) || value.length <= SHOWN) return value;
  return `${value.slice(0, SHOWN)}… (${value.length} characters)`;
}
