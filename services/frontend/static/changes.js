// Compares the bucket and the table before and after a call. The changes are described, and marked in the tables.

/** The objects by key, and the keys in the rows by username and attribute, that a page shows. */
export function look(page) {
  const objects = new Map();
  for (const { dataset } of page.querySelectorAll("#objects tr[data-key]")) objects.set(dataset.key, { owner: dataset.owner, state: describe(dataset) });
  const rows = new Map();
  for (const row of page.querySelectorAll("#rows tr[data-username]")) {
    rows.set(row.dataset.username, new Map([...row.querySelectorAll("[data-attribute]")].map(({ dataset }) => [dataset.attribute, dataset.key])));
  }
  return { objects, rows, hasMore: Boolean(page.querySelector("#bucket [data-more]")) };
}

/** The key of the user's avatar: an empty string without an avatar, and undefined without a row. */
export function avatarOf({ rows }, username) {
  return rows.get(username)?.get("Avatar");
}

function describe({ state, ends }) {
  return state === "live" && ends ? "live, now scheduled for deletion" : state;
}

/** What the page knew before, with what it fetched about these keys. */
export function update(before, fetched, keys) {
  const { objects, rows } = look(fetched);
  const known = new Map(before.objects);
  for (const key of keys) known.delete(key);
  return { objects: new Map([...known, ...objects]), rows: new Map([...before.rows, ...rows]), hasMore: before.hasMore };
}

/** The changes of these users' objects and rows, where `after` is an update of `before`, each as `{kind, what, was, now}`. `users` is a Set. */
export function compare(before, after, users) {
  const effects = [];
  for (const [key, { owner, state }] of after.objects) {
    const was = before.objects.get(key);
    if (!users.has(owner)) continue;
    if (!was) effects.push({ kind: "added", what: "object", now: `${key} (${state})` });
    else if (was.state !== state) effects.push({ kind: "changed", what: `object ${key}`, was: was.state, now: state });
  }
  for (const [key, { owner }] of before.objects) {
    if (!after.objects.has(key) && users.has(owner)) effects.push({ kind: "gone", what: "object", was: key });
  }
  for (const username of users) {
    for (const [attribute, now] of after.rows.get(username) ?? []) {
      const was = before.rows.get(username)?.get(attribute);
      if (was === undefined || was === now) continue;
      effects.push({ kind: "changed", what: `row ${username}: ${attribute}`, was: was || "none", now: now || "none" });
    }
  }
  return effects;
}

/** The keys of deleted objects. An older object that newer ones moved to the next page is not deleted. */
function findGone(before, after) {
  return [...before.objects.keys()].filter((key) => !after.objects.has(key) && nameOf(key) > findEdge(after));
}

/** The oldest name on the page. Older objects are on another page. */
function findEdge({ objects, hasMore }) {
  return hasMore ? [...objects.keys()].map(nameOf).sort()[0] : "";
}

export function nameOf(key) {
  return key.slice(key.indexOf("/") + 1);
}

/** Mark the changed entries of the page. The text of the tables stays the current content. */
export function mark(before, page) {
  const after = look(page);
  for (const row of page.querySelectorAll("#objects tr[data-key]")) {
    const was = before.objects.get(row.dataset.key);
    row.classList.toggle("is-new", !was && nameOf(row.dataset.key) > findEdge(before));
    const changed = Boolean(was) && was.state !== after.objects.get(row.dataset.key).state;
    row.classList.toggle("is-changed", changed);
    if (changed) row.querySelector("[data-was]").dataset.was = was.state;
  }
  for (const row of page.querySelectorAll("#rows tr[data-username]")) {
    row.classList.remove("is-changed");
    for (const cell of row.querySelectorAll("[data-attribute]")) {
      const was = before.rows.get(row.dataset.username)?.get(cell.dataset.attribute);
      delete cell.dataset.was;
      if (was === undefined || was === cell.dataset.key) continue;
      row.classList.add("is-changed");
      cell.dataset.was = was || "none";
    }
  }
  showGone(page, findGone(before, after));
}

function showGone(page, keys) {
  const note = page.querySelector("#gone");
  if (!note) return;
  const gone = keys.map((key) => {
    const item = document.createElement("del");
    item.textContent = key;
    return item;
  });
  note.replaceChildren(...(gone.length ? ["Deleted by this upload: ", ...gone.flatMap((item, n) => (n ? [", ", item] : [item]))] : []));
}
