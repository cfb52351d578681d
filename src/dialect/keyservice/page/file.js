// A file: prefix (7 random bytes) ‖ chunks. Chunk i holds at most 65,536 bytes of the file, sealed
// under the nonce prefix ‖ i (4 bytes, big endian) ‖ last (1 for the last chunk, otherwise 0); every
// chunk but the last is full. So none can be left out, moved or added unnoticed.

import { decrypt, encrypt, NONCE, TAG } from "./aead.js";
import { aad } from "./box.js";
import { concat, random } from "./bytes.js";
import { Failure, Untrue } from "./failure.js";

const CHUNK = 65_536;
const PREFIX = 7;
const MOST_CHUNKS = 2 ** 32;
/** How much is handed to the browser's keeping at once, bytes. */
const BATCH = 4 * 1024 * 1024;

/**
 * The sealed body of a file or another Blob, as a Blob. `progress` is told what share is done.
 */
export async function sealFile(key, token, file, progress = () => {}, prefix = random(PREFIX)) {
  const chunks = Math.max(1, Math.ceil(file.size / CHUNK));
  if (chunks > MOST_CHUNKS) throw new Failure("This file is too large to be sealed.");
  const collected = new Collected("application/octet-stream");
  collected.add(prefix);
  for (let number = 0; number < chunks; number += 1) {
    const plain = await read(file.slice(number * CHUNK, (number + 1) * CHUNK));
    const nonce = nonceOf(prefix, number, number === chunks - 1);
    collected.add(await encrypt(key, nonce, plain, aad(token, "file")));
    progress((number + 1) / chunks);
  }
  return collected.blob();
}

/** How large the file in a sealed body of so many bytes is. */
export function plainSize(sealedSize) {
  const chunks = Math.ceil((sealedSize - PREFIX) / (CHUNK + TAG));
  return Math.max(0, sealedSize - PREFIX - chunks * TAG);
}

async function read(slice) {
  try {
    return new Uint8Array(await slice.arrayBuffer());
  } catch {
    throw new Failure("This file can no longer be read. Choose it again.");
  }
}

/**
 * The file in a sealed body, which comes as a stream of bytes. `progress` is told how many bytes
 * have been opened. Throws unless every chunk up to the last is there, and nothing after it.
 */
export async function openFile(key, token, stream, progress = () => {}) {
  const collected = new Collected("application/octet-stream");
  let prefix = null;
  let number = 0;
  for await (const { bytes, isLast } of groups(stream)) {
    if (prefix === null) {
      if (isLast) throw new Untrue("This file was cut short.");
      prefix = bytes;
      continue;
    }
    collected.add(await openChunk(key, token, nonceOf(prefix, number, isLast), bytes));
    progress(collected.size);
    number += 1;
    if (number > MOST_CHUNKS) throw new Untrue("This file is longer than a file can be.");
  }
  return collected.blob();
}

async function openChunk(key, token, nonce, sealed) {
  try {
    return await decrypt(key, nonce, sealed, aad(token, "file"));
  } catch {
    throw new Untrue("This file was damaged or cut short, so nothing of it is kept.");
  }
}

function nonceOf(prefix, number, isLast) {
  const count = new Uint8Array(NONCE - PREFIX);
  const view = new DataView(count.buffer);
  view.setUint32(0, number);
  view.setUint8(4, isLast ? 1 : 0);
  return concat(prefix, count);
}

/** The stream in groups: the prefix, then chunks; which is the last shows when the stream ends. */
async function* groups(stream) {
  let group = new Uint8Array(PREFIX);
  let filled = 0;
  for await (const piece of pieces(stream)) {
    for (let at = 0; at < piece.length; ) {
      if (filled === group.length) {
        yield { bytes: group, isLast: false };
        group = new Uint8Array(CHUNK + TAG);
        filled = 0;
      }
      const part = piece.subarray(at, at + group.length - filled);
      group.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  yield { bytes: group.subarray(0, filled), isLast: true };
}

/** Not every browser can walk over a stream by itself. */
async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Bytes on their way into a Blob, which the browser may keep on disk. */
class Collected {
  constructor(type) {
    this.type = type;
    this.size = 0;
    this.blobs = [];
    this.waiting = [];
    this.waitingSize = 0;
  }

  add(bytes) {
    this.waiting.push(bytes);
    this.waitingSize += bytes.length;
    this.size += bytes.length;
    if (this.waitingSize >= BATCH) this.flush();
  }

  flush() {
    this.blobs.push(new Blob(this.waiting));
    this.waiting = [];
    this.waitingSize = 0;
  }

  blob() {
    this.flush();
    return new Blob(this.blobs, { type: this.type });
  }
}
