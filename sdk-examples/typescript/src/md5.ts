// MD5 (RFC 1321), which WebCrypto leaves out for good reason: it protects nothing. Here it only names
// sets of sessions and conversations, which everybody must name alike.

import { concat, utf8, type Bytes } from "./bytes.js";

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = Uint32Array.from({ length: 64 }, (_, at) => Math.abs(Math.sin(at + 1)) * 2 ** 32);

/** The 16 bytes of the digest of a text in UTF-8. */
export function md5(text: string): Bytes {
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const message = new DataView(padded(utf8(text)).buffer);
  for (let at = 0; at < message.byteLength; at += 64) {
    const words = Uint32Array.from({ length: 16 }, (_, word) => message.getUint32(at + 4 * word, true));
    addBlock(state, words);
  }
  const digest = new DataView(new ArrayBuffer(16));
  for (const [at, word] of state.entries()) digest.setUint32(4 * at, word, true);
  return new Uint8Array(digest.buffer);
}

/** The message, one bit, zeroes, and its length in bits as 64 bits in little endian. */
function padded(message: Bytes): Bytes {
  const zeroes = (119 - (message.length % 64)) % 64;
  const end = new DataView(new ArrayBuffer(8));
  end.setBigUint64(0, BigInt(message.length) * 8n, true);
  return concat(message, Uint8Array.of(0x80), new Uint8Array(zeroes), new Uint8Array(end.buffer));
}

function addBlock(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (let step = 0; step < 64; step += 1) {
    const round = step >> 4;
    const [mixed, word] = mix(round, step, b, c, d);
    const sum = (a + mixed + (SINES[step] ?? 0) + (words[word] ?? 0)) | 0;
    const shift = SHIFTS[4 * round + (step % 4)] ?? 0;
    [a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0];
  }
  for (const [at, word] of [a, b, c, d].entries()) state[at] = (state[at] ?? 0) + word;
}

/** The function of a round, and which word of the block it takes. */
function mix(round: number, step: number, b: number, c: number, d: number): [number, number] {
  switch (round) {
    case 0:
      return [(b & c) | (~b & d), step];
    case 1:
      return [(d & b) | (~d & c), (5 * step + 1) % 16];
    case 2:
      return [b ^ c ^ d, (3 * step + 5) % 16];
    default:
      return [c ^ (b | ~d), (7 * step) % 16];
  }
}
