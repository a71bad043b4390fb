import type { Codec } from "./codec.ts";

/**
 * Bytes as they are. What was read is a view of the memory of its whole batch (1,000 messages at most): who keeps a few
 * of many keeps copies, by `slice()`. (A copy of each message would cost more than reading it.)
 */
export const bytes: Codec<Uint8Array> = {
  name: "bytes",
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`The bytes codec takes Uint8Arrays: got ${typeof value}`);
    return value;
  },
  decode: (bytes) => bytes,
};
