// A dialog with a question, which the user answers with a button.

/** Whether the user clicked the button with this label, and not "Cancel" or the Escape key. */
export async function ask(heading, text, label) {
  const dialog = document.querySelector("#question");
  dialog.querySelector("h2").textContent = heading;
  dialog.querySelector("p").textContent = text;
  dialog.querySelector("[value=yes]").textContent = label;
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}
