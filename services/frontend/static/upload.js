// The three phases of an upload as functions, and an upload that runs them.

import { CallError, callService, postForm } from "./calls.js";
import { removeMetadata } from "./metadata.js";

/** Maximum size of a chosen file, bytes: many times that of an avatar, since a picture can be scaled down first. */
const MAX_BYTES = 200_000_000;

/** How often a form is posted while the bucket can't take the file, and the first pause between two posts, which doubles. */
const MAX_POSTS = 3;
const PAUSE_MILLISECONDS = 1000;

/**
 * A copy of the file in memory. The file on the disk may change or vanish while the copy waits for its upload.
 * Throws a NotReadableError with a message for the user.
 */
export async function readOnce(file) {
  if (file.size > MAX_BYTES) {
    const [size, limit] = [file.size, MAX_BYTES].map((count) => count.toLocaleString("en"));
    throw new DOMException(`The file has ${size} bytes; this page reads up to ${limit}. Choose a smaller one.`, "NotReadableError");
  }
  try {
    return new File([await file.arrayBuffer()], file.name, { type: file.type });
  } catch {
    throw new DOMException("The file has changed or is gone. Choose it again.", "NotReadableError");
  }
}

/** The picture without its metadata; null if the page can't remove it. */
export async function withoutMetadata(file) {
  const kept = removeMetadata(new Uint8Array(await file.arrayBuffer()), file.type);
  return kept && new File([kept], file.name, { type: file.type });
}

/** 1. Ask the uploads service for a form that allows this one file. `path`: that of the strategy's service. */
export async function presign(file, { path = "", ...options } = {}) {
  const sha256 = await digest(file);
  const requestId = makeRequestId();
  const declared = { content_type: file.type, size: file.size, sha256 };
  return { ...(await callService(`${path}/uploads/presign`, declared, { ...options, requestId })), requestId, path };
}

/** 3. Confirm: the uploads service checks the picture and makes it the avatar. */
export function confirm(form, options = {}) {
  const proof = { key: form.key, ...(form.upload_token && { upload_token: form.upload_token }) };
  return callService(`${form.path}/uploads/confirm`, proof, { ...options, requestId: form.requestId });
}

/** Remove the avatar of the logged-in user. No upload that was presigned before can become the avatar afterwards. */
export function removeAvatar(options = {}) {
  return callService("/uploads/avatar", undefined, { ...options, method: "DELETE" });
}

/** Codes of errors after which only another file can succeed. */
const HOPELESS = new Set([
  "type-not-allowed", "empty-file", "too-large", "not-a-picture", "type-mismatch", "unreadable-picture", "too-many-pixels",
]);
/** Codes of a confirm's errors after which the upload starts again with a presign. After any other one it continues. */
const OVER = new Set(["expired", "unknown-upload", "superseded", "removed", "digest-mismatch", "other-strategy"]);

/** The upload of one file. If it failed or was cancelled, `run` continues where it stopped. */
export class Upload {
  #form = null;
  #expires = 0;
  #posted = false;
  #abort = null;

  /** `watch.phase(name)` returns the phase's `observe` and `hold`, `watch.progress(part)` gets the progress from 0 to 1,
   * `watch.pause()` is called before the file is posted again, and `watch.look()` between POST and confirm. */
  constructor(file, { username, path, watch, withConfirm = true }) {
    Object.assign(this, { file, username, path, watch, withConfirm });
  }

  get form() {
    return this.#form;
  }

  /** Returns the avatar's key, or null without a confirm. Throws a CallError, or an AbortError if it was cancelled. */
  async run() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { watch } = this;
    try {
      if (!this.#posted) await this.#post(signal);
      if (!this.withConfirm) return null;
      watch.progress(0.9);
      const { avatar } = await confirm(this.#form, { username: this.username, signal, ...watch.phase("confirm") });
      watch.progress(1);
      return avatar;
    } catch (error) {
      if (OVER.has(error.code)) this.#forget();
      throw error;
    }
  }

  cancel() {
    this.#abort?.abort();
  }

  /** Make it an upload of this user. It starts again with a presign, since a form belongs to its user. */
  actFor(username) {
    this.username = username;
    this.#forget();
  }

  /** Whether another run may succeed after this error. */
  canTryAgain(error) {
    return error.name === "AbortError" || (error instanceof CallError && !HOPELESS.has(error.code));
  }

  /** Whether a confirm of the same form may succeed after this error of a confirm. */
  canConfirmAgain(error) {
    return this.canTryAgain(error) && !OVER.has(error.code);
  }

  async #post(signal) {
    for (let posts = 1; !this.#posted; posts += 1) {
      if (!this.#form || performance.now() > this.#expires) await this.#presign(signal);
      try {
        await this.#postOnce(signal);
      } catch (error) {
        // A refused form is refused again, and a POST without a response may have been refused: a browser hides a
        // response without CORS headers.
        if (error instanceof CallError && !error.isTransient) this.#forget();
        if (!error.isTransient || posts === MAX_POSTS) throw error;
        this.watch.pause();
        await pause(PAUSE_MILLISECONDS * 2 ** (posts - 1), signal);
      }
    }
    await this.watch.look();
  }

  async #presign(signal) {
    const { file, username, path, watch } = this;
    watch.progress(0);
    const began = performance.now();
    this.#form = await presign(file, { username, path, signal, ...watch.phase("presign") });
    this.#expires = began + this.#form.expires * 1000;
  }

  async #postOnce(signal) {
    const { file, watch } = this;
    watch.progress(0.1);
    await postForm(this.#form, file, { signal, ...watch.phase("post"), progress: (part) => watch.progress(0.1 + 0.8 * part) });
    this.#posted = true;
  }

  #forget() {
    this.#form = null;
    this.#posted = false;
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** The request id for all calls of an upload. Browsers have crypto.randomUUID only on HTTPS and localhost. */
function makeRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The file's SHA-256 in base64, which S3 compares with the file. */
async function digest(file) {
  const bytes = await hash(await file.arrayBuffer());
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

/** The SHA-256 by the browser, which computes it only on HTTPS and localhost, or else by a library. */
async function hash(content) {
  if (crypto.subtle) return crypto.subtle.digest("SHA-256", content);
  const { sha256 } = await import("./js-sha256/sha256.min.mjs");
  return sha256.arrayBuffer(content);
}
