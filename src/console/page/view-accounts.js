// Accounts: a page of them after the other, and a search.

import { element } from "./dom.js";
import * as gateway from "./gateway.js";
import { make, moment, row } from "./parts.js";
import { shown } from "./shown.js";

/** What is looked for, and from where on. */
let wanted = {};

export function prepare(attempt) {
  element("accounts-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(enter);
  });
  element("accounts-kind").addEventListener("change", () => attempt(enter));
  element("accounts-more").addEventListener("click", () => attempt(more));
}

export async function enter() {
  wanted = {
    search: element("accounts-search").value.trim(),
    kind: element("accounts-kind").value,
  };
  element("accounts-list").replaceChildren();
  await more();
}

async function more() {
  const asked = wanted;
  const page = await gateway.accounts(asked);
  // Somebody may have searched for something else meanwhile.
  if (asked !== wanted) return;
  element("accounts-list").append(...page.accounts.map(line));
  wanted = { ...wanted, after: page.next };
  element("accounts-more").hidden = !page.next;
  const isEmpty = element("accounts-list").childElementCount === 0;
  element("accounts-none").textContent = isEmpty ? nothing(page.next) : "";
}

/** A search looks through so many accounts at once. */
function nothing(next) {
  return next ? "None among those looked at so far." : "There are none.";
}

function line(account) {
  return row(
    make("a", { href: `#accounts/${account.user_id}` }, shown(account.full_name) || "(no name)"),
    account.kind === "bot" ? "bot" : "person",
    account.identity_number,
    moment(account.created_at),
  );
}
