// Reading vector files so that nothing in them goes unnoticed: whatever is unknown is an error.

import { fromBase64, fromHex, type Bytes } from "../bytes.js";

/** A vector that does not hold; the message says which and why. */
export class Deviation extends Error {}

/** A class of errors. */
export type Kind = abstract new (...none: never[]) => Error;

/** A JSON object of which every member has to be known. */
export class Members {
  readonly #value: Record<string, unknown>;
  readonly #place: string;

  constructor(value: unknown, place: string, ...known: string[]) {
    this.#place = place;
    if (typeof value !== "object" || value === null) throw new Deviation(`${place} is no object`);
    this.#value = value as Record<string, unknown>;
    const names = Object.keys(value);
    const [unknown] = names.filter((name) => !known.includes(name));
    if (unknown) throw new Deviation(`${place} has the unknown member ${unknown}`);
    const [missing] = known.filter((name) => !names.includes(name));
    if (missing) throw new Deviation(`${place} lacks ${missing}`);
  }

  text(name: string): string {
    const value = this.#value[name];
    if (typeof value === "string") return value;
    throw new Deviation(`${name} of ${this.#place} is no text`);
  }

  number(name: string): number {
    const value = this.#value[name];
    if (typeof value === "number") return value;
    throw new Deviation(`${name} of ${this.#place} is no number`);
  }

  hex(name: string): Bytes {
    return fromHex(this.text(name));
  }

  base64(name: string): Bytes {
    return fromBase64(this.text(name));
  }

  texts(name: string): string[] {
    return this.#array(name).map(String);
  }

  /** The same, or nothing where `null` stands. */
  optionalTexts(name: string): string[] | undefined {
    return this.#value[name] === null ? undefined : this.texts(name);
  }

  object(name: string, ...known: string[]): Members {
    return new Members(this.#value[name], `${name} of ${this.#place}`, ...known);
  }

  /** The objects of a list, which is not empty. */
  list(name: string, ...known: string[]): Members[] {
    const values = this.#array(name);
    if (values.length === 0) throw new Deviation(`${name} of ${this.#place} is empty`);
    return values.map((value, at) => new Members(value, `${name} ${at} of ${this.#place}`, ...known));
  }

  /** Throws unless both are the same. */
  expect(what: string, found: unknown, expected: unknown): void {
    if (found !== expected) {
      throw new Deviation(`${this.#place}: ${what} is ${String(found)}, not ${String(expected)}`);
    }
  }

  /** Throws unless the work throws an error of this very kind: others are mistakes of ours. */
  async refuses(kind: Kind, work: () => unknown): Promise<void> {
    let result: unknown;
    try {
      result = await work();
    } catch (error) {
      if (error instanceof kind) return;
      throw new Deviation(`${this.#place} was refused for another reason: ${String(error)}`);
    }
    throw new Deviation(`${this.#place} was taken, as ${String(result)}`);
  }

  #array(name: string): unknown[] {
    const value = this.#value[name];
    if (Array.isArray(value)) return value;
    throw new Deviation(`${name} of ${this.#place} is no list`);
  }
}
