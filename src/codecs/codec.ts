/**
 * How keys and values become bytes and back.
 *
 * @module
 */

/**
 * Turns values into bytes and bytes into values. Never sees a missing key or a tombstone: `null` stays `null`.
 *
 * @typeParam T what a value is
 */
export interface Codec<T> {
  /** What the codec is called in errors. */
  readonly name: string;
  /**
   * The bytes of a value.
   *
   * @throws {TypeError} If the codec can't encode such a value.
   */
  encode(value: T): Uint8Array | Promise<Uint8Array>;
  /**
   * The value of some bytes. They do not change afterwards, and are a view of the memory of many messages: a codec
   * that keeps a part of them copies it.
   *
   * @throws {Error} If the bytes are not of the codec's form.
   */
  decode(bytes: Uint8Array): T | Promise<T>;
  /**
   * Writes the bytes of a value to the beginning of `target`, which spares an array a message: a codec that can, should.
   *
   * @returns how many bytes were written; −1 when there is not enough room
   */
  encodeInto?(value: T, target: Uint8Array): number;
}
