// The picture formats, as the server lists them (FORMATS in services/pictures/formats.py), and what the page says of them.

import { REMOVERS } from "./metadata.js";

/** By content type: `name`, and `edited_as`, the content type in which the editor saves what it cuts out. */
const FORMATS = new Map(JSON.parse(document.body.dataset.formats).map((format) => [format.content_type, format]));

/** British English puts no comma before the last name. */
const [ONE_OF, ALL_OF] = ["disjunction", "conjunction"].map((type) => new Intl.ListFormat("en-GB", { type }));

export const CHOOSE_ANOTHER = `Choose a ${ONE_OF.format(names(FORMATS.values()))}.`;

/** Undefined for a type that is no picture format of the server's; a canvas then writes PNG. */
export function findEditedType(type) {
  return FORMATS.get(type)?.edited_as;
}

/** A sentence for the user where metadata can't be removed from this file; empty for any other file. */
export function warnOfMetadata({ type }) {
  if (!FORMATS.has(type) || REMOVERS.has(type)) return "";
  return `Metadata can't be removed from ${FORMATS.get(type).name} files; the file is uploaded as it is.`;
}

/** Complete the option's text, before anybody chooses a file. The server doesn't know which formats have a remover, so
 * this is to be called whenever the server's page is shown. */
export function nameFormatsWithoutRemover() {
  const element = document.querySelector("#formats-without-remover");
  const formats = [...FORMATS.values()].filter((format) => !REMOVERS.has(format.content_type));
  if (element && formats.length) element.textContent = `${ALL_OF.format(names(formats))} files are uploaded as they are.`;
}

function names(formats) {
  return Array.from(formats, ({ name }) => name);
}
