/**
 * Keys of a Cache: what they may be, their order, and the name each goes by in memory.
 *
 * @module
 */

/** One part of a key. Parts of different types are never equal: bytes sort before text, text before numbers. */
export type KeyPart = Uint8Array | string | number | bigint | boolean;

/** A key: one part, or several. `"a"` and `["a"]` are the same key, and come back as `"a"`. */
export type CacheKey = KeyPart | readonly KeyPart[];

/** A key that has been checked. */
export interface CheckedKey {
  readonly parts: readonly KeyPart[];
  /** Equal for equal keys, and for no others. */
  readonly id: string;
  /** How long it is in KV, without what the Cache puts before it. */
  readonly bytes: number;
}

/** Deno KV takes 2,048 bytes; the rest is for the Cache's prefix. */
export const MAX_KEY_BYTES = 1_792;

/**
 * Begins the id of all keys but single strings, which are their own: a lone surrogate is in no key, so no string can
 * look like such an id.
 */
const TAG = "\ud800";

/**
 * Checks a key, before anything is done with it.
 *
 * @throws {TypeError} If it is no key, or one that Deno KV would confuse with another.
 * @throws {RangeError} If it is too long.
 */
export function checkKey(key: CacheKey): CheckedKey {
  if (typeof key === "string" && key.length < 500 && key.isWellFormed()) {
    return { parts: [key], id: key, bytes: 3 * key.length + 2 };
  }
  const given = Array.isArray(key) ? key as readonly KeyPart[] : [key as KeyPart];
  if (given.length === 0) throw new TypeError("A key must have a part: got an empty array");
  // A caller may go on to use its array, or its bytes.
  const parts = given.map((part) => part instanceof Uint8Array ? new Uint8Array(part) : part);
  const bytes = parts.reduce<number>((sum, part) => sum + partBytes(part, key), 0);
  if (bytes > MAX_KEY_BYTES) {
    throw new RangeError(`A key may have ${MAX_KEY_BYTES} bytes in Deno KV: ${showKey(key)} has ${bytes}`);
  }
  const [only] = parts;
  return { parts, id: parts.length === 1 && typeof only === "string" ? only : TAG + parts.map(partId).join(""), bytes };
}

/** The key as it is given back. */
export function keyOf(parts: readonly unknown[]): CacheKey {
  return (parts.length === 1 ? parts[0] : parts) as CacheKey;
}

/** The id of parts that were checked once, such as what KV gives back. */
export function idOf(parts: readonly KeyPart[]): string {
  const [only] = parts;
  return parts.length === 1 && typeof only === "string" ? only : TAG + parts.map(partId).join("");
}

/** A key in words, cut to a sensible length. */
export function showKey(key: unknown): string {
  const show = (part: unknown) =>
    typeof part === "string"
      ? JSON.stringify(part)
      : part instanceof Uint8Array
      ? `bytes(${part.length})`
      : Object.is(part, -0)
      ? "-0"
      : String(part);
  const all = Array.isArray(key) ? `[${key.map(show).join(", ")}]` : show(key);
  return all.length > 80 ? `${all.slice(0, 80)}…` : all;
}

/** Compares as Deno KV orders: by part; bytes, text, numbers (bigint, then float), false, true; a prefix first. */
export function compareKeys(a: readonly KeyPart[], b: readonly KeyPart[]): number {
  for (let n = 0; n < a.length && n < b.length; n++) {
    const order = compareParts(a[n]!, b[n]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const RANKS = ["object", "string", "bigint", "number", "boolean"];
const encoder = new TextEncoder();

function compareParts(a: KeyPart, b: KeyPart): number {
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  const ranks = RANKS.indexOf(typeof a) - RANKS.indexOf(typeof b);
  if (ranks !== 0) return ranks;
  if (typeof a === "object") return compareBytes(a, b as Uint8Array);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As their UTF-8 would compare: by code point, where a surrogate is more than any other unit. */
function compareTexts(a: string, b: string): number {
  for (let n = 0; n < a.length && n < b.length; n++) {
    const unit = a.charCodeAt(n), other = b.charCodeAt(n);
    if (unit === other) continue;
    const pair = unit >= 0xd800 && unit < 0xe000, otherPair = other >= 0xd800 && other < 0xe000;
    return pair === otherPair ? unit - other : pair ? 1 : -1;
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let n = 0; n < a.length && n < b.length; n++) if (a[n] !== b[n]) return a[n]! - b[n]!;
  return a.length - b.length;
}

function partId(part: KeyPart): string {
  if (typeof part === "string") return `s${part.length}:${part}`;
  if (typeof part === "object") return `x${Array.from(part, (byte) => byte.toString(16).padStart(2, "0")).join("")};`;
  return `${typeof part === "bigint" ? "i" : typeof part === "number" ? "n" : "b"}${part};`;
}

function partBytes(part: KeyPart, key: unknown): number {
  switch (typeof part) {
    case "string":
      if (!part.isWellFormed()) {
        throw new TypeError(`A key must be well-formed text: ${showKey(key)} has half of a surrogate pair`);
      }
      return part.length > MAX_KEY_BYTES ? part.length + 2 : escaped(encoder.encode(part));
    case "number":
      // KV keeps -0 and 0 apart, and JavaScript's Map does not: whichever was meant, the other would be a surprise.
      if (Number.isNaN(part) || Object.is(part, -0)) {
        throw new TypeError(`A number in a key must be neither NaN nor -0: ${showKey(key)}`);
      }
      return 9;
    case "bigint": {
      const bytes = Math.ceil((part < 0n ? -part : part).toString(16).length / 2);
      if (bytes > 255) throw new RangeError(`A bigint in a key may have 255 bytes in Deno KV: it has ${bytes}`);
      return bytes + 2;
    }
    case "boolean":
      return 1;
  }
  if (part instanceof Uint8Array) return escaped(part);
  const got = part === null ? "null" : Array.isArray(part) ? "an array" : `a ${typeof part}`;
  throw new TypeError(`A key is a string, number, bigint, boolean, Uint8Array, or an array of them: got ${got}`);
}

/** How many bytes a string has as a part of a key in KV. */
export function textBytes(text: string): number {
  return escaped(encoder.encode(text));
}

/** KV doubles zero bytes, and puts one byte before and one after. */
function escaped(bytes: Uint8Array): number {
  let count = bytes.length + 2;
  for (const byte of bytes) if (byte === 0) count++;
  return count;
}
