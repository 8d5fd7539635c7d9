// Removes a picture's metadata: where and when it was taken, with which camera, by whom.
//
// It edits the file's container and decodes nothing: the parts that are needed to show the picture are copied unchanged,
// and all others are left out. Each format has a list of the parts to keep, since private parts can't be listed.
//
// The readers follow what decoders do, as those of the service do (services/pictures): many files violate their format
// and are shown. If a file is cut off after its first pixels, the rest is copied, and so it is shown as before.

/** The file without its metadata. Null if its type has no reader or the reader can't tell where its parts begin. */
export function removeMetadata(bytes, type) {
  const parts = READERS.get(type)?.(bytes);
  return parts ? join(parts) : null;
}

/** Whether the file has more than one frame. */
export function isAnimated(bytes, type) {
  if (!FRAMES.has(type)) return false;
  const parts = READERS.get(type)(bytes) ?? [];
  return parts.filter((part) => startsWith(part, ...FRAMES.get(type))).length > 1;
}

/** Width and height that the file's header states. Null if its type has no reader or the header is not where it should be. */
export function readSize(bytes, type) {
  const parts = READERS.get(type)?.(bytes);
  return parts ? SIZES.get(type)(parts) : null;
}

/** Functions by content type. Each returns the parts to keep, or null. */
export const READERS = new Map([
  ["image/jpeg", readJpeg],
  ["image/png", readPng],
  ["image/webp", readWebp],
  ["image/gif", readGif],
]);

/** The text with which the part of a frame begins, and its position in the part, by the content types with animations. */
const FRAMES = new Map([
  ["image/png", ["fcTL", 4]],
  ["image/webp", ["ANMF"]],
  ["image/gif", [","]],
]);

/** Functions by content type, which read width and height from the parts. */
const SIZES = new Map([
  ["image/jpeg", (parts) => {
    const frame = parts.find((part) => part[0] === 0xff && FRAME_HEADERS.has(part[1]));
    return frame ? { width: bigEndian(frame, 7, 2), height: bigEndian(frame, 5, 2) } : null;
  }],
  ["image/png", ([, header]) => ({ width: bigEndian(header, 8, 4), height: bigEndian(header, 12, 4) })],
  ["image/webp", ([, , , first]) => {
    if (!startsWith(first, "VP8X")) return null;
    return { width: littleEndian(first, 12, 3) + 1, height: littleEndian(first, 15, 3) + 1 };
  }],
  ["image/gif", ([screen]) => ({ width: littleEndian(screen, 6, 2), height: littleEndian(screen, 8, 2) })],
]);

// JPEG: ITU-T T.81, annex B, as libjpeg reads it (services/pictures/jpeg.py).

const END_OF_IMAGE = 0xd9;
const START_OF_SCAN = 0xda;
const APP1 = 0xe1;
const COMMENT = 0xfe;

/** Markers of the frame headers that a browser shows. There is one in a file. */
const FRAME_HEADERS = new Set([0xc0, 0xc1, 0xc2, 0xc9, 0xca]);
/** Markers of the other segments that a decoder needs: tables, start of scan, number of lines, restart interval. */
const CODING = new Set([0xc4, 0xcc, START_OF_SCAN, 0xdb, 0xdc, 0xdd]);

/** Reads the segments, some of which are followed by the coded data of a scan. Data after the image's end is left out, and
 * so are the bytes and the markers without a segment that decoders skip between two segments. */
