// The three phases of an upload, each a plain call, and an upload that goes through them.

import { CallError, callService, postForm } from "./calls.js";
import { removeMetadata } from "./metadata.js";

/** The picture without its metadata; the same file where the page can't remove it. */
export async function withoutMetadata(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kept = removeMetadata(bytes, file.type);
  return kept === bytes ? file : new File([kept], file.name, { type: file.type });
}

/** 1. Ask the uploads service for a form that allows this one file. */
export async function presign(file, options = {}) {
  const sha256 = await digest(file);
  const requestId = makeRequestId();
  const declared = { content_type: file.type, size: file.size, ...(sha256 && { sha256 }) };
  return { ...(await callService("/uploads/presign", declared, { ...options, requestId })), requestId };
}

/** 3. Tell the uploads service, which checks the picture and makes it the avatar. */
export function confirm(form, options = {}) {
  const proof = { key: form.key, ...(form.upload_token && { upload_token: form.upload_token }) };
  return callService("/uploads/confirm", proof, { ...options, requestId: form.requestId });
}

/** What nothing but another file mends. */
const HOPELESS = new Set([
  "type-not-allowed", "empty-file", "too-large", "not-a-picture", "type-mismatch", "unreadable-picture", "too-many-pixels",
]);
/** After these a new upload is begun; after any other failure the old one goes on where it stopped. */
const OVER = new Set(["expired", "unknown-upload", "superseded", "other-strategy", "AccessDenied", "SignatureDoesNotMatch"]);

/** One file on its way. A failed or cancelled one is run again, and takes up where it stopped. */
export class Upload {
  #form = null;
  #expires = 0;
  #posted = false;
  #abort = null;

  /** `watch`: `phase(name, text)`, `observe(call)`, `progress(part of the whole)`, `look()` between POST and confirm. */
  constructor(file, { watch, withConfirm = true }) {
    Object.assign(this, { file, watch, withConfirm });
  }

  get form() {
    return this.#form;
  }

  /** The avatar's key; null where the confirm was left out. Throws a CallError, or an AbortError when cancelled. */
  async run() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { watch } = this;
    try {
      if (!this.#posted) await this.#post(signal);
      if (!this.withConfirm) return null;
      watch.progress(0.9);
      const observe = watch.phase("confirm");
      const { avatar } = await confirm(this.#form, { signal, observe });
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

  /** Whether to run it again may help after this error. */
  canTryAgain(error) {
    return error.name === "AbortError" || (error instanceof CallError && !HOPELESS.has(error.code));
  }

  async #post(signal) {
    const { file, watch } = this;
    if (!this.#form || performance.now() > this.#expires) {
      watch.progress(0);
      const began = performance.now();
      this.#form = await presign(file, { signal, observe: watch.phase("presign") });
      this.#expires = began + this.#form.expires * 1000;
    }
    watch.progress(0.1);
    const observe = watch.phase("post");
    await postForm(this.#form, file, { signal, observe, progress: (part) => watch.progress(0.1 + 0.8 * part) });
    this.#posted = true;
    await watch.look();
  }

  #forget() {
    this.#form = null;
    this.#posted = false;
  }
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
