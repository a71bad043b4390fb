/**
 * What a Cache takes as a sink.
 *
 * @module
 */

import { type CacheKey, type CheckedKey, checkKey, type KeyInput } from "./cache_key.ts";
import { encode, type StoredValue } from "./store/stored_value.ts";
import type { Write } from "./store/write.ts";

/**
 * What a Cache takes as a sink: a key and a value. A null value removes the key.
 *
 * @typeParam V the values of the Cache
 * @typeParam K its keys
 */
export type CacheInput<V, K extends CacheKey = CacheKey> = readonly [key: KeyInput<K>, value: V | null] | {
  readonly key: KeyInput<K>;
  readonly value: V | null;
};

/**
 * The write that an input asks for.
 *
 * @throws {TypeError} If the input is neither a pair nor an object with a key and a value, or one of these is refused.
 */
export function writeOfInput(input: unknown): Write {
  const record = input as { readonly key: CacheKey; readonly value: unknown };
  const pair = Array.isArray(input) && input.length === 2 ? input as [CacheKey, unknown] : undefined;
  if (pair === undefined && !(typeof input === "object" && input !== null && "key" in record && "value" in record)) {
    const got = Array.isArray(input) ? `an array of ${input.length}` : input === null ? "null" : typeof input;
    throw new TypeError(`A Cache takes [key, value] or { key, value }: got ${got}`);
  }
  const [key, value] = pair ?? [record.key, record.value];
  return writeOf(checkKey(key), value === null ? undefined : encode(value, key));
}

/** The write of a value; without one, the removal of the key. */
export function writeOf({ id, parts, bytes }: CheckedKey, stored: StoredValue | undefined): Write {
  return { id, key: parts, keyBytes: bytes, stored };
}