function readJpeg(bytes) {
  if (!startsWith(bytes, "\xff\xd8")) return null;
  const parts = [bytes.subarray(0, 2)];
  const seen = new Set();
  /** Whether a marker follows the coded data, although its segment may be left out. */
  let isMarked = false;
  let at = findMarker(bytes, 2, isSkipped);
  while (at < bytes.length) {
    const marker = bytes[at + 1];
    isMarked = true;
    if (marker === END_OF_IMAGE) return seen.has(START_OF_SCAN) ? [...parts, bytes.subarray(at, at + 2)] : null;
    const isFrame = FRAME_HEADERS.has(marker);
    const isMetadata = isApplication(marker) || marker === COMMENT;
    if (!(isMetadata || CODING.has(marker) || (isFrame && !seen.has("frame")))) return null;
    // The length counts itself. Decoders continue after it if it says less.
    const length = bigEndian(bytes, at + 2, 2);
    if (length < 2 && !isMetadata) return null;
    let end = at + 2 + Math.max(length, 2);
    if (!(end <= bytes.length)) {
      if (isMetadata) break;
      parts.push(bytes.subarray(at));
      return seen.has(START_OF_SCAN) ? parts : null;
    }
    const segment = bytes.subarray(at, end);
    if (isExif(marker, segment)) {
      // If there are several, browsers use the first.
      if (!seen.has("Exif")) parts.push(...keepOrientation(segment.subarray(4)).map((exif) => jpegSegment(APP1, exif)));
      seen.add("Exif");
    } else if (isApplication(marker)) {
      parts.push(...keepApplication(marker, segment.subarray(4)));
    } else if (!isMetadata) {
      parts.push(segment);
    }
    seen.add(isFrame ? "frame" : marker);
    if (marker === START_OF_SCAN) {
      const start = end;
      end = findMarker(bytes, start, isCoded);
      parts.push(bytes.subarray(start, end));
      isMarked = false;
    }
    at = findMarker(bytes, end, isSkipped);
  }
  if (!seen.has(START_OF_SCAN)) return null;
  // A decoder ends the coded data at a marker, and shows less of it if there is none.
  return isMarked ? [...parts, Uint8Array.of(0xff, END_OF_IMAGE)] : parts;
}

/** The position of the next marker for which `isPassed` is false, or the end of the file. Any number of fill bytes 0xFF
 * may come before a marker. */
function findMarker(bytes, start, isPassed) {
  let at = bytes.indexOf(0xff, start);
  while (at >= 0 && at + 1 < bytes.length && (bytes[at + 1] === 0xff || isPassed(bytes[at + 1]))) {
    at = bytes.indexOf(0xff, at + 1);
  }
  return at >= 0 && at + 1 < bytes.length ? at : bytes.length;
}

/** Whether a decoder skips the marker between two segments: FF 00, TEM and the restart markers have no segment. */
function isSkipped(marker) {
  return marker <= 0x01 || isRestart(marker);
}

/** Whether the marker is within the coded data: FF 00 is a byte of data, and a decoder that reads one of those that follow
 * it in table B.1 continues with the next restart marker. */
function isCoded(marker) {
  return marker < 0xc0 || isRestart(marker);
}

