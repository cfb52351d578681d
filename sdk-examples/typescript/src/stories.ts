// What the examples do, wherever they run: `say` prints a line, or shows it in a page.

import { parseId } from "./bytes.js";
import { textTo, type Bot } from "./bot.js";
import { combine } from "./names.js";
import { inWords } from "./outcome.js";
import { textOf } from "./receive.js";
import type { OnStale } from "./send.js";

type Say = (line: string) => void;

/** Answers every text with the same text, until `signal` ends it. */
export async function echo(bot: Bot, say: Say, signal: AbortSignal): Promise<void> {
  const trouble = (what: string, error: unknown) => say(`${what}: ${explain(error)}`);
  const ready = () => say("ready");
  await bot.receive({ handle, ready, trouble }, signal);

  async function handle(message: Parameters<typeof textOf>[0]): Promise<void> {
    const text = textOf(message);
    if (text === undefined) return;
    // The answer's id follows from its cause's: a text that comes again is answered once.
    const id = combine(message.messageId, "echo");
    const answer = { ...textTo(message.sender, text), id, conversationId: message.conversationId };
    const [outcome] = await bot.sendAll([answer]);
    say(`${message.sender} said ${message.content.length} bytes: ${outcome && inWords(outcome)}`);
  }
}

/** Sends one text to many people, a line for each. */
export async function broadcast(bot: Bot, people: string[], text: string, say: Say): Promise<void> {
  const users = people.map(parseId);
  const outcomes = await bot.sendAll(users.map((user) => textTo(user, text)), tellStale(say));
  for (const [at, outcome] of outcomes.entries()) say(`${users[at]} ${inWords(outcome)}`);
}

/** Sends a text, waits for somebody to sign a device in or out, and sends another. */
export async function sessionRefresh(
  bot: Bot,
  user: string,
  waitForEnter: () => Promise<void>,
  say: Say,
): Promise<void> {
  const to = parseId(user);
  for (const text of ["Hello to all your devices", "Hello to all your devices, again"]) {
    const outcomes = await bot.sendAll([textTo(to, text)], tellStale(say));
    for (const outcome of outcomes) say(inWords(outcome));
    if (text.endsWith("again")) return;
    await waitForEnter();
  }
}

/** What to tell a person about an error. */
export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function tellStale(say: Say): OnStale {
  return (_message, before, after) => say(`stale: ${sessions(before)} -> ${sessions(after)}`);
}

function sessions(count: number): string {
  return count === 1 ? "1 session" : `${count} sessions`;
}
