// Links: where the gateway is, and what is handed from one person to another. What stands after
// the `#` is never sent anywhere by a browser.

import { fromBase64url } from "./base64url.js";
import { base64url } from "./bytes.js";

/** The gateway's address, with whatever a proxy puts before its paths; no slash at the end. */
const BASE = new URL("..", import.meta.url).href.slice(0, -1);

const LETTER = /^#?2\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})$/;

/** The address of a path of the gateway. */
export function addressOf(path, base = BASE) {
  return `${base}/${path}`;
}

/** The link that a box is shared by. */
export function shareLink(token, base = BASE) {
  return addressOf(`keyservice#${token}`, base);
}

/** The link that a letter is handed over by. */
export function letterLink(id, secret, base = BASE) {
  return addressOf(`selfdestruct/read#2.${id}.${base64url(secret)}`, base);
}

/** `{ id, secret }` of the fragment of a letter's link, or null if it is none. */
export function parseLetter(fragment) {
  const [, id, text] = LETTER.exec(fragment) ?? [];
  if (id === undefined) return null;
  try {
    return { id, secret: fromBase64url(text) };
  } catch {
    return null;
  }
}
