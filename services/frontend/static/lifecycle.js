// The clock of the bucket's lifecycle rules, which only the local demo can move.

import { callService } from "./upload.js";

const PATH = "/_lifecycle";

export async function showClock() {
  if (document.querySelector("#lifecycle")) show(await callService(PATH));
}

/** Move the clock ahead by a day; S3 then deletes what is over. */
export async function passDay() {
  const clock = await callService(PATH, { days: 1 });
  show(clock);
  const lines = clock.deleted.map(({ key, rule }) => `S3 deleted ${key} by its rule ${rule}.`);
  const list = document.querySelector("#lifecycle [data-deleted]");
  list.replaceChildren(...(lines.length ? lines : ["Nothing was over yet."]).map(toItem));
}

function show({ now, days_ahead: days }) {
  const moment = `${now.slice(0, 10)} ${now.slice(11, 16)} UTC`;
  const ahead = days ? `, ${days} ${days === 1 ? "day" : "days"} ahead` : "";
  document.querySelector("#lifecycle [data-clock]").textContent = moment + ahead;
}

function toItem(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}
