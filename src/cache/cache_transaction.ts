/**
 * What users of transactions see: the object that the function gets, and the options.
 *
 * @module
 */

import { assertNoProblems, unknownOptions } from "../options/problems.ts";
import type { CacheKey, KeyInput } from "./cache_key.ts";

/** The options of `set()`. */
export interface SetOptions {
  /**
   * How long the entry exists, in milliseconds: a number above 0. Reads stop finding it at that moment, though KV may
   * remove it from the disk later.
   * @default {for ever}
   */
  readonly expireInMs?: number;
}

/** The options of a transaction. */
export interface TransactionOptions {
  /**
   * How long the transaction may wait for its keys and run its function, repeats included; in milliseconds, above 0. It does
   * not bound the commit. The function is not stopped when the time is over; its further calls of the transaction throw.
   * @default {30_000}
   */
  readonly timeoutMs?: number;
}

/**
 * Reads and writes the keys of a transaction.
 *
 * Every method throws a `TypeError` for a key that the transaction does not name, and a `CacheError` with the code `"over"`
 * after the function has ended or its time is over.
 *
 * @typeParam V the values of the Cache
 * @typeParam K its keys
 */
export interface CacheTransaction<V, K extends CacheKey = CacheKey> {
  /** Reads a value, the transaction's own writes included; undefined if the key does not exist. */
  get(key: KeyInput<K>): Promise<V | undefined>;
  /** Whether the key exists, the transaction's own writes included. */
  has(key: KeyInput<K>): Promise<boolean>;
  /** Sets a value when the transaction commits. */
  set(key: KeyInput<K>, value: V, options?: SetOptions): void;
  /** Sets a value and publishes it when the transaction commits. */
  emit(key: KeyInput<K>, value: V): void;
  /** Removes a key when the transaction commits. */
  delete(key: KeyInput<K>): void;
}

/** The defaults of a transaction. */
export const TRANSACTION_DEFAULTS = { timeoutMs: 30_000 } as const satisfies TransactionOptions;
/** The last moment that a Date can represent, in milliseconds since the epoch. */
const LAST_MS = 8.64e15;

/**
 * Checks the options of a write or a transaction.
 *
 * @param where the method that got them
 * @param known the options that the method has
 * @throws {TypeError} If an option is unknown or wrong; the message lists all problems.
 */
export function checkWriteOptions(
  where: string,
  options: SetOptions & TransactionOptions,
  known: readonly (keyof (SetOptions & TransactionOptions))[],
): void {
  const { expireInMs, timeoutMs } = options;
  const problems = unknownOptions(options, known);
  if (expireInMs !== undefined && !(isAboveZero(expireInMs) && Date.now() + expireInMs <= LAST_MS)) {
    problems.push(`expireInMs must be a number of milliseconds above 0: got ${expireInMs}`);
  }
  if (timeoutMs !== undefined && !isAboveZero(timeoutMs)) {
    problems.push(`timeoutMs must be a number of milliseconds above 0: got ${timeoutMs}`);
  }
  assertNoProblems(where, problems);
}

/** When an entry that is set now expires, in milliseconds since the epoch; 0 for never. */
export function expiryOf({ expireInMs }: SetOptions): number {
  return expireInMs === undefined ? 0 : Date.now() + expireInMs;
}

function isAboveZero(ms: unknown): boolean {
  return typeof ms === "number" && ms > 0;
}
