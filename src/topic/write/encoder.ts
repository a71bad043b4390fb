/**
 * Turns keys and values into bytes, for one topic.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import { EncodedBatch } from "./encoded_batch.ts";
import type { Bytes, EncodedRecord } from "./encoded_record.ts";
import { hasKey } from "./record_input.ts";
import type { TopicRecord } from "./topic_record.ts";

/** The size of the memory that a codec's `encodeInto()` gets; a larger key or value gets memory of its own. */
const KEY_BYTES = 1024, VALUE_BYTES = 65_536;

/** Encodes keys and values with a pair of codecs. */
export class Encoder<K, V> {
  readonly #topic: string;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #keyBuffer = new ScratchBuffer(KEY_BYTES);
  readonly #valueBuffer = new ScratchBuffer(VALUE_BYTES);
  /** A batch whose memory can be used again. */
  #free: EncodedBatch | undefined;

  constructor(topic: string, codecs: { readonly key: Codec<K>; readonly value: Codec<V> }) {
    this.#topic = topic;
    this.#key = codecs.key;
    this.#value = codecs.value;
  }

  /**
   * Encodes the key of a record. The bytes are valid until the next key is encoded.
   *
   * @throws {TypeError} If the codec can't encode it.
   */
  key(record: TopicRecord<K, V>): Bytes | null | Promise<Bytes> {
    return hasKey(record) ? this.#encode(this.#key, record.key!, "key", this.#keyBuffer) : null;
  }

  /**
   * Encodes the value of a record. The bytes are valid until the next value is encoded.
   *
   * @throws {TypeError} If the codec can't encode it.
   */
  value(record: TopicRecord<K, V>): Bytes | null | Promise<Bytes> {
    return record.value === null ? null : this.#encode(this.#value, record.value, "value", this.#valueBuffer);
  }

  /**
   * Encodes many records into one piece of memory, which `EncodedBatch.release` frees to be used again. Returns a promise,
   * of copies, if a codec returns one.
   *
   * @throws {TypeError} If a codec can't encode one of them.
   */
  all(records: readonly TopicRecord<K, V>[]): EncodedBatch | Promise<EncodedRecord[]> {
    // A codec may itself send records through this encoder: it finds no free batch, and makes another one.
    const batch = this.#free ?? new EncodedBatch((released) => this.#free = released);
    this.#free = undefined;
    batch.begin(records);
    try {
      for (const record of records) {
        const key = this.key(record), value = this.value(record);
        if (key instanceof Promise || value instanceof Promise) {
          const before = batch.copy();
          batch.release();
          return this.#allLater(records, before, Promise.all([copyOf(key), copyOf(value)]));
        }
        batch.add(key, value);
      }
    } catch (error) {
      batch.release();
      throw error;
    }
    return batch;
  }

  async #allLater(
    records: readonly TopicRecord<K, V>[],
    encoded: EncodedRecord[],
    pending: Promise<(Bytes | null)[]>,
  ): Promise<EncodedRecord[]> {
    for (;;) {
      const [key, value] = await pending as [Bytes | null, Bytes | null];
      encoded.push({ record: records[encoded.length]!, key, value });
      const next = records[encoded.length];
      if (next === undefined) return encoded;
      pending = Promise.all([copyOf(this.key(next)), copyOf(this.value(next))]);
    }
  }

  #encode<T>(codec: Codec<T>, value: T, part: "key" | "value", buffer: ScratchBuffer): Bytes | Promise<Bytes> {
    let encoded;
    try {
      const written = codec.encodeInto?.(value, buffer.bytes) ?? -1;
      if (written >= 0) return buffer.head(written);
      encoded = codec.encode(value);
      if (!(encoded instanceof Promise)) return checkedBytes(encoded);
    } catch (error) {
      throw this.#error(codec, part, error);
    }
    return encoded.then(checkedBytes).catch((error) => Promise.reject(this.#error(codec, part, error)));
  }

  #error({ name }: { readonly name: string }, part: "key" | "value", cause: unknown): TypeError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new TypeError(`Topic ${JSON.stringify(this.#topic)}: can't encode the ${part} as ${name}: ${why}`, {
      cause,
    });
  }
}

/** Returns a copy of bytes that the encoder may overwrite. A codec's promise is of bytes that stay. */
export function copyOf(bytes: Bytes | null | Promise<Bytes>): Bytes | null | Promise<Bytes> {
  return bytes === null || bytes instanceof Promise ? bytes : new Uint8Array(bytes);
}

function checkedBytes(encoded: unknown): Bytes {
  if (encoded instanceof Uint8Array) return encoded;
  throw new TypeError(`a codec must return a Uint8Array: got ${encoded === null ? "null" : typeof encoded}`);
}

/** Memory that every record is written to. */
class ScratchBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  #head: Bytes;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
    this.#head = this.bytes;
  }

  /** Returns a view of the first bytes. Most records have one length: a view for each would be garbage. */
  head(length: number): Bytes {
    return this.#head.length === length ? this.#head : this.#head = this.bytes.subarray(0, length);
  }
}
