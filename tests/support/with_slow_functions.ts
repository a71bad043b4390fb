/**
 * Slows functions of librdkafka down, as on a busy machine: librdkafka's threads go on while a call has not returned yet.
 *
 * @module
 */

import { openLibrary } from "../../src/ffi/library.ts";

type Functions = Record<string, (...args: unknown[]) => unknown>;

const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Runs a test in which functions of librdkafka return late.
 *
 * @param delayMs By how many milliseconds; called for each call.
 */
export async function withSlowFunctions(
  names: readonly string[],
  delayMs: () => number,
  test: () => Promise<void>,
): Promise<void> {
  const symbols = openLibrary().symbols as unknown as Functions;
  const originals = names.map((name) => symbols[name]!);
  for (const [n, name] of names.entries()) {
    symbols[name] = (...args) => {
      const answer = originals[n]!(...args);
      const ms = delayMs();
      if (ms > 0) Atomics.wait(cell, 0, 0, ms);
      return answer;
    };
  }
  try {
    await test();
  } finally {
    for (const [n, name] of names.entries()) symbols[name] = originals[n]!;
  }
}
