// Speaks with a gateway through what openapi-typescript and openapi-fetch make of openapi.yaml, and
// nothing else: paths, parameters, bodies and answers are checked when this file is compiled.
//
// tests/clients.rs starts it and says what the lines on standard input and output mean.

import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
type Job = { url: string; token: string; people: { user: string; conversation: string }[] };
type Sealed = { data_base64: string; checksum: string };

const lines = createInterface({ input: process.stdin });
const input = lines[Symbol.asyncIterator]();

async function ask<Answer>(question: unknown): Promise<Answer> {
  console.log(JSON.stringify(question));
  return JSON.parse((await input.next()).value) as Answer;
}

function say(text: string): void {
  console.log(JSON.stringify({ say: text }));
}

// What a call found, or an end to it all. An error may come with status 202, which is a success to
// the types: only `error` beside `data` tells.
function good<Data>(result: {
  data?: { data: Data } | Schemas["ErrorBody"] | undefined;
  error?: unknown;
  response: Response;
}): Data {
  const { data, error, response } = result;
  if (!data || !("data" in data)) {
    throw new Error(`${response.status}: ${JSON.stringify(data ?? error)}`);
  }
  return data.data;
}

function outcome({ state, outcome, sessions }: Schemas["Receipt"]): string {
  return `${state} ${outcome} ${sessions?.length}`;
}

const job = await ask<Job>({ begin: "node" });
const client = createClient<paths>({
  baseUrl: job.url,
  headers: { Authorization: `Bearer ${job.token}` },
});

say(good(await client.GET("/me")).full_name ?? "");

const users = job.people.map(({ user }) => user);
const fetched = await client.POST("/sessions/fetch", { body: users });
const sessions = good(fetched);
say(`${sessions.length} sessions`);

// From here on the list of the first is an old one.
await ask({ sign_in: users[0] });

async function message(index: number, to: Schemas["SessionInfo"][], id: string) {
  const { user, conversation } = job.people[index]!;
  const sealed = await ask<Sealed>({ seal: to });
  return {
    conversation_id: conversation,
    recipient_id: user,
    message_id: id,
    category: "ENCRYPTED_TEXT",
    ...sealed,
  };
}

const ids = users.map(() => randomUUID());
const batch: Schemas["OutgoingMessage"][] = [];
for (const [index, user] of users.entries()) {
  const known = sessions.filter((session) => session.user_id === user);
  batch.push(await message(index, known, ids[index]!));
}
const receipts = good(await client.POST("/encrypted_messages", { body: batch }));
say(receipts.map(outcome).join(", "));

const again = await message(0, receipts[0]!.sessions ?? [], ids[0]!);
say(good(await client.POST("/encrypted_messages", { body: [again] })).map(outcome).join(", "));

const query = { wait: 30 };
const [received] = good(await client.GET("/inbox", { params: { query } }));
const opened = await ask<{ text: string }>({ open: received!.data_base64 });
say(opened.text);
const taken = [{ message_id: received!.message_id, status: "READ" as const }];
good(await client.POST("/acknowledgements", { body: taken }));
say(`${good(await client.GET("/inbox")).length} left`);

const nobody = await client.GET("/users/{id}", { params: { path: { id: randomUUID() } } });
say(`${nobody.response.status}: ${nobody.error?.error.status}`);

// Otherwise Node.js waits for more questions.
lines.close();
process.stdin.destroy();
