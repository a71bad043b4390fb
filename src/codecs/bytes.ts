import { describeValue } from "../options/describe_value.ts";
import type { Codec } from "./codec.ts";

/**
 * Passes bytes through unchanged.
 *
 * The bytes of a message that was read are a view of memory that its whole batch shares (up to 1,000 messages). A program
 * that keeps a few of many messages keeps that memory too, unless it copies the bytes with `slice()`.
 *
 * @example
 * ```ts
 * import { bytes } from "@slipstream/slipstream";
 *
 * const value = new Uint8Array([0, 255]);
 * console.assert(await bytes.encode(value) === value);
 * ```
 */
export const bytes: Codec<Uint8Array> = {
  name: "bytes",
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(`The bytes codec takes Uint8Arrays: got ${describeValue(value)}`);
    }
    return value;
  },
  // No copy: it would cost more than reading the message.
  decode: (bytes) => bytes,
};
