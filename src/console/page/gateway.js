// What the page asks the gateway. Every change has a header that no page of another site can send.

/** The gateway's answer was no; the message is a sentence for the operator. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const options = { method, headers: { "X-Sealpost-Console": "1" }, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(`console/${path}`, options);
  } catch {
    throw new Refused(0, "The gateway cannot be reached.");
  }
  if (!answer.ok) throw new Refused(answer.status, await sentence(answer));
  return answer.status === 204 ? null : answer.json();
}

async function sentence(answer) {
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 429) {
    return `Too many wrong tries. Try again in ${problem.retry_after ?? 60} seconds.`;
  }
  const detail = typeof problem.detail === "string" ? problem.detail : `status ${answer.status}`;
  return `The gateway refused this: ${detail}.`;
}

function query(members) {
  const given = Object.entries(members).filter(([, value]) => value);
  return new URLSearchParams(given).toString();
}

const admin = (method, path, body) => ask(method, `api/admin/v1/${path}`, body);

/** Logs in with the password, or the token. */
export const logIn = (password) => ask("POST", "login", { password });

export const logOut = () => ask("POST", "logout");

/** The steps that ended after this second. */
export const figures = (since) => ask("GET", `api/figures?${query({ since })}`);

export const settings = () => ask("GET", "api/settings");

export const status = () => admin("GET", "status");

export const mode = () => admin("GET", "mode");

export const setMode = (mode) => admin("PUT", "mode", mode);

export const stuck = () => admin("GET", "stuck");

/** A page of accounts: `search`, `kind` and `after` may be empty. */
export const accounts = (wanted) => admin("GET", `accounts?${query({ limit: 50, ...wanted })}`);

export const account = (id) => admin("GET", `accounts/${encodeURIComponent(id)}`);

export const sessions = (id) => admin("GET", `accounts/${encodeURIComponent(id)}/sessions`);

/** A page of messages that are set aside for a session. */
export const setAside = (session, after) =>
  admin("GET", `sessions/${session}/set_aside?${query({ limit: 50, after })}`);

/** Has a message that is set aside delivered again. */
export const deliverAgain = (session, message) =>
  admin("POST", `sessions/${session}/set_aside/${message}/retry`);

/** Drops a message that is set aside. */
export const drop = (session, message) =>
  admin("DELETE", `sessions/${session}/set_aside/${message}`);
