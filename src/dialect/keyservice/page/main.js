// The page at /keyservice: which view the address asks for. A box's token stands in the fragment,
// which browsers keep to themselves.

import { isToken, verified } from "./box.js";
import { element } from "./dom.js";
import { explain, Failure } from "./failure.js";
import { attempt, onSubmit, showFacts } from "./forms.js";
import * as gateway from "./gateway.js";
import { when } from "./shown.js";
import { prepareCreate } from "./view-create.js";
import { forgetLetter, prepareLetter } from "./view-letter.js";
import { prepareRead, readFrom } from "./view-read.js";
import { prepareWrite, writeTo } from "./view-write.js";
import { requireBrowser } from "./x25519.js";

const VIEWS = ["create", "open", "box", "letter"];

/** The view for a fragment. */
function viewOf(fragment) {
  if (fragment === "" || fragment === "create") return "create";
  if (fragment === "letter" || fragment === "open") return fragment;
  return "box";
}

async function show() {
  const fragment = location.hash.slice(1);
  const view = viewOf(fragment);
  for (const name of VIEWS) element(name).hidden = name !== view;
  for (const name of ["create", "open", "letter"]) {
    if (name === view) element(`to-${name}`).setAttribute("aria-current", "page");
    else element(`to-${name}`).removeAttribute("aria-current");
  }
  element("created").hidden = true;
  forgetLetter();
  leaveBox();
  if (view === "box") await attempt(element("box"), () => showBox(fragment));
}

function leaveBox() {
  element("box-parts").hidden = true;
  showFacts(element("box-facts"), []);
  writeTo(null);
  readFrom(null);
}

async function showBox(token) {
  element("box-token").textContent = "";
  if (!isToken(token)) throw new Failure("This link is not whole: a box's token has 32 letters.");
  element("box-token").textContent = token;
  const record = await gateway.publicRecord(token);
  const box = await verified(token, record);
  // The person may have followed another link by now.
  if (location.hash !== `#${token}`) return "";
  showFacts(element("box-facts"), [
    ["Readable from", when(record.releasedate)],
    ["Writable until", when(record.lockdate)],
    ["Kept until", when(record.expiresat)],
  ]);
  writeTo(box);
  readFrom(box);
  element("box-parts").hidden = false;
  return "Checked: this link and the box's key belong together.";
}

/** A link or a token, as somebody pasted it. */
async function goToBox() {
  const [token] = /[0-9a-f]{32}$/.exec(element("open-link").value.trim()) ?? [];
  if (!token) throw new Failure("This is neither a box's link nor its token.");
  element("open-form").reset();
  location.hash = token;
}

async function begin() {
  try {
    await requireBrowser();
  } catch (error) {
    element("unsupported").textContent = explain(error);
    element("unsupported").hidden = false;
    return;
  }
  prepareCreate();
  prepareWrite();
  prepareRead();
  prepareLetter();
  onSubmit(element("open-form"), goToBox);
  addEventListener("hashchange", async () => {
    await show();
    element(`${viewOf(location.hash.slice(1))}-title`).focus();
  });
  await show();
  document.documentElement.dataset.ready = "yes";
}

await begin();
