// The attack lab: attacks on the three phases, made with the public calls.

import { CallError, callService, postForm } from "./calls.js";
import { confirm, presign } from "./upload.js";

const PIXELS = 20_000;

/** A digest of the right form, for a file that does not exist. */
const NO_DIGEST = btoa("\0".repeat(32));

/**
 * The attacks by the name that the page gives each. `expects`: the expected refusal, as the part that refuses, a status
 * code and an error code; null if the attack is allowed and harmless. `why`: what stops it. `replacesAvatar`: it begins
 * with a complete upload; all others leave the user's row unchanged. `background`: it waits, and others can run then.
 */
export const ATTACKS = {
  skip: {
    expects: null,
    why: "Only confirm changes the row. A lifecycle rule deletes the pending object after a day.",
    async run(lab) {
      const file = await drawTile();
      await lab.post(await lab.presign(file), file);
      return "S3 accepted the file, and your row is unchanged.";
    },
  },
  again: {
    expects: null,
    why: {
      prefix: `The form's key is under ${document.body.dataset.pendingPrefix}. Confirm copied the object to avatars/, where no form can post: this is why it is copied.`,
      tag: "The form's key is the avatar's key, so the second POST sets the pending tag again. A repeated confirm checked the bytes again and removed the tag by a copy; the sweep does the same.",
    },
    replacesAvatar: true,
    async run(lab) {
      const file = await drawTile();
      const form = await lab.complete(file);
      await lab.post(form, file);
      if (lab.strategy === "tag") await lab.confirm(form);
      return lab.strategy === "tag" ? "The avatar had the pending tag again, and is restored." : "A second object expires; the avatar is unchanged.";
    },
  },
  replay: {
    expects: null,
    why: "The row has this avatar already, so a repeated confirm changes nothing.",
    replacesAvatar: true,
    async run(lab) {
      const form = await lab.complete(await drawTile());
      const { avatar } = await lab.confirm(form);
      return `The same response, and the same avatar: ${avatar}`;
    },
  },
  older: {
    expects: ["service", 409, "superseded"],
    why: "Ids are ordered by time, and the row changes only to a newer id. An older upload can't replace a newer one.",
    replacesAvatar: true,
    async run(lab) {
      const file = await drawTile();
      const older = await lab.presign(file);
      await lab.post(older, file);
      await lab.complete(await drawTile());
      await lab.confirm(older);
    },
  },
  foreign: {
    expects: ["service", 404, "unknown-upload"],
    why: "The form puts the username into the object's metadata, and confirm compares it with the access token. The response is the same as for a key that does not exist.",
    async run(lab) {
      const victim = lab.findSomebodyElse();
      const { access_token: token } = await lab.logInElsewhere(victim);
      const file = await drawTile();
      const form = await lab.presign(file, { username: victim, token });
      await lab.post(form, file);
      await lab.confirm(form);
    },
  },
  user: {
    expects: ["bucket", 403, "AccessDenied"],
    why: "The signed policy has a condition for each field, with its exact value.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(change(form, "x-amz-meta-username", lab.findSomebodyElse()), file);
    },
  },
  key: {
    expects: ["bucket", 403, "AccessDenied"],
    why: "The signed policy allows one key, and each form has a new one.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(change(form, "key", lab.findAvatar(lab.findSomebodyElse())), file);
    },
  },
  late: {
    expects: ["bucket", 403, "AccessDenied"],
    why: "The signed policy has an expiration, and S3 compares it with its clock.",
    background: true,
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.wait(form.expires + 1);
      await lab.post(form, file);
    },
  },
  svg: {
    expects: ["service", 415, "type-not-allowed"],
    why: "An SVG can contain a script. Presign issues no form for one.",
    async run(lab) {
      await lab.presign(makeSvg("image/svg+xml"));
    },
  },
  disguise: {
    expects: ["service", 422, "not-a-picture"],
    why: "S3 does not open the file. Confirm reads the stored bytes and finds no picture.",
    async run(lab) {
      await lab.complete(makeSvg("image/png"));
    },
  },
  empty: {
    expects: ["service", 422, "empty-file"],
    why: "Presign issues no form for 0 bytes.",
    async run(lab) {
      await lab.presign(new File([], "empty.png", { type: "image/png" }));
    },
  },
  large: {
    expects: ["service", 413, "too-large"],
    why: "The size is declared before any byte is sent, and presign issues no form for more than 5 MB.",
    async run(lab) {
      await lab.declare({ content_type: "image/jpeg", size: 6_000_000_000, sha256: NO_DIGEST });
    },
  },
  larger: {
    expects: ["bucket", 400, "EntityTooLarge"],
    why: "The policy's content-length-range allows exactly the declared size, and S3 counts the bytes.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(form, new File([file, "more"], file.name, { type: file.type }));
    },
  },
  bomb: {
    expects: ["service", 422, "too-many-pixels"],
    why: "Confirm reads width and height from the file, and never decodes a picture.",
    async run(lab) {
      await lab.complete(await makeBomb());
    },
  },
};

