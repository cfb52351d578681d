// The gateway's HTTP API, version 2. What proves the owner goes in a header, never in an address.

import { fromBase64url } from "./base64url.js";
import { base64url } from "./bytes.js";
import { Failure, Refused, Unreachable } from "./failure.js";
import { addressOf } from "./link.js";

const BOXES = "Service";
const FILES = "Service/File";
const LETTERS = "Service/SelfDestruct";
const TAKE = "SelfDestruct/Take";

/** A gateway that refuses a body early may hang up before the browser has read why. */
const NOT_UPLOADED =
  "The file did not get through: the connection broke, or the gateway takes no file of this size.";

/** Makes a box; the answer is what the gateway keeps of it. */
export function createBox(request) {
  return json("POST", BOXES, {}, { body: request });
}

/** The public record of a box. */
export function publicRecord(token) {
  return json("GET", BOXES, { token });
}

/** A page of a box's messages, after the message with id `after`. */
export function messages(token, auth, after = undefined) {
  return json("GET", BOXES, after === undefined ? { token } : { token, after }, { auth });
}

/** Leaves a text. */
export function putText(token, encryptionKey, message) {
  const body = {
    token,
    encryptionkey: base64url(encryptionKey),
    message: base64url(message),
  };
  return json("PUT", BOXES, {}, { body });
}

/** Leaves a file; `progress` is told what share is on its way. */
export function putFile(token, encryptionKey, name, body, progress) {
  const query = { token, encryptionkey: base64url(encryptionKey), name: base64url(name) };
  return upload(address(FILES, query), body, progress);
}

/** The sealed body of a file, as a stream. */
export async function fileBody(token, auth, messageid) {
  const answer = await send("GET", FILES, { token, messageid }, { auth });
  return answer.body;
}

/** Deletes one message. */
export function deleteMessage(token, auth, messageid) {
  return json("DELETE", BOXES, { token, messageid }, { auth });
}

/** Deletes a box and all that is in it. */
export function deleteBox(token, auth) {
  return json("DELETE", BOXES, { token }, { auth });
}

/** Leaves a letter, for so many seconds. */
export function putLetter(request, expiresin) {
  return json("POST", LETTERS, {}, { body: { ...request, expiresin } });
}

/** Takes a letter, which is gone then. */
export function takeLetter(messageid, auth) {
  return json("POST", TAKE, {}, { auth, body: { messageid } });
}

/** The bytes of a member of an answer. */
export function bytesOf(answer, member) {
  try {
    return fromBase64url(answer[member]);
  } catch {
    throw new Failure(`The gateway's answer has no proper ${member}.`);
  }
}

async function json(method, path, query, options = {}) {
  const answer = await send(method, path, query, options);
  try {
    return await answer.json();
  } catch {
    throw new Unreachable();
  }
}

async function send(method, path, query, { auth, body } = {}) {
  const headers = new Headers({ accept: "application/json" });
  if (auth !== undefined) headers.set("authkey", base64url(auth));
  if (body !== undefined) headers.set("content-type", "application/json");
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
  } catch {
    throw new Unreachable();
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem ?? {}, answer.headers.get("retry-after"));
}

/** `fetch` cannot tell how far an upload is. */
function upload(url, body, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Failure(NOT_UPLOADED)));
    request.addEventListener("load", () => {
      const { status, response } = request;
      if (status < 300 && response) resolve(response);
      else reject(new Refused(status, response ?? {}, request.getResponseHeader("retry-after")));
    });
    request.send(body);
  });
}

function address(path, query) {
  return addressOf(`${path}?${new URLSearchParams({ v: "2", ...query })}`);
}
