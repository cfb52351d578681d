// Request tokens: a JWT (RFC 7519) with EdDSA (RFC 8037) that is good for one request and no other.

import { base64url, concat, hex, utf8, type Bytes } from "./bytes.js";
import type { SigningKey } from "./keys.js";

/** The claims of a token, in the order in which they are written. */
export interface Claims {
  /** The account that asks, and its session, whose key signs. */
  uid: string;
  sid: string;
  /** When the token was issued and when it ends, in seconds of the Unix epoch. */
  iat: number;
  exp: number;
  /** An id of the token itself. */
  jti: string;
  /** {@link requestDigest} of the request. */
  sig: string;
  scp: "FULL";
}

/** Lower-case hex SHA-256 of method, path with query, and body, one after the other. */
export async function requestDigest(method: string, path: string, body: Bytes): Promise<string> {
  const request = concat(utf8(method + path), body);
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", request)));
}

/** The token of these claims. */
export async function sign(claims: Claims, key: SigningKey): Promise<string> {
  const { uid, sid, iat, exp, jti, sig, scp } = claims;
  const parts = [{ typ: "JWT", alg: "EdDSA" }, { uid, sid, iat, exp, jti, sig, scp }];
  const message = parts.map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  return `${message}.${base64url(await key.sign(utf8(message)))}`;
}
