/**
 * Produces a record that has headers or a timestamp of its own, with `rd_kafka_produceva`.
 *
 * The C function takes an array of arguments that hold addresses. Asking Deno for the address of a buffer costs more than
 * copying a few hundred bytes, so key, value and headers are copied into one reused buffer, whose address is known; only
 * what is large stays where it is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VU } from "../ffi/layout.ts";
import { openLibrary } from "../ffi/library.ts";
import { addressOf, HIGH_WORD, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { takeError } from "../ffi/native_error.ts";
import { NULL_HEADER } from "../ffi/null_header.ts";
import { toInt64 } from "./arguments.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Headers as the npm client passes them: the first property of each object is a header. */
export type HeaderArguments = readonly Readonly<Record<string, Uint8Array | string>>[];

/** `RD_KAFKA_MSG_F_COPY` */
export const MSG_F_COPY = 2;
/** Passed for empty bytes, with length 0: an empty array reaches C as NULL, and an empty value would become a tombstone. */
export const EMPTY_NOT_NULL: Bytes = new Uint8Array(1);

// rd_kafka_vtype_t
const V_TOPIC_HANDLE = 2,
  V_PARTITION = 3,
  V_VALUE = 4,
  V_KEY = 5,
  V_OPAQUE = 6,
  V_MSGFLAGS = 7,
  V_TIMESTAMP = 8,
  V_HEADER = 9;

/** A record for `produceWithHeaders`. */
export interface RecordWithHeaders {
  /** The address of librdkafka's handle of the topic. */
  readonly topic: number;
  readonly partition: number;
  readonly value: Bytes | null;
  readonly key: Bytes | null;
  /** In milliseconds since 1970; 0 for now. */
  readonly timestamp: number;
  readonly opaque: number;
  readonly headers: readonly CheckedHeader[];
}

/** A header's name and value; `null` is Kafka's null. */
export type CheckedHeader = readonly [name: string, value: Bytes | string | null];

/**
 * Checks headers before the record is queued. (The native addon throws for a bad header, too, and may have queued the
 * record by then.)
 *
 * @throws {Error} If a header's value is neither a string nor bytes.
 * @throws {TypeError} If a header's name has a NUL in it.
 */
export function checkHeaders(headers: HeaderArguments): CheckedHeader[] {
  return headers.map((header) => {
    const [[name, value] = ["", undefined]] = Object.entries(header ?? {});
    const checked = typeof value === "string" || value instanceof Uint8Array ? value as string | Bytes : bytesOf(value);
    if (checked === undefined) throw new Error("Header value must be a string or buffer");
    if (name.includes("\0")) throw new TypeError(`A header's name can't hold a NUL: ${JSON.stringify(name)}`);
    return [name, value === NULL_HEADER ? null : checked];
  });
}

/** The bytes of a view; `undefined` if the argument is not a view. */
export function bytesOf(view: unknown): Bytes | undefined {
  return ArrayBuffer.isView(view)
    ? new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
    : undefined;
}

/** Queues a record; returns librdkafka's code. */
export function produceWithHeaders(rk: Pointer, record: RecordWithHeaders): number {
  const { topic, partition, value, key, timestamp, opaque, headers } = record;
  const args = new VariadicArguments(7 + headers.length, copySize(value) + copySize(key) + headersCopySize(headers));
  args.addNumber(V_TOPIC_HANDLE, topic);
  args.addNumber(V_PARTITION, partition);
  args.addNumber(V_MSGFLAGS, MSG_F_COPY);
  args.addBytes(V_VALUE, value);
  args.addBytes(V_KEY, key);
  args.addNumber(V_TIMESTAMP, toInt64(timestamp));
  args.addNumber(V_OPAQUE, opaque);
  for (const [name, bytes] of headers) args.addHeader(name, bytes);
  return args.produce(rk);
}

/** Bytes of more than this length are not copied. */
const MAX_COPIED_BYTES = 4096;
/** For how many arguments `structs` has room at first. */
const INITIAL_ARGUMENTS = 16;
/** Converts a number to a 64-bit word, where it may be negative or large. */
const converter = new DataView(new ArrayBuffer(8));

