/**
 * The bytes of many records in one piece of memory.
 *
 * @module
 */

import type { Bytes, EncodedRecord } from "./encoded_record.ts";
import type { TopicRecord } from "./topic_record.ts";

/** The size that the memory begins with, and up to which it is kept to be used again. */
const INITIAL_BYTES = 262_144, KEPT_BYTES = 4_194_304;
/** Keys and values up to this length are moved to a fixed place, where one view of it serves for many records. */
const MOVED_BYTES = 4096;
const KEY_AT = 0, VALUE_AT = MOVED_BYTES, DATA_AT = 2 * MOVED_BYTES;
/** The length of a key or value that is `null`. */
const NULL_LENGTH = -1;

/** The keys and values of the records of one call of `sendBatch()`. */
export class EncodedBatch {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #keyView: Bytes = this.#bytes;
  #valueView: Bytes = this.#bytes;
  #used = DATA_AT;
  /** Where each record begins. */
  readonly #positions: number[] = [];
  readonly #keyLengths: number[] = [];
  readonly #valueLengths: number[] = [];
  #records: readonly TopicRecord<unknown, unknown>[] = [];
  readonly #onReleased: (batch: EncodedBatch) => void;

  /** @param onReleased gets the batch, to use its memory again */
  constructor(onReleased: (batch: EncodedBatch) => void) {
    this.#onReleased = onReleased;
  }

  /** Begins with other records. */
  begin(records: readonly TopicRecord<unknown, unknown>[]): void {
    this.#records = records;
  }

  /** Copies the bytes of the next record. */
  add(key: Bytes | null, value: Bytes | null): void {
    const keyLength = key?.length ?? 0;
    const end = this.#used + keyLength + (value?.length ?? 0);
    if (end > this.#bytes.length) this.#grow(2 * end);
    if (key !== null) this.#bytes.set(key, this.#used);
    if (value !== null) this.#bytes.set(value, this.#used + keyLength);
    this.#positions.push(this.#used);
    this.#keyLengths.push(key?.length ?? NULL_LENGTH);
    this.#valueLengths.push(value?.length ?? NULL_LENGTH);
    this.#used = end;
  }

  /** Returns the key of a record. The bytes are valid until the next key is requested. */
  key(index: number): Bytes | null {
    const length = this.#keyLengths[index]!;
    if (length === NULL_LENGTH) return null;
    return this.#keyView = this.#view(KEY_AT, this.#positions[index]!, length, this.#keyView);
  }

  /** Returns the value of a record. The bytes are valid until the next value is requested. */
  value(index: number): Bytes | null {
    const length = this.#valueLengths[index]!;
    if (length === NULL_LENGTH) return null;
    const position = this.#positions[index]! + Math.max(0, this.#keyLengths[index]!);
    return this.#valueView = this.#view(VALUE_AT, position, length, this.#valueView);
  }

  /** Returns a copy of the records from an index on. */
  copy(from = 0): EncodedRecord[] {
    const bytes = this.#bytes.slice(0, this.#used);
    return this.#positions.slice(from).map((position, i) => {
      const key = this.#keyLengths[from + i]!, value = this.#valueLengths[from + i]!;
      const valueAt = position + Math.max(0, key);
      return {
        record: this.#records[from + i]!,
        key: key === NULL_LENGTH ? null : bytes.subarray(position, position + key),
        value: value === NULL_LENGTH ? null : bytes.subarray(valueAt, valueAt + value),
      };
    });
  }

  /** Ends the use of the bytes. */
  release(): void {
    this.#used = DATA_AT;
    this.#positions.length = this.#keyLengths.length = this.#valueLengths.length = 0;
    this.#records = [];
    if (this.#bytes.length <= KEPT_BYTES) this.#onReleased(this);
  }

  /** Returns a view of bytes: the last one if its length fits, since a view for each record would be garbage. */
  #view(fixedAt: number, position: number, length: number, last: Bytes): Bytes {
    if (length > MOVED_BYTES) return this.#bytes.subarray(position, position + length);
    this.#bytes.copyWithin(fixedAt, position, position + length);
    const fits = last.length === length && last.byteOffset === fixedAt && last.buffer === this.#bytes.buffer;
    return fits ? last : this.#bytes.subarray(fixedAt, fixedAt + length);
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(bytes);
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }
}
