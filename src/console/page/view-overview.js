// How the gateway is: numbers, stuck inboxes, charts, and the switch.

import { Charts } from "./charts.js";
import { element, isSure } from "./dom.js";
import * as gateway from "./gateway.js";
import { amount, lasting, make, moment, number, pairs, row } from "./parts.js";
import { shown, size } from "./shown.js";

/** Between two looks, in milliseconds. */
const PAUSE = 5_000;

let attempt;
let timer;
let charts;
let mode = { read_only: false, draining: false };

export function prepare(attempted) {
  attempt = attempted;
  element("read-only").addEventListener("click", () => attempt(turnReadOnly));
  element("drain").addEventListener("click", () => attempt(turnDrain));
}

export async function enter() {
  charts ??= new Charts(element("charts"));
  clearInterval(timer);
  timer = setInterval(() => document.hidden || attempt(look), PAUSE);
  await look();
}

export function leave() {
  clearInterval(timer);
}

async function look() {
  const [status, stuck, figures] = await Promise.all([
    gateway.status(),
    gateway.stuck(),
    gateway.figures(charts.last()),
  ]);
  // Somebody may have gone on, or logged out, meanwhile.
  if (element("overview").hidden) return;
  charts.add(figures.points, figures.step_seconds);
  element("charts-none").hidden = charts.last() > 0;
  element("charts").hidden = charts.last() === 0;
  showTiles(status, charts.newest());
  showStuck(stuck.inboxes);
  showMode(status.mode);
}

function showTiles(status, point) {
  const storage = status.storage ?? {};
  const waiting = point?.waiting ?? null;
  const oldest = point?.oldest_seconds ?? null;
  element("tiles").replaceChildren(
    ...pairs([
      ["Running for", lasting(status.uptime_seconds)],
      ["Sockets", amount(status.sockets)],
      ["Waiting", waiting === null ? "not known" : amount(waiting)],
      ["Oldest message", oldest === null ? "none" : lasting(oldest)],
      ["Set aside", amount(storage.set_aside ?? 0)],
      ["Writes waiting", amount(storage.waiting_writes ?? 0)],
      ["Database", size(storage.database_bytes ?? 0)],
      ["Version", status.version],
    ]),
  );
}

function showStuck(inboxes) {
  element("stuck-none").hidden = inboxes.length > 0;
  element("stuck-some").hidden = inboxes.length === 0;
  const rows = inboxes.map((inbox) => {
    const name = shown(inbox.full_name || inbox.user_id);
    return row(
      make("a", { href: `#accounts/${inbox.user_id}` }, name),
      make("code", {}, inbox.session_id),
      number(inbox.messages),
      moment(inbox.since),
    );
  });
  element("stuck").replaceChildren(...rows);
}

function showMode(now) {
  mode = now;
  const [badge, readOnly, drain] = ["mode", "read-only", "drain"].map(element);
  const words = [mode.read_only && "Read-only", mode.draining && "Draining"].filter(Boolean);
  badge.hidden = words.length === 0;
  badge.textContent = words.join(", ");
  readOnly.textContent = mode.read_only ? "Take changes again" : "Make read-only";
  drain.textContent = mode.draining ? "Let clients in again" : "Drain";
  drain.classList.toggle("danger", !mode.draining);
}

async function turnReadOnly() {
  const question = mode.read_only
    ? "Take new messages and changes again?"
    : "Refuse new messages and every other change from now on?";
  await turn(question, element("read-only").textContent, { read_only: !mode.read_only });
}

async function turnDrain() {
  const question = mode.draining
    ? "Let clients in again?"
    : "Refuse every request and close all sockets from now on? This console stays open.";
  await turn(question, element("drain").textContent, { draining: !mode.draining });
}

async function turn(question, yes, change) {
  if (!(await isSure(question, yes))) return;
  // Somebody else may have turned the other half since this page looked.
  const now = await gateway.mode();
  showMode(await gateway.setMode({ ...now, ...change }));
}
