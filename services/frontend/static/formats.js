// The picture formats that the server lists (FORMATS in services/pictures/formats.py), and the page's sentences about them.

import { REMOVERS } from "./metadata.js";

/** The formats by content type. `edited_as`: the content type in which the editor saves a cropped picture. */
const FORMATS = new Map(JSON.parse(document.body.dataset.formats).map((format) => [format.content_type, format]));

/** British English puts no comma before the last name. */
const [ONE_OF, ALL_OF] = ["disjunction", "conjunction"].map((type) => new Intl.ListFormat("en-GB", { type }));

export const CHOOSE_ANOTHER = `Choose a ${ONE_OF.format(names(FORMATS.values()))}.`;

/** The content type for a cropped picture. Undefined for a type that is not listed; a canvas then encodes PNG. */
export function findEditedType(type) {
  return FORMATS.get(type)?.edited_as;
}

/** A warning if metadata can't be removed from this file, and otherwise an empty text. */
export function warnOfMetadata({ type }) {
  if (!FORMATS.has(type) || REMOVERS.has(type)) return "";
  return `Metadata can't be removed from ${FORMATS.get(type).name} files; the file is uploaded as it is.`;
}

/** Complete the text of the option. The server doesn't know which formats have a remover, so this is called each time the
 * server's page is shown. */
export function nameFormatsWithoutRemover() {
  const element = document.querySelector("#formats-without-remover");
  const formats = [...FORMATS.values()].filter((format) => !REMOVERS.has(format.content_type));
  if (element && formats.length) element.textContent = `${ALL_OF.format(names(formats))} files are uploaded as they are.`;
}

function names(formats) {
  return Array.from(formats, ({ name }) => name);
}
