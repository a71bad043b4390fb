/**
 * The addon's `KafkaConsumer`.
 *
 * Rebalances, commit results, errors and statistics are events on the consumer queue. Messages are not: the queue of each
 * partition is forwarded to a queue of our own, which is drained in batches. (Draining the consumer queue in batches would
 * drop its rebalance events.) A partition's queue is forwarded before the partition is assigned: when librdkafka begins to
 * fetch, it forwards the queue to the consumer queue, unless a program has forwarded it before.
 *
 * @module
 */

import { requireArray, requireBoolean, requireCount, requireFunction, requireNumber } from "./arguments.ts";
import { requireString, toInt32, toInt64 } from "./arguments.ts";
import { callAndReport } from "./call_and_report.ts";
import type { Callback } from "./client_handle.ts";
import { type CommitCallback, type CommitResultCallback, Commits } from "./commits.ts";
import { ConsumeLoop, type LoopCallback } from "./consume_loop.ts";
import { type ConsumeCallback, type ConsumerAccess, type ConsumeRequest, ConsumeRequests } from "./consume_requests.ts";
import { EVENT } from "./events.ts";
import { FetchedMessages } from "./fetched_messages.ts";
import { GroupConsumer } from "./group_consumer.ts";
import { OffsetStore } from "./offset_store.ts";
import { toPartition, toPartitions } from "./partition_arguments.ts";
import { withoutPartitions } from "../ffi/partition_identity.ts";
import { awaitEarlierOperations, PartitionQueues } from "./partition_queues.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readCString } from "../ffi/memory.ts";
import type { NativeMessage } from "../ffi/message_reader.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { nativeError } from "../ffi/native_error.ts";
import {
  type PartitionInput,
  partitionsOrErrors,
  readList,
  type TopicPartition,
  withList,
} from "../ffi/topic_partitions.ts";

/** Errors of the whole client, which go to `event_cb`. Any other error is a result of `consume()`. */
const CLIENT_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.ALL_BROKERS_DOWN,
  ErrorCode.TRANSPORT,
  ErrorCode.RESOLVE,
  ErrorCode.SSL,
  ErrorCode.AUTHENTICATION,
  ErrorCode.CRIT_SYS_RESOURCE,
  ErrorCode.FATAL,
]);
const NOT_CONNECTED = "KafkaConsumer is not connected";
/** With a time-out of 0 librdkafka would not wait for a seek. */
const MIN_SEEK_TIMEOUT_MS = 10;

