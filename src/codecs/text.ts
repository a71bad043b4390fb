import type { Codec } from "./codec.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Strings as UTF-8; the codec of keys and values by default. Bytes that are no UTF-8 are an error, and so are strings
 * with half a surrogate pair, which UTF-8 has no form for: nothing is silently replaced.
 */
export const text: Codec<string> = {
  name: "text",
  encode(value) {
    check(value);
    return encoder.encode(value);
  },
  decode: (bytes) => decoder.decode(bytes),
  encodeInto(value, target) {
    check(value);
    const { read, written } = encoder.encodeInto(value, target);
    return read === value.length ? written : -1;
  },
};

function check(value: unknown): asserts value is string {
  if (typeof value !== "string") throw new TypeError(`The text codec takes strings: got ${describe(value)}`);
  if (!value.isWellFormed()) throw new TypeError("The text codec takes no half of a surrogate pair: UTF-8 has none");
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}
