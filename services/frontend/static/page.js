// Handles the page's events: clicks, and files that are chosen, dropped or pasted.

import { ATTACKS, Lab, drawTile, isRefused } from "./attacks.js";
import { CallError, callService, postForm } from "./calls.js";
import { avatarOf, compare, look, mark, update } from "./changes.js";
import * as editor from "./editor.js";
import { chooseFault, resetDemo, showFault, updateFault } from "./faults.js";
import { recognize, refuseUnedited } from "./formats.js";
import { passDay, showClock, sweep } from "./lifecycle.js";
import { countDownForms } from "./policy.js";
import { judge, readPrediction, showScore } from "./predictions.js";
import { ask as askUser } from "./question.js";
import { copyPicture, drawRemains, drawResult } from "./result.js";
import { build } from "./elements.js";
import { fitToLimits } from "./scaling.js";
import { TabClosed, isStepByStep, waitForClick } from "./steps.js";
import { findStrategy } from "./strategy.js";
import { Entry } from "./timeline.js";
import { Upload, confirm, readOnce, removeAvatar, withoutMetadata } from "./upload.js";
import { MAX_KEYS, countDown, fetchChanges, reload, remember, scrollTables, showChanges } from "./view.js";

const AFTERMATH = {
  prefix: `A second object is under ${document.body.dataset.pendingPrefix} and expires; the avatar is unchanged.`,
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
let shownQuery = location.search;

remember();
countDown();
setInterval(countDown, 30_000);
setInterval(countDownForms, 1000);
showClock().catch(report);
showFault().catch(report);
// Another tab may have chosen a fault, or met it.
document.addEventListener("visibilitychange", () => document.hidden || showFault().catch(() => {}));

showLinkedAttack();

addEventListener("popstate", () => {
  // A link to an attack changes the address, too.
  if (location.search !== shownQuery) turn();
  showLinkedAttack();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-page]");
  if (link) {
    event.preventDefault();
    link.classList.add("is-taken");
    history.pushState(null, "", link.href);
    turn();
    return;
  }
  const button = event.target.closest("button");
  if (!button || button.classList.contains("is-taken")) return;
  const { login, attack } = button.dataset;
  if (login) take(button, () => callService("/auth/login", { username: login }));
  else if ("logout" in button.dataset) take(button, (username) => callService("/auth/logout", {}, { username }));
  else if ("removeAvatar" in button.dataset) take(button, remove, { after: settled });
  else if ("passDay" in button.dataset) take(button, passDay);
  else if ("sweep" in button.dataset) take(button, sweep);
  else if ("uploadTile" in button.dataset) afterLogin(startTile);
  else if ("reset" in button.dataset) take(button, reset, { queue: "uploads", after: settled });
  else if ("tryBoth" in button.dataset) afterLogin(() => take(button, tryBoth, { queue: "uploads", after: settled }));
  else if (attack) tryAttack(attack);
  else if ("allAttacks" in button.dataset) tryAll();
  else if ("start" in button.dataset) startEdited();
  else if ("another" in button.dataset) closeEditor();
});

document.addEventListener("change", (event) => {
  if (event.target.name === "fault") perform(() => chooseFault(event.target.value), { queue: "uploads", after: async () => {} });
  const input = event.target.closest("input[type=file]");
  const [file] = input?.files ?? [];
  if (!file) return;
  const { flow } = input.dataset;
  afterLogin(() => (flow ? startAtOnce(file, flow) : edit(file)));
  // So that the same file can be chosen again.
  input.value = "";
});

/** Use a file for the user who is logged in, or whose login has begun. */
function afterLogin(use) {
  if (currentUser()) use();
  else queues.others.then(() => (currentUser() ? use() : sayInView("Log in as one of the users first.")));
}

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
  if (currentUser()) takeFirst(event.clipboardData, edit, tellEditor);
});

function findZone({ target }) {
  return target instanceof Element && currentUser() ? target.closest("#picture") : null;
}

