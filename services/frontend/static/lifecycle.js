// The clock of the bucket's lifecycle rules, and a sweep on demand. Only the local demo has them.

import { callService } from "./calls.js";
import { setClock } from "./view.js";

const CLOCK = "/_lifecycle";
const SWEEP = "/_sweep";

export async function showClock() {
  if (document.querySelector("#lifecycle")) show(await callService(CLOCK));
}

/** Move the clock ahead by a day. S3 then deletes the expired objects. */
export async function passDay() {
  showResult("Moving the clock …", []);
  const clock = await callService(CLOCK, { days: 1 }).catch(clearAndThrow);
  show(clock);
  tell("A day has passed.", clock.deleted.map(({ key, rule }) => `S3 deleted ${key} by its rule ${rule}.`), "Nothing had expired yet.");
}

export async function sweep() {
  showResult("Sweeping …", []);
  const { outcomes } = await callService(SWEEP, {}).catch(clearAndThrow);
  const lines = outcomes.flatMap(({ outcome, count, meaning, names }) => [
    `${count.toLocaleString("en")} ${outcome}: ${meaning}`,
    ...names.map((name) => `${outcome}: ${name}`),
  ]);
  tell("Sweep finished.", lines, "It found nothing.");
}

function show({ now, days_ahead: days, rules }) {
  document.querySelector("#lifecycle [data-rules]").textContent = rules.map((rule) => JSON.stringify(rule, null, 1)).join("\n");
  const moment = `${now.slice(0, 10)} ${now.slice(11, 16)} UTC`;
  const ahead = days ? `, ${days} ${days === 1 ? "day" : "days"} ahead` : "";
  document.querySelector("#lifecycle [data-clock]").textContent = moment + ahead;
  setClock(days);
}

function clearAndThrow(error) {
  showResult("", []);
  throw error;
}

function tell(title, lines, otherwise) {
  showResult(title, lines.length ? lines : [otherwise]);
}

function showResult(title, lines) {
  document.querySelector("#lifecycle [data-told]").textContent = title;
  document.querySelector("#lifecycle [data-deleted]").replaceChildren(...lines.map(toItem));
}

function toItem(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}