/** The calls that one attack makes, each shown in `entry`, and the other users whom the page shows. */
export class Lab {
  #controller = new AbortController();

  /** `settle(entry, key, avatar)` shows what a confirm has changed, after its deletions; `noteStored(entry, form)` what
   * S3 has stored. */
  constructor(entry, { strategy, path, username, settle, noteStored, onWait }) {
    Object.assign(this, { entry, strategy, path, username, settle, noteStored, onWait });
  }

  cancel() {
    this.#controller.abort();
  }

  presign(file, options) {
    return presign(file, { username: this.username, path: this.path, observe: this.entry.observe("Presign"), ...options });
  }

  declare(declared) {
    return callService(`${this.path}/uploads/presign`, declared, { username: this.username, observe: this.entry.observe("Presign") });
  }

  async post(form, file) {
    await postForm(form, file, { observe: this.entry.observe("POST") });
    this.noteStored(this.entry, form);
  }

  async confirm(form) {
    const confirmed = await confirm(form, { username: this.username, observe: this.entry.observe("Confirm") });
    await this.settle(this.entry, form.key, confirmed.avatar);
    return confirmed;
  }

  /** Run all three phases and return the form, which stays valid. */
  async complete(file) {
    const form = await this.presign(file);
    await this.post(form, file);
    await this.confirm(form);
    return form;
  }

  /** Get another user's token without changing this browser's session. */
  logInElsewhere(username) {
    this.entry.users.add(username);
    return callService("/auth/login", { username }, { token: "", observe: this.entry.observe(`Log in as ${username}`) });
  }

  findSomebodyElse() {
    const other = [...document.querySelectorAll("#users [data-user]")].find(({ dataset }) => dataset.user !== this.username);
    if (!other) throw new CallError("There is no other user on this page.");
    return other.dataset.user;
  }

  findAvatar(username) {
    const { src } = document.querySelector(`#users [data-user="${CSS.escape(username)}"] img`) ?? {};
    return src ? new URL(src).searchParams.get("v") : `avatars/of-${username}`;
  }

  async wait(seconds) {
    const { signal } = this.#controller;
    for (let left = seconds; left > 0; left -= 1) {
      // Not every second, since a screen reader reads each change aloud.
      if (left === seconds || left % 15 === 0) this.onWait(left);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      signal.throwIfAborted();
    }
  }
}

/** Whether the attack met the expected refusal. */
export function isRefused({ expects }, error) {
  if (!expects || !(error instanceof CallError)) return false;
  const [, status, code] = expects;
  return error.status === status && error.code === code;
}

function change(form, name, value) {
  return { ...form, fields: { ...form.fields, [name]: value } };
}

/** A small picture, a different one for each call. */
export async function drawTile() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 128;
  const context = canvas.getContext("2d");
  const hue = Math.floor(Math.random() * 360);
  for (let n = 0; n < 16; n += 1) {
    context.fillStyle = `hsl(${hue + 6 * n} 60% ${40 + 20 * Math.random()}%)`;
    context.fillRect((n % 4) * 32, Math.floor(n / 4) * 32, 32, 32);
  }
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  return new File([blob], "tile.png", { type: "image/png" });
}

function makeSvg(type) {
  const text = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.cookie)</script></svg>';
  return new File([text], "picture.svg", { type });
}

/** A valid PNG (W3C: "Portable Network Graphics", section 5) of a few kilobytes that decompresses to 50 MB. */
async function makeBomb() {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, PIXELS);
  view.setUint32(4, PIXELS);
  header[8] = 1; // Greyscale with one bit per pixel.
  const row = new Uint8Array(1 + PIXELS / 8);
  let rows = PIXELS;
  const blank = new ReadableStream({ pull: (stream) => (rows-- > 0 ? stream.enqueue(row) : stream.close()) });
  const packed = await new Response(blank.pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const chunks = [chunk("IHDR", header), chunk("IDAT", new Uint8Array(packed)), chunk("IEND", new Uint8Array())];
  return new File([signature, ...chunks], "bomb.png", { type: "image/png" });
}

function chunk(type, data) {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
