// Who sits at this window: a guest's account, one device of it, and that device's key.
//
// The key stays in the window's own storage, which other windows do not see and which is gone with
// the window; so a reload finds the same person again.

import { base64url } from "./bytes.js";
import { Keys } from "./keys.js";
import { signUpToken, statement } from "./token.js";

const PLACE = "sealpost try";
const ACCOUNTS = "/try/accounts";
/** How long a reload may take until the old page has let go of its person, in milliseconds. */
const HANDOVER = 2000;

/** Makes a guest's account with a key that is made here. */
export async function enter(gateway, gatewayKey, name) {
  const keys = await Keys.fresh();
  const body = { full_name: name, public_key: base64url(keys.verifyingKey) };
  const token = await signUpToken(keys, gatewayKey, ACCOUNTS, JSON.stringify(body));
  const made = await gateway.post(ACCOUNTS, body, token);
  return {
    userId: made.user_id,
    sessionId: made.session_id,
    name: made.full_name,
    gatewayKey,
    keys,
  };
}

/** The same person on the same device, which signs in again: another session with another key. */
export async function signInAgain(gateway, person) {
  const keys = await Keys.fresh();
  const sign = async (signer, by) => {
    const facts = statement(signer, person.userId, person.sessionId, keys.verifyingKey);
    return base64url(await by.sign(facts));
  };
  const made = await gateway.ask(person, "POST", "/sessions", {
    public_key: base64url(keys.verifyingKey),
    platform: "Browser",
    signature: await sign("new", keys),
    attestation: await sign("adding", person.keys),
    replaces: person.sessionId,
  });
  return { ...person, keys, sessionId: made.session_id };
}

/** Ends the device's session. */
export function leave(gateway, person) {
  return gateway.ask(person, "DELETE", `/sessions/${person.sessionId}`);
}

/** Has a reload of this window find the person again. */
export function remember({ userId, sessionId, name, gatewayKey, keys }) {
  const seed = keys.seed;
  const text = JSON.stringify({ userId, sessionId, name, gatewayKey, seed });
  sessionStorage.setItem(PLACE, text);
}

/** Has it find nobody. */
export function forget() {
  sessionStorage.removeItem(PLACE);
}

/** Who was here before the reload, if it is this gateway's guest and no other window's. */
export async function remembered(gatewayKey) {
  const text = sessionStorage.getItem(PLACE);
  if (text === null) return undefined;
  const { seed, ...person } = JSON.parse(text);
  // A browser that copies a window copies its storage too, and one person cannot read twice.
  if (person.gatewayKey === gatewayKey && (await isMine(person.userId))) {
    return { ...person, keys: await Keys.from(seed) };
  }
  forget();
  return undefined;
}

/** Claims a person for this window, for as long as it is open; tells whether that worked. */
export async function isMine(userId) {
  const signal = AbortSignal.timeout(HANDOVER);
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(`${PLACE} ${userId}`, { signal }, held).catch(() => resolve(false));
  });
}
