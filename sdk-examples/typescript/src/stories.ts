// What the examples do, wherever they run: `say` prints a line, or shows it in a page.

import { parseId } from "./bytes.js";
import { textTo, type Bot } from "./bot.js";
import { combine } from "./names.js";
import { inWords } from "./outcome.js";
import { textOf, type Incoming } from "./receive.js";

type Say = (line: string) => void;

/** Answers every text with the same text, until `signal` ends it. */
export async function echo(bot: Bot, say: Say, signal: AbortSignal): Promise<void> {
  const trouble = (what: string, error: unknown) => say(`${what}: ${explain(error)}`);
  const ready = () => say("ready");
  const handle = async (message: Incoming) => {
    const text = textOf(message);
    if (text !== undefined) say(`${message.sender} ${await answer(bot, message, text)}`);
  };
  await bot.receive({ handle, ready, trouble }, signal);
}

/** Sends one text to many people, a line for each; `note` hears of lists that were old. */
export async function broadcast(
  bot: Bot,
  people: string[],
  text: string,
  say: Say,
  note: Say,
): Promise<void> {
  const users = people.map(parseId);
  const outcomes = await bot.sendAll(
    users.map((user) => textTo(user, text)),
    ({ to }, before, after) => note(`${to} stale: ${before} -> ${after}`),
  );
  for (const [at, outcome] of outcomes.entries()) say(`${users[at]} ${inWords(outcome)}`);
}

/** Sends a text, waits for somebody to sign a device in or out, and sends another. */
export async function sessionRefresh(
  bot: Bot,
  user: string,
  change: () => Promise<void>,
  say: Say,
): Promise<void> {
  const to = parseId(user);
  const send = async (text: string) => {
    const outcomes = await bot.sendAll([textTo(to, text)], (_message, before, after) =>
      say(`stale: ${sessions(before)} -> ${sessions(after)}`),
    );
    for (const outcome of outcomes) say(inWords(outcome));
  };
  await send("Before anything has changed");
  await change();
  await send("After a device has come");
}

/** What to tell a person about an error. */
export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Answers a message. What cannot be sent now is an error, so that the message comes again. */
async function answer(bot: Bot, message: Incoming, text: string): Promise<string> {
  // The answer's id follows from its cause's: a text that comes again is answered once.
  const id = combine(message.messageId, "echo");
  const reply = { ...textTo(message.sender, text), id, conversationId: message.conversationId };
  const outcomes = await bot.sendAll([reply]);
  const words = outcomes.map(inWords).join();
  if (outcomes.some(({ kind }) => kind === "deferred" || kind === "still stale")) throw new Error(words);
  return words;
}

function sessions(count: number): string {
  return count === 1 ? "1 session" : `${count} sessions`;
}
