// What proves to the gateway who asks: JWTs (RFC 7519) signed with EdDSA (RFC 8037), each good for
// one request, and the statement with which a device adds another.

import { base64url, concat, hex, utf8 } from "./bytes.js";
import { uuidBytes } from "./ids.js";

/** Seconds that a token is good for. */
const LIFE = 60;

/** The token of one request of a session. */
export async function requestToken({ userId, sessionId, keys }, method, path, body) {
  const bound = await common(method, path, body);
  return signed({ uid: userId, sid: sessionId, ...bound, scp: "FULL" }, keys);
}

/** The token with which a key asks a gateway to put it on file. */
export async function signUpToken(keys, gatewayKey, path, body) {
  return signed({ aud: gatewayKey, ...(await common("POST", path, body)) }, keys);
}

/** What both devices sign when `userId`'s session `addedBy` adds one with another key. */
export function statement(signer, userId, addedBy, verifyingKey) {
  const tag = new Uint8Array(32);
  tag.set(utf8(`sealpost session v1 ${signer} key`));
  return concat(tag, uuidBytes(userId), uuidBytes(addedBy), verifyingKey);
}

/** The claims that every token has; `sig` binds it to method, path and body. */
async function common(method, path, body) {
  const iat = Math.floor(Date.now() / 1000);
  const request = utf8(method + path + body);
  const sig = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", request)));
  return { iat, exp: iat + LIFE, jti: crypto.randomUUID(), sig };
}

async function signed(claims, keys) {
  const parts = [{ typ: "JWT", alg: "EdDSA" }, claims];
  const message = parts.map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  return `${message}.${base64url(await keys.sign(utf8(message)))}`;
}
