/**
 * The producer under the npm client: the addon's `Producer`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { blocking } from "./blocking.ts";
import { type Callback, Client, EVENT } from "./client.ts";
import { VU } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { addressOf, cString, type Pointer } from "./memory.ts";
import { MessageReader, type NativeReport } from "./message_reader.ts";
import { CODES, nativeError, takeError, takeTransactionError, type TransactionError } from "./native_error.ts";
import { KafkaConsumer } from "./kafka_consumer.ts";
import { Opaques } from "./opaques.ts";
import { Topic } from "./topic.ts";
import { type TopicPartition, withList } from "./topic_partitions.ts";

/**
 * What becomes of messages. The npm client sets `dr_msg_cb` on it when reports carry the payload. With `outcomesOnly`
 * it is called with code, opaque, partition and offset: no report is made, which is most of a report's cost.
 */
export interface DeliveryCallback {
  (code: number | null, report: NativeReport): void;
  dr_msg_cb?: boolean;
  outcomesOnly?: (code: number, opaque: unknown, partition: number, offset: number) => void;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** `RD_KAFKA_MSG_F_COPY` */
const COPY = 2;
const PARTITION_UA = -1;
const FLUSH_SLICE_MS = 100;
/** An empty array reaches C as NULL, and an empty value would become a tombstone. */
const NOT_NULL: Bytes = new Uint8Array(1);
const PURGE_QUEUE_AND_INFLIGHT = 3;
// rd_kafka_vtype_t
const V_TOPIC = 1,
  V_PARTITION = 3,
  V_VALUE = 4,
  V_KEY = 5,
  V_OPAQUE = 6,
  V_MSGFLAGS = 7,
  V_TIMESTAMP = 8,
  V_HEADERS = 10;

/** A producer. */
export class Producer extends Client {
  readonly #reader = new MessageReader();
  readonly #opaques = new Opaques();
  readonly #topics = new Map<string, Pointer>();
  #keyScratch: Buffer = Buffer.allocUnsafeSlow(1024);
  #queue: Pointer = null;
  #background = false;
  #flushing = 0;

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super("producer", globalConf, topicConf);
  }

  protected override events(): number {
    return this.callbacks.delivery_cb === undefined ? 0 : EVENT.DR;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
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
    return Promise.resolve();
  }

