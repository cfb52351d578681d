// "What happens": every step, as it happens.

import { element } from "./dom.js";
import { append, copyOf, facts } from "./parts.js";
import { timeOfDay } from "./words.js";

/** How many steps are kept. */
const MOST = 200;

/** What each kind of step is called for those who do not see its colour. */
const SIGNS = {
  "looked-up": "≡",
  sealed: "●",
  refused: "✕",
  fresh: "↻",
  stored: "✓",
  came: "↓",
  opened: "○",
  "signed-in": "◆",
  trouble: "!",
};

/** Shows a step, `{ kind, title, facts }`; `about` is the id of the message that it is about. */
export function tell({ kind, title, facts: pairs }, about = "") {
  const item = copyOf("step-template");
  item.classList.add(kind);
  item.dataset.about = about;
  item.querySelector(".sign").textContent = SIGNS[kind];
  item.querySelector(".title").textContent = title;
  item.querySelector("time").textContent = timeOfDay(new Date());
  facts(item.querySelector("dl"), pairs);
  append(element("steps"), item, MOST);
}
