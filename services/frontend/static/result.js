// What became of an upload, in its entry: the old and the new avatar, and on a narrow screen, where the tables are far away,
// the objects and the row.

import { avatarOf, look } from "./changes.js";
import { build } from "./elements.js";

const SIDE = 96;

/** The user's avatar as the page shows it now, to be shown beside the next one. */
export function copyPicture(username) {
  const avatar = findAvatar(username);
  if (!avatar?.naturalWidth) return avatar?.cloneNode(true);
  const canvas = build("canvas", { width: SIDE, height: SIDE, className: "avatar" });
  canvas.getContext("2d").drawImage(avatar, 0, 0, SIDE, SIDE);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `The old avatar of ${username}`);
  return canvas;
}

function findAvatar(username) {
  return document.querySelector(`#users [data-user="${CSS.escape(username)}"] .avatar`);
}

/** The user's old and new avatar and row, and the state and expiry of each object. `was`: the key before; `existed`: the
 * keys that the page saw at any time. */
export function drawResult({ fetched, keys, username, picture, was, existed }) {
  const found = [...keys].map((key) => [key, fetched.querySelector(`#objects [data-key="${CSS.escape(key)}"]`)]);
  found.sort(([, one], [, other]) => Boolean(other) - Boolean(one));
  const objects = found.map(([key, row]) => drawObject(key, row, existed.has(key)));
  return {
    pictures: [picture ?? "", " → ", findAvatar(username)?.cloneNode(true) ?? ""],
    list: build("ul", { className: "result" }, ...objects, drawRow(username, was || "none", avatarOf(look(fetched), username) || "none")),
  };
}

/** What remains of an upload that was not completed. */
export function drawRemains(entry, username) {
  const { list } = drawResult({ ...entry, username });
  list.className = "remains";
  return list;
}

function drawObject(key, found, existed) {
  if (!found && !existed) return build("li", {}, build("b", { textContent: "no object" }), " ", build("code", { textContent: key }));
  if (!found) return build("li", {}, build("b", { textContent: "deleted" }), " ", build("del", { textContent: key }));
  const [state, expires] = [".state", ".expires"].map((cell) => found.querySelector(cell).textContent.trim());
  return build("li", {}, build("b", { textContent: state }), ` expires ${expires} `, build("code", { textContent: key }));
}

function drawRow(username, was, now) {
  const item = build("li", {}, build("b", { textContent: `row ${username}` }), " ");
  if (was === now) item.append(`unchanged `, build("code", { textContent: now }));
  else item.append(build("del", { textContent: was }), " → ", build("ins", { textContent: now }));
  return item;
}
