// The settings in force, of which secrets never come here.

import { element } from "./dom.js";
import * as gateway from "./gateway.js";
import { make, row } from "./parts.js";

let settings = [];

export function prepare() {
  element("settings-form").addEventListener("submit", (event) => event.preventDefault());
  element("settings-search").addEventListener("input", show);
  element("settings-changed").addEventListener("change", show);
}

export async function enter() {
  ({ settings } = await gateway.settings());
  show();
}

function show() {
  const part = element("settings-search").value.trim().toLowerCase();
  const isChangedOnly = element("settings-changed").checked;
  const wanted = settings.filter(
    (setting) => setting.key.includes(part) && (setting.is_changed || !isChangedOnly),
  );
  element("settings-list").replaceChildren(...wanted.map(line));
}

function line(setting) {
  const value = setting.value === "" ? make("span", { className: "hint" }, "empty") : setting.value;
  const made = row(make("code", {}, setting.key), value);
  made.className = setting.is_changed ? "changed" : "";
  return made;
}
