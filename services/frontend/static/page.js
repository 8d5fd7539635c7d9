// Wires the page. Its data is rendered on the server alone: after each change the page is fetched again, and the
// sections that are marked for it are replaced.

import { showClock, passDay } from "./lifecycle.js";
import { UploadError, callService, confirm, postToBucket, presign, withoutMetadata } from "./upload.js";

const calls = document.querySelector("#calls");

document.addEventListener("click", (event) => {
  const login = event.target.closest("[data-login]");
  const logout = event.target.closest("[data-logout]");
  const day = event.target.closest("[data-pass-day]");
  const link = event.target.closest("a[data-page]");
  if (login) perform(login, () => callService("/auth/login", { username: login.dataset.login }));
  if (logout) perform(logout, () => callService("/auth/logout", {}));
  if (day) perform(day, passDay);
  if (link) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    reload().catch(report);
  }
});

document.addEventListener("change", (event) => {
  const input = event.target.closest("input[type=file][data-flow]");
  const file = input?.files[0];
  if (busy && input) input.value = "";
  else if (file) perform(input, () => upload(file, input.dataset.flow));
});

addEventListener("popstate", () => reload().catch(report));

showClock().catch(report);

let busy = false;

/** One thing at a time, then the page as it is now. */
async function perform(control, action) {
  if (busy) return;
  busy = control.disabled = true;
  document.body.ariaBusy = "true";
  calls.replaceChildren();
  try {
    await action();
  } catch (error) {
    report(error);
  } finally {
    busy = control.disabled = false;
    document.body.ariaBusy = "false";
    if (control instanceof HTMLInputElement) control.value = "";
  }
  // After a failure, too: what was uploaded before it is in the bucket.
  await reload().catch(report);
}

async function upload(chosen, flow) {
  const file = document.querySelector("#remove-metadata").checked ? await withoutMetadata(chosen) : chosen;
  const form = await presign(file);
  const removed = chosen.size - file.size;
  const note = removed ? ` ${removed.toLocaleString("en")} bytes of hidden details stay with you.` : "";
  say("done", `1 Presign: the form allows ${file.size.toLocaleString("en")} bytes of ${file.type} at ${form.key}.${note}`);
  await postToBucket(form, file);
  say("done", `2 POST: ${new URL(form.url).host} has taken the file.`);
  if (flow === "skip") {
    say("left-out", "3 Confirm: left out. The avatar is the old one, and a lifecycle rule deletes what was uploaded.");
    return;
  }
  const { avatar } = await confirm(form);
  say("done", `3 Confirm: checked; the avatar is now ${avatar}.`);
  await settle(form.key, avatar);
  if (flow === "repeat") {
    await postToBucket(form, file);
    const line = say("left-out", `POST again: the same form was still good. ${AFTERMATH[strategy()]}`);
    line.append(makeButton("Confirm again", () => repeatConfirm(form)));
  }
}

async function repeatConfirm(form) {
  const { avatar } = await confirm(form);
  say("done", `Confirm again: ${avatar} is the avatar, and nothing will delete it.`);
  await settle(form.key, avatar);
}

const AFTERMATH = {
  prefix: "A second object lies under pending/ and expires; the avatar is untouched.",
  tag: "The live avatar is pending again, and a lifecycle rule would delete it. A repeat of the confirm heals it, and so does the hourly sweep.",
};

function strategy() {
  return document.querySelector("#strategy").dataset.strategy;
}

/** The old picture and the pending one are deleted right after the confirm's answer: look until they are gone. */
async function settle(key, avatar) {
  const leftover = `#objects [data-state="orphan"], #objects [data-key="${key}"]:not([data-key="${avatar}"])`;
  for (let look = 0; look < 10; look += 1) {
    await reload();
    if (!document.querySelector(leftover)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

let reloads = 0;

async function reload() {
  const turn = ++reloads;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new UploadError(`The page can't be loaded again (${answer.status}).`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  // A later reload is of a later address or state, whichever answer comes first.
  if (turn !== reloads) return;
  for (const section of document.querySelectorAll("[data-reload]")) {
    const next = document.adoptNode(fresh.getElementById(section.id));
    if (next.innerHTML === section.innerHTML) continue;
    keepChoices(section, next);
    const hadFocus = section.contains(document.activeElement);
    section.replaceWith(next);
    // Else a keyboard would begin at the top of the page again.
    if (hadFocus) next.querySelector("h2").focus();
  }
}

/** What is rendered is the default; what somebody has chosen since stays chosen. */
function keepChoices(section, next) {
  for (const { id, checked } of section.querySelectorAll("input[type=checkbox]")) {
    const choice = next.querySelector(`#${id}`);
    if (choice) choice.checked = checked;
  }
}

function report(error) {
  if (!(error instanceof UploadError)) console.error(error);
  say("failed", error instanceof UploadError ? error.message : "Something went wrong on this page. Load it again.");
}

function say(kind, text) {
  const line = document.createElement("li");
  line.className = kind;
  line.textContent = text;
  calls.append(line);
  return line;
}

function makeButton(text, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => perform(button, action));
  return button;
}
