// MD5 (RFC 1321), which WebCrypto leaves out for good reason: it protects nothing. Here it only
// names sets of sessions and conversations, which everybody has to name alike.

import { utf8 } from "./bytes.js";

/** How far each step of a round turns its sum. */
const TURNS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];

/** What each of the 64 steps adds: the digits of a sine behind the point. */
const ADDENDS = Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32),
);

/** For each round: how three words are mixed, and which word of the block a step takes. */
const ROUNDS = [
  [(b, c, d) => (b & c) | (~b & d), (step) => step],
  [(b, c, d) => (b & d) | (c & ~d), (step) => 5 * step + 1],
  [(b, c, d) => b ^ c ^ d, (step) => 3 * step + 5],
  [(b, c, d) => c ^ (b | ~d), (step) => 7 * step],
];

/** The 16 bytes of the digest of a text in UTF-8. */
export function md5(text) {
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const message = padded(utf8(text));
  for (let at = 0; at < message.byteLength; at += 64) takeBlock(state, message, at);
  const digest = new DataView(new ArrayBuffer(16));
  state.forEach((word, index) => digest.setUint32(4 * index, word, true));
  return new Uint8Array(digest.buffer);
}

/** The message, a one bit, zeroes up to a whole block, and the message's length in bits. */
function padded(message) {
  const length = Math.ceil((message.length + 9) / 64) * 64;
  const whole = new Uint8Array(length);
  whole.set(message);
  whole[message.length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setBigUint64(length - 8, BigInt(message.length) * 8n, true);
  return view;
}

function takeBlock(state, message, start) {
  let [a, b, c, d] = state;
  for (let step = 0; step < 64; step += 1) {
    const round = step >> 4;
    const [mix, place] = ROUNDS[round];
    const word = message.getUint32(start + 4 * (place(step) % 16), true);
    const sum = (a + mix(b, c, d) + ADDENDS[step] + word) >>> 0;
    const turn = TURNS[round][step % 4];
    const turned = (sum << turn) | (sum >>> (32 - turn));
    [a, d, c, b] = [d, c, b, (b + turned) >>> 0];
  }
  // A Uint32Array keeps the lowest 32 bits of each sum.
  [a, b, c, d].forEach((word, index) => {
    state[index] += word;
  });
}
