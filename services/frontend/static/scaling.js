// Scales down a picture that has more pixels than the uploads service accepts, if the user agrees.

import { decode, encode } from "./editor.js";
import { LIMITS, exceedsLimits, hasSeveralFrames, show } from "./formats.js";
import { ask } from "./question.js";

/** The file if it is within the limits or can't be measured, a smaller picture if the user agrees, and null otherwise. */
export async function fitToLimits(file) {
  const size = await measure(file);
  if (!size || !exceedsLimits(size)) return file;
  const animation = (await hasSeveralFrames(file)) ? " Only the first frame of the animation stays." : "";
  const text = `This picture has ${show(size)} pixels; the limit is ${show(LIMITS)}.${animation}`;
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

async function scaleDown(file) {
  const bitmap = await decode(file);
  const canvas = document.createElement("canvas");
  let scale = Math.min(LIMITS.width / bitmap.width, LIMITS.height / bitmap.height);
  let scaled;
  do {
    canvas.width = Math.max(1, Math.floor(bitmap.width * scale));
    canvas.height = Math.max(1, Math.floor(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    scaled = await encode(canvas, file);
    scale *= 0.8;
  } while (scaled.size > LIMITS.bytes && scale > 0.01);
  bitmap.close();
  return scaled;
}
