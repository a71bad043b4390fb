/**
 * Single values that programs give, as the addon takes them.
 *
 * @module
 */

/** Whether JavaScript counts a value among objects, as the addon asks. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

const MOST = 2n ** 63n - 1n, LEAST = -(2n ** 63n);

/** What V8 makes of a number that is to be an `int64_t`: whole, 0 for NaN, and the nearest for what is too large. */
export function int64Of(value: number): bigint {
  if (value >= 2 ** 63) return MOST;
  if (value <= -(2 ** 63)) return LEAST;
  return BigInt(Math.trunc(value) || 0);
}

/** What is left of that in an `int`. */
export function intOf(value: number): number {
  return Number(BigInt.asIntN(32, int64Of(value)));
}
