/**
 * Keys and values to bytes, for a topic.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import type { TopicRecord } from "./topic_record.ts";
import { hasKey } from "./records.ts";

/** Any bytes: clients take them as they are, and a Buffer for each would cost more than its message. */
export type Bytes = Uint8Array;

/** A record with its bytes. */
export interface Encoded {
  readonly record: TopicRecord<unknown, unknown>;
  readonly key: Bytes | null;
  readonly value: Bytes | null;
}

const KEY_BYTES = 1024, VALUE_BYTES = 65_536;

/** Encodes with a pair of codecs. */
export class Encoder<K, V> {
  readonly #topic: string;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #keyScratch = new Scratch(KEY_BYTES);
  readonly #valueScratch = new Scratch(VALUE_BYTES);
  #slab: Slab | undefined;

  constructor(topic: string, codecs: { readonly key: Codec<K>; readonly value: Codec<V> }) {
    this.#topic = topic;
    this.#key = codecs.key;
    this.#value = codecs.value;
  }

  /**
   * The bytes of a record's key, until the next key is encoded.
   *
   * @throws {TypeError} If the codec can't encode it.
   */
  key(record: TopicRecord<K, V>): Bytes | null | Promise<Bytes> {
    return hasKey(record) ? this.#inScratch(this.#key, record.key!, "key", this.#keyScratch) : null;
  }

  /**
   * The bytes of a record's value, until the next value is encoded.
   *
   * @throws {TypeError} If the codec can't encode it.
   */
  value(record: TopicRecord<K, V>): Bytes | null | Promise<Bytes> {
    return record.value === null ? null : this.#inScratch(this.#value, record.value, "value", this.#valueScratch);
  }

  /**
   * The bytes of many records, in memory that is used again after `Slab.release`. A promise when a codec
   * makes one: of bytes that stay.
   *
   * @throws {TypeError} If a codec can't encode one of them.
   */
  all(records: readonly TopicRecord<K, V>[]): Slab | Promise<Encoded[]> {
    // A codec may send by itself: then it finds no slab here and makes another.
    const slab = this.#slab ?? new Slab((free) => this.#slab = free);
    this.#slab = undefined;
    slab.begin(records);
    try {
      for (const record of records) {
        const key = this.key(record), value = this.value(record);
        if (key instanceof Promise || value instanceof Promise) {
          const before = slab.kept();
          slab.release();
          return this.#allLater(records, before, Promise.all([kept(key), kept(value)]));
        }
        slab.add(key, value);
      }
    } catch (error) {
      slab.release();
      throw error;
    }
    return slab;
  }

  async #allLater(
    records: readonly TopicRecord<K, V>[],
    encoded: Encoded[],
    pending: Promise<(Bytes | null)[]>,
  ): Promise<Encoded[]> {
    for (;;) {
      const [key, value] = await pending as [Bytes | null, Bytes | null];
      encoded.push({ record: records[encoded.length]!, key, value });
      const next = records[encoded.length];
      if (next === undefined) return encoded;
      pending = Promise.all([kept(this.key(next)), kept(this.value(next))]);
    }
  }

  #inScratch<T>(codec: Codec<T>, value: T, what: string, scratch: Scratch): Bytes | Promise<Bytes> {
    let encoded;
    try {
      const written = codec.encodeInto?.(value, scratch.all) ?? -1;
      if (written >= 0) return scratch.first(written);
      encoded = codec.encode(value);
      if (!(encoded instanceof Promise)) return checked(encoded);
    } catch (error) {
      throw this.#error(codec, what, error);
    }
    return encoded.then(checked).catch((error) => Promise.reject(this.#error(codec, what, error)));
  }

  #error({ name }: { readonly name: string }, what: string, cause: unknown): TypeError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new TypeError(`Topic ${JSON.stringify(this.#topic)}: can't encode the ${what} as ${name}: ${why}`, {
      cause,
    });
  }
}

/** Bytes that stay as they are. */
export function kept(bytes: Bytes | null | Promise<Bytes>): Bytes | null | Promise<Bytes> {
  return bytes === null || bytes instanceof Promise ? bytes : new Uint8Array(bytes);
}

