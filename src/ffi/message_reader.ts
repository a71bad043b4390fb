/**
 * Messages out of librdkafka, a batch at a time.
 *
 * The shape that keeps the collector out of the way: the pointers of a batch in one call, each 72-byte struct copied
 * by `memcpy` into one reused buffer, the keys and payloads of the whole batch in one slab, and views of the slab
 * handed out. (One ArrayBuffer or pointer object a message costs 3 to 10 times as much.) Addresses go to C as the
 * BigInts that a typed array gives: with a plain number for a 64-bit parameter Deno 2.9 leaves its fast path, and
 * a call costs about 90 ns instead of 12 (measured with `abs` of libc).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { MESSAGE } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { addressOf, GAP_BYTES, HIGH, libc, type Pointer, readCString } from "./memory.ts";
import { type NativeHeader, readHeaders } from "./message_headers.ts";
import { ErrorCode } from "./error_codes.ts";
import { err2str } from "./native_error.ts";

/** A consumed message, as the npm client has it. What is absent is left out, but for a timestamp, which is −1 then. */
export interface NativeMessage {
  value: Buffer | null;
  headers?: NativeHeader[];
  size: number;
  key: Buffer | null;
  topic: string;
  offset: number;
  partition: number;
  timestamp: number;
  leaderEpoch?: number;
}

/** A partition's end was reached. */
export interface EofEvent {
  topic: string;
  offset: number;
  partition: number;
  /** The index of the last message before it in the same batch; −1 before the first. */
  messageIndex: number;
}

/** Why a partition, a topic or the group can't be read. */
export interface ConsumeError {
  readonly code: number;
  /** librdkafka's text, with the topic and the partition where it is about one: `emoji[0]: Fetch failed`. */
  readonly message: string;
  /** The consumer can't go on. */
  readonly isFatal?: true;
}

/** What was taken and is held up by an error before it. */
export type Behind =
  | { readonly message: NativeMessage }
  | { readonly end: Omit<EofEvent, "messageIndex"> }
  | { readonly error: ConsumeError };

/** What became of a produced message. */
export interface NativeReport {
  topic: string;
  partition: number;
  offset: number;
  key: Buffer | null;
  opaque?: unknown;
  timestamp?: number;
  value?: Buffer | null;
  size: number;
}

/** A produced message as its report gives it back: all that it was produced with. */
export interface NativeProduced extends NativeReport {
  code: number;
  value: Buffer | null;
  timestamp: number;
  headers?: NativeHeader[];
  /** The number that stands for its opaque value; 0 for none. */
  opaqueId: number;
}

/** How many messages are taken in one call. */
export const BATCH_MESSAGES = 1000;

const WORDS = MESSAGE.size / 4;
// The struct's fields as indices of 32-bit words.
const ERR = MESSAGE.fields.err / 4;
const RKT = MESSAGE.fields.rkt / 4;
const PARTITION = MESSAGE.fields.partition / 4;
const PAYLOAD = MESSAGE.fields.payload / 4;
const LEN = MESSAGE.fields.len / 4;
const KEY = MESSAGE.fields.key / 4;
const KEY_LEN = MESSAGE.fields.key_len / 4;
const OFFSET = MESSAGE.fields.offset / 4;
const PRIVATE = MESSAGE.fields._private / 4;

const pointers = new BigUint64Array(BATCH_MESSAGES);
const unsigned = new Uint32Array(BATCH_MESSAGES * WORDS);
const signed = new Int32Array(unsigned.buffer);
/** The address of each place for a struct in `unsigned`. */
const places = new BigUint64Array(BATCH_MESSAGES);
const STRUCT_BYTES = BigInt(MESSAGE.size);
const EMPTY = Buffer.alloc(0);
/** What `err`, the first field, is without an error. */
const NO_ERROR = new Uint32Array(1), ERR_BYTES = 4n;
const outHeaders = new BigUint64Array(1);
const timestampType = new Int32Array(1);

function address(word: number): number {
  return unsigned[word]! + unsigned[word + 1]! * HIGH;
}

