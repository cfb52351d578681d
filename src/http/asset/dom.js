// What the views of all pages share: finding elements, and asking before something is done.

/** The element with this id, which the page has. */
export function element(id) {
  return document.getElementById(id);
}

/** Asks before something is done; `yes` is what the button says, if not what it says already. */
export function isSure(question, yes = element("sure-yes").textContent) {
  const dialog = element("sure");
  element("sure-question").textContent = question;
  element("sure-yes").textContent = yes;
  element("sure-yes").onclick = () => dialog.close("yes");
  element("sure-no").onclick = () => dialog.close("no");
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}
