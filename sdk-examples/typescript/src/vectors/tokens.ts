// token.json: a token that is accepted, and those that are refused.
//
// A bot signs tokens and accepts none, so the accepting side, a gateway's, is here and not in token.ts.

import { FormError, fromBase64url, fromUtf8, utf8, type Bytes } from "../bytes.js";
import { SigningKey, verify } from "../keys.js";
import { requestDigest, sign, type Claims } from "../token.js";
import { Members } from "./reading.js";

const LONGEST = 4096;
const LONGEST_LIFE = 90 * 24 * 60 * 60;
const CLOCK_AHEAD = 60;
const CLAIMS = ["uid", "sid", "iat", "exp", "jti", "sig", "scp"];

class TokenError extends Error {}

/** What the token has to be for. */
interface Request {
  now: number;
  digest: string;
}

export async function checkTokens(file: unknown): Promise<number> {
  const members = new Members(
    file,
    "the file",
    ...["source", "seed", "ed25519_public_key", "now", "request", "claims", "accepted", "refused"],
  );
  const key = members.base64("ed25519_public_key");
  const asked = members.object("request", "method", "path", "body");
  const body = utf8(asked.text("body"));
  const digest = await requestDigest(asked.text("method"), asked.text("path"), body);
  const request = { now: members.number("now"), digest };

  const claims = claimsOf(members.object("claims", ...CLAIMS));
  members.expect("the digest", digest, claims.sig);
  const signed = await sign(claims, await SigningKey.fromSeed(members.hex("seed")));
  members.expect("the token", signed, members.text("accepted"));
  await accept(signed, key, request);

  const refused = members.list("refused", "name", "token", "reason");
  for (const vector of refused) {
    await vector.refuses(TokenError, () => accept(vector.text("token"), key, request));
  }
  return 1 + refused.length;
}

function claimsOf(members: Members): Claims {
  const [uid, sid, jti, sig] = [
    members.text("uid"),
    members.text("sid"),
    members.text("jti"),
    members.text("sig"),
  ];
  members.expect("the scope", members.text("scp"), "FULL");
  return { uid, sid, iat: members.number("iat"), exp: members.number("exp"), jti, sig, scp: "FULL" };
}

/** What a gateway does with a token; throws `TokenError`. */
async function accept(token: string, key: Bytes, { now, digest }: Request): Promise<void> {
  const [header, payload, signature, ...more] = token.split(".");
  if (token.length > LONGEST || !header || !payload || !signature || more.length > 0) {
    throw new TokenError("the token is not three parts of base64url");
  }
  const { alg, crit } = decodeObject(header);
  // The algorithm is ours to say, never a token's.
  if (alg !== "EdDSA") throw new TokenError("the token's algorithm is not EdDSA");
  if (crit !== undefined) throw new TokenError("the token demands critical extensions");
  const claims = decodeObject(payload);
  requireClaims(claims);
  if (!(await isSigned(`${header}.${payload}`, signature, key))) {
    throw new TokenError("the token's signature does not match");
  }

  const [iat, exp] = [Number(claims["iat"]), Number(claims["exp"])];
  if (exp <= now) throw new TokenError("the token is over");
  if (iat > now + CLOCK_AHEAD) throw new TokenError("the token is from the future");
  if (exp - iat > LONGEST_LIFE) throw new TokenError("the token lives too long");
  if (claims["sig"] !== digest) throw new TokenError("the token was made for another request");
}

function requireClaims(claims: Record<string, unknown>): void {
  const isId = (name: string) => /^[0-9a-f-]{36}$/i.test(String(claims[name]));
  const isSound =
    isId("uid") &&
    isId("sid") &&
    Number.isSafeInteger(claims["iat"]) &&
    Number.isSafeInteger(claims["exp"]) &&
    typeof claims["sig"] === "string";
  if (!isSound) throw new TokenError("the token's claims are malformed");
}

function decodeObject(part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(fromBase64url(part)));
  } catch {
    throw new TokenError("a part of the token is no JSON in base64url");
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new TokenError("a part of the token is no object");
}

async function isSigned(message: string, signature: string, key: Bytes): Promise<boolean> {
  try {
    return await verify(key, utf8(message), fromBase64url(signature));
  } catch (error) {
    if (error instanceof FormError) return false;
    throw error;
  }
}
