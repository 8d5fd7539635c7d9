// Handles the page's events: clicks, and files that are chosen, dropped or pasted.

import { ATTACKS, Lab, isRefused } from "./attacks.js";
import { CallError, callService, postForm } from "./calls.js";
import { compare, findAvatar, look, mark } from "./changes.js";
import * as editor from "./editor.js";
import { recognize, refuseUnedited } from "./formats.js";
import { passDay, showClock, sweep } from "./lifecycle.js";
import { ask } from "./question.js";
import { fitToLimits } from "./scaling.js";
import { Entry } from "./timeline.js";
import { Upload, confirm, readOnce, removeAvatar, withoutMetadata } from "./upload.js";
import { countDown, fetchNewest, reload, remember } from "./view.js";

const AFTERMATH = {
  prefix: `A second object lies under ${document.body.dataset.pendingPrefix} and expires; the avatar is untouched.`,
  tag: "The live avatar is pending again, and a lifecycle rule would delete it. A repeat of the confirm restores it, and so does the hourly sweep.",
};

/** Uploads and attacks run one after the other, and so do all other actions, which don't wait for an upload. */
const queues = { uploads: Promise.resolve(), others: Promise.resolve() };
let waiting = 0;
/** The number of files that were chosen for the editor. */
let choices = 0;
/** The outcome of each attack by its name, since the attacks' cards are replaced when another user logs in. */
const outcomes = new Map();
/** The bucket and the table before the last upload. The tables mark the differences from it. */
let before = null;

remember();
countDown();
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
  else if ("logout" in button.dataset) perform((username) => callService("/auth/logout", {}, { username }));
  else if ("removeAvatar" in button.dataset) perform(remove);
  else if ("passDay" in button.dataset) perform(passDay);
  else if ("sweep" in button.dataset) perform(sweep);
  else if (attack) tryAttack(attack);
  else if ("allAttacks" in button.dataset) tryAll();
  else if ("start" in button.dataset) startEdited(button);
  else if ("another" in button.dataset) closeEditor();
});

document.addEventListener("change", (event) => {
  const input = event.target.closest("input[type=file]");
  const [file] = input?.files ?? [];
  if (!file) return;
  if (input.dataset.flow) startAtOnce(file, input.dataset.flow);
  else edit(file);
  // So that the same file can be chosen again.
  input.value = "";
});

document.addEventListener("input", (event) => {
  if (event.target.closest("#editor")) editor.draw();
});

// Dropped and pasted files

document.addEventListener("dragover", (event) => {
  // Otherwise the browser would leave the page and open what is dropped.
  event.preventDefault();
  const zone = findZone(event);
  if (zone) zone.classList.add("is-over");
  else if (!findFlow(event)) event.dataTransfer.dropEffect = "none";
});

document.addEventListener("dragleave", (event) => findZone(event)?.classList.remove("is-over"));

document.addEventListener("drop", (event) => {
  event.preventDefault();
  const zone = findZone(event);
  zone?.classList.remove("is-over");
  const flow = findFlow(event);
  if (zone) takeFirst(event.dataTransfer, edit, tellEditor);
  else if (flow) takeFirst(event.dataTransfer, (file) => startAtOnce(file, flow), say);
});

document.addEventListener("paste", (event) => {
  if (document.querySelector("#drop")) takeFirst(event.clipboardData, edit, tellEditor);
});

function findZone({ target }) {
  return target instanceof Element ? target.closest("#picture") : null;
}

/** What is done with a file that is dropped on this file input, if it is one of those beside the editor. */
function findFlow({ target }) {
  return target instanceof Element ? target.closest("input[data-flow]")?.dataset.flow : undefined;
}

/** Use the first file of a drop or a paste. `tell` shows a sentence about anything else. */
function takeFirst({ files, items, types }, use, tell) {
  const [file] = files;
  if (!file) {
    tell(`This is ${types.includes("text/uri-list") ? "a link" : "text"}, not a file. Save the picture as a file, and choose that.`);
  } else if (isFolder(items)) {
    tell(`${file.name} is a folder. Choose a picture in it.`);
  } else {
    use(file);
    if (files.length > 1) tell(`These are ${files.length} files, and an avatar is one: only ${file.name} is used.`);
  }
}

/** Whether the first file is a folder, which can't be read. */
function isFolder(items) {
  const item = [...items].find(({ kind }) => kind === "file");
  return Boolean(item?.webkitGetAsEntry()?.isDirectory);
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
  const choice = ++choices;
  tellEditor("");
  try {
    const read = await readOnce(file);
    // A later choice may have been read sooner.
    if (choice !== choices) return;
    const isOpen = await editor.open(read);
    if (isOpen) {
      editor.showFor(currentUser());
      document.querySelector("#editor [data-start]").focus();
    } else if (choice === choices && !currentUser()) {
      sayDiscarded(file.name);
    }
  } catch (error) {
    if (!isForUsers(error)) throw error;
    if (choice === choices) tellEditor(error.message);
  }
}

