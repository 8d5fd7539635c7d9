// The signed policy of a form: each condition beside the value that the form has, and what S3 refuses because of it.

import { build } from "./elements.js";

/** What S3 refuses because of the condition on this field. */
const REFUSALS = {
  bucket: "a form that is posted to another bucket",
  key: "another key, such as another user's avatar",
  "Content-Type": "another content type",
  tagging: "another tag: the lifecycle rule finds the pending object by this one",
  "x-amz-meta-username": "another username: confirm compares it with the access token",
  "x-amz-meta-request-id": "another request id: the services log the upload under this one",
  "x-amz-meta-sha256": "another digest: confirm compares it with the stored bytes",
  "x-amz-meta-upload-token": "another digest of the upload token, which confirm asks for",
  "x-amz-checksum-algorithm": "another checksum algorithm",
  "x-amz-checksum-sha256": "another checksum, and with this one other bytes (BadDigest)",
  "x-amz-algorithm": "another signature algorithm",
  "x-amz-credential": "another access key, day or region",
  "x-amz-date": "another time of the signature",
  "x-amz-security-token": "another session of the signer",
};
/** Fields that no policy names: the policy itself, its signature and the file (AWS: "POST Policy"). */
const UNNAMED = new Set(["policy", "x-amz-signature", "file"]);

/** The policy of these fields, or null if they have none: `{expiration, conditions}`. */
export function decode(fields) {
  try {
    return JSON.parse(atob(fields.policy));
  } catch {
    return null;
  }
}

/**
 * The policy as lines `{name, wanted, sent, refusal, isViolated}`: first the expiration, then each condition, then each
 * field that no condition names, then the signature. `size`: bytes of the posted file; `error`: S3's refusal.
 */
export function explain(fields, { size, error } = {}) {
  const { expiration, conditions } = decode(fields);
  const named = new Set();
  const lines = conditions.map((condition) => {
    const [operator, name, ...values] = Array.isArray(condition) ? condition : ["eq", ...Object.entries(condition)[0]];
    if (operator === "content-length-range") return explainSize(name, values[0], size);
    const field = name.replace(/^\$/, "");
    named.add(field);
    return explainField(operator, field, values[0], fields);
  });
  const extra = Object.keys(fields).filter((name) => !named.has(name) && !UNNAMED.has(name));
  return [
    { name: "expiration", wanted: expiration, refusal: "every POST after this time", isViolated: /expired/i.test(error?.said) },
    ...lines.map((line) => (line.name === "x-amz-checksum-sha256" && error?.code === "BadDigest" ? { ...line, isViolated: true, sent: "other bytes" } : line)),
    ...extra.map((name) => ({ name, wanted: "no condition names it", sent: fields[name], refusal: "a field that no condition names", isViolated: true })),
    { name: "x-amz-signature", wanted: "HMAC-SHA256", refusal: "a policy that was changed by a single byte", isViolated: error?.code === "SignatureDoesNotMatch" },
  ];
}

function explainSize(from, to, size) {
  const wanted = from === to ? `exactly ${count(from)} bytes` : `${count(from)} to ${count(to)} bytes`;
  const sent = size === undefined ? undefined : `${count(size)} bytes`;
  return { name: "content-length-range", wanted, sent, refusal: "a smaller or larger file", isViolated: size < from || size > to };
}

function explainField(operator, name, wanted, fields) {
  // The bucket is in the URL of the form, not among its fields.
  const sent = name === "bucket" ? wanted : (fields[name] ?? "");
  const isViolated = operator === "starts-with" ? !sent.startsWith(wanted) : sent !== wanted;
  const words = operator === "starts-with" ? `starts with ${wanted}` : wanted;
  return { name, wanted: words, sent, refusal: REFUSALS[name] ?? "another value", isViolated };
}

/** The policy as a table. `shorten(name, value)` shortens secrets. */
export function showPolicy(fields, facts, shorten) {
  const lines = explain(fields, facts);
  const rows = lines.map(({ name, wanted, sent, refusal, isViolated }) => {
    const condition = build("td", {}, build("code", { textContent: shorten(name, wanted) }));
    if (name === "expiration") condition.append(" ", countdown(wanted));
    if (isViolated && sent !== undefined) condition.append(" ", build("strong", { textContent: `sent: ${shorten(name, sent)}` }));
    const row = build("tr", { className: isViolated ? "is-violated" : "" },
      build("th", { scope: "row" }, build("code", { textContent: name })),
      condition,
      build("td", { textContent: isViolated ? `refused: ${refusal}` : refusal }),
    );
    return row;
  });
  const heads = ["Condition", "Value", "S3 refuses"].map((textContent) => build("th", { scope: "col", textContent }));
  const table = build("table", {}, build("thead", {}, build("tr", {}, ...heads)), build("tbody", {}, ...rows));
  const scroll = build("div", { className: "scroll", tabIndex: 0 }, table);
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", "Policy");
  const heading = build("h4", { textContent: `The signed policy: ${decode(fields).conditions.length} conditions and an expiration` });
  return build("section", { className: "policy" }, heading, scroll);
}

function countdown(expiration) {
  const time = build("time", { dateTime: expiration, className: "left" });
  time.dataset.formEnds = "";
  return time;
}

/** Show on each form how long it is still valid. */
export function countDownForms(page = document) {
  for (const time of page.querySelectorAll("[data-form-ends]")) {
    const seconds = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1000);
    const [minutes, rest] = [Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0")];
    time.textContent = seconds > 0 ? `valid for another ${minutes}:${rest}` : "expired";
  }
}

function count(bytes) {
  return bytes.toLocaleString("en");
}
