/**
 * The producer under the npm client: the addon's `Producer`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Callback, EVENT } from "./client.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer } from "../ffi/memory.ts";
import { type NativeReport, ReportReader } from "../ffi/report_reader.ts";
import type { NativeHeader } from "../ffi/message_headers.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, nativeError } from "../ffi/native_error.ts";
import { MESSAGES_PER_VALUE, OpaqueValues } from "../ffi/opaque_values.ts";
import { Partitioner, type PartitionerFunction } from "./partitioner.ts";
import { bytesOf, COPY, type Headers, NOT_NULL, produceva, readyHeaders } from "./produceva.ts";
import { Topic } from "./topic_handle.ts";
import { TransactionalClient } from "./transactional_client.ts";
import { CALLS_AT_ONCE, Turns } from "./callback_queue.ts";

/**
 * What becomes of messages. The npm client sets `dr_msg_cb` on it when reports carry the payload. With `outcomesOnly`
 * that is called with code, opaque, partition, offset and message number instead: no report is made, which is most of a
 * report's cost. The message number is what the opaque's `recordNumber` was when the message was produced, from 0, below
 * `MESSAGES_PER_VALUE`.
 */
export interface DeliveryCallback {
  (code: number | null, report: NativeReport): void;
  dr_msg_cb?: boolean;
  outcomesOnly?: (code: number, opaque: unknown, partition: number, offset: number, number: number) => void;
  /** With `outcomesOnly`: who is told of some requests as a whole, instead. */
  requests?: RequestListener;
}

/** Is told of whole requests. */
export interface RequestListener {
  /** Whether to tell of a request that ended with a code. */
  wants(code: number): boolean;
  /** The messages of one request, with all that they were produced with, in their order. */
  tell(messages: readonly ReportedMessage[]): void;
}

/** A message of a request. */
export interface ReportedMessage {
  readonly code: number;
  readonly opaque: unknown;
  readonly number: number;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly headers?: readonly NativeHeader[];
}

type Bytes = Uint8Array<ArrayBuffer>;

const PARTITION_UA = -1;
const PURGE_QUEUE_AND_INFLIGHT = 3;