/** A consumer of a group, or of partitions that the program assigns by itself. */
export class KafkaConsumer extends GroupConsumer {
  /** The queue to which the queues of all assigned partitions are forwarded. */
  #messageQueue: Pointer = null;
  readonly #partitionQueues = new PartitionQueues();
  readonly #fetched = new FetchedMessages();
  readonly #access: ConsumerAccess = {
    isConnected: () => this.connected,
    // A consumer that polled too late gets its error before the rebalance that follows from it.
    serveEvents: () => this.serveEvents(this.#fetched.hasError),
  };
  readonly #requests = new ConsumeRequests(this.#access, this.#fetched);
  readonly #loop = new ConsumeLoop(this.#access, this.#fetched);
  readonly #offsets = new OffsetStore();
  readonly #commits = new Commits(
    () => this.callbacks.offset_commit_cb as CommitCallback | undefined,
    (event) => this.serveLater(event),
  );

  constructor(globalConf: unknown, topicConf?: unknown) {
    requireCount(arguments.length, 2, "You must supply global and topic configuration");
    super(globalConf, topicConf);
  }

  protected override events(): number {
    return EVENT.REBALANCE | EVENT.OFFSET_COMMIT;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    super.open(rk, listen);
    listen(this.#messageQueue = openLibrary().symbols.rd_kafka_queue_new(rk));
    this.#fetched.open(this.#messageQueue);
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    await this.#loop.stop();
    this.#requests.close();
    await super.closeQueues(rk);
    this.#commits.close();
    this.#offsets.free();
    openLibrary().symbols.rd_kafka_queue_destroy(this.#messageQueue);
    this.#messageQueue = null;
    this.#fetched.close();
  }

  protected override serve(): void {
    callAndReport(() => this.callbacks.queue_non_empty_cb?.());
    if (this.connecting) this.serveErrors();
    this.#requests.serve();
    this.#loop.serve();
  }

  protected override serveEvent(type: number, code: number, event: Pointer): void {
    if (type === EVENT.OFFSET_COMMIT) {
      this.#commits.serve(code, event);
    } else if (type === EVENT.ERROR && !CLIENT_ERRORS.has(code)) {
      const { symbols } = openLibrary(), isFatal = symbols.rd_kafka_event_error_is_fatal(event) !== 0;
      const error = { code, message: readCString(symbols.rd_kafka_event_error_string(event)) };
      this.#fetched.addError(isFatal ? { ...error, isFatal } : error);
    } else this.emitEvent(type, event);
  }

  // Consuming

  consume(timeoutMs: number, max: number, onlyFirst: boolean, callback: ConsumeCallback): null;
  consume(timeoutMs: number, callback: Callback<NativeMessage>): null;
  consume(
    timeoutMs: number,
    max: number | Callback<NativeMessage>,
    onlyFirst?: boolean,
    callback?: ConsumeCallback,
  ): null {
    requireCount(arguments.length, 2, "Invalid number of parameters");
    const timeout = (timeoutMs | 0) < 0 ? Infinity : timeoutMs | 0;
    if (typeof max !== "number") {
      requireFunction(max, "Need to specify a callback");
      const one: ConsumeCallback = (error, messages) => error ? max(error as Error) : max(null, messages?.[0]);
      return this.#request({ timeoutMs: timeout, max: 1, onlyFirst: true, callback: one });
    }
    requireBoolean(onlyFirst, "Need to specify a boolean");
    requireFunction(callback, "Need to specify a callback");
    return this.#request({ timeoutMs: timeout, max: max >>> 0, onlyFirst, callback });
  }

  #request(request: ConsumeRequest): null {
    const { max, callback } = request;
    // A call for no message needs no connection, and serves no event.
    if (max === 0) setImmediate(() => callback(null, [], []));
    else if (!this.connected) setImmediate(() => callback(nativeError(ErrorCode.STATE, NOT_CONNECTED)));
    else this.#requests.add(request);
    return null;
  }

  /**
   * Calls back for each message, until the client disconnects. The native addon sleeps for `delayMs` when it has found
   * no message; here the queues wake the client, so the delay is not used.
   */
  consumeLoop(timeoutMs: number, delayMs: number, callback: LoopCallback): null {
    requireCount(arguments.length, 3, "Invalid number of parameters");
    requireNumber(timeoutMs, "Need to specify a timeout");
    requireNumber(delayMs, "Need to specify a sleep delay");
    requireFunction(callback, "Need to specify a callback");
    if (this.#loop.isStarted) throw new Error("Consume was already called");
    if (!this.connected) throw new Error("Connect must be called before consume");
    this.#loop.start(callback);
    return null;
  }

  // The queues of assigned partitions

  protected override beforeAssignment(partitions: readonly PartitionInput[]): void {
    this.#fetched.drop(partitions);
    // librdkafka may fetch before its assign call returns.
    for (const partition of partitions) this.#forward(partition);
  }

  protected override onAssignment(partitions: readonly PartitionInput[], before: readonly PartitionInput[]): void {
    const lost = withoutPartitions(before, partitions);
    this.#fetched.drop(lost);
    for (const partition of lost) this.#partitionQueues.release(partition);
    if (partitions.length > 0 && !this.closing) awaitEarlierOperations(this.rk);
    for (const partition of partitions) this.#forward(partition);
    this.#fetched.forgetTopics();
    this.#offsets.forget();
  }

  #forward(partition: PartitionInput): void {
    this.#partitionQueues.forward(this.rk, partition, this.#messageQueue);
  }

  seek(partition: TopicPartition, timeoutMs: number | null, callback: Callback): null {
    requireCount(arguments.length, 3, "Must provide a topic partition, timeout, and callback");
    if (typeof partition !== "object" || partition === null) throw new Error("Topic partition must be an object");
    if (timeoutMs !== null) requireNumber(timeoutMs, "Timeout must be a number.");
    requireFunction(callback, "Callback must be a function");
    const target = toPartition(partition);
    const waitMs = Math.max(MIN_SEEK_TIMEOUT_MS, timeoutMs! | 0);
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      const rkt = symbols.rd_kafka_topic_new(rk, cString(target.topic), null);
      if (rkt === null) return nativeError(symbols.rd_kafka_last_error());
      const code = await this.blocking.run(() =>
        symbols.rd_kafka_seek_async(rkt, target.partition, target.offset, waitMs)
      );
      symbols.rd_kafka_topic_destroy(rkt);
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      this.#fetched.drop([target]);
      return { result: undefined };
    }, NOT_CONNECTED);
  }

  pause(partitions: TopicPartition[]): number {
    requireCount(arguments.length, 1, "Must provide a list of topic partitions");
    return this.#callWithPartitions("rd_kafka_pause_partitions", partitions);
  }

  resume(partitions: TopicPartition[]): number {
    requireCount(arguments.length, 1, "Must provide a list of topic partitions");
    return this.#callWithPartitions("rd_kafka_resume_partitions", partitions);
  }

  #callWithPartitions(
    name: "rd_kafka_pause_partitions" | "rd_kafka_resume_partitions",
    partitions: TopicPartition[],
  ): number {
    requireArray(partitions, "Topic partition must be an array of objects");
    if (!this.connected) return ErrorCode.STATE;
    return withList(toPartitions(partitions), (list) => openLibrary().symbols[name](this.rk, list));
  }

  // Offsets

  offsetsStore(partitions: TopicPartition[]): number {
    requireCount(arguments.length, 1, "Must provide a list of topic partitions");
    requireArray(partitions, "Topic partition must be an array of objects");
    if (!this.connected || !this.isSubscribed) return ErrorCode.STATE;
    return withList(
      toPartitions(partitions),
      (list) => openLibrary().symbols.rd_kafka_offsets_store(this.rk, list),
    );
  }

  offsetsStoreSingle(topic: string, partition: number, offset: number, leaderEpoch: number): number {
    requireCount(arguments.length, 4, "Must provide topic, partition, offset and leaderEpoch");
    if (!this.connected || !this.isSubscribed) return ErrorCode.STATE;
    // Unlike elsewhere, what is not a number is converted to one.
    const [number, next] = [toInt32(Number(partition)), toInt64(Number(offset))];
    return this.#offsets.store(this.rk, `${topic}`, number, next, Number(leaderEpoch) | 0);
  }

  commit(partitions?: TopicPartition | TopicPartition[] | null): number {
    return this.#commit(partitions, (list) => this.#commits.send(this.rk, list, this.eventQueue));
  }

  commitSync(partitions?: TopicPartition | TopicPartition[] | null): number {
    return this.#commit(partitions, (list) => this.#commits.sendAndWait(this.rk, list));
  }

  /** Commits the given offsets; the stored ones if none are given. */
  #commit(
    partitions: TopicPartition | TopicPartition[] | null | undefined,
    send: (list: Pointer) => number,
  ): number {
    if (!this.connected) throw new Error("KafkaConsumer is disconnected");
    if (partitions === null || partitions === undefined) return send(null);
    if (typeof partitions !== "object") throw new Error("First parameter must be an object or an array");
    return withList(Array.isArray(partitions) ? toPartitions(partitions) : [toPartition(partitions)], send);
  }

  commitCb(partitions: TopicPartition[] | null, callback: Callback): null {
    if (!this.connected) throw new Error("KafkaConsumer is disconnected");
    if (arguments.length !== 2) throw new Error("Two arguments are required");
    if ((partitions !== null && !Array.isArray(partitions)) || typeof callback !== "function") {
      throw new Error("First argument should be an array or null and second one a callback");
    }
    const code = this.commit(partitions);
    setImmediate(() => callback(code === ErrorCode.NO_ERROR ? null : nativeError(code)));
    return null;
  }

  /**
   * Commits offsets, and passes the result of this commit, with the code of each partition, to `callback` and not to
   * `offset_commit_cb`. The result arrives when the program consumes. The native addon has no such method.
   *
   * @internal
   */
  commitWithResult(partitions: readonly TopicPartition[], callback: CommitResultCallback): void {
    if (!this.connected) callback(ErrorCode.STATE, []);
    else this.#commits.sendWithResult(this.rk, toPartitions(partitions), this.eventQueue, callback);
  }

  committed(partitions: TopicPartition[], timeoutMs: number, callback: Callback<unknown[]>): null {
    requireCount(arguments.length, 3, "Need to specify an array of topic partitions");
    requireArray(partitions, "Need to specify an array of topic partitions");
    return this.askOffsets("rd_kafka_committed_async", partitions, timeoutMs, callback, NOT_CONNECTED);
  }

  position(partitions: TopicPartition[]): number | (TopicPartition | Error)[] {
    requireArray(partitions, "Need to specify an array of topic partitions");
    if (!this.connected) return ErrorCode.STATE;
    return withList(toPartitions(partitions), (list) => {
      const code = openLibrary().symbols.rd_kafka_position(this.rk, list);
      return code === ErrorCode.NO_ERROR ? partitionsOrErrors(readList(list)) : code;
    });
  }

  getWatermarkOffsets(topic: string, partition: number): number | { lowOffset: number; highOffset: number } {
    requireString(topic, "1st parameter must be a topic string");
    requireNumber(partition, "2nd parameter must be a partition number");
    if (!this.connected) return ErrorCode.STATE;
    const low = new BigInt64Array(1), high = new BigInt64Array(1);
    const { symbols } = openLibrary();
    const code = symbols.rd_kafka_get_watermark_offsets(this.rk, cString(topic), partition | 0, low, high);
    return code === ErrorCode.NO_ERROR ? { lowOffset: Number(low[0]), highOffset: Number(high[0]) } : code;
  }
}
