// Whether an Ed25519 public key is safe to rely on: something WebCrypto does not tell.
//
// Plain arithmetic on large numbers, which is no secret's business: public keys only.

import { hex, type Bytes } from "./bytes.js";
import { KEY_BYTES, KeyError } from "./keys.js";

const PRIME = 2n ** 255n - 19n;
/** The order of the group that keys belong to. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = modulo(-121665n * inverse(121666n));
const ROOT_OF_MINUS_ONE = power(2n, (PRIME - 1n) / 4n);

/** A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
interface Point {
  X: bigint;
  Y: bigint;
  Z: bigint;
  T: bigint;
}

const NEUTRAL: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n };

/**
 * Throws `KeyError` unless these bytes are the canonical form of a point in the group of prime
 * order. Others let anybody forge signatures, or have several keys that are one.
 */
export function requireSoundKey(key: Bytes): void {
  if (key.length !== KEY_BYTES) {
    throw new KeyError(`a key has ${KEY_BYTES} bytes, this one has ${key.length}`);
  }
  const point = decompress(key);
  if (isNeutral(times(8n, point))) throw new KeyError("the key has small order");
  if (!isNeutral(times(ORDER, point))) throw new KeyError("the key has mixed order");
}

function decompress(key: Bytes): Point {
  const number = BigInt(`0x${hex(key.toReversed())}`);
  const sign = number >> 255n;
  const written = number & (2n ** 255n - 1n);
  const y = modulo(written);
  const root = squareRoot(modulo((y * y - 1n) * inverse(D * y * y + 1n)));
  if (root === undefined) throw new KeyError("the key is no point of the curve");
  if (written !== y || (root === 0n && sign === 1n)) {
    throw new KeyError("the key is not in its canonical encoding");
  }
  const x = (root & 1n) === sign ? root : PRIME - root;
  return { X: x, Y: y, Z: 1n, T: modulo(x * y) };
}

function squareRoot(square: bigint): bigint | undefined {
  const root = power(square, (PRIME + 3n) / 8n);
  const candidates = [root, modulo(root * ROOT_OF_MINUS_ONE)];
  return candidates.find((candidate) => modulo(candidate * candidate) === square);
}

function times(factor: bigint, point: Point): Point {
  let sum = NEUTRAL;
  for (const bit of factor.toString(2)) {
    sum = add(sum, sum);
    if (bit === "1") sum = add(sum, point);
  }
  return sum;
}

/** The complete addition of twisted Edwards curves with a = -1 (RFC 8032, section 5.1.4). */
function add(one: Point, other: Point): Point {
  const a = modulo((one.Y - one.X) * (other.Y - other.X));
  const b = modulo((one.Y + one.X) * (other.Y + other.X));
  const c = modulo(2n * D * one.T * other.T);
  const d = modulo(2n * one.Z * other.Z);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { X: modulo(e * f), Y: modulo(g * h), Z: modulo(f * g), T: modulo(e * h) };
}

function isNeutral({ X, Y, Z }: Point): boolean {
  return X === 0n && Y === Z;
}

function inverse(number: bigint): bigint {
  return power(modulo(number), PRIME - 2n);
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = modulo(result * result);
    if (bit === "1") result = modulo(result * base);
  }
  return result;
}

function modulo(number: bigint): bigint {
  const rest = number % PRIME;
  return rest < 0n ? rest + PRIME : rest;
}
