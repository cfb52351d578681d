// One account: its sessions, what waits for each, and what is set aside there.

import { element, isSure } from "./dom.js";
import * as gateway from "./gateway.js";
import { amount, make, moment, pairs, row, whenExactly } from "./parts.js";
import { shown } from "./shown.js";

let attempt;
let shownId = "";

export function prepare(attempted) {
  attempt = attempted;
}

export async function enter(id) {
  shownId = id;
  element("account-title").textContent = "Account";
  element("account-facts").replaceChildren();
  element("account-sessions").replaceChildren();
  element("account-none").hidden = true;
  const [account, { sessions }] = await Promise.all([gateway.account(id), gateway.sessions(id)]);
  if (shownId !== id) return;
  element("account-title").textContent = shown(account.full_name) || "(no name)";
  element("account-facts").replaceChildren(
    ...pairs([
      ["Kind", account.kind === "bot" ? "bot" : "person"],
      ["Identity number", account.identity_number],
      ["Id", make("code", {}, account.user_id)],
      ["Made", whenExactly(account.created_at)],
    ]),
  );
  const parts = await Promise.all(sessions.map(part));
  if (shownId !== id) return;
  element("account-sessions").replaceChildren(...parts);
  element("account-none").hidden = sessions.length > 0;
}

/** What is shown of a session. */
async function part(session) {
  const facts = pairs([
    ["Id", make("code", {}, session.session_id)],
    ["Signed in", whenExactly(session.created_at)],
    ["Last seen", whenExactly(session.last_seen_at) || "never"],
    ["Waiting", amount(session.waiting)],
    ["Set aside", amount(session.set_aside)],
  ]);
  const title = make("h3", {}, shown(session.platform) || "Session");
  const article = make("article", { className: "session" }, title);
  article.append(make("dl", { className: "facts" }, ...facts));
  if (session.set_aside > 0) {
    const { messages } = await gateway.setAside(session.session_id);
    article.append(setAside(session, messages));
  }
  return article;
}

/** Messages that a session does not get past, and what can be done about each. */
function setAside({ session_id: session, set_aside: count }, messages) {
  const heads = ["Message", "Kind", "From", "Why", "Since", ""];
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const rows = messages.map((message) => {
    const again = make("button", { type: "button", className: "again" }, "Deliver again");
    const drop = make("button", { type: "button", className: "danger" }, "Drop");
    again.addEventListener("click", () => attempt(() => deliver(session, message.message_id)));
    drop.addEventListener("click", () => attempt(() => remove(session, message.message_id)));
    const made = row(
      make("code", {}, message.message_id),
      message.category,
      make("a", { href: `#accounts/${message.user_id}` }, message.user_id),
      message.reason,
      moment(message.set_aside_at),
      make("div", { className: "buttons" }, again, drop),
    );
    // On a narrow screen each cell is a line of its own, and says what it is.
    [...made.cells].forEach((cell, place) => (cell.dataset.name = heads[place]));
    return made;
  });
  const isAll = messages.length >= count;
  const words = isAll ? "Set aside" : `Set aside: the first ${messages.length} of ${amount(count)}`;
  const caption = make("caption", {}, words);
  const parts = [caption, make("thead", {}, head), make("tbody", {}, ...rows)];
  const table = make("table", { className: "stack" }, ...parts);
  return make("div", { className: "scroll" }, table);
}

async function deliver(session, message) {
  await gateway.deliverAgain(session, message);
  await showAgain();
}

async function remove(session, message) {
  const question = "Drop this message? Nobody will get it any more.";
  if (!(await isSure(question, "Drop it"))) return;
  await gateway.drop(session, message);
  await showAgain();
}

/** The button that was pressed is gone by then. */
async function showAgain() {
  await enter(shownId);
  element("account-title").focus();
}