/** Show the open editor for the user who is now logged in. Without one, close it. */
function keepEditor() {
  const [name, username] = [editor.nameFile(), currentUser()];
  if (name && username) editor.showFor(username);
  if (username) return;
  editor.close();
  if (name) sayDiscarded(name);
}

function sayDiscarded(name) {
  say(`${name} was not uploaded, since nobody is logged in any more. Log in, and choose it again.`);
}

function closeEditor() {
  editor.close();
  tellEditor("");
}

function tellEditor(text) {
  const line = document.querySelector("#picture-problem");
  if (line) line.textContent = text;
}

function startAtOnce(file, flow) {
  const isRemoving = isRemovingMetadata();
  tellEditor("");
  performUpload(file.name, readOnce(file), (read, username) => uploadAtOnce(read, { flow, username, isRemoving }));
}

function startEdited(button) {
  const isRemoving = isRemovingMetadata();
  const name = editor.nameFile();
  // Otherwise a second click would upload the picture twice.
  button.disabled = true;
  const taken = editor.take().finally(() => {
    button.disabled = false;
  });
  const closed = taken.then((result) => {
    closeEditor();
    return result;
  });
  performUpload(name, closed, ({ file, isOriginal }, username) => {
    const options = { flow: "confirm", username, isRemoving };
    return isOriginal ? uploadAtOnce(file, options) : upload(file, { ...options, note: "Cut and scaled here." });
  });
}

// Uploads

/** Perform an upload of what is prepared from now on, for the user whom the page shows now. A file that can't be uploaded
 * has an entry as well, since uploads before and after it go on. */
function performUpload(name, prepared, start) {
  // Until the queue comes to it, a failure is not unhandled.
  prepared.catch(() => {});
  return perform(async (username) => {
    try {
      await start(await prepared, username);
    } catch (error) {
      if (!isForUsers(error)) throw error;
      const entry = new Entry(`${name} for ${username}`, { withProgress: false });
      entry.element.scrollIntoView({ block: "nearest" });
      // A screen reader need not read a status that is inserted together with its text.
      entry.status.setAttribute("role", "alert");
      entry.say("failed", error.message);
    }
  }, "uploads");
}

async function uploadAtOnce(given, { flow, username, isRemoving }) {
  const kind = await recognize(given);
  refuseUnedited(kind);
  const chosen = kind.file;
  // An empty file has no metadata. The service refuses it.
  const cleaned = isRemoving && chosen.size ? await withoutMetadata(chosen) : chosen;
  const file = cleaned ?? chosen;
  const fitted = await fitToLimits(file);
  if (!fitted) return;
  if (fitted !== file) {
    // A scaled picture has no metadata.
    await upload(fitted, { flow, username, note: "Scaled down here." });
    return;
  }
  if (!cleaned && !(await askToUpload(kind))) return;
  const removed = chosen.size - file.size;
  await upload(file, { flow, username, note: removed ? `${bytes(removed)} of hidden details stay with you.` : "" });
}

function askToUpload({ file, format }) {
  const reason = format ? "it is damaged or unusual" : "its bytes are no picture that this page knows";
  const text = `Place, time, camera and the like can't be taken out of ${file.name}, since ${reason}.`;
  return ask("Hidden details stay in", text, "Upload it as it is");
}

function isRemovingMetadata() {
  return document.querySelector("#remove-metadata").checked;
}

async function upload(file, { flow, username, note }) {
  const watch = { look: (signal) => see(entry, signal) };
  const going = new Upload(file, { username, watch, withConfirm: flow !== "skip" });
  const name = file.name || "Picture";
  const entry = new Entry(`${name} for ${username}`);
  watch.pause = () => entry.say("running", "2 of 3: the bucket could not take the file; posting again in a moment");
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
      await fail(error);
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
    entry.offer("Confirm again", () => perform(confirmAgain, "uploads"));
  }

  async function confirmAgain() {
    const { form } = going;
    entry.offerNothing();
    entry.say("running", "Confirming again");
    try {
      const observe = entry.observe("Confirm again", () => "Nothing will delete it.");
      const { avatar } = await confirm(form, { username: going.username, observe });
      await settle(entry, form.key, avatar);
      entry.say("done", "Done: it is the avatar.");
    } catch (error) {
      entry.say("failed", `It was not confirmed again. ${explain(error)}`);
      if (going.canConfirmAgain(error)) entry.offer("Confirm again", () => perform(confirmAgain, "uploads"));
    }
  }

  async function fail(error) {
    const cancelled = error.name === "AbortError";
    entry.say(cancelled ? "left-out" : "failed", cancelled ? "Cancelled. The avatar is as it was, unless the confirm was through." : explain(error));
    entry.offerNothing();
    const other = error.code === "other-user" && (await seeCurrentUser());
    if (other && other !== going.username) entry.offer(`Go on as ${other}`, () => goOn(other));
    else if (going.canTryAgain(error)) entry.offer("Try again", () => perform(run, "uploads"));
  }

  function goOn(other) {
    perform(() => {
      going.actFor(other);
      entry.users.add(other);
      entry.heading.textContent = `${name} for ${other}`;
      return run();
    }, "uploads");
  }
}