/** The flow of the file input that a file is dropped on. */
function findFlow({ target }) {
  return target instanceof Element ? target.closest("input[data-flow]:enabled")?.dataset.flow : undefined;
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
  const shown = findStrategy();
  tellEditor("");
  performUpload(file.name, readOnce(file), (read, username) => uploadAtOnce(read, { flow, username, isRemoving, shown }));
}

function startEdited() {
  const isRemoving = isRemovingMetadata();
  const flow = document.querySelector("[name=flow]:checked").value;
  const shown = findStrategy();
  const name = editor.nameFile();
  const taken = editor.take();
  // At once: a second click must not upload the picture twice, and a later close would move the page under the next click.
  closeEditor();
  performUpload(name, taken, ({ file, isOriginal }, username) => {
    const options = { flow, username, isRemoving, shown };
    return isOriginal ? uploadAtOnce(file, options) : upload(file, { ...options, note: "The page cropped and scaled the picture." });
  });
}

/** Upload a small picture, which the page draws. */
function startTile() {
  const shown = findStrategy();
  performUpload("tile.png", drawTile(), (file, username) => upload(file, { flow: "confirm", username, note: "", shown }));
}

// Uploads

/** Perform an upload of what is prepared from now on, for the user whom the page shows now. A file that can't be uploaded
 * has an entry as well, since uploads before and after it go on. */
function performUpload(name, prepared, start) {
  // Until the queue comes to it, a failure is not unhandled.
  prepared.catch(() => {});
  sayTaken(name);
  return perform(async (username) => {
    try {
      await start(await prepared, username);
    } catch (error) {
      sayTaken("");
      if (!isForUsers(error)) throw error;
      const entry = new Entry(`${name} for ${username}`, { withProgress: false });
      entry.reveal();
      // A screen reader need not read a status that is inserted together with its text.
      entry.status.setAttribute("role", "alert");
      entry.say("failed", error.message);
    }
  }, { queue: "uploads", after: settled });
}

/** Say that a file was taken, before the first call of its upload. */
function sayTaken(name) {
  document.querySelector("#taken").textContent = name ? `Reading ${name} …` : "";
}

async function uploadAtOnce(given, { flow, username, isRemoving, shown }) {
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
    await upload(fitted, { flow, username, shown, note: "The page scaled the picture down." });
    return;
  }
  if (!cleaned && !(await askToUpload(kind))) return;
  const removed = chosen.size - file.size;
  await upload(file, { flow, username, shown, note: removed ? `${bytes(removed)} of metadata were stripped.` : "" });
}

function askToUpload({ file, format }) {
  const reason = format ? "it is damaged or unusual" : "its bytes are no picture that this page knows";
  const text = `Location, time and camera can't be stripped from ${file.name}, since ${reason}.`;
  return askUser("Metadata stays in the file", text, "Upload it as it is");
}

function isRemovingMetadata() {
  return document.querySelector("#remove-metadata").checked;
}

