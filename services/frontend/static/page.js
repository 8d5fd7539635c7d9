// Handles the page's events: clicks, and files that are chosen, dropped or pasted.

import { ATTACKS, Lab, isRefused } from "./attacks.js";
import { CallError, callService, postForm } from "./calls.js";
import { compare, look, mark } from "./changes.js";
import * as editor from "./editor.js";
import { nameFormatsWithoutRemover, warnOfMetadata } from "./formats.js";
import { passDay, showClock, sweep } from "./lifecycle.js";
import { fitToLimits } from "./scaling.js";
import { Entry } from "./timeline.js";
import { Upload, confirm, removeAvatar, withoutMetadata } from "./upload.js";
import { countDown, fetchNewest, reload, remember } from "./view.js";

const AFTERMATH = {
  prefix: `A second object lies under ${document.body.dataset.pendingPrefix} and expires; the avatar is untouched.`,
  tag: "The live avatar is pending again, and a lifecycle rule would delete it. A repeat of the confirm restores it, and so does the hourly sweep.",
};

/** The actions, which run one after the other. */
let queue = Promise.resolve();
let waiting = 0;
/** The bucket and the table before the last upload. The tables mark the differences from it. */
let before = null;

remember();
countDown();
nameFormatsWithoutRemover();
setInterval(countDown, 30_000);
showClock().catch(report);

addEventListener("popstate", () => turn());

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-page]");
  if (link) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    turn();
    return;
  }
  const button = event.target.closest("button");
  if (!button) return;
  const { login, attack } = button.dataset;
  if (login) perform(() => callService("/auth/login", { username: login }));
  else if ("logout" in button.dataset) perform(() => callService("/auth/logout", {}));
  else if ("removeAvatar" in button.dataset) perform(remove);
  else if ("scale" in button.dataset) document.querySelector("#scale-offer").close(button.dataset.scale);
  else if ("passDay" in button.dataset) perform(passDay);
  else if ("sweep" in button.dataset) perform(sweep);
  else if (attack) tryAttack(attack);
  else if ("allAttacks" in button.dataset) tryAll();
  else if ("start" in button.dataset) perform(startEdited);
  else if ("another" in button.dataset) editor.close();
});

document.addEventListener("change", (event) => {
  const input = event.target.closest("input[type=file]");
  const [file] = input?.files ?? [];
  if (!file) return;
  if (input.dataset.flow) {
    document.querySelector("#metadata-warning").textContent = isRemovingMetadata() ? warnOfMetadata(file) : "";
    perform(() => uploadAtOnce(file, input.dataset.flow));
  } else {
    edit(file);
  }
  // So that the same file can be chosen again.
  input.value = "";
});

document.addEventListener("input", (event) => {
  if (event.target.closest("#editor")) editor.draw();
});

// Dropped and pasted files

document.addEventListener("dragover", (event) => {
  const zone = findZone(event);
  if (!zone) return;
  event.preventDefault();
  zone.classList.add("is-over");
});

document.addEventListener("dragleave", (event) => findZone(event)?.classList.remove("is-over"));

document.addEventListener("drop", (event) => {
  const zone = findZone(event);
  if (!zone) return;
  event.preventDefault();
  zone.classList.remove("is-over");
  takeFirst(event.dataTransfer.files);
});

document.addEventListener("paste", (event) => {
  if (document.querySelector("#drop")) takeFirst(event.clipboardData.files);
});

function findZone({ target }) {
  return target instanceof Element ? target.closest("#picture") : null;
}

function takeFirst([file]) {
  if (file) edit(file);
  else tellEditor("There is no file in it. Choose a picture.");
}

// The editor

document.addEventListener("pointerdown", (event) => {
  if (!event.target.matches("#editor canvas")) return;
  event.target.setPointerCapture(event.pointerId);
  editor.grab(event);
});

document.addEventListener("pointermove", (event) => {
  if (event.target.matches("#editor canvas") && event.target.hasPointerCapture(event.pointerId)) editor.drag(event);
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches("#editor canvas") && editor.nudge(event.key)) event.preventDefault();
});

async function edit(file) {
  try {
    await editor.open(file);
    tellEditor("");
  } catch (error) {
    if (error.name !== "EncodingError") throw error;
    tellEditor(error.message);
  }
}

function tellEditor(text) {
  const line = document.querySelector("#picture-problem");
  if (line) line.textContent = text;
}

