/**
 * Messages as librdkafka has them, to messages as programs want them.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import { type FetchedMessage, NULL_HEADER } from "../../kafka/port.ts";
import type { Unreadable } from "../../stream/protocol.ts";
import { partitionText } from "../../kafka/partition_map.ts";
import type { Message, MessageHeader } from "./message.ts";

const NO_HEADERS: readonly MessageHeader[] = Object.freeze([]);

/** Messages in order, and which of them could not be decoded. */
export interface Decoded<K, V> {
  readonly messages: Message<K, V>[];
  readonly unreadable: ReadonlyMap<number, Unreadable<Message<K, V>>> | undefined;
}

/** Decodes keys and values. */
export class Decoder<K, V> {
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(key: Codec<K>, value: Codec<V>) {
    this.#key = key;
    this.#value = value;
  }

  /** Messages in order. One that can't be decoded does not keep the others from being handled. */
  all(native: readonly FetchedMessage[]): Decoded<K, V> | Promise<Decoded<K, V>> {
    let unreadable: Map<number, Unreadable<Message<K, V>>> | undefined;
    const failed = (index: number, error: unknown) => {
      const one = native[index]!;
      unreadable ??= new Map();
      unreadable.set(index, { error, again: () => this.one(one) });
      // What can be shown of it: its bytes.
      return newMessage(one, one.key, one.value) as Message<never, never>;
    };
    let waits = false;
    const decoded = native.map((message, index) => {
      try {
        const one = this.one(message);
        if (!(one instanceof Promise)) return one;
        waits = true;
        return one.catch((error) => failed(index, error));
      } catch (error) {
        return failed(index, error);
      }
    });
    if (waits) return Promise.all(decoded).then((messages) => ({ messages, unreadable }));
    return { messages: decoded as Message<K, V>[], unreadable };
  }

  /** A message with its key and value decoded; a promise when a codec needs one. */
  one(native: FetchedMessage): Message<K, V> | Promise<Message<K, V>> {
    const key = native.key === null ? null : this.#part(this.#key, native.key, "key", native);
    const value = native.value === null ? null : this.#part(this.#value, native.value, "value", native);
    if (key instanceof Promise || value instanceof Promise) {
      return Promise.all([key, value]).then(([k, v]) => newMessage<K, V>(native, k, v));
    }
    return newMessage(native, key, value);
  }

  #part<T>(codec: Codec<T>, bytes: Uint8Array, part: string, at: FetchedMessage): T | Promise<T> {
    try {
      const decoded = codec.decode(bytes);
      if (!(decoded instanceof Promise)) return decoded;
      return decoded.catch((error) => Promise.reject(this.#error(codec, part, at, error)));
    } catch (error) {
      throw this.#error(codec, part, at, error);
    }
  }

  #error(codec: Codec<unknown>, part: string, message: FetchedMessage, cause: unknown): TypeError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const place = `${partitionText(message)}@${message.offset}`;
    return new TypeError(`Can't decode the ${part} of ${place} as ${codec.name}: ${why}`, { cause });
  }
}

/** A message's headers, in order. */
export function headersOf({ headers }: FetchedMessage): readonly MessageHeader[] {
  if (headers === undefined) return NO_HEADERS;
  return headers.map((header) => {
    const [name, value] = Object.entries(header)[0]!;
    return [name, value === NULL_HEADER ? null : value];
  });
}

function newMessage<K, V>(native: FetchedMessage, key: K | null, value: V | null): Message<K, V> {
  const { topic, partition, offset, timestamp, leaderEpoch } = native;
  const headers = headersOf(native);
  // All at once where all is there: spreads, or properties added later, cost more than the rest of a message.
  if (timestamp >= 0 && leaderEpoch !== undefined) {
    return { topic, partition, offset, key, value, timestamp, headers, leaderEpoch };
  }
  const message: { -readonly [P in keyof Message<K, V>]: Message<K, V>[P] } = {
    topic,
    partition,
    offset,
    key,
    value,
    headers,
  };
  if (timestamp >= 0) message.timestamp = timestamp;
  if (leaderEpoch !== undefined) message.leaderEpoch = leaderEpoch;
  return message;
}
