// The editor: shows a picture before its upload as the avatar will be, crops it to a square and scales it down.

import { explainUnshown, findEditedType, hasSeveralFrames, recognize, refuseOther } from "./formats.js";
import { withoutMetadata } from "./upload.js";

/** Maximum width and height of the uploaded square, pixels. The page shows a fifth of it; other pages may show more. */
const SIDE = 512;

const VIEW = 288;
const STEP = 0.02;

const editor = { file: null, bitmap: null, isAnimated: false, turn: 0, grip: null };

/** Open the file. Throws an EncodingError if this browser can't decode it as a picture. Returns whether it is open: during
 * the decoding another file may have been chosen, or the user may have logged out. */
export async function open(chosen) {
  const turn = ++editor.turn;
  const kind = await recognize(chosen);
  refuseOther(kind);
  const { file, format } = kind;
  // By its type a browser recognizes an SVG, which has no pixels. It recognizes all other pictures by their bytes.
  const bitmap = await decode(format ? file : new File([file], file.name));
  const isAnimated = await hasSeveralFrames(file);
  if (turn !== editor.turn) {
    bitmap.close();
    return false;
  }
  close();
  Object.assign(editor, { file, bitmap, isAnimated });
  find("[data-name]").textContent = file.name;
  find("[data-size]").textContent = `${bitmap.width.toLocaleString("en")} × ${bitmap.height.toLocaleString("en")} pixels, ${file.size.toLocaleString("en")} bytes`;
  for (const slider of sliders()) slider.value = slider.defaultValue;
  find("[value=original]").disabled = !format;
  find(isAnimated && format ? "[value=original]" : "[value=square]").checked = true;
  draw();
  return true;
}

/** Show the open editor in place of the file input, with the name of the user for whom it uploads. */
export function showFor(username) {
  document.querySelector("#drop").hidden = true;
  find("").hidden = false;
  find("[data-start]").textContent = `Upload for ${username}`;
}

/** Close it. The focus goes to the file input, since it would be lost with the button that was clicked. */
export function close() {
  editor.bitmap?.close();
  Object.assign(editor, { file: null, bitmap: null, turn: editor.turn + 1 });
  document.querySelector("#drop").hidden = false;
  find("").hidden = true;
  document.querySelector("#choose").focus({ preventScroll: true });
}

/** The name of the file in the editor, if there is one. */
export function nameFile() {
  return editor.file?.name;
}

/** The file to upload, and whether it is the unchanged file that was chosen. */
export async function take() {
  const { file, bitmap } = editor;
  if (!isSquare()) return { file, isOriginal: true };
  const { left, top, side } = cut();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = countPixels(side);
  paint(canvas, left, top, side);
  return { file: await encode(canvas, file), isOriginal: false };
}

/** The canvas as a file, in the content type in which the original is edited. */
export async function encode(canvas, original) {
  // A browser that can't encode this type encodes PNG.
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, findEditedType(original.type), 0.9));
  return new File([blob], original.name, { type: blob.type });
}

/** Draw the preview. Called after each change of a slider or a choice in the editor. */
export function draw() {
  const square = isSquare();
  for (const slider of sliders()) slider.disabled = !square;
  // The page shows the square in the middle of an avatar of any shape.
  const { left, top, side } = square ? cut() : cut({ zoom: 1, x: 0.5, y: 0.5 });
  const canvas = find("canvas");
  canvas.width = canvas.height = VIEW * Math.min(devicePixelRatio, 2);
  paint(canvas, left, top, side);
  const pixels = countPixels(side);
  find("[data-result]").textContent = square
    ? `Will upload ${pixels} × ${pixels} px${editor.isAnimated ? " of the first frame, without the animation" : ""}, no metadata.`
    : `Will upload the file as it is${editor.isAnimated ? ", with its animation" : ""}. The page shows its middle.`;
}

/** A drag begins: the pointer holds the picture at this point. */
export function grab({ clientX, clientY }) {
  editor.grip = { clientX, clientY, ...readSliders() };
}

/** The picture follows the pointer. The distance is that from the point where the drag began: a slider rounds each value
 * to its step, so the short distances of a slow drag would be lost. */
export function drag({ clientX, clientY }) {
  if (!isSquare()) return;
  const { side } = cut();
  const { bitmap, grip } = editor;
  const scale = side / find("canvas").clientWidth;
  slide("x", grip.x - ((clientX - grip.clientX) * scale) / (bitmap.width - side));
  slide("y", grip.y - ((clientY - grip.clientY) * scale) / (bitmap.height - side));
  draw();
}

/** Move the picture by an arrow key. Returns whether the key was one. */
export function nudge(key) {
  const step = { ArrowLeft: ["x", -STEP], ArrowRight: ["x", STEP], ArrowUp: ["y", -STEP], ArrowDown: ["y", STEP] }[key];
  if (!step || !isSquare()) return false;
  const [name, by] = step;
  slide(name, readSliders()[name] + by);
  draw();
  return true;
}

/** The pixels, upright, of the file as it is uploaded, without its metadata: Firefox ignores an EXIF orientation after
 * XMP. Throws an EncodingError if this browser can't show it. */
export async function decode(file) {
  const shown = (await withoutMetadata(file)) ?? file;
  try {
    // A file that is cut off makes createImageBitmap fail, and is shown by an image.
    return await createImageBitmap(shown, { imageOrientation: "from-image" }).catch(() => decodeAsImage(shown));
  } catch {
    throw await explainUnshown(file);
  }
}

async function decodeAsImage(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return await createImageBitmap(canvas);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** Width and height of the uploaded square, pixels. */
function countPixels(side) {
  return Math.min(SIDE, Math.max(1, Math.round(side)));
}

/** The shown square, in pixels of the picture. */
function cut({ zoom, x, y } = readSliders()) {
  const { width, height } = editor.bitmap;
  const side = Math.min(width, height) / zoom;
  return { left: (width - side) * x, top: (height - side) * y, side };
}

function readSliders() {
  return Object.fromEntries(sliders().map((slider) => [slider.name, Number(slider.value)]));
}

function slide(name, value) {
  // A picture that is no wider or higher than the square can't move in that direction.
  if (Number.isFinite(value)) find(`[name=${name}]`).value = value;
}

function paint(canvas, left, top, side) {
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(editor.bitmap, left, top, side, side, 0, 0, canvas.width, canvas.height);
}

function isSquare() {
  return find("[value=square]").checked;
}

function sliders() {
  return [...document.querySelectorAll("#editor input[type=range]")];
}

function find(selector) {
  return document.querySelector(`#editor ${selector}`);
}
