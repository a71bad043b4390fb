/**
 * Messages with a time or headers of their own: `rd_kafka_produceva` and what it takes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { VU } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { addressOf, cString, type Pointer } from "./memory.ts";
import { CODES, takeError } from "./native_error.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Headers as the npm client gives them: each an object of which the first property counts. */
export type Headers = readonly Readonly<Record<string, Uint8Array | string>>[];

/** Stands for Kafka's null as a header's value. The addon refuses JavaScript's null there, and so does the binding. */
export const NULL_HEADER: Buffer = Buffer.alloc(1);

/** `RD_KAFKA_MSG_F_COPY` */
export const COPY = 2;
/** An empty array reaches C as NULL, and an empty value would become a tombstone. */
export const NOT_NULL: Bytes = new Uint8Array(1);

// rd_kafka_vtype_t
const V_TOPIC = 1,
  V_PARTITION = 3,
  V_VALUE = 4,
  V_KEY = 5,
  V_OPAQUE = 6,
  V_MSGFLAGS = 7,
  V_TIMESTAMP = 8,
  V_HEADERS = 10;

/** A message for {@linkcode produceva}. */
export interface FullMessage {
  readonly topic: string;
  readonly partition: number;
  readonly value: Bytes | null;
  readonly key: Bytes | null;
  readonly timestamp: number;
  readonly opaque: number;
  readonly headers: readonly ReadyHeader[];
}

/** Queues a message with all that it can have; answers librdkafka's code. */
export function produceva(rk: Pointer, message: FullMessage): number {
  const { symbols } = openLibrary();
  const name = cString(message.topic);
  const list = message.headers.length > 0 ? newHeaders(message.headers) : null;
  const args = new Arguments(list === null ? 7 : 8);
  args.text(V_TOPIC, name);
  args.int(V_PARTITION, message.partition);
  args.int(V_MSGFLAGS, COPY);
  args.memory(V_VALUE, message.value);
  args.memory(V_KEY, message.key);
  // As the addon has it: whole milliseconds, and 0 (which is: now) for what is no number.
  args.number(V_TIMESTAMP, Number.isFinite(message.timestamp) ? Math.trunc(message.timestamp) : 0);
  args.number(V_OPAQUE, message.opaque);
  if (list !== null) args.number(V_HEADERS, Deno.UnsafePointer.value(list));
  const error = takeError(symbols.rd_kafka_produceva(rk, args.bytes, BigInt(args.count)));
  args.release();
  if (error === undefined) return CODES.NO_ERROR;
  if (list !== null) symbols.rd_kafka_headers_destroy(list);
  return error.code;
}

/** The arguments of `rd_kafka_produceva`. What they point to must live as long as they do. */
class Arguments {
  readonly bytes: Bytes;
  readonly #view: DataView;
  readonly #kept: unknown[] = [];
  count = 0;

  constructor(most: number) {
    this.bytes = new Uint8Array(most * VU.size);
    this.#view = new DataView(this.bytes.buffer);
  }

  #next(type: number): number {
    const at = this.count++ * VU.size;
    this.#view.setInt32(at + VU.fields.vtype, type, true);
    return at + VU.fields.u;
  }

  int(type: number, value: number): void {
    this.#view.setInt32(this.#next(type), value, true);
  }

  number(type: number, value: number | bigint): void {
    this.#view.setBigInt64(this.#next(type), BigInt(value), true);
  }

  text(type: number, value: Bytes): void {
    this.#kept.push(value);
    this.number(type, addressOf(value));
  }

  /** To be called after the call: what is used there can't be collected before. */
  release(): void {
    this.#kept.length = 0;
  }

  memory(type: number, value: Bytes | null): void {
    const at = this.#next(type);
    if (value === null) return;
    this.#kept.push(value);
    this.#view.setBigUint64(at, addressOf(value.length === 0 ? NOT_NULL : value), true);
    this.#view.setBigUint64(at + 8, BigInt(value.length), true);
  }
}

/** A header's name as a C string, and its bytes; `null` is Kafka's null. */
export type ReadyHeader = readonly [name: Bytes, value: Bytes | null];

/**
 * Reads headers, before anything is queued. (The addon throws for a bad one too, and may queue the message all the
 * same.)
 *
 * @throws {Error} If a header has no name, or its value is neither text nor bytes.
 */
export function readyHeaders(headers: Headers): ReadyHeader[] {
  return headers.map((header) => {
    const [first] = Object.entries(header ?? {});
    if (first === undefined) throw new Error("Header key must be a string");
    const [name, value] = first;
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    if (!(bytes instanceof Uint8Array)) throw new Error("Header value must be a string or buffer");
    return [cString(name), bytes === NULL_HEADER ? null : bytes as Bytes];
  });
}

function newHeaders(headers: readonly ReadyHeader[]): Pointer {
  const { symbols } = openLibrary();
  const list = symbols.rd_kafka_headers_new(BigInt(headers.length));
  for (const [name, bytes] of headers) {
    const given = bytes === null ? null : bytes.length === 0 ? NOT_NULL : bytes;
    symbols.rd_kafka_header_add(list, name, -1n, given, BigInt(bytes?.length ?? 0));
  }
  return list;
}