async function startEdited() {
  // A first click has closed the editor.
  if (!editor.isOpen()) return;
  const { file, isOriginal } = await editor.take();
  editor.close();
  await (isOriginal ? uploadAtOnce(file, "confirm") : upload(file, "confirm", "Cut and scaled here."));
}

// Uploads

async function uploadAtOnce(chosen, flow) {
  const fitted = await fitToLimits(chosen);
  if (!fitted) return;
  if (fitted !== chosen) {
    // A scaled picture has no metadata.
    await upload(fitted, flow, "Scaled down here.");
    return;
  }
  const isRemoving = isRemovingMetadata();
  const file = isRemoving ? await withoutMetadata(chosen) : chosen;
  const removed = chosen.size - file.size;
  const warning = isRemoving ? warnOfMetadata(file) : "";
  await upload(file, flow, removed ? `${bytes(removed)} of hidden details stay with you.` : warning);
}

function isRemovingMetadata() {
  return document.querySelector("#remove-metadata").checked;
}

async function upload(file, flow, note) {
  const username = currentUser();
  const watch = { look: () => see(entry) };
  const going = new Upload(file, { watch, withConfirm: flow !== "skip" });
  const entry = new Entry(`${file.name || "Picture"} for ${username}`);
  watch.progress = (part) => entry.progress(part);
  watch.phase = (phase) => {
    entry.say("running", PHASES[phase].says);
    return entry.observe(PHASES[phase].name, (call) => PHASES[phase].tell(call, file, note));
  };
  entry.element.scrollIntoView({ block: "nearest" });
  await begin(entry, username);
  await run();

  async function run() {
    entry.offer("Cancel", () => going.cancel());
    try {
      const avatar = await going.run();
      entry.offerNothing();
      if (avatar) await finish(avatar);
      else leaveOut();
    } catch (error) {
      fail(error);
    }
  }

  async function finish(avatar) {
    await settle(entry, going.form.key, avatar);
    entry.say("done", "Done: it is the avatar.");
    if (flow === "repeat") await repeat();
  }

  function leaveOut() {
    entry.note("left-out", "Confirm: left out. The avatar is the old one, and a lifecycle rule deletes what was uploaded.");
    entry.say("left-out", "Left without its confirm.");
  }

  async function repeat() {
    const { form } = going;
    await postForm(form, file, { observe: entry.observe("POST again", () => "The same form was still good.") });
    await see(entry);
    entry.note("left-out", AFTERMATH[strategy()]);
    entry.offer("Confirm again", () => perform(async () => {
      const { avatar } = await confirm(form, { observe: entry.observe("Confirm again", () => "Nothing will delete it.") });
      await settle(entry, form.key, avatar);
      entry.offerNothing();
    }));
  }

  function fail(error) {
    const cancelled = error.name === "AbortError";
    entry.say(cancelled ? "left-out" : "failed", cancelled ? "Cancelled. The avatar is as it was, unless the confirm was through." : explain(error));
    if (going.canTryAgain(error)) entry.offer("Try again", () => perform(run));
    else entry.offerNothing();
  }
}

const PHASES = {
  presign: {
    name: "Presign",
    says: "1 of 3: asking for a form",
    tell: ({ received }, file, note) => `The form allows ${bytes(file.size)} of ${file.type} at ${received.key}. ${note}`,
  },
  post: { name: "POST", says: "2 of 3: posting to the bucket", tell: ({ url }) => `${url.host} has taken the file.` },
  confirm: {
    name: "Confirm",
    says: "3 of 3: confirming",
    tell: ({ received }) => `Checked; the avatar is now ${received.avatar}.`,
  },
};

async function remove() {
  const username = currentUser();
  const entry = new Entry(`Removal of ${username}'s avatar`, { withProgress: false });
  entry.element.scrollIntoView({ block: "nearest" });
  await begin(entry, username);
  const old = entry.seen.rows.get(username);
  entry.say("running", "Removing the avatar");
  try {
    await removeAvatar({ observe: entry.observe("Remove", () => "The user has no avatar, and no earlier upload can become one.") });
    await settle(entry, old);
    entry.say("done", "Done: the avatar is removed.");
  } catch (error) {
    entry.say("failed", explain(error));
  }
}

/** Show and mark the changes from now on. */
async function begin(entry, username) {
  before = look(document);
  entry.users = new Set([username]);
  entry.seen = location.search ? look(await fetchNewest().catch(() => document)) : before;
}

