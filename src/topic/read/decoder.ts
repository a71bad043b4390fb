/**
 * Decoding fetched messages.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import { type FetchedMessage, NULL_HEADER } from "../../kafka/port.ts";
import type { Unreadable } from "../../protocol/protocol.ts";
import { partitionText } from "../../kafka/partition_map.ts";
import type { Message, MessageHeader } from "./message.ts";

const NO_HEADERS: readonly MessageHeader[] = Object.freeze([]);

/** The messages of a batch. */
export interface Decoded<K, V> {
  /** The messages, in order. One that can't be decoded has its bytes as key and value. */
  readonly messages: Message<K, V>[];
  /** The messages that can't be decoded, by their index; `undefined` if there are none. */
  readonly unreadable: ReadonlyMap<number, Unreadable<Message<K, V>>> | undefined;
}

/** Decodes the keys and values of messages. */
export class Decoder<K, V> {
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(key: Codec<K>, value: Codec<V>) {
    this.#key = key;
    this.#value = value;
  }

  /** Decodes the messages of a batch. A message that can't be decoded does not keep the others from being handled. */
  all(fetched: readonly FetchedMessage[]): Decoded<K, V> | Promise<Decoded<K, V>> {
    let unreadable: Map<number, Unreadable<Message<K, V>>> | undefined;
    const onError = (index: number, error: unknown) => {
      const message = fetched[index]!;
      unreadable ??= new Map();
      unreadable.set(index, { error, again: () => this.one(message) });
      return newMessage(message, message.key, message.value) as Message<never, never>;
    };
    let hasPromises = false;
    const decoded = fetched.map((message, index) => {
      try {
        const one = this.one(message);
        if (!(one instanceof Promise)) return one;
        hasPromises = true;
        return one.catch((error) => onError(index, error));
      } catch (error) {
        return onError(index, error);
      }
    });
    if (hasPromises) return Promise.all(decoded).then((messages) => ({ messages, unreadable }));
    return { messages: decoded as Message<K, V>[], unreadable };
  }

  /**
   * Decodes one message; returns a promise if a codec does.
   *
   * @throws {TypeError} If a codec can't decode the key or the value.
   */
  one(fetched: FetchedMessage): Message<K, V> | Promise<Message<K, V>> {
    const key = fetched.key === null ? null : this.#decode(this.#key, fetched.key, "key", fetched);
    const value = fetched.value === null ? null : this.#decode(this.#value, fetched.value, "value", fetched);
    if (key instanceof Promise || value instanceof Promise) {
      return Promise.all([key, value]).then(([k, v]) => newMessage<K, V>(fetched, k, v));
    }
    return newMessage(fetched, key, value);
  }

  #decode<T>(codec: Codec<T>, bytes: Uint8Array, part: string, message: FetchedMessage): T | Promise<T> {
    try {
      const decoded = codec.decode(bytes);
      if (!(decoded instanceof Promise)) return decoded;
      return decoded.catch((error) => Promise.reject(this.#error(codec, part, message, error)));
    } catch (error) {
      throw this.#error(codec, part, message, error);
    }
  }

  #error(codec: Codec<unknown>, part: string, message: FetchedMessage, cause: unknown): TypeError {
    const why = cause instanceof Error ? cause.message : String(cause);
    const name = `${partitionText(message)}@${message.offset}`;
    return new TypeError(`Can't decode the ${part} of ${name} as ${codec.name}: ${why}`, { cause });
  }
}

/** The headers of a message, in order. */
export function headersOf({ headers }: FetchedMessage): readonly MessageHeader[] {
  if (headers === undefined) return NO_HEADERS;
  return headers.map((header) => {
    const [name, value] = Object.entries(header)[0]!;
    return [name, value === NULL_HEADER ? null : value];
  });
}

function newMessage<K, V>(fetched: FetchedMessage, key: K | null, value: V | null): Message<K, V> {
  const { topic, partition, offset, timestamp, leaderEpoch } = fetched;
  const headers = headersOf(fetched);
  // One literal with all properties: a spread, or properties that are added later, cost more than the rest of a message.
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
