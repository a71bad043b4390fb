/**
 * How errors name a record that was not delivered, and what helps.
 *
 * @module
 */

import { ErrorCode } from "../../kafka/port.ts";
/** What is known of a record that was not delivered. */
export interface About {
  /** What was to be written, as the program gave it. */
  readonly record?: unknown;
  /** The bytes of the key; absent when unknown. */
  readonly key?: Uint8Array | null;
  /** The bytes of the value; absent when unknown. */
  readonly value?: Uint8Array | null;
  /** The partition; absent or negative when unknown. */
  readonly partition?: number;
}

/** As much of a key as an error shows. */
const SHOWN_CHARACTERS = 64;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A record in words, such as `the message with key "a" (60001 bytes, partition 0)`. */
export function whichRecord({ key, value, partition = -1 }: About): string {
  if (key === undefined || value === undefined) return "a message";
  const bytes = (key?.length ?? 0) + (value?.length ?? 0);
  const where = partition < 0 ? "" : `, partition ${partition}`;
  return `the message ${key === null ? "without key" : `with key ${keyText(key)}`} (${bytes} bytes${where})`;
}

function keyText(key: Uint8Array): string {
  try {
    const text = decoder.decode(key);
    return JSON.stringify(text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`);
  } catch {
    return `of ${key.length} bytes`;
  }
}

/**
 * What helps against the refusal of a record; `undefined` where the code alone says it, or nothing is known.
 *
 * @param byClient the client refused it, and no broker has seen it
 */
export function remedyFor(code: number, { key }: About, byClient: boolean): string | undefined {
  switch (code) {
    case ErrorCode.MSG_SIZE_TOO_LARGE:
      return byClient
        ? "raise message.max.bytes, 1000000 by default, and max.message.bytes of the topic, or send less in a message"
        : "raise max.message.bytes of the topic, or send less in a message";
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return "it is larger than a segment: raise segment.bytes of the topic, or send less in a message";
    case ErrorCode.INVALID_TIMESTAMP:
      return "its timestamp is further from the broker's clock than message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic allow; timestamps are milliseconds since 1970";
    case ErrorCode.INVALID_RECORD:
      return key === null ? "a compacted topic needs a key in each message" : undefined;
    case ErrorCode.UNKNOWN_PARTITION:
      return "the topic has no such partition";
    case ErrorCode.UNKNOWN_TOPIC:
    case ErrorCode.UNKNOWN_TOPIC_OR_PART:
      return "the topic does not exist, and the broker does not make it: see its name, or create it";
    default:
      return undefined;
  }
}
