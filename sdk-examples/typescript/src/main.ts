// The commands, in Node. A command that fails says why on standard error and ends with status 1.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { Bot } from "./bot.js";
import { broadcast, echo, explain, sessionRefresh } from "./stories.js";
import { checkVectors } from "./vectors/check.js";

const USAGE = `usage: main.js vectors DIR
       main.js echo_bot KEYSTORE
       main.js broadcast KEYSTORE PEOPLE TEXT
       main.js session_refresh KEYSTORE USER

PEOPLE is a file with one user id on each line. The gateway is at SEALPOST_URL when that is set, and
otherwise where the keystore says.`;

const say = (line: string) => console.log(line);
const note = (line: string) => console.error(line);

async function run(command: string | undefined, inputs: string[]): Promise<void> {
  const [first = "", second = "", third = ""] = inputs;
  switch (`${command}/${inputs.length}`) {
    case "vectors/1":
      return say(`${await checkVectors(await filesIn(first))} vectors hold`);
    case "echo_bot/1":
      return echo(await botOf(first), say, new AbortController().signal);
    case "broadcast/3":
      return broadcast(await botOf(first), await linesOf(second), third, say, note);
    case "session_refresh/2":
      return sessionRefresh(await botOf(first), second, waitForEnter, say);
    default:
      throw new Error(USAGE);
  }
}

async function botOf(keystore: string): Promise<Bot> {
  return Bot.fromKeystore(await readFile(keystore, "utf8"), process.env["SEALPOST_URL"]);
}

/** The texts of the files in a folder, by their names; a folder in it has none. */
async function filesIn(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { withFileTypes: true });
  const read = async (entry: (typeof entries)[number]): Promise<[string, string]> => [
    entry.name,
    entry.isFile() ? await readFile(join(folder, entry.name), "utf8") : "",
  ];
  return new Map(await Promise.all(entries.map(read)));
}

async function linesOf(file: string): Promise<string[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

async function waitForEnter(): Promise<void> {
  note("Sign a device in or out now, then press Enter.");
  for await (const _line of createInterface({ input: process.stdin })) break;
  // Open, it would keep the program from ending.
  process.stdin.destroy();
}

try {
  await run(process.argv[2], process.argv.slice(3));
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
