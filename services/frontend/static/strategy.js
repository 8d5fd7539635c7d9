// The pending strategy that the page shows. The local demo has an uploads service for each, and its gateway chooses by the
// path.

/** `path`: what the paths of the uploads service begin with. */
export function findStrategy() {
  const { strategy, path } = document.querySelector("#strategy").dataset;
  return { strategy, path };
}