function isRestart(marker) {
  return marker >= 0xd0 && marker <= 0xd7;
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
  while (at < bytes.length) {
    const end = at + 12 + bigEndian(bytes, at, 4);
    const name = fromLatin1(bytes.subarray(at + 4, at + 8));
    const isWhole = end <= bytes.length;
    if (isWhole && (!/^[A-Za-z]{4}$/.test(name) || (name === "IHDR") !== (at === 8))) return null;
    if (PNG_CHUNKS.has(name)) {
      parts.push(bytes.subarray(at, end));
    } else if (isWhole && isCritical(name)) {
      return null;
    } else if (name === "eXIf" && !seen.has(name) && isWhole && isSound(bytes.subarray(at + 4, end))) {
      parts.push(...keepOrientation(bytes.subarray(at + 8, end - 4)).map((exif) => pngChunk(name, exif)));
    }
    seen.add(name);
    if (name === "IEND" || !isWhole) break;
    at = end;
  }
  return seen.has("IDAT") ? parts : null;
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

const WEBP_CHUNKS = new Set(["VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ICCP"]);
/** The chunks within a frame, which begins with a header of 16 bytes. */
const WEBP_FRAME_CHUNKS = new Set(["VP8 ", "VP8L", "ALPH"]);
const HAS_EXIF = 0x08;
const HAS_XMP = 0x04;

function readWebp(bytes) {
  if (!startsWith(bytes, "RIFF") || !startsWith(bytes, "WEBP", 8)) return null;
  const end = 8 + littleEndian(bytes, 4, 4);
  const chunks = [];
  const seen = new Set();
  let flags = null;
  for (let at = 12; at + 8 <= Math.min(end, bytes.length); ) {
    const size = littleEndian(bytes, at + 4, 4);
    const next = at + 8 + size + (size % 2);
    if (next > end) return null;
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
    } else if (name === "ANMF") {
      const frame = keepWebpFrame(bytes.subarray(at + 8, at + 8 + size));
      if (!frame) return null;
      chunks.push(frame);
    } else if (name === "EXIF" && flags && !seen.has(name) && next <= bytes.length) {
      for (const exif of keepOrientation(bytes.subarray(at + 8, at + 8 + size))) {
        chunks.push(webpChunk(name, exif));
        flags[0] |= HAS_EXIF;
      }
    }
    seen.add(name);
    at = next;
  }
  if (!["VP8 ", "VP8L", "ANMF"].some((name) => seen.has(name))) return null;
  // A file that is cut off stays so.
  const missing = Math.max(0, end - bytes.length);
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 4 + missing);
  return [toLatin1("RIFF"), toLittleEndian(length, 4), toLatin1("WEBP"), ...chunks];
}

/** The frame with its header and pixels only. Null if one of its chunks does not end within it. */
function keepWebpFrame(frame) {
  const parts = [frame.subarray(0, 16)];
  for (let at = 16; at < frame.length; ) {
    const size = littleEndian(frame, at + 4, 4);
    const next = at + 8 + size + (size % 2);
    if (!(next <= frame.length)) return null;
    if (WEBP_FRAME_CHUNKS.has(fromLatin1(frame.subarray(at, at + 4)))) parts.push(frame.subarray(at, next));
    at = next;
  }
  return webpChunk("ANMF", join(parts));
}

function webpChunk(name, data) {
  return join([toLatin1(name), toLittleEndian(data.length, 4), data, new Uint8Array(data.length % 2)]);
}

// GIF: CompuServe, "Graphics Interchange Format", version 89a.

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];
const [GRAPHIC_CONTROL, APPLICATION] = [0xf9, 0xff];

/** Application extensions that say how often an animation repeats, or contain the ICC profile. */
const GIF_APPLICATIONS = ["NETSCAPE2.0", "ANIMEXTS1.0", "ICCRGBG1012"];

/** Reads the frames and the extensions that belong to them. A decoder ends at a byte that introduces neither. */
function readGif(bytes) {
  if (!startsWith(bytes, "GIF87a") && !startsWith(bytes, "GIF89a")) return null;
  let at = 13 + countColourBytes(bytes[10]);
  const parts = [bytes.subarray(0, at)];
  let found = false;
  while (bytes[at] === EXTENSION || bytes[at] === IMAGE) {
    const isImage = bytes[at] === IMAGE;
    // The byte before the blocks is an extension's label, or a frame's code size.
    const end = skipBlocks(bytes, isImage ? at + 11 + countColourBytes(bytes[at + 9]) : at + 2);
    const isKept =
      isImage ||
      bytes[at + 1] === GRAPHIC_CONTROL ||
      (bytes[at + 1] === APPLICATION && GIF_APPLICATIONS.some((name) => startsWith(bytes, name, at + 3)));
    if (isKept) parts.push(bytes.subarray(at, end));
    found ||= isImage;
    at = end;
  }
  if (!found) return null;
  return at < bytes.length ? [...parts, Uint8Array.of(TRAILER)] : parts;
}

/** The size of the colour table that these flags announce. */
function countColourBytes(flags) {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

/** The position after a sequence of data sub-blocks. Each begins with its length; an empty one is the last. */
function skipBlocks(bytes, start) {
  let at = start;
  while (bytes[at]) at += 1 + bytes[at];
  return at + 1;
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
