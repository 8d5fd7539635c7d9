// Step by step: each call of an upload waits for a click. Instead of sending it, the user can close the tab.

/** The user closed the tab before the call with this name. */
export class TabClosed extends Error {
  constructor(call) {
    super(`The tab was closed before ${call}.`);
    this.call = call;
  }
}

export function isStepByStep() {
  return document.querySelector("#step-by-step").checked;
}

/** Show the call in the entry, and wait until the user sends it. Throws TabClosed if the tab is closed instead. */
export function waitForClick(entry, name, call) {
  return new Promise((resolve, reject) => {
    entry.prepare(call, name);
    entry.offer(`Send ${name}`, resolve, [
      "Close the tab here",
      () => {
        entry.leaveOut(call);
        reject(new TabClosed(name));
      },
    ]);
    // The button of the call before is gone, and the keyboard's focus with it.
    entry.actions.querySelector("button").focus({ preventScroll: true });
  });
}
