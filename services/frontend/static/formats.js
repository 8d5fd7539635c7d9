// What a file is by its first bytes, and the page's sentences about it. The name of a file and the type that the browser
// derives from the name are not used: both can be wrong.

import { isAnimated, readSize } from "./metadata.js";

/** The formats that the server lists (FORMATS in services/pictures/formats.py). `edited_as`: the content type in which the
 * editor saves a cropped picture. */
const FORMATS = JSON.parse(document.body.dataset.formats);

/** The limits of the uploads service: `width` and `height` in pixels, and `bytes`. */
export const LIMITS = JSON.parse(document.body.dataset.limits);

const ONE_OF = new Intl.ListFormat("en-GB", { type: "disjunction" });
const CHOOSE_ANOTHER = `Choose a ${ONE_OF.format(FORMATS.map(({ name }) => name))}.`;
const SAVE_AS_JPEG = "Save it as a JPEG or PNG in another program, and choose that file.";

/** The first bytes of each listed format, by its content type. */
const SIGNATURES = {
  "image/png": /^\x89PNG\r\n\x1a\n/,
  "image/jpeg": /^\xff\xd8\xff/,
  "image/webp": /^RIFF[^]{4}WEBPVP/,
  "image/gif": /^GIF8[79]a/,
};

/** Other kinds of files that people choose. `isPicture`: the browser may be able to show it, and the editor then saves the
 * cropped square as a PNG. */
const OTHERS = [
  { pattern: /^[^]{4}ftyp(?:avi[fs]|m(?:if|sf)1[^]{4}(?:[^]{4}){0,8}?avi[fs])/, what: "an AVIF picture", isPicture: true },
  { pattern: /^[^]{4}ftyp(?:he[iv][cxms]|m(?:if|sf)1)/, what: "a HEIC picture", isPicture: true },
  { pattern: /^(?:\xff\x0a|\0\0\0\x0cJXL )/, what: "a JPEG XL picture", isPicture: true },
  { pattern: /^(?:II\*\0|MM\0\*)/, what: "a TIFF or raw picture", isPicture: true },
  { pattern: /^BM[^]{4}\0{4}/, what: "a BMP picture", isPicture: true },
  {
    pattern: /^(?:\xef\xbb\xbf)?\s*<(?:[?!](?!doctype html)[^]*<)?(?:[\w.-]+:)?svg[\s>]/i,
    what: "an SVG drawing",
    advice: "Export it as a PNG, and choose that file.",
  },
  { pattern: /^\s*%PDF-/, what: "a PDF document", advice: "Save the page that you want as a PNG, and choose that file." },
  {
    pattern: /^(?:[^]{4}ftyp(?!M4[AB])|\x1a\x45\xdf\xa3|RIFF[^]{4}AVI |\0\0\x01[\xb3\xba])/,
    what: "a video",
    advice: "Save one of its frames as a PNG or JPEG, and choose that file.",
  },
];

const MOVING_AVIF = /^[^]{4}ftypavis/;

/** The first bytes of a file that are read: some SVG begin with long comments. */
const HEAD_BYTES = 4096;

/** The file with the content type of its bytes, and what is known about it: `format` if it is a listed one, `other` if it
 * is a known kind that is not, and neither for any other file. */
export async function recognize(file) {
  const head = toText(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
  const format = FORMATS.find(({ content_type }) => SIGNATURES[content_type]?.test(head));
  const other = format ? undefined : OTHERS.find(({ pattern }) => pattern.test(head));
  return { file: format ? new File([file], file.name, { type: format.content_type }) : file, format, other };
}

/** Throws an EncodingError if a file of this kind can be neither uploaded nor opened by the editor. */
export function refuseOther({ file, other }) {
  if (other && !other.isPicture) throw unusable(`${file.name} is ${other.what}. ${other.advice}`);
}

/** Throws an EncodingError if a file of this kind can't be uploaded as it is. */
export function refuseUnedited({ file, other }) {
  refuseOther({ file, other });
  if (other) throw unusable(`${file.name} is ${other.what}, which is not accepted as it is. Choose it in the box above: if this browser can show it, a PNG of it is uploaded.`);
}

/** The error for a file that this browser can't show. */
export async function explainUnshown(file) {
  const { format, other } = await recognize(file);
  if (other) return unusable(`${file.name} is ${other.what}, which this browser can't show. ${SAVE_AS_JPEG}`);
  if (!file.size) return unusable(`${file.name} is empty. ${CHOOSE_ANOTHER}`);
  if (!format) return unusable(`${file.name} can't be read as a picture. ${CHOOSE_ANOTHER}`);
  const size = readSize(new Uint8Array(await file.arrayBuffer()), file.type);
  return size && exceedsLimits(size)
    ? unusable(`${file.name} has ${show(size)} pixels, more than this browser can show; the limit is ${show(LIMITS)}. Scale it down in another program, and choose that file.`)
    : unusable(`${file.name} is damaged: this browser can't show it as a ${format.name}. Choose another file.`);
}

export function exceedsLimits({ width, height }) {
  return width > LIMITS.width || height > LIMITS.height;
}

export function show({ width, height }) {
  return `${width.toLocaleString("en")} × ${height.toLocaleString("en")}`;
}

/** The content type for a cropped picture. Undefined for a type that is not listed; a canvas then encodes PNG. */
export function findEditedType(type) {
  return FORMATS.find(({ content_type }) => content_type === type)?.edited_as;
}

/** Whether it is an animation: by its frames in a listed format, and by its brand in AVIF. */
export async function hasSeveralFrames(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return isAnimated(bytes, file.type) || MOVING_AVIF.test(toText(bytes.subarray(0, HEAD_BYTES)));
}

function toText(bytes) {
  return String.fromCharCode(...bytes);
}

function unusable(sentence) {
  return new DOMException(sentence, "EncodingError");
}