/** `shown`: the strategy that the page showed when the file was chosen. */
async function upload(file, { flow, username, note, shown: { strategy, path } }) {
  sayTaken("");
  const isStepping = isStepByStep();
  const watch = { look };
  const going = new Upload(file, { username, path, watch, withConfirm: flow !== "skip" });
  const name = file.name || "Picture";
  const entry = new Entry(`${name} for ${username}`);
  watch.pause = () => entry.say("running", "2 of 3: S3 could not accept the file; posting again in a moment");
  watch.progress = (part) => entry.progress(part);
  let phase = "presign";
  watch.phase = (next) => {
    phase = next;
    const { name, says, tell } = PHASES[phase];
    return watchCall(name, says, (call) => tell(call, file, note), () => entry.offer("Cancel", () => going.cancel()));
  };
  entry.reveal();
  await begin(entry, username);
  await run();

  /** The options of a call with this name. `begin` is called when the user has sent it. */
  function watchCall(name, says, tell, begin) {
    const observe = entry.observe(name, tell);
    entry.say("running", says);
    if (!isStepping) return { observe };
    const hold = async (call) => {
      entry.say("running", `${name} waits. Look at the request, then send it.`);
      await waitForClick(entry, name, call);
      entry.say("running", says);
      begin();
    };
    return { observe, hold };
  }

  async function look() {
    noteStored(entry, going.form);
    if (isStepping) await see(entry);
  }

  async function run() {
    entry.offer("Cancel", () => going.cancel());
    try {
      const avatar = await going.run();
      entry.offerNothing();
      if (avatar) await finish(avatar);
      else await leaveOut();
    } catch (error) {
      if (error instanceof TabClosed) await closeTab(error);
      else await fail(error);
    }
  }

  async function closeTab(error) {
    entry.offerNothing();
    const remains = (await see(entry)) ? [drawRemains(entry, username)] : [];
    entry.note("left-out", `${error.message} ${REMAINS[error.call] ?? AFTERMATH[strategy]}`, ...remains);
    entry.say("left-out", error.message);
  }

  async function finish(avatar) {
    await settle(entry, going.form.key, avatar);
    entry.say("done", "Done: it is the avatar.");
    if (flow === "repeat") await repeat();
  }

  async function leaveOut() {
    await see(entry);
    entry.note("left-out", "Confirm: left out. The avatar is the old one, and a lifecycle rule deletes the posted object.");
    entry.say("left-out", "Stopped before confirm.");
  }

  async function repeat() {
    const { form } = going;
    await postForm(form, file, watchCall("POST again", "Posting again", () => "The same form was still valid.", () => entry.offerNothing()));
    entry.say("done", "Done: it is the avatar.");
    await see(entry);
    entry.note("left-out", AFTERMATH[strategy]);
    entry.offer("Confirm again", () => perform(confirmAgain, { queue: "uploads", after: settled }));
  }

  async function confirmAgain() {
    const { form } = going;
    entry.offerNothing();
    try {
      const options = watchCall("Confirm again", "Confirming again", () => "Nothing will delete it.", () => entry.offerNothing());
      const { avatar } = await confirm(form, { username: going.username, ...options });
      await settle(entry, form.key, avatar);
      entry.say("done", "Done: it is the avatar.");
    } catch (error) {
      if (error instanceof TabClosed) {
        await closeTab(error);
        return;
      }
      entry.say("failed", `It was not confirmed again. ${explain(error)}`);
      await see(entry);
      if (going.canConfirmAgain(error)) entry.offer("Confirm again", () => perform(confirmAgain, { queue: "uploads", after: settled }));
    }
  }

  async function fail(error) {
    const cancelled = error.name === "AbortError";
    entry.say(cancelled ? "left-out" : "failed", cancelled ? sayCancelled() : explain(error));
    entry.offerNothing();
    // The service may have stopped after the copy.
    if (phase === "confirm" && going.form) entry.keys.add(going.form.key.replace(document.body.dataset.pendingPrefix, "avatars/"));
    await see(entry);
    const other = error.code === "other-user" && (await seeCurrentUser());
    if (other && other !== going.username) entry.offer(`Go on as ${other}`, () => goOn(other));
    else if (going.canTryAgain(error)) entry.offer("Try again", () => perform(run, { queue: "uploads", after: settled }));
  }

  function sayCancelled() {
    return phase === "confirm" ? "Cancelled. Confirm may have been done: compare the avatar." : "Cancelled. The avatar is unchanged.";
  }

  function goOn(other) {
    perform(() => {
      going.actFor(other);
      entry.users.add(other);
      entry.heading.textContent = `${name} for ${other}`;
      return run();
    }, { queue: "uploads", after: settled });
  }
}

/** Show who is logged in now. Returns the username, if somebody is. */
async function seeCurrentUser() {
  await show().catch(report);
  return currentUser();
}

