// The faults that the local demo injects, and its reset.

import { callService } from "./calls.js";

const FAULTS = "/_faults";
const RESET = "/_reset";

const find = (selector) => document.querySelector(`#break ${selector}`);

export async function showFault() {
  if (find("fieldset")) check(await callService(FAULTS));
}

/** Choose the fault that the next upload meets; an empty text for none. */
export async function chooseFault(name) {
  try {
    check(await callService(FAULTS, { fault: name || null }));
  } catch (error) {
    await showFault().catch(() => {});
    throw error;
  }
}

/** Show whether the chosen fault is over: most of them happen once. */
export async function updateFault() {
  if (find("[name=fault]:checked")?.value) await showFault();
}

function check({ fault }) {
  find(`[name=fault][value="${fault ?? ""}"]`).checked = true;
}

/** Delete what was uploaded, log out, and load the page as at the demo's start. */
export async function resetDemo() {
  await callService(RESET, {});
  if (document.querySelector("[data-logout]")) await callService("/auth/logout", {});
  location.assign(location.pathname);
  // Nothing else happens on this page.
  await new Promise(() => {});
}
