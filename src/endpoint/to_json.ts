/**
 * Values as JSON, whatever they are.
 *
 * @module
 */

/** Deeper than this, JSON ends with null. */
const MAX_DEPTH = 500;

/**
 * JSON of what structured clone takes: a bigint becomes a string, a Map its entries, a Set and bytes arrays, and what
 * contains itself null where it would begin again.
 */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_, some) => plain(some)) ?? "null";
  } catch {
    // Circles, and what is too deep for the stack.
    const path: unknown[] = [];
    const shallow = function (this: unknown, _: string, given: unknown) {
      const some = plain(given);
      if (typeof some !== "object" || some === null) return some;
      while (path.length > 0 && path.at(-1) !== this) path.pop();
      if (path.length >= MAX_DEPTH || path.includes(some)) return null;
      path.push(some);
      return some;
    };
    return JSON.stringify(value, shallow) ?? "null";
  }
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (value instanceof DataView) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : value;
}
