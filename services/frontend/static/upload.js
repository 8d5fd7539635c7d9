// The three phases, each a plain call. A failed one throws an UploadError, in words for the person who uploads.

import { removeMetadata } from "./metadata.js";

export class UploadError extends Error {}

/** The picture without what the file says besides it. A GIF and whatever can't be read stay as they are. */
export async function withoutMetadata(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kept = removeMetadata(bytes, file.type);
  return kept === bytes ? file : new File([kept], file.name, { type: file.type });
}

/** Ask the uploads service for a form that allows this one file. */
export async function presign(file) {
  const sha256 = await digest(file);
  const requestId = makeRequestId();
  const declared = { content_type: file.type, size: file.size, ...(sha256 && { sha256 }) };
  return { ...(await callService("/uploads/presign", declared, requestId)), requestId };
}

/** Post the file straight to the bucket. The file comes last: S3 ignores what follows it. */
export async function postToBucket(form, file) {
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", file);
  const answer = await send(form.url, { method: form.method, body });
  if (!answer.ok) throw new UploadError(explainBucketError(answer.status, await answer.text()));
}

/** Tell the uploads service, which checks the picture and makes it the avatar. */
export function confirm(form) {
  const proof = { key: form.key, ...(form.upload_token && { upload_token: form.upload_token }) };
  return callService("/uploads/confirm", proof, form.requestId);
}

/** POST where there is a body, GET where there is none. The services' logs have the request id, where one is given. */
export async function callService(path, body, requestId) {
  const headers = { "Content-Type": "application/json", ...(requestId && { "X-Request-Id": requestId }) };
  const post = { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await send(path, body ? post : {});
  const text = await answer.text();
  if (!answer.ok) throw new UploadError(explainProblem(answer.status, text));
  return text ? JSON.parse(text) : null;
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    // The browser tells a page no more than this, be it the network or a CORS refusal.
    throw new UploadError(`${new URL(url, location.href).host} can't be reached. Check the connection and try again.`);
  }
}

/** RFC 9457 problem+json; anything else comes from something between us and the service. */
function explainProblem(status, text) {
  try {
    const { type, title, detail } = JSON.parse(text);
    if (type) return `${detail || title} (${status}, ${type})`;
  } catch {
    // No JSON at all.
  }
  return `The service answered ${status} without saying why. Try again in a moment.`;
}

const BUCKET_ERRORS = {
  EntityTooLarge: "The file is larger than it was declared to be.",
  EntityTooSmall: "The file is smaller than it was declared to be.",
  AccessDenied: "The form does not allow this file, or its time is over. Choose the file again.",
  BadDigest: "The file arrived damaged or is not the one that was announced. Choose it again.",
  SignatureDoesNotMatch: "The form's signature is wrong.",
  SlowDown: "The bucket is busy. Try again in a moment.",
};

/** S3 answers in XML: `<Error><Code>…</Code><Message>…</Message></Error>`. */
function explainBucketError(status, text) {
  const document = new DOMParser().parseFromString(text, "application/xml");
  const code = document.querySelector("Error > Code")?.textContent;
  if (!code) return `The bucket refused the file (${status}).`;
  const message = document.querySelector("Error > Message")?.textContent ?? "";
  return `${BUCKET_ERRORS[code] ?? "The bucket refused the file."} (${status}, ${code}: ${message})`;
}

/** One for all calls of an upload. Not by crypto.randomUUID, which browsers have only on HTTPS and localhost. */
function makeRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 in base64, which S3 then holds the file against. Browsers compute it only on HTTPS and localhost. */
async function digest(file) {
  if (!globalThis.crypto?.subtle) return null;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return btoa(String.fromCharCode(...bytes));
}
