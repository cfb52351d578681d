// Requests to the gateway. Whoever listens is shown each one, body and answer as they went.

import { Refused, Unreachable } from "./failure.js";
import { requestToken } from "./token.js";

/** Whatever is asked: nothing is kept, nothing is sent along, nothing leads elsewhere. */
const OPTIONS = { cache: "no-store", credentials: "omit", redirect: "error" };

/** The gateway that this page comes from. */
export class Gateway {
  /** Where its bot API begins: empty, or a path. */
  #api;
  #show;

  /** `show` is told of every exchange: what was asked, and what was answered. */
  constructor(api, show) {
    this.#api = api;
    this.#show = show;
  }

  /**
   * Asks something in the name of a person, by a request that its device signs; gives the `data` of
   * the answer.
   *
   * `isShown` tells by the answer whether anybody wants to see it.
   */
  async ask(person, method, below, body, { signal, isShown = () => true } = {}) {
    const text = body === undefined ? "" : JSON.stringify(body);
    const path = this.#api + below;
    const token = await requestToken(person, method, path, text);
    const { status, answer } = await exchange(method, path, text, token, signal);
    if (isShown(answer)) {
      const session = person.sessionId;
      this.#show({ method, path, session, request: body, status, answer });
    }
    return dataOf(status, answer);
  }

  /** Posts something to the page's own part of the gateway. */
  async post(path, body, token) {
    const { status, answer } = await exchange("POST", path, JSON.stringify(body), token);
    this.#show({ method: "POST", path, request: body, status, answer });
    return dataOf(status, answer);
  }
}

/** What the page's own part of the gateway says, which nobody needs to see. */
export async function look(path) {
  const { status, answer } = await exchange("GET", path, "");
  return dataOf(status, answer);
}

async function exchange(method, path, body, token, signal) {
  const headers = new Headers({ accept: "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (body !== "") headers.set("content-type", "application/json");
  try {
    const options = { ...OPTIONS, method, headers, signal, ...(body !== "" && { body }) };
    const response = await fetch(path, options);
    const answer = await response.json();
    return { status: response.status, answer };
  } catch {
    throw new Unreachable();
  }
}

/** Errors are problem documents (RFC 9457), or as Mixin's clients know them, with status 202. */
function dataOf(status, answer) {
  if (answer.error) throw new Refused(answer.error.status ?? status, answer.error.description);
  if (status >= 300) throw new Refused(status, answer.detail);
  return answer.data ?? answer;
}
