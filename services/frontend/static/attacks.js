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
    why: "Only a confirm changes the row. What waits has an end: a lifecycle rule deletes it.",
    async run(lab) {
      const file = await drawTile();
      await lab.post(await lab.presign(file), file);
      return "The bucket took it, and your row is as it was.";
    },
  },
  again: {
    expects: null,
    why: {
      prefix: `A form only ever reaches ${document.body.dataset.pendingPrefix}, and the avatar is a copy under avatars/, out of its reach.`,
      tag: "The form writes to the avatar's own key and marks it as pending again. The confirm's repeat checked the bytes anew and took the mark away; the sweep does so, too.",
    },
    replacesAvatar: true,
    async run(lab) {
      const file = await drawTile();
      const form = await lab.complete(file);
      await lab.post(form, file);
      if (lab.strategy === "tag") await lab.confirm(form);
      return lab.strategy === "tag" ? "It was marked as pending, and is restored." : "It lies beside the avatar and expires.";
    },
  },
  replay: {
    expects: null,
    why: "A confirm says what the row ought to be, and it is that already.",
    replacesAvatar: true,
    async run(lab) {
      const form = await lab.complete(await drawTile());
      const { avatar } = await lab.confirm(form);
      return `The same answer again, and the same avatar: ${avatar}`;
    },
  },
  older: {
    expects: ["service", 409, "superseded"],
    why: "Ids are ordered by time, and the row only moves forward. An upload that lost can't come back later.",
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
    why: "The form pins its user's name into the object, and the confirm compares it with the token's. A key of somebody else's is answered as one that never was.",
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
    why: "The form's policy is signed and names each field with its value.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(change(form, "x-amz-meta-username", lab.findSomebodyElse()), file);
    },
  },
  key: {
    expects: ["bucket", 403, "AccessDenied"],
    why: "The form is good for one key, and the key is a new one each time.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(change(form, "key", lab.findAvatar(lab.findSomebodyElse())), file);
    },
  },
  late: {
    expects: ["bucket", 403, "AccessDenied"],
    why: "The policy carries its own end, and the bucket holds it against its clock.",
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
    why: "An SVG is a document that can carry script. No form is given for one.",
    async run(lab) {
      await lab.presign(makeSvg("image/svg+xml"));
    },
  },
  disguise: {
    expects: ["service", 422, "not-a-picture"],
    why: "What a file calls itself proves nothing. The confirm reads the stored file.",
    async run(lab) {
      await lab.complete(makeSvg("image/png"));
    },
  },
  empty: {
    expects: ["service", 422, "empty-file"],
    why: "There is nothing to look at.",
    async run(lab) {
      await lab.presign(new File([], "empty.png", { type: "image/png" }));
    },
  },
  large: {
    expects: ["service", 413, "too-large"],
    why: "The size is declared first, and no form is given for more than is allowed.",
    async run(lab) {
      await lab.declare({ content_type: "image/jpeg", size: 6_000_000_000, sha256: NO_DIGEST });
    },
  },
  larger: {
    expects: ["bucket", 400, "EntityTooLarge"],
    why: "The form allows exactly the bytes that were declared, and the bucket counts them.",
    async run(lab) {
      const file = await drawTile();
      const form = await lab.presign(file);
      await lab.post(form, new File([file, "more"], file.name, { type: file.type }));
    },
  },
  bomb: {
    expects: ["service", 422, "too-many-pixels"],
    why: "The confirm reads width and height in the file and never decodes a picture.",
    async run(lab) {
      await lab.complete(await makeBomb());
    },
  },
};

/** The calls that one attack makes, each shown in `entry`, and the other users whom the page shows. */
export class Lab {
  #controller = new AbortController();

  /** `look(entry)` and `settle(entry, key, avatar)` show what a call has changed: at once, or after its deletions. */
  constructor(entry, { strategy, username, look, settle, onWait }) {
    Object.assign(this, { entry, strategy, username, look, settle, onWait });
  }

  cancel() {
    this.#controller.abort();
  }

  presign(file, options) {
    return presign(file, { username: this.username, observe: this.entry.observe("Presign"), ...options });
  }

  declare(declared) {
    return callService("/uploads/presign", declared, { username: this.username, observe: this.entry.observe("Presign") });
  }

  async post(form, file) {
    await postForm(form, file, { observe: this.entry.observe("POST") });
    await this.look(this.entry);
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
    if (!other) throw new CallError("There is nobody else on this page.");
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
async function drawTile() {
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
