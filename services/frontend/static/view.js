// The sections of the page that show the system's state. Only the server renders them: after each change the page is
// fetched again, and the sections with `data-reload` are replaced.

import { CallError, fetchText } from "./calls.js";

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
    const hadFocus = section.contains(document.activeElement);
    section.replaceWith(next);
    // Otherwise the next Tab key would start at the top of the page.
    if (hadFocus) next.querySelector("h2").focus();
  }
  countDown();
  return fresh;
}

/** The page without a query: the newest objects, in all states. */
export function fetchNewest(signal) {
  return fetchPage("/", signal);
}

/** Throws a CallError without a page, and an AbortError if `signal` aborts. */
async function fetchPage(address, signal) {
  const headers = { Accept: "text/html" };
  const { answer, text } = await fetchText(address, { headers }, { seconds: PAGE_SECONDS, signal }).catch(() => {
    signal?.throwIfAborted();
    return { answer: { ok: false, status: "no answer" } };
  });
  if (!answer.ok) throw new CallError(`What is there now can't be shown (${answer.status}). Load the page again.`);
  return new DOMParser().parseFromString(text, "text/html");
}

/** Keep what the user has chosen or opened, since the server renders the defaults. */
function keepChoices(section, next) {
  for (const { id, checked } of section.querySelectorAll("input[type=checkbox][id]")) {
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

/** Show the time until each object's expiry. */
export function countDown() {
  for (const end of document.querySelectorAll("time[data-expires]")) {
    const minutes = Math.floor((new Date(end.dateTime) - Date.now() - ahead) / 60_000);
    const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
    const parts = days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
    end.nextElementSibling.textContent = minutes < 0 ? "at any moment" : `in ${parts}`;
  }
}
