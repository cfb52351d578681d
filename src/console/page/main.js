// The console: which view the address asks for, and whether somebody is logged in.

import { element } from "./dom.js";
import { Refused, logOut, status } from "./gateway.js";
import * as account from "./view-account.js";
import * as accounts from "./view-accounts.js";
import * as login from "./view-login.js";
import * as overview from "./view-overview.js";
import * as settings from "./view-settings.js";

const VIEWS = { overview, accounts, account, settings };

/** What is shown at this moment. */
let current = "";

/** The view for a fragment, and what it is about. */
function viewOf(fragment) {
  const [name, id] = fragment.split("/");
  if (name === "accounts" && id) return ["account", id];
  return name in VIEWS ? [name, ""] : ["overview", ""];
}

/** Shows one section and no other. */
function turnTo(name) {
  VIEWS[current]?.leave?.();
  current = name;
  for (const view of [...Object.keys(VIEWS), "login"]) element(view).hidden = view !== name;
  for (const view of ["overview", "accounts", "settings"]) {
    if (view === name) element(`to-${view}`).setAttribute("aria-current", "page");
    else element(`to-${view}`).removeAttribute("aria-current");
  }
  const isIn = name !== "login";
  element("nav").hidden = !isIn;
  element("log-out").hidden = !isIn;
  if (!isIn) element("mode").hidden = true;
}

/** Does what a view needs, and says what went wrong with it. */
async function attempt(work) {
  element("trouble").textContent = "";
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return turnTo("login");
    if (!(error instanceof Refused)) console.error(error);
    element("trouble").textContent =
      error instanceof Refused ? error.message : "Something went wrong in this page. Reload it.";
  }
}

async function show() {
  const [name, id] = viewOf(location.hash.slice(1));
  turnTo(name);
  await attempt(() => VIEWS[name].enter(id));
}

async function begin() {
  for (const view of Object.values(VIEWS)) view.prepare(attempt);
  login.prepare(async () => {
    await show();
    element(`${current}-title`)?.focus();
  });
  element("log-out").addEventListener("click", () =>
    attempt(async () => {
      await logOut();
      turnTo("login");
      element("login-password").focus();
    }),
  );
  addEventListener("hashchange", async () => {
    if (current === "login") return;
    await show();
    element(`${current}-title`).focus();
  });
  // Whether somebody is logged in is what the gateway says.
  let isIn = false;
  await attempt(async () => {
    await status();
    isIn = true;
  });
  if (isIn) await show();
  else if (current !== "login") turnTo("login");
  document.documentElement.dataset.ready = "yes";
}

await begin();
