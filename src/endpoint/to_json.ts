/**
 * JSON of any value that a Cache can hold.
 *
 * @module
 */

/** Below this depth, values are null. */
const MAX_DEPTH = 500;

/**
 * JSON of any value that structured clone can copy: a bigint as a string, a Map as its entries, a Set and bytes as
 * arrays. Where a value contains itself, it is null.
 */
export function toJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_, item) => plain(item)) ?? "null";
  } catch {
    // The value contains itself, or is too deep for the stack.
    /** The objects that contain the one that is written now. */
    const path: unknown[] = [];
    const replacer = function (this: unknown, _: string, item: unknown) {
      const made = plain(item);
      if (typeof made !== "object" || made === null) return made;
      while (path.length > 0 && path.at(-1) !== this) path.pop();
      if (path.length >= MAX_DEPTH || path.includes(made)) return null;
      path.push(made);
      return made;
    };
    return JSON.stringify(value, replacer) ?? "null";
  }
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (value instanceof DataView) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : value;
}
