// The sections of the page that show the system's state. Only the server renders them: after an upload the page fetches
// what may have changed; after any other action it fetches itself, and the sections with `data-reload` are replaced.

import { CallError, fetchText } from "./calls.js";
import { nameOf } from "./changes.js";
import { countDownForms } from "./policy.js";

/** Seconds after which a fetch of the page is given up. It is short, since an upload and the next action wait for it. */
const PAGE_SECONDS = 10;

const sections = () => document.querySelectorAll("[data-reload]");

/** The HTML of each section as the server rendered it, without the changes that scripts made afterwards. */
const rendered = new Map();

let reloads = 0;
let ahead = 0;

export function remember() {
  for (const section of sections()) rendered.set(section.id, section.innerHTML);
}

/** Show the current content. Returns the fetched page, for comparisons. */
export async function reload(signal) {
  const turn = ++reloads;
  const fresh = await fetchPage(location.href, signal);
  // Only the latest reload may change the page, since its response can arrive before that of an earlier one.
  if (turn !== reloads) return fresh;
  for (const section of sections()) {
    const next = document.adoptNode(fresh.getElementById(section.id).cloneNode(true));
    if (next.innerHTML === rendered.get(section.id)) continue;
    rendered.set(section.id, next.innerHTML);
    keepChoices(section, next);
    const focused = section.contains(document.activeElement) ? document.activeElement : null;
    section.replaceWith(next);
    // Otherwise the next Tab key would start at the top of the page.
    if (focused) ((focused.id && next.querySelector(`#${focused.id}`)) || next.querySelector("h2"))?.focus();
  }
  countDown();
  return fresh;
}

/** Maximum number of keys in one request (MAX_KEYS in services/frontend/changes.py). */
export const MAX_KEYS = 12;

/** These users' cards and rows, with the objects that have these keys or that the rows refer to, as a page. */
export function fetchChanges(usernames, keys) {
  const query = new URLSearchParams([...[...usernames].map((name) => ["username", name]), ...[...keys].map((key) => ["key", key])]);
  return fetchPage(`/changes?${query}`);
}

/** Show what was fetched: replace the cards, rows and objects of the page, and remove the objects that are deleted. */
export function showChanges(fetched, keys) {
  for (const card of fetched.querySelectorAll("[data-user]")) replace(document.querySelector(`#users [data-user="${CSS.escape(card.dataset.user)}"]`), card);
  for (const row of fetched.querySelectorAll("#rows tr")) replace(document.querySelector(`#rows [data-username="${CSS.escape(row.dataset.username)}"]`), row);
  const objects = new Map([...fetched.querySelectorAll("#objects tr")].map((row) => [row.dataset.key, row]));
  for (const key of new Set([...keys, ...objects.keys()])) showObject(key, objects.get(key));
  // A later reload replaces the sections that were changed here.
  for (const id of ["users", "bucket", "table"]) rendered.delete(id);
  countDown();
}

function replace(old, fetched) {
  // An equal element keeps its focus and its loaded picture.
  if (!old || old.isEqualNode(fetched)) return;
  const hadFocus = old.contains(document.activeElement);
  const section = old.closest("section");
  old.replaceWith(document.adoptNode(fetched.cloneNode(true)));
  if (hadFocus) section.querySelector("h2").focus();
}

/** Scroll the tables to what was fetched: the row, and the newest object, which is the first. */
export function scrollTables(fetched) {
  const [row, object] = ["#rows tr", "#objects tr"].map((selector) => fetched.querySelector(selector)?.dataset);
  if (row) scrollTo(`#rows [data-username="${CSS.escape(row.username)}"]`);
  if (object) scrollTo(`#objects [data-key="${CSS.escape(object.key)}"]`);
}

/** Scroll a table to this row, and not the page. */
function scrollTo(selector) {
  const row = document.querySelector(selector);
  const box = row?.closest(".scroll");
  if (box) box.scrollTop = row.offsetTop - row.closest("table").tHead.offsetHeight;
}

function showObject(key, fetched) {
  const old = document.querySelector(`#objects [data-key="${CSS.escape(key)}"]`);
  const query = new URLSearchParams(location.search);
  const wanted = query.get("object_state") ?? "all";
  const fits = fetched && ["all", fetched.dataset.state].includes(wanted);
  if (!fits) old?.remove();
  else if (old) replace(old, fetched);
  else if (!query.has("objects")) insert(fetched);
}

/** Insert an object, newest first. */
function insert(fetched) {
  const body = document.querySelector("#objects tbody");
  const row = document.adoptNode(fetched.cloneNode(true));
  body.querySelector("tr:not([data-key])")?.remove();
  const older = [...body.children].find(({ dataset }) => nameOf(dataset.key) < nameOf(row.dataset.key));
  body.insertBefore(row, older ?? null);
  // The oldest one is on the next page now.
  if (document.querySelector("#bucket [data-more]")) body.lastElementChild.remove();
}

/** Throws a CallError without a page, and an AbortError if `signal` aborts. */
async function fetchPage(address, signal) {
  const headers = { Accept: "text/html" };
  const { answer, text } = await fetchText(address, { headers }, { seconds: PAGE_SECONDS, signal }).catch(() => {
    signal?.throwIfAborted();
    return { answer: { ok: false, status: "no response" } };
  });
  if (!answer.ok) throw new CallError(`Couldn't refresh the tables (${answer.status}). Reload.`);
  return new DOMParser().parseFromString(text, "text/html");
}

/** Keep what the user has chosen or opened, since the server renders the defaults. */
function keepChoices(section, next) {
  for (const { id, checked } of section.querySelectorAll("input:is([type=checkbox], [type=radio])[id]")) {
    const choice = next.querySelector(`#${id}`);
    if (choice) choice.checked = checked;
  }
  for (const { id, open } of section.querySelectorAll("details[id]")) next.querySelector(`#${id}`).open = open;
  for (const element of section.querySelectorAll("[data-keep]")) next.querySelector(`#${element.id}`)?.replaceWith(element);
}

/** Set how many days the clock of the lifecycle rules is ahead of the browser's. */
export function setClock(days) {
  ahead = days * 86_400_000;
  countDown();
}

/** Show the time until each object's expiry, and until each form's. */
export function countDown() {
  countDownForms();
  for (const end of document.querySelectorAll("time[data-expires]")) {
    const minutes = Math.floor((new Date(end.dateTime) - Date.now() - ahead) / 60_000);
    const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
    const parts = days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
    end.nextElementSibling.textContent = minutes < 0 ? "at any moment" : `in ${parts}`;
  }
}