/** A producer. */
export class Producer extends TransactionalClient {
  #reader = new ReportReader();
  readonly #opaques = new OpaqueValues();
  readonly #topics = new Map<string, Pointer>();
  #keyScratch: Buffer = Buffer.allocUnsafeSlow(1024);
  #keyView = this.#keyScratch;
  #queue: Pointer = null;
  #partitioner: Partitioner | undefined;
  #background = false;
  #flushing = 0;
  /** The event whose reports are being taken. */
  #event: Pointer = null;
  readonly #turns = new Turns(() => this.#takeSome(), () => this.#isServing);

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super(globalConf, topicConf);
  }

  /** Reports are asked for even if nobody hears of them: as in the addon, a message counts until its report is taken. */
  protected override events(): number {
    return EVENT.DR;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    // It knows topics by address, and another handle has others there.
    this.#reader = new ReportReader();
    this.#queue = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    listen(this.#queue);
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary();
    // What is still queued gets a report that says so; nothing vanishes silently. It waits for the threads of all
    // brokers, which may be looking up a host name.
    await this.blocking.run(() => symbols.rd_kafka_purge_async(rk, PURGE_QUEUE_AND_INFLIGHT));
    await this.#turns.drain();
    for (const rkt of this.#topics.values()) symbols.rd_kafka_topic_destroy(rkt);
    this.#topics.clear();
    symbols.rd_kafka_queue_destroy(this.#queue);
    this.#queue = null;
    this.#opaques.clear();
    this.#partitioner?.forget();
  }

  protected override serve(): void {
    if (this.#isServing) this.#turns.now();
  }

  /** While flushing, librdkafka waits for the reports to be taken. */
  get #isServing(): boolean {
    return this.#background || this.#flushing > 0 || this.connecting;
  }

  /** Takes a hundred reports or another event, to be told; says whether there was anything. */
  #takeSome(): boolean {
    const { symbols } = openLibrary();
    const event = this.#event ?? (this.#queue === null ? null : this.nextEvent(this.#queue, this.#turns.push));
    if (event === null) return false;
    const type = symbols.rd_kafka_event_type(event);
    if (type !== EVENT.DR) this.emitEvent(type, event, this.#turns.push);
    this.#event = type === EVENT.DR && this.#report(event) ? event : null;
    if (this.#event === null) symbols.rd_kafka_event_destroy(event);
    return true;
  }

  /** Takes a hundred reports of an event, all where no report is made; says whether there may be more. */
  #report(event: Pointer): boolean {
    const callback = this.callbacks.delivery_cb as DeliveryCallback | undefined;
    if (callback?.outcomesOnly !== undefined) {
      const { outcomesOnly, requests } = callback;
      if (requests?.wants(openLibrary().symbols.rd_kafka_event_error(event)) === true) {
        const messages = this.#reader.takeRecords(event).map(({ opaqueId, topic: _, size: __, ...message }) => ({
          ...message,
          opaque: this.#opaques.take(opaqueId),
          number: opaqueId % MESSAGES_PER_VALUE,
        }));
        requests.tell(messages);
        return false;
      }
      this.#reader.takeOutcomes(event, (code, id, partition, offset) => {
        outcomesOnly(code, this.#opaques.take(id), partition, offset, id % MESSAGES_PER_VALUE);
      });
      return false;
    }
    const opaqueOf = (id: number) => this.#opaques.take(id), withPayload = callback?.dr_msg_cb === true;
    const count = this.#reader.takeReports(event, CALLS_AT_ONCE, withPayload, opaqueOf, (code, report) => {
      if (callback === undefined) return;
      this.#turns.push(() => callback(code === ErrorCode.NO_ERROR ? null : code, report));
    });
    return count === CALLS_AT_ONCE;
  }

  produce(
    topic: string | Topic,
    partition: number | null | undefined,
    value: ArrayBufferView | null,
    key?: unknown,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: Headers | null,
  ): number {
    if (arguments.length < 3) throw new Error("Need to specify a topic, partition, and message");
    // This runs for each message: what is usual is told first.
    const valueBytes = value === null || value instanceof Uint8Array ? value as Bytes | null : bytesOf(value);
    if (valueBytes === undefined) throw new Error("Message must be a buffer or null");
    if (timestamp !== undefined && timestamp !== null && typeof timestamp !== "number") {
      throw new Error("Timestamp must be a number");
    }
    if (headers !== undefined && headers !== null && !Array.isArray(headers)) {
      throw new Error("Headers must be an array of objects");
    }
    const ready = headers === undefined || headers === null || headers.length === 0 ? undefined : readyHeaders(headers);
    if (typeof topic !== "string" && !(topic instanceof Topic)) throw noTopic(topic);
    if (!this.connected) return ErrorCode.STATE;
    const name = typeof topic === "string" ? topic : topic.name();
    const rkt = this.#topicHandle(name, typeof topic === "string" ? undefined : topic);
    if (rkt === null) return openLibrary().symbols.rd_kafka_last_error();
    let to = partition === null || partition === undefined ? PARTITION_UA : Math.max(PARTITION_UA, partition | 0);
    let keyBytes = key instanceof Uint8Array ? key as Bytes : this.#encodeKey(key);
    if (to === PARTITION_UA && this.#partitioner !== undefined) {
      // What is chosen with may produce, too, and write another key where this one lies.
      keyBytes = keyBytes === null ? null : keyBytes.slice();
      to = this.#partitioner.partitionOf(this.rk, rkt, name, keyBytes);
      if (to < 0) return to;
    }
    // Kept only for those who will hear of it.
    const hears = this.callbacks.delivery_cb as DeliveryCallback | undefined;
    // Only of our own opaques is a number read: a program's may have a property of that name.
    const id = opaque === undefined || hears === undefined
      ? 0
      : hears.outcomesOnly === undefined
      ? this.#opaques.put(opaque)
      : this.#opaques.put(opaque, (opaque as { recordNumber?: number }).recordNumber);
    const code = !timestamp && ready === undefined
      ? this.#producePlain(rkt, to, valueBytes, keyBytes, id)
      : produceva(this.rk, {
        topic: Number(Deno.UnsafePointer.value(rkt)),
        partition: to,
        value: valueBytes,
        key: keyBytes,
        timestamp: timestamp ?? 0,
        opaque: id,
        headers: ready ?? [],
      });
    // There will never be a report.
    if (code !== ErrorCode.NO_ERROR && id !== 0) this.#opaques.take(id);
    return code;
  }

  /** A key that is no bytes is taken as text, and written to one reused buffer: librdkafka copies it anyway. */
  #encodeKey(given: unknown): Bytes | null {
    if (given === null || given === undefined) return null;
    const key = typeof given === "string" ? given : bytesOf(given) ?? `${given}`;
    if (typeof key !== "string") return key;
    if (key.length * 3 > this.#keyScratch.length) {
      this.#keyView = this.#keyScratch = Buffer.allocUnsafeSlow(key.length * 3);
    }
    const length = this.#keyScratch.write(key, "utf8");
    // Keys are often of one length: a view for each would be the collector's to take away.
    if (length !== this.#keyView.length) this.#keyView = this.#keyScratch.subarray(0, length);
    return this.#keyView as Bytes;
  }

  /** The handle of a topic. As in librdkafka, the first use of a name decides its configuration. */
  #topicHandle(name: string, topic?: Topic): Pointer {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { symbols } = openLibrary();
    // The configuration is librdkafka's from here on, also when it makes no topic of it.
    const rkt = symbols.rd_kafka_topic_new(this.rk, cString(name), topic?.newConf() ?? null);
    if (rkt !== null) this.#topics.set(name, rkt);
    return rkt;
  }

  #producePlain(rkt: Pointer, partition: number, value: Bytes | null, key: Bytes | null, id: number): number {
    const { symbols } = openLibrary();
    const result = symbols.rd_kafka_produce(
      rkt,
      partition,
      COPY,
      value === null ? null : value.length === 0 ? NOT_NULL : value,
      value === null ? 0n : sizeOf(value),
      key === null ? null : key.length === 0 ? NOT_NULL : key,
      key === null ? 0n : sizeOf(key),
      BigInt(id),
    );
    return result === 0 ? ErrorCode.NO_ERROR : symbols.rd_kafka_last_error();
  }

  poll(): true {
    if (!this.connected) throw new Error("Producer is disconnected");
    if (this.#background) return true;
    // There is room at once; the program hears of it when it has polled.
    while (this.#takeSome());
    this.#turns.later();
    return true;
  }

  setPollInBackground(set: boolean): { message: string; code: number } {
    if (typeof set !== "boolean") throw new Error("Need to specify a boolean for setting or unsetting");
    if (!this.connected) throw new Error("Client is disconnected");
    this.#background = set;
    if (set) this.#turns.later();
    return nativeError(ErrorCode.NO_ERROR);
  }

  /**
   * Lets a function choose the partitions of the messages that name none, instead of librdkafka's partitioner. (The
   * addon crashes here.)
   */
  setPartitioner(partitioner: PartitionerFunction): true {
    if (typeof partitioner !== "function") throw new Error("Need to specify a callback");
    this.#partitioner = new Partitioner(partitioner);
    return true;
  }

  flush(timeoutMs: number, callback: Callback): null {
    if (typeof timeoutMs !== "number" || typeof callback !== "function") {
      throw new Error("Need to specify a timeout and a callback");
    }
    if (!this.connected) {
      setImmediate(() => callback(Object.assign(new Error("Producer is disconnected"), { code: 0 })));
      return null;
    }
    return this.call(callback, (rk) =>
      this.flushing(async () => {
        const code = await this.blocking.resume(timeoutMs | 0, async (sliceMs) => {
          const answer = await openLibrary().symbols.rd_kafka_flush_async(rk, sliceMs);
          await this.#turns.drain();
          return { answer, isAnswered: answer !== ErrorCode.TIMED_OUT };
        });
        if (code === ErrorCode.NO_ERROR) return { result: undefined };
        return Object.assign(new Error(err2str(code)), { code });
      }));
  }

  /** Runs what waits for reports to be taken, and takes them meanwhile. */
  protected override async flushing<T>(work: () => Promise<T>): Promise<T> {
    this.#flushing++;
    try {
      return await work();
    } finally {
      this.#flushing--;
    }
  }

  protected override takeReports(): Promise<void> {
    return this.#turns.drain();
  }
}

/** Sizes of most messages, made once: a BigInt for each would be the collector's to take away. */
const SIZES = Array.from({ length: 4096 }, (_, size) => BigInt(size));

function sizeOf({ length }: Bytes): bigint {
  return SIZES[length] ?? BigInt(length);
}

/** An object that is no Topic is refused in librdkafka's words, as an argument that can't be used. */
function noTopic(topic: unknown): Error {
  const isObject = typeof topic === "object" && topic !== null;
  return new Error(isObject ? err2str(ErrorCode.INVALID_ARG) : "Topic must be a string or Topic object");
}
