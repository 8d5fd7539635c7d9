// Scales down a picture that has more pixels than the uploads service accepts, if the user agrees.

import { decode, encode } from "./editor.js";
import { LIMITS, exceedsLimits, explainUnshown, hasSeveralFrames, show } from "./formats.js";
import { readSize } from "./metadata.js";
import { ask } from "./question.js";

/** The file if it is within the limits or can't be measured, a smaller picture if the user agrees, and null otherwise.
 * Throws an EncodingError for a larger picture that this browser can't show. */
export async function fitToLimits(file) {
  const measured = await measure(file);
  // Firefox shows a GIF that is wider than 32,767 pixels with the size of its frame.
  const stated = readSize(new Uint8Array(await file.arrayBuffer()), file.type);
  const size = [measured, stated].find((each) => each && exceedsLimits(each));
  if (!size) return file;
  if (!measured) throw await explainUnshown(file);
  const animation = (await hasSeveralFrames(file)) ? " Only the first frame of the animation stays." : "";
  const scaled = show(scale(size, findFactor(size)));
  const text = `This picture has ${show(size)} pixels; the limit is ${show(LIMITS)}. Scaled down, it has at most ${scaled}.${animation}`;
  return (await ask("Too many pixels", text, "Scale it down")) ? scaleDown(file) : null;
}

/** Width and height, read without decoding the pixels. Null if the browser can't read the file as a picture. */
async function measure(file) {
  const image = new Image();
  const isLoaded = new Promise((resolve) => {
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
  });
  image.src = URL.createObjectURL(file);
  const size = (await isLoaded) ? { width: image.naturalWidth, height: image.naturalHeight } : null;
  URL.revokeObjectURL(image.src);
  return size;
}

/** The largest factor by which a picture is within the limits in pixels. */
function findFactor({ width, height }) {
  return Math.min(LIMITS.width / width, LIMITS.height / height);
}

function scale({ width, height }, factor) {
  return { width: Math.max(1, Math.floor(width * factor)), height: Math.max(1, Math.floor(height * factor)) };
}

async function scaleDown(file) {
  const bitmap = await decode(file);
  const canvas = document.createElement("canvas");
  let factor = findFactor(bitmap);
  let scaled;
  do {
    Object.assign(canvas, scale(bitmap, factor));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    scaled = await encode(canvas, file);
    factor *= 0.8;
  } while (scaled.size > LIMITS.bytes && factor > 0.01);
  bitmap.close();
  return scaled;
}
