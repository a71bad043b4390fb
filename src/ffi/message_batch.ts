/**
 * A batch of `rd_kafka_message_t` in JavaScript's memory.
 *
 * Its shape keeps the garbage collector out of the way: one call fetches the pointers of a batch, `memcpy` copies each
 * 72-byte struct into one reused buffer, and the keys and payloads of the whole batch go into one slab, of which views are
 * handed out. (One ArrayBuffer or pointer object for each message costs 3 to 10 times as much.) Addresses go to C as the
 * BigInts of a typed array: with a plain number for a 64-bit parameter Deno 2.9 leaves its fast path, and a call costs
 * about 90 ns instead of 12 (measured with `abs` of libc).
 *
 * There is one batch in the process, which `pointers` fills. What is read from it is valid until the next batch is copied;
 * what is read from a slab stays valid.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ErrorCode } from "./error_codes.ts";
import { MESSAGE } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { addressOf, HIGH_WORD, libc, MAX_GAP_BYTES } from "./memory.ts";
import { type NativeHeader, readHeaders } from "./message_headers.ts";

/** The largest number of messages in a batch. */
export const BATCH_MESSAGES = 1000;

const WORDS = MESSAGE.size / 4;
// The fields of the struct as indices of 32-bit words.
const ERR = MESSAGE.fields.err / 4;
const RKT = MESSAGE.fields.rkt / 4;
const PARTITION = MESSAGE.fields.partition / 4;
const PAYLOAD = MESSAGE.fields.payload / 4;
const LEN = MESSAGE.fields.len / 4;
const KEY = MESSAGE.fields.key / 4;
const KEY_LEN = MESSAGE.fields.key_len / 4;
const OFFSET = MESSAGE.fields.offset / 4;
const PRIVATE = MESSAGE.fields._private / 4;

/** The addresses of the batch's messages in C. */
export const pointers: BigUint64Array<ArrayBuffer> = new BigUint64Array(BATCH_MESSAGES);
/** The copies of the structs. */
const unsigned = new Uint32Array(BATCH_MESSAGES * WORDS);
const signed = new Int32Array(unsigned.buffer);
/** The address of each copy. */
const copies = new BigUint64Array(BATCH_MESSAGES);
const STRUCT_BYTES = BigInt(MESSAGE.size);
const EMPTY = Buffer.alloc(0);
/** The bytes of `err`, the first field, without an error. */
const NO_ERROR = new Uint32Array(1), ERR_BYTES = 4n;
const outHeaders = new BigUint64Array(1);
const timestampType = new Int32Array(1);

/** Reads a 64-bit unsigned field. */
function read64(word: number): number {
  return unsigned[word]! + unsigned[word + 1]! * HIGH_WORD;
}

/** Copies the structs of the first `count` messages out of C, and leaves their keys and payloads there. */
export function copyStructs(count: number): void {
  const { memcpy } = libc();
  if (copies[0] === 0n) {
    const start = addressOf(unsigned);
    for (let i = 0; i < BATCH_MESSAGES; i++) copies[i] = start + BigInt(i) * STRUCT_BYTES;
  }
  for (let i = 0; i < count; i++) memcpy(copies[i]!, pointers[i]!, STRUCT_BYTES);
}

/** A stretch of C's memory that is copied as a whole. */
interface Stretch {
  /** The address of its first byte. */
  readonly from: number;
  /** Where its copy begins in the slab. */
  readonly slabOffset: number;
  /** The address behind its last byte. */
  to: number;
}

/**
 * Copies the structs and the keys of the first `count` messages out of C, and their payloads if `withPayload`.
 *
 * @returns the slab that holds the bytes, for `keyOf()` and `valueOf()`
 */
export function copyBatch(count: number, withPayload: boolean): Buffer {
  copyStructs(count);
  const stretches: Stretch[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * WORDS;
    // Key before value, as on the wire.
    reserve(stretches, at + KEY, at + KEY_LEN);
    if (withPayload) reserve(stretches, at + PAYLOAD, at + LEN);
  }
  const last = stretches.at(-1);
  if (last === undefined) return EMPTY;
  const slab = Buffer.allocUnsafeSlow(last.slabOffset + last.to - last.from);
  const start = addressOf(slab), { memcpy } = libc();
  for (const { from, to, slabOffset } of stretches) memcpy(start + BigInt(slabOffset), BigInt(from), BigInt(to - from));
  return slab;
}

