/**
 * Checks and converts arguments of the addon's methods as the native addon does, with the same error messages.
 *
 * @module
 */

/**
 * Checks that an argument is a function.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireFunction(value: unknown, message: string): asserts value is (...args: never[]) => unknown {
  if (typeof value !== "function") throw new Error(message);
}

/**
 * Checks that an argument is a string.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireString(value: unknown, message: string): asserts value is string {
  if (typeof value !== "string") throw new Error(message);
}

/**
 * Checks that an argument is a number.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireNumber(value: unknown, message: string): asserts value is number {
  if (typeof value !== "number") throw new Error(message);
}

/**
 * Checks that an argument is a boolean.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireBoolean(value: unknown, message: string): asserts value is boolean {
  if (typeof value !== "boolean") throw new Error(message);
}

/**
 * Checks that an argument is an array.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireArray(value: unknown, message: string): asserts value is unknown[] {
  if (!Array.isArray(value)) throw new Error(message);
}

/**
 * Checks that an argument is an object; a function is one.
 *
 * @throws {Error} With `message`, if it is not.
 */
export function requireObject(value: unknown, message: string): asserts value is Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw new Error(message);
}

/**
 * Checks that a method was called with enough arguments.
 *
 * @throws {Error} With `message`, if `count` is below `least`.
 */
export function requireCount(count: number, least: number, message: string): void {
  if (count < least) throw new Error(message);
}

/** Whether a value is an object for V8's `IsObject()`, which the native addon asks: functions are. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

const MAX_INT64 = 2n ** 63n - 1n, MIN_INT64 = -(2n ** 63n);

/** Converts a number to an `int64_t` as V8 does: truncated, NaN to 0, and what is out of range to the nearest `int64_t`. */
export function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return MAX_INT64;
  if (value <= -(2 ** 63)) return MIN_INT64;
  return BigInt(Math.trunc(value) || 0);
}

/** Converts a number to an `int` as V8 and C++ do: `toInt64`, then the low 32 bits. */
export function toInt32(value: number): number {
  return Number(BigInt.asIntN(32, toInt64(value)));
}
