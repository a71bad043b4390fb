/**
 * Keys of a Cache: their types, their checks, their order, and the text that stands for a key in memory.
 *
 * @module
 */

/** One part of a key. Parts of different types are never equal. Bytes sort before text, and text before numbers. */
export type KeyPart = Uint8Array | string | number | bigint | boolean;

/**
 * A key of a Cache: one part, or an array of parts.
 *
 * `"a"` and `["a"]` are the same key. Reading it back gives `"a"`.
 */
export type CacheKey = KeyPart | readonly KeyPart[];

/**
 * The type that a key of type `K` has when it is read back: `K`, except that an array of one part is read back as that
 * part.
 *
 * @typeParam K the keys of the Cache
 */
export type KeyRead<K extends CacheKey> = K extends readonly unknown[]
  ? 1 extends K["length"] ? K[0] | (K["length"] extends 1 ? never : K) : K
  : K;

/**
 * What a Cache takes for a key of type `K`: `K`, readonly or not, and what is read back for it.
 *
 * @typeParam K the keys of the Cache
 */
export type KeyInput<K extends CacheKey> = Readonly<K> | KeyRead<K>;

/**
 * What a key of type `K` can begin with: its first part, or an array of its first parts. `"user"` and `["user"]` are
 * the same prefix.
 *
 * @typeParam K the keys of the Cache
 */
export type KeyPrefix<K extends CacheKey = CacheKey> = K extends readonly unknown[] ? K[0] | FirstParts<K>
  : K | readonly [K];

/**
 * The arrays that a tuple can begin with: its first part, its first two parts, and so on up to the tuple itself.
 *
 * @typeParam P the tuple
 */
export type FirstParts<P extends readonly unknown[]> = P extends readonly [infer First, ...infer Rest]
  ? readonly [First] | readonly [First, ...FirstParts<Rest>]
  : Readonly<P>;

/** A key as an array of its parts, also when it has only one. */
export type KeyParts<K extends CacheKey = CacheKey> = K extends KeyPart ? readonly [K] : Readonly<K>;

/** A key that `checkKey()` has accepted. */
export interface CheckedKey {
  readonly parts: readonly KeyPart[];
  /** Equal for equal keys, and different for different keys. */
  readonly id: string;
  /** The length of the key in KV, without the parts that the Cache puts before it. */
  readonly bytes: number;
}

/** Deno KV accepts keys of 2,048 bytes. The rest is for the parts that the Cache puts before the key. */
export const MAX_KEY_BYTES = 1_792;

/**
 * The first character of every id, except that a single string is its own id. Half of a surrogate pair is refused in
 * keys, so no string can equal such an id.
 */
const TAG = "\ud800";

/**
 * Checks a key and copies it. Types have been checked by the compiler; this checks what a program without types passes.
 *
 * @throws {TypeError} If it is not a key, or if Deno KV would confuse it with another key.
 * @throws {RangeError} If it is too long.
 */
export function checkKey(key: unknown): CheckedKey {
  // A short string, the commonest key, needs no count of its bytes: a UTF-16 unit takes at most three.
  if (typeof key === "string" && key.length < 500 && key.isWellFormed()) {
    return { parts: [key], id: key, bytes: 3 * key.length + 2 };
  }
  const input = Array.isArray(key) ? key as readonly KeyPart[] : [key as KeyPart];
  if (input.length === 0) throw new TypeError("A key must have at least one part: got an empty array");
  // The caller may change its array, or the bytes in it, later.
  const parts = input.map((part) => part instanceof Uint8Array ? new Uint8Array(part) : part);
  const bytes = parts.reduce<number>((sum, part) => sum + partBytes(part, key), 0);
  if (bytes > MAX_KEY_BYTES) {
    throw new RangeError(`A key may have at most ${MAX_KEY_BYTES} bytes: ${showKey(key)} has ${bytes}`);
  }
  return { parts, id: idOf(parts), bytes };
}

/** The key that users see for these parts. */
export function keyOf<K extends CacheKey>(parts: readonly KeyPart[]): KeyRead<K> {
  return (parts.length === 1 ? parts[0] : parts) as KeyRead<K>;
}

/** The id of parts that were checked before, such as those that KV returns. */
export function idOf(parts: readonly KeyPart[]): string {
  const [only] = parts;
  return parts.length === 1 && typeof only === "string" ? only : TAG + parts.map(partId).join("");
}

/** Shows a key in an error message, at most 80 characters of it. */
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

/**
 * Compares keys as Deno KV orders them, part by part: bytes, text, bigints, numbers, false, true. A key comes before
 * the longer keys that begin with it.
 */
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

/**
 * Compares texts as their UTF-8 compares, which is by code point: a surrogate stands for a code point above all others,
 * though units above the surrogates exist.
 */
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
        throw new TypeError(`Text in a key must be well-formed: ${showKey(key)} has half of a surrogate pair`);
      }
      return part.length > MAX_KEY_BYTES ? part.length + 2 : escapedBytes(encoder.encode(part));
    case "number":
      // KV tells -0 from 0, and JavaScript's Map does not. Whichever the caller expects, the other would be a surprise.
      if (Number.isNaN(part) || Object.is(part, -0)) {
        throw new TypeError(`A number in a key must be neither NaN nor -0: got ${showKey(key)}`);
      }
      return 9;
    case "bigint": {
      const bytes = Math.ceil((part < 0n ? -part : part).toString(16).length / 2);
      if (bytes > 255) throw new RangeError(`A bigint in a key may have at most 255 bytes: it has ${bytes}`);
      return bytes + 2;
    }
    case "boolean":
      return 1;
  }
  if (part instanceof Uint8Array) return escapedBytes(part);
  const got = part === null ? "null" : Array.isArray(part) ? "an array" : `a ${typeof part}`;
  throw new TypeError(`A key is a string, number, bigint, boolean, Uint8Array, or an array of them: got ${got}`);
}

/** The length of a string as a part of a key in KV, in bytes. */
export function textBytes(text: string): number {
  return escapedBytes(encoder.encode(text));
}

/** KV doubles zero bytes, and puts one byte before a part and one after it. */
function escapedBytes(bytes: Uint8Array): number {
  let count = bytes.length + 2;
  for (const byte of bytes) if (byte === 0) count++;
  return count;
}