/**
 * Reserves room in the slab for the bytes of a field, and replaces the field's address by their offset in the slab. The
 * bytes of consecutive records lie close together, because librdkafka's consumer points into its fetch responses.
 */
function reserve(stretches: Stretch[], field: number, lengthField: number): void {
  const from = read64(field), length = read64(lengthField);
  if (from === 0 || length === 0) return;
  let stretch = stretches.at(-1);
  if (stretch !== undefined && from >= stretch.to && from - stretch.to < MAX_GAP_BYTES) stretch.to = from + length;
  else {
    const slabOffset = stretch === undefined ? 0 : stretch.slabOffset + stretch.to - stretch.from;
    stretch = { from, to: from + length, slabOffset };
    stretches.push(stretch);
  }
  unsigned[field] = stretch.slabOffset + from - stretch.from;
  // No address has this high word. It tells offset 0 in the slab from NULL.
  unsigned[field + 1] = 0x80000000;
}

function bytesAt(slab: Buffer, field: number, lengthField: number): Buffer | null {
  if (unsigned[field] === 0 && unsigned[field + 1] === 0) return null;
  const length = unsigned[lengthField]!;
  return length === 0 ? EMPTY : slab.subarray(unsigned[field]!, unsigned[field]! + length);
}

/** librdkafka's code of a message. */
export function codeOf(index: number): number {
  return signed[index * WORDS + ERR]!;
}

/** The address of the `rd_kafka_topic_t` of a message; 0 for none. */
export function topicHandleOf(index: number): number {
  return read64(index * WORDS + RKT);
}

/** The partition of a message. */
export function partitionOf(index: number): number {
  return signed[index * WORDS + PARTITION]!;
}

/** The offset of a message, which may be negative. */
export function offsetOf(index: number): number {
  const at = index * WORDS + OFFSET;
  return unsigned[at]! + signed[at + 1]! * HIGH_WORD;
}

/** The number that a produced message carries for its opaque value; 0 for none. */
export function opaqueIdOf(index: number): number {
  return read64(index * WORDS + PRIVATE);
}

/** The key of a message, in the slab of `copyBatch()`. */
export function keyOf(index: number, slab: Buffer): Buffer | null {
  return bytesAt(slab, index * WORDS + KEY, index * WORDS + KEY_LEN);
}

/** The value of a message, in the slab of `copyBatch()` with payloads. */
export function valueOf(index: number, slab: Buffer): Buffer | null {
  return bytesAt(slab, index * WORDS + PAYLOAD, index * WORDS + LEN);
}

/** The length of a message's value, in bytes. */
export function valueSizeOf(index: number): number {
  return unsigned[index * WORDS + LEN]!;
}

/** The headers of a message; `undefined` for none. */
export function headersOf(index: number): NativeHeader[] | undefined {
  const code = openLibrary().symbols.rd_kafka_message_headers(pointers[index]!, outHeaders);
  return code === ErrorCode.NO_ERROR ? readHeaders(outHeaders[0]!) : undefined;
}

/** The timestamp of a message without an error, in milliseconds since 1970; −1 for none. */
export function timestampOf(index: number): number {
  return Number(openLibrary().symbols.rd_kafka_message_timestamp(pointers[index]!, timestampType));
}

/** Whether the message of the last `timestampOf()` has a timestamp with a type. */
export function hasTimestampType(): boolean {
  return timestampType[0] !== 0;
}

/**
 * The timestamp of a produced message. librdkafka does not return that of a message with an error, although it has one: the
 * error is removed for the call.
 */
export function producedTimestampOf(index: number): number {
  const { memcpy } = libc(), message = pointers[index]!;
  memcpy(message, addressOf(NO_ERROR), ERR_BYTES);
  const timestamp = timestampOf(index);
  memcpy(message, copies[index]!, ERR_BYTES);
  return timestamp;
}

/** The leader epoch of a message; −1 for none. */
export function leaderEpochOf(index: number): number {
  return openLibrary().symbols.rd_kafka_message_leader_epoch(pointers[index]!);
}

/** Whether a message has no error and the same topic and partition as the message at `first`. */
export function isSamePartitionAs(first: number, index: number): boolean {
  const one = first * WORDS, other = index * WORDS;
  return signed[other + ERR] === ErrorCode.NO_ERROR && signed[other + PARTITION] === signed[one + PARTITION] &&
    unsigned[other + RKT] === unsigned[one + RKT] && unsigned[other + RKT + 1] === unsigned[one + RKT + 1];
}
