/**
 * Messages with a time or headers of their own: `rd_kafka_produceva` and what it takes.
 *
 * Its arguments hold addresses, and asking Deno for the address of a buffer costs more than copying a few hundred
 * bytes: key, value and headers are laid into one reused buffer, and only what is large stays where it is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VU } from "../ffi/layout.ts";
import { openLibrary } from "../ffi/library.ts";
import { addressOf, HIGH_WORD, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { takeError } from "../ffi/native_error.ts";
import { int64Of } from "./arguments.ts";
import { NULL_HEADER } from "../ffi/null_header.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Headers as the npm client gives them: each an object of which the first property counts. */
export type Headers = readonly Readonly<Record<string, Uint8Array | string>>[];

/** `RD_KAFKA_MSG_F_COPY` */
export const COPY = 2;
/** An empty array reaches C as NULL, and an empty value would become a tombstone. */
export const NOT_NULL: Bytes = new Uint8Array(1);

// rd_kafka_vtype_t
const V_TOPIC_HANDLE = 2,
  V_PARTITION = 3,
  V_VALUE = 4,
  V_KEY = 5,
  V_OPAQUE = 6,
  V_MSGFLAGS = 7,
  V_TIMESTAMP = 8,
  V_HEADER = 9;

/** A message for `produceva`. */
export interface FullMessage {
  /** The address of the topic's handle. */
  readonly topic: number;
  readonly partition: number;
  readonly value: Bytes | null;
  readonly key: Bytes | null;
  readonly timestamp: number;
  readonly opaque: number;
  readonly headers: readonly ReadyHeader[];
}

/** A header's name, and its bytes or text; `null` is Kafka's null. */
export type ReadyHeader = readonly [name: string, value: Bytes | string | null];

/**
 * Reads headers, before anything is queued. (The addon throws for a bad one too, and may queue the message all the
 * same.)
 *
 * @throws {Error} If a header's value is neither text nor bytes.
 * @throws {TypeError} If a name holds a NUL.
 */
export function readyHeaders(headers: Headers): ReadyHeader[] {
  return headers.map((header) => {
    const [[name, value] = ["", undefined]] = Object.entries(header ?? {});
    const given = typeof value === "string" || value instanceof Uint8Array ? value as string | Bytes : bytesOf(value);
    if (given === undefined) throw new Error("Header value must be a string or buffer");
    if (name.includes("\0")) throw new TypeError(`A header's name can't hold a NUL: ${JSON.stringify(name)}`);
    return [name, value === NULL_HEADER ? null : given];
  });
}

/** A view's bytes; `undefined` for what is none. */
export function bytesOf(view: unknown): Bytes | undefined {
  return ArrayBuffer.isView(view)
    ? new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
    : undefined;
}

/** Queues a message with all that it can have; answers librdkafka's code. */
export function produceva(rk: Pointer, message: FullMessage): number {
  const { topic, partition, value, key, timestamp, opaque, headers } = message;
  const args = new Arguments(7 + headers.length, roomFor(value) + roomFor(key) + roomForHeaders(headers));
  args.number(V_TOPIC_HANDLE, topic);
  args.number(V_PARTITION, partition);
  args.number(V_MSGFLAGS, COPY);
  args.memory(V_VALUE, value);
  args.memory(V_KEY, key);
  // In whole milliseconds; 0 is now.
  args.number(V_TIMESTAMP, int64Of(timestamp));
  args.number(V_OPAQUE, opaque);
  for (const [name, bytes] of headers) args.header(name, bytes);
  return args.produce(rk);
}

/** What is longer than this is not copied. */
const COPIED_BYTES = 4096;
/** How many arguments have room from the start. */
const USUAL_ARGUMENTS = 16;
/** A 64-bit word that is not known to be small. */
const wide = new DataView(new ArrayBuffer(8));

let words = new Uint32Array(USUAL_ARGUMENTS * VU.size / 4);
let room = Buffer.allocUnsafeSlow(4 * COPIED_BYTES);
let roomAt = 0;

/** The room in the reused buffer that bytes need at most. */
function roomFor(value: Bytes | string | null): number {
  if (value === null) return 0;
  return typeof value === "string" ? value.length * 3 : value.length <= COPIED_BYTES ? value.length : 0;
}

/** The same for headers, the end of each name included. */
function roomForHeaders(headers: readonly ReadyHeader[]): number {
  return headers.reduce((sum, [name, value]) => sum + roomFor(name) + 1 + roomFor(value), 0);
}

/** The arguments of one `rd_kafka_produceva`, in the reused buffers: one at a time. */
class Arguments {
  /** What is used where it lies can't be collected before the call is over. */
  readonly #kept: Bytes[] = [];
  #count = 0;
  #used = 0;

  constructor(count: number, bytes: number) {
    const size = count * VU.size / 4;
    if (words.length < size) words = new Uint32Array(2 * size);
    if (room.length < bytes) {
      room = Buffer.allocUnsafeSlow(2 * bytes);
      roomAt = 0;
    }
    if (roomAt === 0) roomAt = Number(addressOf(room as unknown as Bytes));
  }

  #next(type: number): number {
    const at = this.#count++ * VU.size / 4;
    words[at] = type;
    return at + VU.fields.u / 4;
  }

  /** @param value an address, or a whole number */
  number(type: number, value: number | bigint): void {
    set(this.#next(type), value);
  }

  memory(type: number, value: Bytes | null): void {
    this.#point(this.#next(type), value);
  }

  header(name: string, value: Bytes | string | null): void {
    const at = this.#next(V_HEADER);
    set(at, roomAt + this.#used);
    this.#used += room.write(name, this.#used);
    room[this.#used++] = 0;
    if (typeof value === "string") {
      const length = room.write(value, this.#used);
      // Where nothing is written there still is a place: an empty value is not null.
      set(at + 2, roomAt + this.#used);
      set(at + 4, length);
      this.#used += length;
    } else this.#point(at + 2, value);
  }

  /** Writes where bytes are, and how many. */
  #point(at: number, value: Bytes | null): void {
    set(at, value === null ? 0 : this.#place(value));
    set(at + 2, value === null ? 0 : value.length);
  }

  /** Where C finds bytes: in the reused buffer, but for what is large. */
  #place(value: Bytes): number {
    if (value.length > COPIED_BYTES) {
      this.#kept.push(value);
      return Number(addressOf(value));
    }
    const at = this.#used;
    room.set(value, at);
    this.#used += value.length;
    return roomAt + at;
  }

  produce(rk: Pointer): number {
    const error = openLibrary().symbols.rd_kafka_produceva(rk, words, BigInt(this.#count));
    this.#kept.length = 0;
    return error === null ? ErrorCode.NO_ERROR : takeError(error)!.code;
  }
}

/** Writes a 64-bit word. */
function set(at: number, value: number | bigint): void {
  if (typeof value === "number" && value >= 0) {
    words[at] = value;
    words[at + 1] = value / HIGH_WORD;
    return;
  }
  wide.setBigInt64(0, BigInt(value), true);
  words[at] = wide.getUint32(0, true);
  words[at + 1] = wide.getUint32(4, true);
}
