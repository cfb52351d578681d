// Requests to the gateway: typed by its OpenAPI document, signed, and repeated where that helps.

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./api.js";
import type { Bytes } from "./bytes.js";
import type { SigningKey } from "./keys.js";
import { requestDigest, sign } from "./token.js";

export type Schemas = components["schemas"];

/** Whose requests these are. */
export interface Identity {
  userId: string;
  sessionId: string;
  signing: SigningKey;
}

/** Seconds that a token lives. */
const TOKEN_LIFE = 60;
const ATTEMPTS = 6;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 10_000;
/** A gateway that asks for more patience than this is told apart from one that is busy. */
const LONGEST_RETRY_AFTER = 60_000;
/** How long one try may take, a long poll included. All in milliseconds. */
const TIMEOUT = 90_000;

/** A signature is for one request at one place; a browser adds nothing to it and keeps nothing. */
const OPTIONS = { cache: "no-store", credentials: "omit", redirect: "error" } as const;

/** The gateway's answer was no. */
export class Refused extends Error {
  readonly status: number;
  /** What its error document says beside the description. */
  readonly reason: string;

  constructor(status: number, body: unknown) {
    const { description, extra } = (body as Partial<Schemas["ErrorBody"]> | undefined)?.error ?? {};
    super(description || `the gateway answered with status ${status}`);
    this.status = status;
    this.reason = extra?.reason ?? "";
  }
}

/** No answer came at all. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("the gateway cannot be reached", { cause });
  }
}

export class Gateway {
  readonly api: Client<paths>;
  readonly #identity: Identity;

  constructor(identity: Identity, baseUrl: string) {
    this.#identity = identity;
    this.api = createClient<paths>({ baseUrl, fetch: (request) => this.#send(request) });
  }

  /**
   * Sends the very same bytes until there is an answer: messages have ids, so what was stored by a
   * try whose answer was lost is not stored twice. Each try has a token of its own.
   */
  async #send(request: Request): Promise<Response> {
    const body = new Uint8Array(await request.arrayBuffer());
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#try(request, body);
      if (answer instanceof Response && answer.status !== 429 && answer.status !== 503) {
        return withTrueStatus(answer);
      }
      const pause = pauseAfter(attempt, answer);
      request.signal.throwIfAborted();
      if (attempt < ATTEMPTS && pause !== undefined) await sleep(pause);
      else if (answer instanceof Response) return answer;
      else throw new Unreachable(answer);
    }
  }

  /** An answer, or the error of a try that got none. */
  async #try(request: Request, body: Bytes): Promise<unknown> {
    const headers = new Headers(request.headers);
    headers.set("Authorization", `Bearer ${await this.#token(request, body)}`);
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT)]);
    const { method, url } = request;
    const options = { ...OPTIONS, method, headers, signal, ...(body.length > 0 && { body }) };
    return fetch(url, options).catch((error: unknown) => error);
  }

  async #token(request: Request, body: Bytes): Promise<string> {
    const { pathname, search } = new URL(request.url);
    const { userId, sessionId, signing } = this.#identity;
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      uid: userId,
      sid: sessionId,
      iat: now,
      exp: now + TOKEN_LIFE,
      jti: crypto.randomUUID(),
      sig: await requestDigest(request.method, pathname + search, body),
      scp: "FULL",
    } as const;
    return sign(claims, signing);
  }
}

/** The `data` of an answer; throws {@link Refused} where there is none. */
export function dataOf<Body extends object>(answer: {
  data?: Body;
  error?: unknown;
  response: Response;
}): Extract<Body, { data: unknown }>["data"] {
  const { data, error, response } = answer;
  if (data && "data" in data) return data.data as Extract<Body, { data: unknown }>["data"];
  throw new Refused(response.status, error ?? data);
}

/** Milliseconds, with some chance in it so that not everybody comes at the same moment. */
export function backoff(failures: number): number {
  return Math.random() * Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** How long to wait after a failure; nothing when waiting that long makes no sense. */
function pauseAfter(failures: number, answer: unknown): number | undefined {
  const asked = answer instanceof Response ? Number(answer.headers.get("Retry-After")) * 1000 : 0;
  return asked <= LONGEST_RETRY_AFTER ? asked + backoff(failures) : undefined;
}

/**
 * Signed requests get 202 with an error document in place of nearly every error, as Mixin's hosted
 * API has it. From here on such an answer has the status that the document names.
 */
async function withTrueStatus(answer: Response): Promise<Response> {
  if (answer.status !== 202) return answer;
  const text = await answer.text();
  const { error } = JSON.parse(text) as Partial<Schemas["ErrorBody"]>;
  const named = Number(error?.status);
  const status = named >= 400 && named < 600 ? named : 500;
  return new Response(text, { status, headers: answer.headers });
}