/** The reused array of `rd_kafka_vu_t`, as 32-bit words. */
let structs = new Uint32Array(INITIAL_ARGUMENTS * VU.size / 4);
/** The reused buffer for what is copied, and its address; 0 when that is not known yet. */
let copies = Buffer.allocUnsafeSlow(4 * MAX_COPIED_BYTES);
let copiesAddress = 0;

/** How many bytes a value takes in the reused buffer, at most. */
function copySize(value: Bytes | string | null): number {
  if (value === null) return 0;
  return typeof value === "string" ? value.length * 3 : value.length <= MAX_COPIED_BYTES ? value.length : 0;
}

/** The same for headers; each name is followed by a NUL. */
function headersCopySize(headers: readonly CheckedHeader[]): number {
  return headers.reduce((sum, [name, value]) => sum + copySize(name) + 1 + copySize(value), 0);
}

/** The arguments of one call of `rd_kafka_produceva`. They lie in the reused buffers, so there is one such object at a time. */
class VariadicArguments {
  /** The bytes that were not copied: they must live until the call returns. */
  readonly #kept: Bytes[] = [];
  #count = 0;
  #copied = 0;

  constructor(count: number, copiedBytes: number) {
    const words = count * VU.size / 4;
    if (structs.length < words) structs = new Uint32Array(2 * words);
    if (copies.length < copiedBytes) {
      copies = Buffer.allocUnsafeSlow(2 * copiedBytes);
      copiesAddress = 0;
    }
    if (copiesAddress === 0) copiesAddress = Number(addressOf(copies as unknown as Bytes));
  }

  /** @param value An address, or a whole number. */
  addNumber(type: number, value: number | bigint): void {
    writeWord(this.#add(type), value);
  }

  addBytes(type: number, value: Bytes | null): void {
    this.#writeBytes(this.#add(type), value);
  }

  addHeader(name: string, value: Bytes | string | null): void {
    const at = this.#add(V_HEADER);
    writeWord(at, copiesAddress + this.#copied);
    this.#copied += copies.write(name, this.#copied);
    copies[this.#copied++] = 0;
    if (typeof value === "string") {
      const length = copies.write(value, this.#copied);
      // An empty value has an address as well: without it, it would be null.
      writeWord(at + 2, copiesAddress + this.#copied);
      writeWord(at + 4, length);
      this.#copied += length;
    } else this.#writeBytes(at + 2, value);
  }

  produce(rk: Pointer): number {
    const error = openLibrary().symbols.rd_kafka_produceva(rk, structs, BigInt(this.#count));
    this.#kept.length = 0;
    return error === null ? ErrorCode.NO_ERROR : takeError(error)!.code;
  }

  /** Begins an argument; returns the index of its first word. */
  #add(type: number): number {
    const at = this.#count++ * VU.size / 4;
    structs[at] = type;
    return at + VU.fields.u / 4;
  }

  /** Writes an address and a length. */
  #writeBytes(at: number, value: Bytes | null): void {
    writeWord(at, value === null ? 0 : this.#addressOf(value));
    writeWord(at + 2, value === null ? 0 : value.length);
  }

  /** The address of bytes: of their copy in the reused buffer, unless they are large. */
  #addressOf(value: Bytes): number {
    if (value.length > MAX_COPIED_BYTES) {
      this.#kept.push(value);
      return Number(addressOf(value));
    }
    const at = this.#copied;
    copies.set(value, at);
    this.#copied += value.length;
    return copiesAddress + at;
  }
}

/** Writes a 64-bit word at the index of a 32-bit word. */
function writeWord(at: number, value: number | bigint): void {
  if (typeof value === "number" && value >= 0) {
    structs[at] = value;
    structs[at + 1] = value / HIGH_WORD;
    return;
  }
  converter.setBigInt64(0, BigInt(value), true);
  structs[at] = converter.getUint32(0, true);
  structs[at + 1] = converter.getUint32(4, true);
}
