import { describeValue } from "../options/describe_value.ts";
import type { Codec } from "./codec.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Encodes strings as UTF-8. A `Topic` uses it for keys and values unless its options name another codec.
 *
 * Nothing is replaced silently: bytes that are not UTF-8 fail to decode, and a string with half of a surrogate pair, which
 * UTF-8 can't express, fails to encode.
 *
 * @example
 * ```ts
 * import { text } from "@slipstream/slipstream";
 *
 * console.assert(await text.decode(await text.encode("🐟")) === "🐟");
 * ```
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
  if (typeof value !== "string") throw new TypeError(`The text codec takes strings: got ${describeValue(value)}`);
  if (!value.isWellFormed()) {
    throw new TypeError("The text codec can't encode half of a surrogate pair: UTF-8 has no form for it");
  }
}