function checked(encoded: unknown): Bytes {
  if (encoded instanceof Uint8Array) return encoded;
  throw new TypeError(`a codec must make a Uint8Array: it made ${encoded === null ? "null" : typeof encoded}`);
}

/** Memory that is written to again and again. */
class Scratch {
  readonly all: Uint8Array<ArrayBuffer>;
  #first: Bytes;

  constructor(bytes: number) {
    this.all = new Uint8Array(bytes);
    this.#first = this.all;
  }

  /** The first so many bytes. Most have one length: a view for each would be the collector's to take away. */
  first(bytes: number): Bytes {
    return this.#first.length === bytes ? this.#first : this.#first = this.all.subarray(0, bytes);
  }
}

/** How many bytes a slab begins with, and how many it has at most to be used again. */
const SLAB_BYTES = 262_144, KEPT_SLAB_BYTES = 4_194_304;
/** What is not longer is moved to where a view of it lies ready. */
const MOVED_BYTES = 4096;
const KEY_AT = 0, VALUE_AT = MOVED_BYTES, DATA_AT = 2 * MOVED_BYTES;
/** The length of a key or value that is none. */
const NONE = -1;

/** The bytes of many records, one after the other. */
export class Slab {
  #bytes = new Uint8Array(SLAB_BYTES);
  #key: Bytes = this.#bytes;
  #value: Bytes = this.#bytes;
  #used = DATA_AT;
  /** Where each record begins. */
  readonly #starts: number[] = [];
  readonly #keyLengths: number[] = [];
  readonly #valueLengths: number[] = [];
  #records: readonly TopicRecord<unknown, unknown>[] = [];
  readonly #free: (slab: Slab) => void;

  /** @param free gets the slab back, to be used again */
  constructor(free: (slab: Slab) => void) {
    this.#free = free;
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
    this.#starts.push(this.#used);
    this.#keyLengths.push(key?.length ?? NONE);
    this.#valueLengths.push(value?.length ?? NONE);
    this.#used = end;
  }

  /** The key of a record; until the next one is asked for. */
  key(index: number): Bytes | null {
    const length = this.#keyLengths[index]!;
    if (length === NONE) return null;
    return this.#key = this.#at(KEY_AT, this.#starts[index]!, length, this.#key);
  }

  /** The value of a record; until the next one is asked for. */
  value(index: number): Bytes | null {
    const length = this.#valueLengths[index]!;
    if (length === NONE) return null;
    const start = this.#starts[index]! + Math.max(0, this.#keyLengths[index]!);
    return this.#value = this.#at(VALUE_AT, start, length, this.#value);
  }

  /** A copy of the records from an index on. */
  kept(from = 0): Encoded[] {
    const bytes = this.#bytes.slice(0, this.#used);
    return this.#starts.slice(from).map((start, i) => {
      const key = this.#keyLengths[from + i]!, value = this.#valueLengths[from + i]!;
      const valueAt = start + Math.max(0, key);
      return {
        record: this.#records[from + i]!,
        key: key === NONE ? null : bytes.subarray(start, start + key),
        value: value === NONE ? null : bytes.subarray(valueAt, valueAt + value),
      };
    });
  }

  /** The bytes are used no more. */
  release(): void {
    this.#used = DATA_AT;
    this.#starts.length = this.#keyLengths.length = this.#valueLengths.length = 0;
    this.#records = [];
    if (this.#bytes.length <= KEPT_SLAB_BYTES) this.#free(this);
  }

  /** A view of bytes. Most have one length: a view for each would be the collector's to take away. */
  #at(head: number, start: number, length: number, last: Bytes): Bytes {
    if (length > MOVED_BYTES) return this.#bytes.subarray(start, start + length);
    this.#bytes.copyWithin(head, start, start + length);
    const isSame = last.length === length && last.byteOffset === head && last.buffer === this.#bytes.buffer;
    return isSame ? last : this.#bytes.subarray(head, head + length);
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(bytes);
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
  }
}