/** Copies the structs of a batch out of C. */
function copyStructs(count: number): void {
  const { memcpy } = libc();
  if (places[0] === 0n) {
    const start = addressOf(unsigned);
    for (let i = 0; i < BATCH_MESSAGES; i++) places[i] = start + BigInt(i) * STRUCT_BYTES;
  }
  for (let i = 0; i < count; i++) memcpy(places[i]!, pointers[i]!, STRUCT_BYTES);
}

/** Code, opaque number, partition and offset of a message. */
const OUTCOME = 4;
/**
 * Who hears of an outcome may poll another producer, whose structs then lie where these did: outcomes are told from a
 * copy, which is used again.
 */
const spare: Float64Array[] = [];

function copyOutcomes(count: number, into: Float64Array): void {
  copyStructs(count);
  for (let i = 0, to = 0, at = 0; i < count; i++, at += WORDS) {
    into[to++] = signed[at + ERR]!;
    into[to++] = address(at + PRIVATE);
    into[to++] = signed[at + PARTITION]!;
    into[to++] = offsetAt(at);
  }
}

/** A message's offset, which may be negative. */
function offsetAt(struct: number): number {
  return unsigned[struct + OFFSET]! + signed[struct + OFFSET + 1]! * HIGH;
}

/** Keys and payloads that lie one behind the other in C memory, and where their copy begins in the slab. */
interface Run {
  readonly from: number;
  readonly at: number;
  to: number;
}

/**
 * Copies a batch's structs and its bytes out of C; `withPayload` false leaves the payloads where they are. After it, a
 * struct's field says where its bytes lie in the slab.
 */
function copyBatch(count: number, withPayload: boolean): Buffer {
  copyStructs(count);
  const runs: Run[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * WORDS;
    // In the order of the wire.
    place(runs, at + KEY, at + KEY_LEN);
    if (withPayload) place(runs, at + PAYLOAD, at + LEN);
  }
  const last = runs.at(-1);
  if (last === undefined) return EMPTY;
  const slab = Buffer.allocUnsafeSlow(last.at + last.to - last.from);
  const start = addressOf(slab), { memcpy } = libc();
  for (const { from, to, at } of runs) memcpy(start + BigInt(at), BigInt(from), BigInt(to - from));
  return slab;
}

/**
 * Finds a place in the slab for a field's bytes, and writes it into the struct. Those of a record lie close together:
 * librdkafka's consumer points into its fetch responses.
 */
function place(runs: Run[], field: number, lengthField: number): void {
  const from = address(field), length = address(lengthField);
  if (from === 0 || length === 0) return;
  let run = runs.at(-1);
  if (run !== undefined && from >= run.to && from - run.to < GAP_BYTES) run.to = from + length;
  else {
    run = { from, to: from + length, at: run === undefined ? 0 : run.at + run.to - run.from };
    runs.push(run);
  }
  unsigned[field] = run.at + from - run.from;
  // No address has such a high word: offset 0 in the slab differs from NULL.
  unsigned[field + 1] = 0x80000000;
}

function bytesAt(slab: Buffer, field: number, lengthField: number): Buffer | null {
  if (unsigned[field] === 0 && unsigned[field + 1] === 0) return null;
  const length = unsigned[lengthField]!;
  return length === 0 ? EMPTY : slab.subarray(unsigned[field]!, unsigned[field]! + length);
}

/** Takes messages from one queue of a client; knows the topics by their handles. */
export class MessageReader {
  readonly #topics = new Map<number, string>();

  /**
   * Takes at most `max` messages that are there, and appends them. From an error on, which comes in its place among the
   * messages of its partition, all goes behind it.
   *
   * @returns how many were taken, end-of-partition events and errors included; 0 when the queue is empty
   */
  take(queue: Pointer, max: number, into: NativeMessage[], ends: EofEvent[], behind: Behind[]): number {
    const { symbols } = openLibrary();
    const count = Number(
      symbols.rd_kafka_consume_batch_queue(queue, 0, pointers, BigInt(Math.min(max, BATCH_MESSAGES))),
    );
    if (count <= 0) return 0;
    this.#read(count, into, ends, behind);
    for (let i = 0; i < count; i++) symbols.rd_kafka_message_destroy(pointers[i]!);
    return count;
  }

