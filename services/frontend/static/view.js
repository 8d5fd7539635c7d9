// What the page shows of the system. It is rendered on the server alone: after each change the page is fetched again,
// and the sections that are marked for it are replaced.

import { CallError } from "./calls.js";

const sections = () => document.querySelectorAll("[data-reload]");

/** By section, as it was rendered: what the page's own scripts do with it afterwards is no difference. */
const rendered = new Map();

let reloads = 0;
let ahead = 0;

export function remember() {
  for (const section of sections()) rendered.set(section.id, section.innerHTML);
}

/** Show what is there now; what was fetched, for those who compare. */
export async function reload() {
  const turn = ++reloads;
  const fresh = await fetchPage(location.href);
  // A later reload is of a later address or state, whichever answer comes first.
  if (turn !== reloads) return fresh;
  for (const section of sections()) {
    const next = document.adoptNode(fresh.getElementById(section.id).cloneNode(true));
    if (next.innerHTML === rendered.get(section.id)) continue;
    rendered.set(section.id, next.innerHTML);
    keepChoices(section, next);
    const hadFocus = section.contains(document.activeElement);
    section.replaceWith(next);
    // Else a keyboard would begin at the top of the page again.
    if (hadFocus) next.querySelector("h2").focus();
  }
  countDown();
  return fresh;
}

/** The page as somebody sees it who opens it: the newest objects, all states. */
export function fetchNewest() {
  return fetchPage("/");
}

async function fetchPage(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => ({ ok: false, status: "no answer" }));
  if (!answer.ok) throw new CallError(`What is there now can't be shown (${answer.status}). Load the page again.`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** What is rendered is the default; what somebody has chosen since stays chosen. */
function keepChoices(section, next) {
  for (const { id, checked } of section.querySelectorAll("input[type=checkbox][id]")) {
    const choice = next.querySelector(`#${id}`);
    if (choice) choice.checked = checked;
  }
  for (const { id, open } of section.querySelectorAll("details[id]")) next.querySelector(`#${id}`).open = open;
}

/** The bucket's clock, by so many days ahead of ours; its rules go by that. */
export function setClock(days) {
  ahead = days * 86_400_000;
  countDown();
}

/** How long it is until each object's end. */
export function countDown() {
  for (const end of document.querySelectorAll("time[data-expires]")) {
    const minutes = Math.floor((new Date(end.dateTime) - Date.now() - ahead) / 60_000);
    const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
    const parts = days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
    end.nextElementSibling.textContent = minutes < 0 ? "at any moment" : `in ${parts}`;
  }
}
