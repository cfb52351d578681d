// The page: forms, and what the examples say, shown as text and nothing else.

import { Bot } from "../typescript/src/bot.js";
import { SigningKey } from "../typescript/src/keys.js";
import { broadcast, echo, explain, sessionRefresh } from "../typescript/src/stories.js";
import { checkVectors } from "../typescript/src/vectors/check.js";

type Say = (line: string) => void;

/** Set by the keystore's form, before which the others cannot be used. */
let bot: Bot;

onSubmit("vectors", async (say) => {
  const files = [...(field("vectors-files").files ?? [])];
  const read = async (file: File): Promise<[string, string]> => [file.name, await file.text()];
  say(`${await checkVectors(new Map(await Promise.all(files.map(read))))} vectors hold`);
});

onSubmit("keystore", async (say) => {
  const [file] = field("keystore-file").files ?? [];
  const text = file ? await file.text() : field("keystore-text").value;
  for (const name of ["keystore-file", "keystore-text"]) field(name).value = "";
  // Pages reach the gateway at their own origin alone, whatever the keystore says.
  bot = await Bot.fromKeystore(text, location.origin);
  for (const name of ["echo", "broadcast", "refresh"]) fieldset(name).disabled = false;
  say(`bot ${bot.userId}`);
});

onSubmit("echo", async (say) => {
  const stop = new AbortController();
  const button = field("echo-stop");
  button.onclick = () => stop.abort();
  button.disabled = false;
  await echo(bot, say, stop.signal);
  button.disabled = true;
  say("stopped");
});

onSubmit("broadcast", async (say) => {
  const lines = field("broadcast-people").value.split("\n").map((line) => line.trim());
  const people = lines.filter((line) => line !== "");
  await broadcast(bot, people, field("broadcast-text").value, say, say);
});

onSubmit("refresh", async (say) => {
  await sessionRefresh(bot, field("refresh-user").value.trim(), isPressed, say);

  function isPressed(): Promise<void> {
    const button = field("refresh-again");
    button.disabled = false;
    return new Promise((resolve) => {
      button.onclick = () => {
        button.disabled = true;
        resolve();
      };
    });
  }
});

await requireBrowser();
document.documentElement.dataset["ready"] = "yes";

/** Runs `work` when the form is sent, one at a time; what it says is shown line by line. */
function onSubmit(name: string, work: (say: Say) => Promise<void>): void {
  const form = element<HTMLFormElement>(name);
  const output = form.querySelector("output") as HTMLOutputElement;
  const say: Say = (line) => output.append(`${line}\n`);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.replaceChildren();
    fieldset(name).disabled = true;
    await work(say).catch((error: unknown) => say(`failed: ${explain(error)}`));
    fieldset(name).disabled = false;
  });
}

/** Says so where the browser lacks what this page needs. */
async function requireBrowser(): Promise<void> {
  const notice = element("unsupported");
  const refuse = (text: string) => {
    notice.textContent = text;
    notice.hidden = false;
  };
  if (!isSecureContext) {
    return refuse("Browsers offer cryptography only at addresses that begin with https.");
  }
  const tooOld =
    "This browser does not know Ed25519 yet. Use Chrome or Edge 137, Firefox 130, Safari 17, or later.";
  await SigningKey.fromSeed(new Uint8Array(32)).catch(() => refuse(tooOld));
}

/** An element that the page has. */
function element<Kind extends HTMLElement>(name: string): Kind {
  return document.getElementById(name) as Kind;
}

/** What people fill in or press. */
function field(name: string): HTMLInputElement {
  return element<HTMLInputElement>(name);
}

function fieldset(form: string): HTMLFieldSetElement {
  return element(form).querySelector("fieldset") as HTMLFieldSetElement;
}
