// Removes a picture's metadata: where and when it was taken, with which camera, by whom.
//
// It edits the file's container and decodes nothing: the parts that are needed to show the picture are copied unchanged,
// and all others are left out. Each format has a list of the parts to keep, since private parts can't be listed.

/** The file without its metadata; the same array if its type has no remover or the file violates its format. */
export function removeMetadata(bytes, type) {
  const parts = REMOVERS.get(type)?.(bytes);
  return parts ? join(parts) : bytes;
}

/** Functions by content type. Each returns the parts to keep, or null for a file that violates its format. The page says
 * that it uploads other formats unchanged (formats.js). */
export const REMOVERS = new Map([
  ["image/jpeg", readJpeg],
  ["image/png", readPng],
  ["image/webp", readWebp],
]);

// JPEG: ITU-T T.81, annex B.

const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;
const APP1 = 0xe1;
const COMMENT = 0xfe;

/** Markers of the segments that a decoder needs (table B.1). */
const CODING = new Set([...range(0xc0, 0xc7), ...range(0xc9, 0xcf), ...range(START_OF_SCAN, 0xdf)]);

/** Reads the segments, some of which are followed by the coded data of a scan. Data after the image's end is left out. */
function readJpeg(bytes) {
  if (!startsWith(bytes, "\xff\xd8")) return null;
  const parts = [bytes.subarray(0, 2)];
  const seen = new Set();
  let at = 2;
  for (;;) {
    if (bytes[at] !== 0xff) return null;
    // Any number of fill bytes may come before a marker.
    while (bytes[at + 1] === 0xff) at += 1;
    const marker = bytes[at + 1];
    if (marker === END_OF_IMAGE) return seen.has(START_OF_SCAN) ? [...parts, bytes.subarray(at, at + 2)] : null;
    // The length counts itself; it is NaN past the end of the file, and then neither comparison holds.
    const length = bigEndian(bytes, at + 2, 2);
    const end = at + 2 + length;
    if (!(length >= 2 && end <= bytes.length)) return null;
    const segment = bytes.subarray(at, end);
    if (isExif(marker, segment)) {
      // If there are several, browsers use the first.
      if (!seen.has("Exif")) parts.push(...keepOrientation(segment.subarray(4)).map((exif) => jpegSegment(APP1, exif)));
      seen.add("Exif");
    } else if (isApplication(marker)) {
      parts.push(...keepApplication(marker, segment.subarray(4)));
    } else if (CODING.has(marker)) {
      parts.push(segment);
    } else if (marker !== COMMENT) {
      return null;
    }
    seen.add(marker);
    at = end;
    if (marker === START_OF_SCAN) {
      at = findMarker(bytes, end);
      if (at < 0) return null;
      parts.push(bytes.subarray(end, at));
    }
  }
}

function isExif(marker, segment) {
  return marker === APP1 && startsWith(segment, "Exif\0", 4);
}

function isApplication(marker) {
  return marker >= 0xe0 && marker <= 0xef;
}

/** The part of an application segment to keep: JFIF, Adobe and the ICC profile determine the colours. */
function keepApplication(marker, data) {
  if (marker === 0xe0 && startsWith(data, "JFIF\0") && data.length >= 14) {
    // Without its thumbnail, which may show the picture before it was cropped.
    return [jpegSegment(marker, join([data.subarray(0, 12), new Uint8Array(2)]))];
  }
  if (marker === 0xe2 && startsWith(data, "ICC_PROFILE\0")) return [jpegSegment(marker, data)];
  if (marker === 0xee && startsWith(data, "Adobe") && data.length >= 12) {
    return [jpegSegment(marker, data.subarray(0, 12))];
  }
  return [];
}

function jpegSegment(marker, data) {
  const length = data.length + 2;
  return join([Uint8Array.of(0xff, marker, length >> 8, length & 0xff), data]);
}

/** The end of the coded data: a 0xFF that no zero (which makes it data), restart marker or fill byte follows. */
function findMarker(bytes, start) {
  let at = bytes.indexOf(0xff, start);
  while (at >= 0 && (bytes[at + 1] === 0 || bytes[at + 1] === 0xff || isRestart(bytes[at + 1]))) {
    at = bytes.indexOf(0xff, at + 1);
  }
  return at;
}

function isRestart(marker) {
  return marker >= 0xd0 && marker <= 0xd7;
}

// PNG: the W3C's specification, third edition, section 5.

const PNG_SIGNATURE = "\x89PNG\r\n\x1a\n";

