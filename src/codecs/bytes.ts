import type { Codec } from "./codec.ts";

/** Bytes as they are. */
export const bytes: Codec<Uint8Array> = {
  name: "bytes",
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`The bytes codec takes Uint8Arrays: got ${typeof value}`);
    return value;
  },
  // A plain Uint8Array of its own, so that keeping one message does not keep its whole batch.
  decode: (bytes) => new Uint8Array(bytes),
};
