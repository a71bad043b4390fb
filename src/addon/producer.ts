/**
 * The addon's `Producer`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { requireBoolean, requireCount } from "./arguments.ts";
import type { Callback } from "./client_handle.ts";
import { type DeliveryCallback, DeliveryReports } from "./delivery_reports.ts";
import { EVENT } from "./events.ts";
import {
  bytesOf,
  checkHeaders,
  EMPTY_NOT_NULL,
  type HeaderArguments,
  MSG_F_COPY,
  produceWithHeaders,
} from "./produce_with_headers.ts";
import { TopicHandle } from "./topic_handle.ts";
import { requireTimeoutAndCallback, TransactionalClient } from "./transactional_client.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, nativeError } from "../ffi/native_error.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const PARTITION_UA = -1;
const PURGE_QUEUE_AND_INFLIGHT = 3;

/** A producer. */
export class Producer extends TransactionalClient {
  readonly #reports = new DeliveryReports({
    callback: () => this.callbacks.delivery_cb as DeliveryCallback | undefined,
    nextEvent: (queue, caller) => this.nextEvent(queue, caller),
    emitEvent: (type, event, caller) => this.emitEvent(type, event, caller),
    servesByItself: () => this.#pollsInBackground || this.#flushing > 0 || this.connecting,
  });
  /** librdkafka's handles of topics, by name. */
  readonly #topics = new Map<string, Pointer>();
  /** The buffer into which keys that are text are encoded, and the part of it that holds the last one. */
  #keyBuffer: Buffer = Buffer.allocUnsafeSlow(1024);
  #keyView = this.#keyBuffer;
  #queue: Pointer = null;
  #pollsInBackground = false;
  /** How many calls wait for reports to be served: librdkafka waits for that, too. */
  #flushing = 0;

  constructor(globalConf: unknown, topicConf?: unknown) {
    requireCount(arguments.length, 2, "You must supply global and topic configuration");
    super(globalConf, topicConf);
  }

  /** Asks for reports also without `delivery_cb`: as in the native addon, a record is in the queue until its report is taken. */
  protected override events(): number {
    return EVENT.DR;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    this.#queue = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    this.#reports.open(this.#queue);
    listen(this.#queue);
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary();
    // Each record that is still queued gets a report that says so: none vanishes silently. The purge waits for the
    // threads of all brokers, which may be resolving a host name.
    await this.blocking.run(() => symbols.rd_kafka_purge_async(rk, PURGE_QUEUE_AND_INFLIGHT));
    await this.#reports.serveAll();
    for (const rkt of this.#topics.values()) symbols.rd_kafka_topic_destroy(rkt);
    this.#topics.clear();
    symbols.rd_kafka_queue_destroy(this.#queue);
    this.#queue = null;
    this.#reports.close();
  }

  protected override serve(): void {
    this.#reports.serve();
  }

  // Producing

  produce(
    topic: string | TopicHandle,
    partition: number | null | undefined,
    value: ArrayBufferView | null,
    key?: unknown,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: HeaderArguments | null,
  ): number {
    // This runs for every record: the most frequent types of arguments are checked first.
    requireCount(arguments.length, 3, "Need to specify a topic, partition, and message");
    const valueBytes = value === null || value instanceof Uint8Array ? value as Bytes | null : bytesOf(value);
    if (valueBytes === undefined) throw new Error("Message must be a buffer or null");
    if (timestamp !== undefined && timestamp !== null && typeof timestamp !== "number") {
      throw new Error("Timestamp must be a number");
    }
    if (headers !== undefined && headers !== null && !Array.isArray(headers)) {
      throw new Error("Headers must be an array of objects");
    }
    const checked = headers === undefined || headers === null || headers.length === 0
      ? undefined
      : checkHeaders(headers);
    if (typeof topic !== "string" && !(topic instanceof TopicHandle)) throw topicError(topic);
    if (!this.connected) return ErrorCode.STATE;
    const rkt = typeof topic === "string" ? this.#topicHandle(topic) : this.#topicHandle(topic.name(), topic);
    if (rkt === null) return openLibrary().symbols.rd_kafka_last_error();
    const to = partition === null || partition === undefined ? PARTITION_UA : Math.max(PARTITION_UA, partition | 0);
    const keyBytes = key instanceof Uint8Array ? key as Bytes : this.#encodeKey(key);
    const id = this.#reports.keep(opaque);
    const code = !timestamp && checked === undefined
      ? this.#producePlain(rkt, to, valueBytes, keyBytes, id)
      : produceWithHeaders(this.rk, {
        topic: Number(Deno.UnsafePointer.value(rkt)),
        partition: to,
        value: valueBytes,
        key: keyBytes,
        timestamp: timestamp ?? 0,
        opaque: id,
        headers: checked ?? [],
      });
    if (code !== ErrorCode.NO_ERROR) this.#reports.drop(id);
    return code;
  }

  /** Converts a key to bytes; what is not bytes becomes text. librdkafka copies keys, so text needs one buffer only. */
  #encodeKey(argument: unknown): Bytes | null {
    if (argument === null || argument === undefined) return null;
    const key = typeof argument === "string" ? argument : bytesOf(argument) ?? `${argument}`;
    if (typeof key !== "string") return key;
    if (key.length * 3 > this.#keyBuffer.length) {
      this.#keyView = this.#keyBuffer = Buffer.allocUnsafeSlow(key.length * 3);
    }
    const length = this.#keyBuffer.write(key, "utf8");
    // Keys often have one length: a new view for each would be work for the garbage collector.
    if (length !== this.#keyView.length) this.#keyView = this.#keyBuffer.subarray(0, length);
    return this.#keyView as Bytes;
  }

  /** librdkafka's handle of a topic. As in librdkafka, the first use of a name decides about its configuration. */
  #topicHandle(name: string, topic?: TopicHandle): Pointer {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { symbols } = openLibrary();
    // librdkafka takes ownership of the configuration, also when it refuses the topic.
    const rkt = symbols.rd_kafka_topic_new(this.rk, cString(name), topic?.newConf() ?? null);
    if (rkt !== null) this.#topics.set(name, rkt);
    return rkt;
  }

  #producePlain(rkt: Pointer, partition: number, value: Bytes | null, key: Bytes | null, id: number): number {
    const { symbols } = openLibrary();
    const result = symbols.rd_kafka_produce(
      rkt,
      partition,
      MSG_F_COPY,
      value === null ? null : value.length === 0 ? EMPTY_NOT_NULL : value,
      value === null ? 0n : sizeOf(value),
      key === null ? null : key.length === 0 ? EMPTY_NOT_NULL : key,
      key === null ? 0n : sizeOf(key),
      BigInt(id),
    );
    return result === 0 ? ErrorCode.NO_ERROR : symbols.rd_kafka_last_error();
  }

  // Serving delivery reports

  poll(): true {
    if (!this.connected) throw new Error("Producer is disconnected");
    if (this.#pollsInBackground) return true;
    // There is room in librdkafka's queue at once; the program receives the reports when poll() has returned.
    while (this.#reports.fetch());
    this.#reports.serveSoon();
    return true;
  }

  setPollInBackground(set: boolean): { message: string; code: number } {
    requireBoolean(set, "Need to specify a boolean for setting or unsetting");
    if (!this.connected) throw new Error("Client is disconnected");
    this.#pollsInBackground = set;
    if (set) this.#reports.serveSoon();
    return nativeError(ErrorCode.NO_ERROR);
  }

  flush(timeoutMs: number, callback: Callback): null {
    requireTimeoutAndCallback(timeoutMs, callback);
    if (!this.connected) {
      setImmediate(() => callback(Object.assign(new Error("Producer is disconnected"), { code: 0 })));
      return null;
    }
    return this.call(callback, (rk) =>
      this.whileServingReports(async () => {
        const code = await this.blocking.resume(timeoutMs | 0, async (sliceMs) => {
          const answer = await openLibrary().symbols.rd_kafka_flush_async(rk, sliceMs);
          await this.serveReports();
          return { answer, isAnswered: answer !== ErrorCode.TIMED_OUT };
        });
        if (code === ErrorCode.NO_ERROR) return { result: undefined };
        return Object.assign(new Error(err2str(code)), { code });
      }));
  }

  protected override async whileServingReports<T>(work: () => Promise<T>): Promise<T> {
    this.#flushing++;
    try {
      return await work();
    } finally {
      this.#flushing--;
    }
  }

  protected override serveReports(): Promise<void> {
    return this.#reports.serveAll();
  }
}

/** The sizes of most records, made once: a new BigInt for each record would be work for the garbage collector. */
const SIZES = Array.from({ length: 4096 }, (_, size) => BigInt(size));

function sizeOf({ length }: Bytes): bigint {
  return SIZES[length] ?? BigInt(length);
}

/** The error for a topic that is neither a name nor a Topic. An object gets librdkafka's text for an invalid argument. */
function topicError(topic: unknown): Error {
  const isObject = typeof topic === "object" && topic !== null;
  return new Error(isObject ? err2str(ErrorCode.INVALID_ARG) : "Topic must be a string or Topic object");
}