  protected override serve(): void {
    // While flushing, librdkafka waits for the reports to be taken.
    if (this.#background || this.#flushing > 0) this.#drain();
  }

  #drain(): void {
    const { symbols } = openLibrary();
    for (let event; this.#queue !== null && (event = symbols.rd_kafka_queue_poll(this.#queue, 0)) !== null;) {
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
        outcomesOnly(code, this.#opaques.take(id), partition, offset);
      });
      return;
    }
    this.#reader.takeReports(event, callback?.dr_msg_cb === true, (code, report, id) => {
      if (id !== 0) report.opaque = this.#opaques.take(id);
      callback?.(code === CODES.NO_ERROR ? null : code, report);
    });
  }

  produce(
    topic: string | Topic,
    partition: number | null | undefined,
    value: Buffer | null,
    key?: Buffer | string | null,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: readonly Record<string, Buffer | string>[] | null,
  ): number {
    if (arguments.length < 3) throw new Error("Need to specify a topic, partition, and message");
    if (value !== null && !(value instanceof Uint8Array)) throw new Error("Message must be a buffer or null");
    if (timestamp !== undefined && timestamp !== null && typeof timestamp !== "number") {
      throw new Error("Timestamp must be a number");
    }
    if (typeof topic !== "string" && !(topic instanceof Topic)) {
      throw new Error("The topic must be a name or a Topic object");
    }
    if (!this.connected) return CODES.STATE;
    const name = typeof topic === "string" ? topic : topic.name();
    if (typeof topic !== "string" && this.#topicHandle(name, topic) === null) {
      return openLibrary().symbols.rd_kafka_last_error();
    }
    const to = partition === null || partition === undefined || partition < 0 ? PARTITION_UA : partition;
    const id = opaque === undefined ? 0 : this.#opaques.put(opaque);
    const plain = !timestamp && !headers?.length;
    const keyBytes = typeof key === "string" || key === null || key === undefined ? this.#encodeKey(key) : key;
    const code = plain
      ? this.#producePlain(name, to, value as Bytes | null, keyBytes as Bytes | null, id)
      : this.#produceFull(
        name,
        to,
        value as Bytes | null,
        keyBytes as Bytes | null,
        timestamp ?? 0,
        id,
        headers ?? [],
      );
    // There will never be a report.
    if (code !== CODES.NO_ERROR && id !== 0) this.#opaques.take(id);
    return code;
  }

  /** A text key is written to one reused buffer: librdkafka copies it anyway. */
  #encodeKey(key: string | null | undefined): Buffer | null {
    if (key === null || key === undefined) return null;
    if (key.length * 3 > this.#keyScratch.length) this.#keyScratch = Buffer.allocUnsafeSlow(key.length * 3);
    return this.#keyScratch.subarray(0, this.#keyScratch.write(key, "utf8"));
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

  #producePlain(topic: string, partition: number, value: Bytes | null, key: Bytes | null, id: number): number {
    const { symbols } = openLibrary();
    const rkt = this.#topicHandle(topic);
    if (rkt === null) return symbols.rd_kafka_last_error();
    const result = symbols.rd_kafka_produce(
      rkt,
      partition,
      COPY,
      value === null ? null : value.length === 0 ? NOT_NULL : value,
      value === null ? 0n : BigInt(value.length),
      key === null ? null : key.length === 0 ? NOT_NULL : key,
      key === null ? 0n : BigInt(key.length),
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
    id: number,
    headers: readonly Record<string, Buffer | string>[],
  ): number {
    const { symbols } = openLibrary();
    const name = cString(topic);
    const list = headers.length > 0 ? newHeaders(headers) : null;
    const args = new Arguments(list === null ? 7 : 8);
    args.text(V_TOPIC, name);
    args.int(V_PARTITION, partition);
    args.int(V_MSGFLAGS, COPY);
    args.memory(V_VALUE, value);
    args.memory(V_KEY, key);
    args.number(V_TIMESTAMP, timestamp);
    args.number(V_OPAQUE, id);
    if (list !== null) args.number(V_HEADERS, Deno.UnsafePointer.value(list));
    const error = takeError(symbols.rd_kafka_produceva(this.rk, args.bytes, BigInt(args.count)));
    args.release();
    if (error === undefined) return CODES.NO_ERROR;
    if (list !== null) symbols.rd_kafka_headers_destroy(list);
    return error.code;
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

  /** Takes a function, and never calls it: the addon doesn't hand it to librdkafka either. */
  setPartitioner(partitioner: unknown): true {
    if (typeof partitioner !== "function") throw new Error("Need to specify a callback");
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
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      const deadline = performance.now() + timeoutMs;
      this.#flushing++;
      try {
        for (;;) {
          const left = Math.max(0, Math.ceil(deadline - performance.now()));
          const code = await blocking(() => symbols.rd_kafka_flush_async(rk, Math.min(left, FLUSH_SLICE_MS)));
          this.#drain();
          if (code === CODES.NO_ERROR) return { result: undefined };
          if (code !== CODES.TIMED_OUT || left === 0 || this.closing) return nativeError(code);
        }
      } finally {
        this.#flushing--;
      }
    });
  }

  initTransactions(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_init_transactions_async(rk, timeoutMs));
  }

  beginTransaction(callback: Callback): null {
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    return this.call(callback, async (rk) => {
      const error = await blocking(() => openLibrary().symbols.rd_kafka_begin_transaction_async(rk));
      // The one transactional call whose error has no marks.
      return takeError(error) ?? { result: undefined };
    });
  }

  commitTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_commit_transaction_async(rk, timeoutMs));
  }

  abortTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_abort_transaction_async(rk, timeoutMs));
  }

  sendOffsetsToTransaction(
    offsets: TopicPartition[],
    consumer: KafkaConsumer,
    timeoutMs: number,
    callback: Callback,
  ): null {
    if (arguments.length < 4) {
      throw new Error("Need to specify offsets, consumer, timeout for 'send offsets to transaction', and callback");
    }
    if (!Array.isArray(offsets)) {
      throw new Error("First argument to 'send offsets to transaction' has to be a consumer object");
    }
    if (!(consumer instanceof KafkaConsumer)) throw new Error("Kafka consumer must be provided");
    if (typeof timeoutMs !== "number") throw new Error("Timeout must be provided");
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    const { symbols } = openLibrary();
    return this.#transact(callback, (rk) => {
      const group = Client.handleOf(consumer);
      const metadata = group === null ? null : symbols.rd_kafka_consumer_group_metadata(group);
      if (metadata === null) return Promise.resolve(notConnected());
      return withList(
        offsets,
        (list) =>
          symbols.rd_kafka_send_offsets_to_transaction_async(rk, list, metadata, timeoutMs)
            .finally(() => symbols.rd_kafka_consumer_group_metadata_destroy(metadata)),
      );
    });
  }

  /** A call is made whole, not in slices: another call between two slices would take its place. */
  #transact(callback: Callback, call: (rk: Pointer) => Promise<Pointer | TransactionError>): null {
    if (!this.connected) {
      setImmediate(() => callback(notConnected()));
      return null;
    }
    return this.call(callback, async (rk) => {
      // A commit flushes, and librdkafka then waits for the reports to be taken.
      this.#flushing++;
      try {
        const error = await blocking(() => call(rk));
        const taken = error !== null && "code" in error ? error : takeTransactionError(error);
        this.#drain();
        return taken ?? { result: undefined };
      } finally {
        this.#flushing--;
      }
    });
  }
}

function checkWait(timeoutMs: number, callback: Callback): void {
  if (typeof timeoutMs !== "number" || typeof callback !== "function") {
    throw new Error("Need to specify a timeout and a callback");
  }
}

/** As the addon answers transactional calls of a producer that is not connected. */
function notConnected(): TransactionError {
  return { ...nativeError(CODES.STATE), isFatal: false, isRetriable: false, isTxnRequiresAbort: false };
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

function newHeaders(headers: readonly Record<string, Buffer | string>[]): Pointer {
  const { symbols } = openLibrary();
  const list = symbols.rd_kafka_headers_new(BigInt(headers.length));
  for (const header of headers) {
    const [name, value] = Object.entries(header)[0] ?? [];
    if (name === undefined) continue;
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    if (bytes !== null && !(bytes instanceof Uint8Array)) {
      symbols.rd_kafka_headers_destroy(list);
      throw new Error("Header value must be a string or buffer");
    }
    symbols.rd_kafka_header_add(
      list,
      cString(name),
      -1n,
      bytes === null ? null : bytes.length === 0 ? NOT_NULL : bytes as Bytes,
      BigInt(bytes?.length ?? 0),
    );
  }
  return list;
}