/** What remains after the tab was closed before a call. Before "Confirm again" it depends on the strategy. */
const REMAINS = {
  Presign: "Without a form, S3 accepts nothing.",
  POST: "The services store nothing about a form. It expires unused.",
  Confirm: "S3 has the file, but no row refers to it. A lifecycle rule deletes it.",
  "POST again": "The upload was confirmed before.",
};

const PHASES = {
  presign: {
    name: "Presign",
    says: "1 of 3: asking for a form",
    tell: ({ received }, file, note) => `The form allows ${bytes(file.size)} of ${file.type} at ${received.key}. ${note}`,
  },
  post: { name: "POST", says: "2 of 3: posting to S3", tell: () => "S3 accepted the file (204)." },
  confirm: {
    name: "Confirm",
    says: "3 of 3: confirming",
    tell: ({ received }) => `Confirm checked the stored file; the avatar is now ${received.avatar}.`,
  },
};

async function remove(username) {
  const entry = new Entry(`Removal of ${username}'s avatar`, { withProgress: false });
  entry.reveal();
  await begin(entry, username);
  const old = avatarOf(entry.seen, username);
  if (old) entry.keys.add(old);
  entry.say("running", "Removing the avatar");
  try {
    await removeAvatar({ username, observe: entry.observe("Remove", () => "The user has no avatar, and no earlier upload can become one.") });
    await settle(entry, old);
    entry.say("done", "Done: the avatar is removed.");
  } catch (error) {
    entry.say("failed", explain(error));
    await see(entry);
    const other = error.code === "other-user" && (await seeCurrentUser());
    if (other) entry.offer(`Remove the avatar of ${other}`, () => perform(() => remove(other), { after: settled }));
  }
}

/** Show and mark the changes from now on. */
async function begin(entry, username) {
  before = look(document);
  entry.users = new Set([username]);
  entry.seen = before;
  entry.picture = copyPicture(username);
  const avatar = avatarOf(before, username);
  // The user's row may be on another page of the table, or filtered.
  if (avatar === undefined || (avatar && !before.objects.has(avatar))) entry.seen = await ask(entry).catch(() => before);
  const old = avatarOf(entry.seen, username);
  if (old) entry.keys.add(old);
  // An earlier upload's deletion may be late.
  for (const [key, { owner, state }] of before.objects) if (owner === username && state === "orphan") entry.keys.add(key);
  entry.was = old;
  entry.existed = new Set(entry.seen.objects.keys());
  entry.showResult(drawResult({ ...entry, fetched: entry.fetched ?? document, username }));
}

/** Note the object that S3 stored: its 204 says so, and the page need not ask. */
function noteStored(entry, { key, fields }) {
  if (entry.seen.objects.has(key)) return;
  entry.existed.add(key);
  const stored = { owner: fields["x-amz-meta-username"], state: "pending" };
  const seen = { ...entry.seen, objects: new Map([...entry.seen.objects, [key, stored]]) };
  entry.showEffects(compare(entry.seen, seen, entry.users));
  entry.seen = seen;
}

/** Ask for what the entry's calls may have changed. Returns what the page knows afterwards. */
async function ask(entry) {
  entry.keys = new Set([...entry.keys].slice(-MAX_KEYS));
  const fetched = await fetchChanges(entry.users, entry.keys);
  entry.fetched = fetched;
  return update(entry.seen, fetched, entry.keys);
}

/** Show what the entry's calls have changed. Returns what the page knows, or null if it can't be read: an upload does not
 * depend on it. */
async function see(entry) {
  try {
    const seen = await ask(entry);
    if (entry.fetched.body.dataset.current !== (currentUser() ?? "")) await show();
    else showChanges(entry.fetched, entry.keys);
    if (before) mark(before, document);
    scrollTables(entry.fetched);
    entry.showEffects(compare(entry.seen, seen, entry.users));
    entry.seen = seen;
    for (const key of seen.objects.keys()) entry.existed.add(key);
    const [username] = entry.users;
    entry.showResult(drawResult({ ...entry, username }));
    return seen;
  } catch (error) {
    report(error);
    return null;
  }
}

