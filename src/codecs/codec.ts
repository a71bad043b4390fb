/**
 * The interface of codecs.
 *
 * @module
 */

/**
 * Turns values into bytes and bytes into values: of a topic's keys, or of its values.
 *
 * - **`null` reaches no codec**: a message without a key, and a tombstone, are `null` for programs too.
 * - **Errors**: what `encode` throws rejects `Topic.send`; what either method throws in `handle()` goes to `onError`, as an
 *   error of the message. `Topic` adds the topic, the offset and the codec's name to its text.
 * - **Asynchronous codecs**: a method may return a promise, for instance of a schema that is fetched first. A `Topic` keeps
 *   the order of its records and messages all the same.
 * - **Sharing**: a codec may be used by many Topics at once, so it keeps no state between two calls, other than caches.
 *
 * @typeParam T the type of a value
 *
 * @example A codec of one's own
 * ```ts
 * import { type Codec, Topic } from "@slipstream/slipstream";
 *
 * // Numbers in 8 bytes, big-endian.
 * const float64: Codec<number> = {
 *   name: "float64",
 *   encode(value) {
 *     const bytes = new Uint8Array(8);
 *     new DataView(bytes.buffer).setFloat64(0, value);
 *     return bytes;
 *   },
 *   decode(bytes) {
 *     if (bytes.length !== 8) throw new TypeError(`a float64 has 8 bytes: got ${bytes.length}`);
 *     return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
 *   },
 * };
 * const prices = new Topic("prices", { "bootstrap.servers": "localhost:9092" }, { value: float64 });
 * console.assert(await float64.decode(await float64.encode(1.5)) === 1.5 && prices.name === "prices");
 * ```
 */
export interface Codec<T> {
  /** The name of the format, such as `"json"`. Error messages show it. */
  readonly name: string;
  /**
   * Returns the bytes of a value. The codec must not change them afterwards.
   *
   * @throws {TypeError} If the codec can't encode the value.
   */
  encode(value: T): Uint8Array | Promise<Uint8Array>;
  /**
   * Returns the value of some bytes. The bytes never change. They are a view of memory that many messages share: a codec
   * that returns a part of them keeps all of that memory alive, unless it copies the part.
   *
   * @throws {Error} If the bytes are not in the codec's format.
   */
  decode(bytes: Uint8Array): T | Promise<T>;
  /**
   * Writes the bytes of a value to the beginning of `target`, and allocates nothing. Optional: a `Topic` writes faster with
   * it, and calls `encode` where it is missing or returns −1.
   *
   * @returns the number of bytes written; −1 if `target` is too short
   * @throws {TypeError} If the codec can't encode the value.
   */
  encodeInto?(value: T, target: Uint8Array): number;
}
