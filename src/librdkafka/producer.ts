/**
 * The producer under the npm client: the addon's `Producer`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { blocking } from "./blocking.ts";
import { type Callback, EVENT } from "./client.ts";
import { openLibrary } from "./library.ts";
import { cString, type Pointer } from "./memory.ts";
import { MessageReader, type NativeReport } from "./message_reader.ts";
import { CODES, err2str, nativeError } from "./native_error.ts";
import { NUMBERS, Opaques } from "./opaques.ts";
import { Partitioner, type PartitionerFunction } from "./partitioner.ts";
import { COPY, type Headers, NOT_NULL, produceva, type ReadyHeader, readyHeaders } from "./produceva.ts";
import { Topic } from "./topic.ts";
import { TransactionalClient } from "./transactional_client.ts";

/**
 * What becomes of messages. The npm client sets `dr_msg_cb` on it when reports carry the payload. With `outcomesOnly`
 * it is called with code, opaque, partition, offset and the opaque's number for the message: no report is made, which is
 * most of a report's cost.
 */
export interface DeliveryCallback {
  (code: number | null, report: NativeReport): void;
  dr_msg_cb?: boolean;
  outcomesOnly?: (code: number, opaque: unknown, partition: number, offset: number, number: number) => void;
}

type Bytes = Uint8Array<ArrayBuffer>;

const PARTITION_UA = -1;
const FLUSH_SLICE_MS = 100;
const PURGE_QUEUE_AND_INFLIGHT = 3;