/** Show who is logged in now. Returns the username, if somebody is. */
async function seeCurrentUser() {
  await show().catch(report);
  return currentUser();
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

async function remove(username) {
  const entry = new Entry(`Removal of ${username}'s avatar`, { withProgress: false });
  entry.element.scrollIntoView({ block: "nearest" });
  await begin(entry, username);
  const old = findAvatar(entry.seen, username);
  entry.say("running", "Removing the avatar");
  try {
    await removeAvatar({ username, observe: entry.observe("Remove", () => "The user has no avatar, and no earlier upload can become one.") });
    await settle(entry, old);
    entry.say("done", "Done: the avatar is removed.");
  } catch (error) {
    entry.say("failed", explain(error));
    const other = error.code === "other-user" && (await seeCurrentUser());
    if (other) entry.offer(`Remove the avatar of ${other}`, () => perform(() => remove(other)));
  }
}

/** Show and mark the changes from now on. */
async function begin(entry, username) {
  before = look(document);
  entry.users = new Set([username]);
  entry.seen = location.search ? look(await fetchNewest().catch(() => document)) : before;
}

/** Show the bucket and the table, and what the last call has changed. Returns both, or null if the page can't be read: an
 * upload does not depend on it. */
async function see(entry, signal) {
  try {
    const [fresh, newest] = await Promise.all([show(signal), location.search ? fetchNewest(signal) : null]);
    const seen = look(newest ?? fresh);
    entry.showEffects(compare(entry.seen, seen, entry.users));
    entry.seen = seen;
    return seen;
  } catch (error) {
    if (!signal?.aborted) report(error);
    return null;
  }
}

/** What the call replaced is deleted right after its response: read the page until the object with this key is deleted,
 * unless it is the avatar, and until the user has no orphans. */
async function settle(entry, key, avatar) {
  for (let looks = 0; looks < 10; looks += 1) {
    const seen = await see(entry);
    if (!seen) return;
    const isLeft = ({ owner, state }) => entry.users.has(owner) && state === "orphan";
    if (![...seen.objects.values()].some(isLeft) && (key === avatar || !seen.objects.has(key))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// The attack lab

async function tryAll() {
  const username = currentUser();
  const names = Object.keys(ATTACKS);
  // Attacks that wait start first and continue while the others run.
  names.sort((one, other) => Boolean(ATTACKS[other].background) - Boolean(ATTACKS[one].background));
  for (const name of names) {
    if (currentUser() !== username) {
      say(`${currentUser() ?? "Nobody"} is logged in now. The attacks that had not begun for ${username} are left out.`);
      return;
    }
    await tryAttack(name, username);
  }
}

async function tryAttack(name, username = currentUser()) {
  if (outcomes.get(name)?.verdict === "running") return;
  const run = () => runAttack(name, username);
  if (ATTACKS[name].background) run().then(() => show()).catch(report);
  else await perform(run, "uploads");
}

function findCard(name) {
  return document.querySelector(`[data-attack="${name}"]`).closest("li");
}

function drawOutcome(name) {
  const { verdict, said, why } = outcomes.get(name);
  const card = findCard(name);
  card.dataset.verdict = verdict;
  card.querySelector(".verdict").textContent = VERDICTS[verdict];
  card.querySelector(".said").textContent = said;
  card.querySelector(".why").textContent = why;
}

async function runAttack(name, username) {
  const attack = ATTACKS[name];
  const entry = new Entry(`Attack: ${findCard(name).querySelector("h3").textContent}`, { withProgress: false });
  const judge = (verdict, said, why) => {
    outcomes.set(name, { verdict, said, why });
    drawOutcome(name);
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
  const avatar = findAvatar(entry.seen, username);
  if (attack.background) entry.offer("Cancel", () => lab.cancel());
  const why = attack.why[lab.strategy] ?? attack.why;
  try {
    const said = await attack.run(lab);
    const isSame = attack.replacesAvatar || findAvatar(entry.seen, username) === avatar;
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

/** Run the actions of a queue one at a time, each for the user whom the page shows now, and reload the page's sections
 * after each. */
function perform(action, queue = "others") {
  const username = currentUser();
  waiting += 1;
  document.body.dataset.busy = "true";
  say("");
  queues[queue] = queues[queue].then(async () => {
    await action(username).catch(report);
    // Also after a failure, since the object may already be in the bucket.
    await show().catch(report);
    waiting -= 1;
    document.body.dataset.busy = String(waiting > 0);
  });
  return queues[queue];
}

/** Show the current content, with marks at the changes since before the last upload. */
async function show(signal) {
  const fresh = await reload(signal);
  keepEditor();
  for (const name of outcomes.keys()) if (!findCard(name).dataset.verdict) drawOutcome(name);
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
  return error instanceof CallError || ["EncodingError", "NotReadableError"].includes(error.name);
}

function say(text) {
  document.querySelector("#failure").textContent = text;
}

/** The user whom the page shows as logged in, if there is one. */
function currentUser() {
  return document.querySelector("#users .current")?.dataset.user;
}

function strategy() {
  return document.querySelector("#strategy").dataset.strategy;
}

function bytes(count) {
  return `${count.toLocaleString("en")} bytes`;
}