  /**
   * Reads delivery reports of an event, which keeps the messages; calls back for each.
   *
   * @returns how many were read, at most `most`; the next call reads those after them
   */
  takeReports(
    event: Pointer,
    most: number,
    withPayload: boolean,
    opaqueOf: (id: number) => unknown,
    each: (code: number, report: NativeReport) => void,
  ): number {
    const count = this.#arrayOf(event, most);
    if (count === 0) return 0;
    const slab = copyBatch(count, withPayload);
    for (let i = 0; i < count; i++) each(signed[i * WORDS + ERR]!, this.#report(i, slab, withPayload, opaqueOf));
    return count;
  }

  /** Reads every message of an event of delivery reports, with all that it was produced with. */
  takeProduced(event: Pointer): NativeProduced[] {
    const { symbols } = openLibrary();
    const produced: NativeProduced[] = [];
    for (let count = this.#arrayOf(event); count > 0; count = this.#arrayOf(event)) {
      const slab = copyBatch(count, true);
      for (let i = 0; i < count; i++) {
        const at = i * WORDS;
        const headers = symbols.rd_kafka_message_headers(pointers[i]!, outHeaders) === ErrorCode.NO_ERROR
          ? readHeaders(outHeaders[0]!)
          : undefined;
        produced.push({
          code: signed[at + ERR]!,
          topic: this.#topic(address(at + RKT)),
          partition: signed[at + PARTITION]!,
          offset: offsetAt(at),
          key: bytesAt(slab, at + KEY, at + KEY_LEN),
          value: bytesAt(slab, at + PAYLOAD, at + LEN),
          size: unsigned[at + LEN]!,
          timestamp: producedAt(i),
          ...headers !== undefined && { headers },
          opaqueId: address(at + PRIVATE),
        });
      }
    }
    return produced;
  }

  /** Calls back with just code and opaque number of each delivery report of an event. */
  takeOutcomes(
    event: Pointer,
    each: (code: number, opaqueId: number, partition: number, offset: number) => void,
  ): void {
    const outcomes = spare.pop() ?? new Float64Array(BATCH_MESSAGES * OUTCOME);
    try {
      // A producer may report more messages in an event than fit: read until it has none left.
      for (let count = this.#arrayOf(event); count > 0; count = this.#arrayOf(event)) {
        copyOutcomes(count, outcomes);
        for (let i = 0, at = 0; i < count; i++, at += OUTCOME) {
          each(outcomes[at]!, outcomes[at + 1]!, outcomes[at + 2]!, outcomes[at + 3]!);
        }
      }
    } finally {
      spare.push(outcomes);
    }
  }

  #arrayOf(event: Pointer, most = BATCH_MESSAGES): number {
    return Number(openLibrary().symbols.rd_kafka_event_message_array(event, pointers, BigInt(most)));
  }

  #read(count: number, into: NativeMessage[], ends: EofEvent[], behind: Behind[]): void {
    const slab = copyBatch(count, true);
    let runEnd = 0, epoch: number | undefined;
    for (let i = 0; i < count; i++) {
      const at = i * WORDS;
      const code = signed[at + ERR]!;
      if (code === ErrorCode.NO_ERROR) {
        if (i >= runEnd) {
          runEnd = endOfRun(i, count);
          epoch = epochOfRun(i, runEnd);
        }
        const message = this.#message(i, slab, epoch ?? leaderEpoch(i));
        if (behind.length === 0) into.push(message);
        else behind.push({ message });
      } else if (code === ErrorCode.PARTITION_EOF) {
        const topic = this.#topic(address(at + RKT)), offset = offsetAt(at), partition = signed[at + PARTITION]!;
        if (behind.length === 0) ends.push({ topic, offset, partition, messageIndex: into.length - 1 });
        else behind.push({ end: { topic, offset, partition } });
      } else behind.push({ error: { code, message: this.#errorText(at, slab) } });
    }
  }

  /** What an error says, which lies where a message has its value. */
  #errorText(at: number, slab: Buffer): string {
    const text = bytesAt(slab, at + PAYLOAD, at + LEN)?.toString() || err2str(signed[at + ERR]!);
    const rkt = address(at + RKT), partition = signed[at + PARTITION]!;
    if (rkt === 0) return text;
    return partition < 0 ? `${this.#topic(rkt)}: ${text}` : `${this.#topic(rkt)}[${partition}]: ${text}`;
  }

  #message(index: number, slab: Buffer, epoch: number): NativeMessage {
    const { symbols } = openLibrary();
    const at = index * WORDS, native = pointers[index]!;
    const value = bytesAt(slab, at + PAYLOAD, at + LEN), size = unsigned[at + LEN]!;
    const key = bytesAt(slab, at + KEY, at + KEY_LEN);
    const topic = this.#topic(address(at + RKT));
    const offset = offsetAt(at), partition = signed[at + PARTITION]!;
    const timestamp = Number(symbols.rd_kafka_message_timestamp(native, timestampType));
    const headers = symbols.rd_kafka_message_headers(native, outHeaders) === ErrorCode.NO_ERROR
      ? readHeaders(outHeaders[0]!)
      : undefined;
    // All at once where all is there, as it nearly always is: a property added later is an allocation more.
    if (epoch < 0) {
      return headers === undefined
        ? { value, size, key, topic, offset, partition, timestamp }
        : { value, headers, size, key, topic, offset, partition, timestamp };
    }
    return headers === undefined
      ? { value, size, key, topic, offset, partition, timestamp, leaderEpoch: epoch }
      : { value, headers, size, key, topic, offset, partition, timestamp, leaderEpoch: epoch };
  }