/** Show the bucket and the table, and what the last call has changed. An upload does not depend on it. */
async function see(entry) {
  try {
    const fresh = await show();
    const seen = look(location.search ? await fetchNewest() : fresh);
    entry.showEffects(compare(entry.seen, seen, entry.users));
    entry.seen = seen;
  } catch (error) {
    report(error);
  }
  return entry.seen;
}

/** What the call replaced is deleted right after its response: read the page until the object with this key is deleted,
 * unless it is the avatar, and until the user has no orphans. */
async function settle(entry, key, avatar) {
  for (let looks = 0; looks < 10; looks += 1) {
    const { objects } = await see(entry);
    const isLeft = ({ owner, state }) => entry.users.has(owner) && state === "orphan";
    if (![...objects.values()].some(isLeft) && (key === avatar || !objects.has(key))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// The attack lab

async function tryAll() {
  const names = Object.keys(ATTACKS);
  // Attacks that wait start first and continue while the others run.
  names.sort((one, other) => Boolean(ATTACKS[other].background) - Boolean(ATTACKS[one].background));
  for (const name of names) await tryAttack(name);
}

async function tryAttack(name) {
  const attack = ATTACKS[name];
  const card = document.querySelector(`[data-attack="${name}"]`)?.closest("li");
  if (!card || card.dataset.verdict === "running") return;
  if (attack.background) runAttack(attack, card).catch(report);
  else await perform(() => runAttack(attack, card));
}

async function runAttack(attack, card) {
  const username = currentUser();
  const entry = new Entry(`Attack: ${card.querySelector("h3").textContent}`, { withProgress: false });
  const judge = (verdict, said, why) => {
    card.dataset.verdict = verdict;
    card.querySelector(".verdict").textContent = VERDICTS[verdict];
    card.querySelector(".said").textContent = said;
    card.querySelector(".why").textContent = why;
    entry.say(verdict === "refused" || verdict === "harmless" ? "done" : verdict, said || VERDICTS[verdict]);
  };
  const lab = new Lab(entry, {
    strategy: strategy(),
    username,
    look: see,
    settle,
    onWait: (left) => judge("running", `The form is good for another ${left} seconds.`, ""),
  });
  judge("running", "", "");
  await begin(entry, username);
  const avatar = entry.seen.rows.get(username);
  if (attack.background) entry.offer("Cancel", () => lab.cancel());
  const why = attack.why[lab.strategy] ?? attack.why;
  try {
    const said = await attack.run(lab);
    const isSame = attack.replacesAvatar || entry.seen.rows.get(username) === avatar;
    if (attack.expects || !isSame) judge("failed", said ?? "It went through.", "That should have been refused.");
    else judge("harmless", said, why);
  } catch (error) {
    if (error.name === "AbortError") judge("left-out", "Cancelled.", "");
    else if (isRefused(attack, error)) judge("refused", `${PARTS[attack.expects[0]]}: ${error.status} ${error.code}. ${error.said}`, why);
    else judge("failed", explain(error), "Another refusal was expected.");
  }
  entry.offerNothing();
}

const VERDICTS = {
  running: "trying",
  refused: "refused",
  harmless: "harmless",
  failed: "not as expected",
  "left-out": "cancelled",
};
const PARTS = { service: "The uploads service", bucket: "The bucket" };

// The page itself

/** Run one action at a time, and reload the page's sections after each. */
function perform(action) {
  waiting += 1;
  document.body.dataset.busy = "true";
  queue = queue.then(async () => {
    say("");
    await action().catch(report);
    // Also after a failure, since the object may already be in the bucket.
    await show().catch(report);
    waiting -= 1;
    document.body.dataset.busy = String(waiting > 0);
  });
  return queue;
}

/** Show the current content, with marks at the changes since before the last upload. */
async function show() {
  const fresh = await reload();
  nameFormatsWithoutRemover();
  if (before) mark(before, document);
  return fresh;
}

/** Show another page of a list, without marks. */
async function turn() {
  before = null;
  await show().catch(report);
}

function report(error) {
  if (!isForUsers(error)) console.error(error);
  say(explain(error));
}

function explain(error) {
  return isForUsers(error) ? error.message : "Something went wrong on this page. Load it again.";
}

/** Whether the error's message is written for users. */
function isForUsers(error) {
  return error instanceof CallError || error.name === "EncodingError";
}

function say(text) {
  document.querySelector("#failure").textContent = text;
}

function currentUser() {
  return document.querySelector("#users .current").dataset.user;
}

function strategy() {
  return document.querySelector("#strategy").dataset.strategy;
}

function bytes(count) {
  return `${count.toLocaleString("en")} bytes`;
}