/** Chunks that contain the picture or say how to show it, including those of an animation. */
const PNG_CHUNKS = new Set([
  ...["IHDR", "PLTE", "IDAT", "IEND", "acTL", "fcTL", "fdAT", "tRNS", "bKGD", "pHYs"],
  ...["cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "mDCV", "cLLI"],
]);

function readPng(bytes) {
  if (!startsWith(bytes, PNG_SIGNATURE)) return null;
  const parts = [bytes.subarray(0, 8)];
  const seen = new Set();
  let at = 8;
  for (;;) {
    const end = at + 12 + bigEndian(bytes, at, 4);
    if (!(end <= bytes.length)) return null;
    const name = fromLatin1(bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(name) || (name === "IHDR") !== (at === 8)) return null;
    if (PNG_CHUNKS.has(name)) {
      parts.push(bytes.subarray(at, end));
    } else if (isCritical(name)) {
      return null;
    } else if (name === "eXIf" && !seen.has(name) && isSound(bytes.subarray(at + 4, end))) {
      parts.push(...keepOrientation(bytes.subarray(at + 8, end - 4)).map((exif) => pngChunk(name, exif)));
    }
    if (name === "IEND") return seen.has("IDAT") ? parts : null;
    seen.add(name);
    at = end;
  }
}

/** Whether a decoder must not show the picture if it doesn't know the chunk: its name begins with a capital letter. */
function isCritical(name) {
  return name[0] < "a";
}

/** Whether the chunk's checksum is correct. Browsers ignore the orientation otherwise. */
function isSound(checked) {
  return crc32(checked.subarray(0, -4)) === bigEndian(checked, checked.length - 4, 4);
}

function pngChunk(name, data) {
  const checked = join([toLatin1(name), data]);
  return join([toBigEndian(data.length, 4), checked, toBigEndian(crc32(checked), 4)]);
}

/** The CRC of PNG (annex D). */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

// WebP: RFC 9649, section 2.

const WEBP_CHUNKS = new Set(["VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"]);
const HAS_EXIF = 0x08;
const HAS_XMP = 0x04;

function readWebp(bytes) {
  if (!startsWith(bytes, "RIFF") || !startsWith(bytes, "WEBP", 8)) return null;
  const end = 8 + littleEndian(bytes, 4, 4);
  if (!(end <= bytes.length)) return null;
  const chunks = [];
  const seen = new Set();
  let flags = null;
  for (let at = 12; at < end; ) {
    const size = littleEndian(bytes, at + 4, 4);
    const next = at + 8 + size + (size % 2);
    if (!(next <= end)) return null;
    const name = fromLatin1(bytes.subarray(at, at + 4));
    if (at === 12 && !["VP8 ", "VP8L", "VP8X"].includes(name)) return null;
    if (name === "VP8X") {
      if (at !== 12 || size !== 10) return null;
      // A copy, so that the file's own bytes do not change.
      const header = bytes.slice(at, next);
      flags = header.subarray(8, 9);
      flags[0] &= ~(HAS_EXIF | HAS_XMP);
      chunks.push(header);
    } else if (WEBP_CHUNKS.has(name)) {
      chunks.push(bytes.subarray(at, next));
    } else if (name === "EXIF" && flags && !seen.has(name)) {
      for (const exif of keepOrientation(bytes.subarray(at + 8, at + 8 + size))) {
        chunks.push(webpChunk(name, exif));
        flags[0] |= HAS_EXIF;
      }
    }
    seen.add(name);
    at = next;
  }
  if (!["VP8 ", "VP8L", "ANMF"].some((name) => seen.has(name))) return null;
  const body = join([toLatin1("WEBP"), ...chunks]);
  return [toLatin1("RIFF"), toLittleEndian(body.length, 4), body];
}

function webpChunk(name, data) {
  return join([toLatin1(name), toLittleEndian(data.length, 4), data, new Uint8Array(data.length % 2)]);
}

// EXIF is a TIFF file: TIFF 6.0, section 2.

const ORIENTATION = 0x0112;
const UPRIGHT = 1;
const ENTRY_BYTES = 12;

/** An array with EXIF data that has the orientation only; an empty array if there is none, or none that turns the picture.
 *
 * The entry is copied unchanged, so that every viewer shows the picture as before. */
function keepOrientation(exif) {
  const start = startsWith(exif, "Exif\0") ? 6 : 0;
  const prefix = exif.subarray(0, start);
  const tiff = exif.subarray(start);
  const little = startsWith(tiff, "II*\0");
  if (!little && !startsWith(tiff, "MM\0*")) return [];
  const [read, write] = little ? [littleEndian, toLittleEndian] : [bigEndian, toBigEndian];
  const directory = read(tiff, 4, 4);
  const count = read(tiff, directory, 2);
  for (let index = 0; index < count; index += 1) {
    const at = directory + 2 + index * ENTRY_BYTES;
    const entry = tiff.subarray(at, at + ENTRY_BYTES);
    if (entry.length < ENTRY_BYTES) return [];
    if (read(entry, 0, 2) !== ORIENTATION) continue;
    if (read(entry, 8, 2) === UPRIGHT) return [];
    // The directory follows the header directly, has one entry, and is the last directory.
    return [join([prefix, tiff.subarray(0, 4), write(8, 4), write(1, 2), entry, write(0, 4)])];
  }
  return [];
}

// Bytes

/** An unsigned number; NaN past the end of the file. */
function bigEndian(bytes, at, length) {
  let number = 0;
  for (let index = at; index < at + length; index += 1) number = number * 256 + bytes[index];
  return number;
}

/** An unsigned number; NaN past the end of the file. */
function littleEndian(bytes, at, length) {
  return bigEndian(bytes.slice(at, at + length).reverse(), 0, length);
}

function toBigEndian(number, length) {
  return Uint8Array.from({ length }, (_, index) => number >>> (8 * (length - 1 - index)));
}

function toLittleEndian(number, length) {
  return toBigEndian(number, length).reverse();
}

function toLatin1(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function fromLatin1(bytes) {
  return String.fromCharCode(...bytes);
}

function startsWith(bytes, prefix, at = 0) {
  return fromLatin1(bytes.subarray(at, at + prefix.length)) === prefix;
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