/** Milliseconds after which the page asks: the service deletes the replaced objects right after its response. */
const SETTLING = 150;

/** Show what a confirm or a removal changed. Ask again only while objects are left that it deletes: the one with this
 * key, unless it is the avatar, and the user's orphans. */
async function settle(entry, key, avatar) {
  for (let asks = 0; asks < 10; asks += 1) {
    await new Promise((resolve) => setTimeout(resolve, SETTLING));
    const seen = await see(entry);
    if (!seen) return;
    const isLeft = ([name, { owner, state }]) => entry.keys.has(name) && entry.users.has(owner) && state === "orphan";
    if (![...seen.objects].some(isLeft) && (key === avatar || !seen.objects.has(key))) return;
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
  // Another attack or an upload may come first.
  const predicted = readPrediction(findCard(name));
  outcomes.set(name, { verdict: "running", said: "", why: "", predicted });
  drawOutcome(name);
  const run = () => runAttack(name, username, predicted);
  if (ATTACKS[name].background) run().catch(report);
  else await perform(run, { queue: "uploads", after: settled });
}

function findCard(name) {
  return document.querySelector(`[data-attack="${name}"]`).closest("li");
}

function drawOutcome(name) {
  const { verdict, said, why, calls = [], violated = [] } = outcomes.get(name);
  const card = findCard(name);
  card.dataset.verdict = verdict;
  card.querySelector(".verdict").textContent = VERDICTS[verdict];
  card.querySelector(".said").textContent = said;
  card.querySelector(".why").textContent = why;
  card.querySelector(".made").replaceChildren(...calls.map(nameCall));
  card.querySelector(".condition").replaceChildren(...violated.flatMap(nameViolation));
  judge(card, outcomes.get(name));
  showScore(outcomes.values());
}

function nameCall({ name, place, outcome }) {
  return build("li", {}, `${name} → ${place}: `, build("b", { textContent: outcome }));
}

/** The changed field beside the condition that it violates. */
function nameViolation({ name, wanted, sent }) {
  const parts = [build("dt", { textContent: "condition" }), build("dd", {}, build("code", { textContent: `${name}: ${wanted}` }))];
  if (sent !== undefined) parts.push(build("dt", { textContent: "sent" }), build("dd", { className: "sent" }, build("code", { textContent: sent })));
  return parts;
}

async function runAttack(name, username, predicted) {
  const attack = ATTACKS[name];
  const entry = new Entry(`Attack: ${findCard(name).querySelector("h3").textContent}`, { withProgress: false });
  const judge = (verdict, said, why) => {
    outcomes.set(name, { verdict, said, why, predicted, ...entry.summarize() });
    entry.element.dataset.outcome = verdict;
    drawOutcome(name);
    entry.say(verdict === "refused" || verdict === "harmless" ? "done" : verdict, said || VERDICTS[verdict]);
  };
  const lab = new Lab(entry, {
    ...findStrategy(),
    username,
    settle,
    noteStored,
    onWait: (left) => judge("running", `The form is valid for another ${left} seconds.`, ""),
  });
  judge("running", "", "");
  await begin(entry, username);
  const avatar = avatarOf(entry.seen, username);
  if (attack.background) entry.offer("Cancel", () => lab.cancel());
  const why = attack.why[lab.strategy] ?? attack.why;
  try {
    const said = await attack.run(lab);
    await see(entry);
    const isSame = attack.replacesAvatar || avatarOf(entry.seen, username) === avatar;
    if (attack.expects || !isSame) judge("failed", said ?? "It went through.", "That should have been refused.");
    else judge("harmless", said, why);
  } catch (error) {
    await see(entry);
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
const PARTS = { service: "The uploads service", bucket: "S3" };

// Both strategies

/** Upload a picture under each strategy and post its form again. The comparison gets what S3 has stored after each POST. */
async function tryBoth(username) {
  for (const strategy of ["prefix", "tag"]) {
    const entry = new Entry(`${strategy}: an upload, and a second POST`, { withProgress: false });
    const cell = document.querySelector(`[data-tried="${strategy}"]`);
    cell.replaceChildren("…");
    entry.reveal();
    await begin(entry, username);
    const lab = new Lab(entry, { strategy, path: `/_strategies/${strategy}`, username, settle, noteStored });
    try {
      const file = await drawTile();
      const form = await lab.complete(file);
      const avatar = avatarOf(entry.seen, username);
      await lab.post(form, file);
      await see(entry);
      const again = entry.seen.objects.get(form.key);
      cell.replaceChildren(
        ...["Posted to ", form.key, "; the avatar is ", avatar, "; after the second POST, ", form.key, ` is ${again?.state}.`].map((part, n) =>
          n % 2 ? build("code", { textContent: part }) : part),
      );
      entry.say("done", "Done: compare it with the other strategy.");
      if (strategy === "tag") await lab.confirm(form);
    } catch (error) {
      cell.replaceChildren(explain(error));
      entry.say("failed", explain(error));
    }
  }
}

async function reset() {
  const text = "All rows and objects are deleted, the seeded users are added again, and the bucket clock shows the real time.";
  if (await askUser("Set the demo back to its first state", text, "Reset")) await resetDemo();
}

// The page itself

/** Perform the button's action. The button shows at once that the click was taken, and takes no other one until the end.
 * It is not `disabled`, since it would lose the keyboard's focus. */
function take(button, action, options) {
  button.setAttribute("aria-disabled", "true");
  button.classList.add("is-taken");
  return perform(action, options).finally(() => {
    button.removeAttribute("aria-disabled");
    button.classList.remove("is-taken");
  });
}

/** Run the actions of a queue one at a time, each for the user whom the page shows now. `after` shows what has changed:
 * by default it reloads the page's sections. */
function perform(action, { queue = "others", after = show } = {}) {
  const username = currentUser();
  waiting += 1;
  document.body.dataset.busy = "true";
  const isHeld = queue === "uploads" && document.querySelector(".call.waiting");
  if (isHeld) sayInView("An upload waits for your click under What happened. This begins after it.");
  else say("");
  queues[queue] = queues[queue].then(async () => {
    if (isHeld) say("");
    await action(username).catch(report);
    // Also after a failure, since a part may be done.
    await after().catch(report);
    waiting -= 1;
    document.body.dataset.busy = String(waiting > 0);
  });
  return queues[queue];
}

/** The action has shown what it changed. */
async function settled() {
  sayTaken("");
  await updateFault();
}

/** Show the current content, with marks at the changes since before the last upload. */
async function show() {
  await reload();
  keepEditor();
  for (const name of outcomes.keys()) if (!findCard(name).dataset.verdict) drawOutcome(name);
  showLinkedAttack();
  if (before) mark(before, document);
}

/** Show another page of a list, without marks. */
async function turn() {
  before = null;
  shownQuery = location.search;
  await show().catch(report);
  for (const link of document.querySelectorAll("a.is-taken")) link.classList.remove("is-taken");
}

/** Mark the attack that the page's address names. `:target` would lose it when its section is replaced. */
function showLinkedAttack() {
  for (const card of document.querySelectorAll(".attack")) card.classList.toggle("is-linked", `#${card.id}` === location.hash);
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

/** Say why a click has no effect yet. The button can be far from the line that says it. */
function sayInView(text) {
  say(text);
  document.querySelector("#failure").scrollIntoView({ block: "nearest" });
}

/** The user whom the page shows as logged in, if there is one. */
function currentUser() {
  return document.querySelector("#users .current")?.dataset.user;
}

function bytes(count) {
  return `${count.toLocaleString("en")} bytes`;
}