  /** A report, its properties in the addon's order. */
  #report(index: number, slab: Buffer, withPayload: boolean, opaqueOf: (id: number) => unknown): NativeReport {
    const at = index * WORDS, id = address(at + PRIVATE);
    const topic = this.#topic(address(at + RKT)), partition = signed[at + PARTITION]!, offset = offsetAt(at);
    const key = bytesAt(slab, at + KEY, at + KEY_LEN), size = unsigned[at + LEN]!;
    const timestamp = Number(openLibrary().symbols.rd_kafka_message_timestamp(pointers[index]!, timestampType));
    const timed = timestamp > -1 && timestampType[0] !== 0;
    // All at once what is usual: a property added later is an allocation more.
    if (timed && !withPayload) {
      return id === 0
        ? { topic, partition, offset, key, timestamp, size }
        : { topic, partition, offset, key, opaque: opaqueOf(id), timestamp, size };
    }
    return {
      topic,
      partition,
      offset,
      key,
      ...id !== 0 && { opaque: opaqueOf(id) },
      ...timed && { timestamp },
      ...withPayload && { value: bytesAt(slab, at + PAYLOAD, at + LEN) },
      size,
    };
  }

  #topic(rkt: number): string {
    let name = this.#topics.get(rkt);
    if (name === undefined) {
      name = readCString(openLibrary().symbols.rd_kafka_topic_name(BigInt(rkt)));
      this.#topics.set(rkt, name);
    }
    return name;
  }
}

/**
 * The timestamp of a message of which the struct was copied. librdkafka does not tell that of a message with an error,
 * although it has it: so the error is taken away for the call.
 */
function producedAt(index: number): number {
  const { memcpy } = libc(), message = pointers[index]!;
  memcpy(message, addressOf(NO_ERROR), ERR_BYTES);
  const timestamp = Number(openLibrary().symbols.rd_kafka_message_timestamp(message, timestampType));
  memcpy(message, places[index]!, ERR_BYTES);
  return timestamp;
}

/** Where messages of the same partition end that begin at an index. */
function endOfRun(from: number, count: number): number {
  const first = from * WORDS;
  let end = from + 1;
  for (; end < count; end++) {
    const at = end * WORDS;
    if (signed[at + ERR] !== ErrorCode.NO_ERROR || signed[at + PARTITION] !== signed[first + PARTITION]) break;
    if (unsigned[at + RKT] !== unsigned[first + RKT] || unsigned[at + RKT + 1] !== unsigned[first + RKT + 1]) break;
  }
  return end;
}

/** The leader epoch of a run; a partition's never falls, so that equal ends make it one. Else `undefined`. */
function epochOfRun(from: number, end: number): number | undefined {
  const epoch = leaderEpoch(from);
  return end - from === 1 || epoch === leaderEpoch(end - 1) ? epoch : undefined;
}

function leaderEpoch(index: number): number {
  return openLibrary().symbols.rd_kafka_message_leader_epoch(pointers[index]!);
}