/** A producer. */
export class Producer extends TransactionalClient {
  #reader = new MessageReader();
  readonly #opaques = new Opaques();
  readonly #topics = new Map<string, Pointer>();
  #keyScratch: Buffer = Buffer.allocUnsafeSlow(1024);
  #queue: Pointer = null;
  #partitioner: Partitioner | undefined;
  #background = false;
  #flushing = 0;

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super("producer", globalConf, topicConf);
  }

  /** Reports are asked for even if nobody hears of them: as in the addon, a message counts until its report is taken. */
  protected override events(): number {
    return EVENT.DR;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    // It knows topics by address, and another handle has others there.
    this.#reader = new MessageReader();
    this.#queue = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    listen(this.#queue);
  }

  protected override closeQueues(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary();
    // What is still queued gets a report that says so; nothing vanishes silently.
    symbols.rd_kafka_purge(rk, PURGE_QUEUE_AND_INFLIGHT);
    this.#drain();
    for (const rkt of this.#topics.values()) symbols.rd_kafka_topic_destroy(rkt);
    this.#topics.clear();
    symbols.rd_kafka_queue_destroy(this.#queue);
    this.#queue = null;
    this.#opaques.clear();
    this.#partitioner?.forget();
    return Promise.resolve();
  }

  protected override serve(): void {
    // While flushing, librdkafka waits for the reports to be taken.
    if (this.#background || this.#flushing > 0 || this.connecting) this.#drain();
  }

  #drain(): void {
    const { symbols } = openLibrary();
    for (let event; this.#queue !== null && (event = this.nextEvent(this.#queue)) !== null;) {
      try {
        const type = symbols.rd_kafka_event_type(event);
        if (type === EVENT.DR) this.#report(event);
        else this.emitEvent(type, event);
      } finally {
        symbols.rd_kafka_event_destroy(event);
      }
    }
  }

  #report(event: Pointer): void {
    const callback = this.callbacks.delivery_cb as DeliveryCallback | undefined;
    if (callback?.outcomesOnly !== undefined) {
      const { outcomesOnly } = callback;
      this.#reader.takeOutcomes(event, (code, id, partition, offset) => {
        outcomesOnly(code, this.#opaques.take(id), partition, offset, id % NUMBERS);
      });
      return;
    }
    this.#reader.takeReports(event, callback?.dr_msg_cb === true, (code, report, id) => {
      if (id !== 0) report.opaque = this.#opaques.take(id);
      try {
        callback?.(code === CODES.NO_ERROR ? null : code, report);
      } catch (error) {
        // As on Node: the program's error surfaces, and the other reports come all the same.
        reportError(error);
      }
    });
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
    if (!this.connected) return CODES.STATE;
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
    const id = opaque === undefined || this.callbacks.delivery_cb === undefined ? 0 : this.#opaques.put(opaque);
    const code = !timestamp && ready === undefined
      ? this.#producePlain(rkt, to, valueBytes, keyBytes, id)
      : this.#produceFull(name, to, valueBytes, keyBytes, timestamp ?? 0, id, ready ?? []);
    // There will never be a report.
    if (code !== CODES.NO_ERROR && id !== 0) this.#opaques.take(id);
    return code;
  }

  /** A key that is no bytes is taken as text, and written to one reused buffer: librdkafka copies it anyway. */
  #encodeKey(given: unknown): Bytes | null {
    if (given === null || given === undefined) return null;
    const key = typeof given === "string" ? given : bytesOf(given) ?? `${given}`;
    if (typeof key !== "string") return key;
    if (key.length * 3 > this.#keyScratch.length) this.#keyScratch = Buffer.allocUnsafeSlow(key.length * 3);
    return this.#keyScratch.subarray(0, this.#keyScratch.write(key, "utf8")) as Bytes;
  }

  /** The handle of a topic. As in librdkafka, the first use of a name decides its configuration. */
  #topicHandle(name: string, topic?: Topic): Pointer {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { symbols } = openLibrary();
    const text = cString(name), conf = topic?.newConf() ?? null;
    const rkt = symbols.rd_kafka_topic_new(this.rk, text, conf);
    if (rkt !== null) this.#topics.set(name, rkt);
    // A configuration that was not taken stays ours.
    else if (conf !== null) symbols.rd_kafka_topic_conf_destroy(conf);
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
    return result === 0 ? CODES.NO_ERROR : symbols.rd_kafka_last_error();
  }

  #produceFull(
    topic: string,
    partition: number,
    value: Bytes | null,
    key: Bytes | null,
    timestamp: number,
    opaque: number,
    headers: readonly ReadyHeader[],
  ): number {
    try {
      return produceva(this.rk, { topic, partition, value, key, timestamp, opaque, headers });
    } catch (error) {
      if (opaque !== 0) this.#opaques.take(opaque);
      throw error;
    }
  }

  poll(): true {
    if (!this.connected) throw new Error("Producer is disconnected");
    if (!this.#background) this.#drain();
    return true;
  }

  setPollInBackground(set: boolean): { message: string; code: number } {
    if (typeof set !== "boolean") throw new Error("Need to specify a boolean for setting or unsetting");
    if (!this.connected) throw new Error("Client is disconnected");
    this.#background = set;
    if (set) this.#drain();
    return nativeError(CODES.NO_ERROR);
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
        const { symbols } = openLibrary();
        const deadline = performance.now() + timeoutMs;
        for (;;) {
          const left = Math.max(0, Math.ceil(deadline - performance.now()));
          const code = await blocking(() => symbols.rd_kafka_flush_async(rk, Math.min(left, FLUSH_SLICE_MS)));
          this.#drain();
          if (code === CODES.NO_ERROR) return { result: undefined };
          if (code !== CODES.TIMED_OUT || left === 0 || this.closing) return nativeError(code);
        }
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

  protected override takeReports(): void {
    this.#drain();
  }
}

/** Sizes of most messages, made once: a BigInt for each would be the collector's to take away. */
const SIZES = Array.from({ length: 4096 }, (_, size) => BigInt(size));

function sizeOf({ length }: Bytes): bigint {
  return SIZES[length] ?? BigInt(length);
}

/** A view's bytes; `undefined` for what is none. */
function bytesOf(view: unknown): Bytes | undefined {
  return ArrayBuffer.isView(view)
    ? new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
    : undefined;
}

/** An object that is no Topic is refused in librdkafka's words, as an argument that can't be used. */
function noTopic(topic: unknown): Error {
  const isObject = typeof topic === "object" && topic !== null;
  return new Error(isObject ? err2str(CODES.INVALID_ARG) : "Topic must be a string or Topic object");
}
