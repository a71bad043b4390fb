/**
 * Checks of the records that programs give.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { NULL_HEADER } from "../../kafka/port.ts";
import type { HeadersInput, TopicInput, TopicRecord } from "./topic_record.ts";

/**
 * Returns a pair of key and value, or a record, as a record.
 *
 * @throws {TypeError} If it is neither.
 * @throws {RangeError} If its partition or timestamp is out of its range.
 */
export function toRecord<K, V>(input: TopicInput<K, V>): TopicRecord<K, V> {
  if (Array.isArray(input) && input.length === 2) return { key: input[0], value: input[1] };
  if (typeof input === "object" && input !== null && !Array.isArray(input) && "value" in input) {
    const record = input as TopicRecord<K, V>;
    if (record.value === undefined) throw wrongInput(input);
    checkRecord(record);
    return record;
  }
  throw wrongInput(input);
}

function wrongInput(input: unknown): TypeError {
  const got = Array.isArray(input) ? `an array of ${input.length}` : input === null ? "null" : typeof input;
  return new TypeError(`A topic takes [key, value] or { key, value, headers, partition, timestamp }: got ${got}`);
}

function checkRecord({ partition, timestamp }: TopicRecord<unknown, unknown>): void {
  if (partition !== undefined && (!Number.isInteger(partition) || partition < 0)) {
    throw new RangeError(`partition must be a whole number from 0 on: ${partition}`);
  }
  if (timestamp !== undefined && (!Number.isSafeInteger(timestamp) || timestamp < 1)) {
    const why = timestamp === 0 ? " (librdkafka takes 0 for now)" : "";
    throw new RangeError(`timestamp must be whole milliseconds since 1970, from 1 on${why}: ${timestamp}`);
  }
}

/**
 * Returns headers as the npm client takes them.
 *
 * @throws {TypeError} If a name is not a string, or a value is not a string, bytes or `null`.
 */
export function headerList(headers: HeadersInput): Record<string, Buffer>[] {
  const pairs = Symbol.iterator in headers
    ? [...headers as Iterable<readonly [string, Uint8Array | string | null]>]
    : Object.entries(headers as Record<string, Uint8Array | string | null>);
  return pairs.map(([name, value]) => {
    if (typeof name !== "string") throw new TypeError(`A header's name must be a string: got ${typeof name}`);
    if (value !== null && typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw new TypeError(
        `The value of header ${JSON.stringify(name)} must be a string, a Uint8Array or null: got ${typeof value}`,
      );
    }
    return { [name]: headerBuffer(value) };
  });
}

function headerBuffer(value: Uint8Array | string | null): Buffer {
  if (value === null) return NULL_HEADER;
  if (typeof value === "string") return Buffer.from(value);
  return Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
}

/** Whether a record has a key. */
export function hasKey({ key }: TopicRecord<unknown, unknown>): boolean {
  return key !== null && key !== undefined;
}
