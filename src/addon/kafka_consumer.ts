/**
 * The consumer under the npm client: the addon's `KafkaConsumer`.
 *
 * Rebalances, commit results, errors and statistics are events on the consumer queue. Messages don't pass there: each
 * partition's queue is forwarded to a queue of our own, which is drained in batches. (Draining the consumer queue in
 * batches would throw rebalance events away.) It is before an assign: librdkafka forwards a queue to the consumer queue
 * when it begins to fetch, but none that a program has ever forwarded.
 *
 * @module
 */

import { type Callback, EVENT } from "./client.ts";
import { guarded } from "./guarded.ts";
import { partitionOf, partitionsOf } from "./partition_arguments.ts";
import { GroupConsumer, same } from "./group_consumer.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, OutPointer, type Pointer, readCString } from "../ffi/memory.ts";
import {
  type ConsumeError,
  type HeldBack,
  MessageReader,
  type NativeMessage,
  type PartitionEof,
} from "../ffi/message_reader.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { nativeError } from "../ffi/native_error.ts";
import { int64Of, intOf } from "./arguments.ts";
import { OffsetStore } from "./offset_store.ts";
import {
  callbackPartitions,
  type PartitionInput,
  type PartitionResult,
  partitionsOrErrors,
  readList,
  takeList,
  type TopicPartition,
  withList,
} from "../ffi/topic_partitions.ts";
import { CALLS_AT_ONCE, Turns } from "./callback_queue.ts";

/** Answers of a consume call: messages, and ends of partitions with their place among them. */
export type ConsumeCallback = (error: unknown, messages?: NativeMessage[], ends?: PartitionEof[]) => void;

/** Answers of a consume loop: a message, an end or a warning's code at a time. */
export type LoopCallback = (
  error: unknown,
  message?: NativeMessage | null,
  end?: Omit<PartitionEof, "messageIndex"> | null,
  warning?: number | null,
) => void;

/**
 * What became of a commit: its code, and its partitions with theirs. A commit that is answered as a whole may have been
 * refused for some of them.
 */
export type CommitAnswer = (code: number, partitions: readonly PartitionResult[]) => void;

/** Hears of commits. With `results` that is called instead: the addon leaves the errors of partitions out. */
export interface CommitCallback {
  (code: number | undefined, partitions: TopicPartition[]): void;
  results?: CommitAnswer;
}

interface Request {
  readonly max: number;
  readonly timeoutMs: number;
  readonly onlyFirst: boolean;
  readonly callback: ConsumeCallback;
  readonly messages: NativeMessage[];
  readonly ends: PartitionEof[];
  deadline: number;
}

/** Errors of the client as a whole go to `event_cb`; any other is a consumer's, and `consume` answers with it. */
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
/** What ends no consume loop: the addon hands these on as warnings. */
const WARNINGS: ReadonlySet<number> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PART, ErrorCode.TOPIC_AUTHORIZATION_FAILED]);

/** A consumer of a group, or of partitions assigned by hand. */
export class KafkaConsumer extends GroupConsumer {
  #reader = new MessageReader();
  readonly #offsets = new OffsetStore();
  readonly #requests: Request[] = [];
  /** Errors that are to be told, each as the answer of a call. */
  readonly #errors: ConsumeError[] = [];
  /** What was taken with an error before it: it is told after that. */
  #behind: HeldBack[] = [];
  /** Who waits for the answers of commits, by the number that travels with each. */
  readonly #commits = new Map<number, CommitAnswer>();
  #lastCommit = 0;
  #messages: Pointer = null;
  /**
   * The queues of assigned partitions, by name. Asking librdkafka for the queue of one that is not assigned any more would
   * mark it as wanted for good, and have it complain when the topic is deleted.
   */
  readonly #queues = new Map<string, Pointer>();
  #loop: { readonly callback: LoopCallback; failed: boolean } | undefined;
  readonly #turns = new Turns(() => this.#takeForLoop());
  #timer: ReturnType<typeof setTimeout> | undefined;
  #scheduled = false;

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super(globalConf, topicConf);
  }

  protected override events(): number {
    return EVENT.REBALANCE | EVENT.OFFSET_COMMIT;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    super.open(rk, listen);
    listen(this.#messages = openLibrary().symbols.rd_kafka_queue_new(rk));
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    clearTimeout(this.#timer);
    this.#loop = undefined;
    // Also what a callback that disconnects leaves: librdkafka counts what it has given as consumed, and commits it.
    await this.#turns.drain();
    for (const request of this.#requests.splice(0)) this.#answer(request);
    await super.closeQueues(rk);
    for (const answer of this.#commits.values()) guarded(() => answer(ErrorCode.DESTROY, []));
    this.#commits.clear();
    this.#offsets.free();
    openLibrary().symbols.rd_kafka_queue_destroy(this.#messages);
    this.#messages = null;
    this.#errors.length = this.#behind.length = 0;
  }

  protected override serve(): void {
    guarded(() => this.callbacks.queue_non_empty_cb?.());
    if (this.connecting) this.serveErrors();
    if (this.#requests.length > 0) this.#serveRequests();
    if (this.#loop !== undefined) this.#turns.now();
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
    if (arguments.length < 2) throw new Error("Invalid number of parameters");
    if (typeof max !== "number") {
      if (typeof max !== "function") throw new Error("Need to specify a callback");
      return this.#request(timeoutMs, 1, true, (error, messages) => {
        if (error) max(error as Error);
        else max(null, messages?.[0]);
      });
    }
    if (typeof onlyFirst !== "boolean") throw new Error("Need to specify a boolean");
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    return this.#request(timeoutMs, max >>> 0, onlyFirst, callback);
  }

  #request(timeout: number, max: number, onlyFirst: boolean, callback: ConsumeCallback): null {
    // Who asks for no message needs no connection, and hears of nothing.
    if (max === 0 || !this.connected) {
      setImmediate(() => max === 0 ? callback(null, [], []) : callback(nativeError(ErrorCode.STATE, NOT_CONNECTED)));
      return null;
    }
    const timeoutMs = (timeout | 0) < 0 ? Infinity : timeout | 0;
    const deadline = performance.now() + timeoutMs;
    this.#requests.push({ max, timeoutMs, onlyFirst, callback, messages: [], ends: [], deadline });
    this.#schedule();
    return null;
  }

  /** Callbacks never run inside the call that asks for them. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.connected) this.#serveRequests();
    });
  }

  /**
   * Calls back for each message from now on, until the client disconnects. The addon sleeps for the delay when it
   * found nothing; the queues wake this client, so that it needs no delay.
   */
  consumeLoop(timeoutMs: number, delayMs: number, callback: LoopCallback): null {
    if (arguments.length < 3) throw new Error("Invalid number of parameters");
    if (typeof timeoutMs !== "number") throw new Error("Need to specify a timeout");
    if (typeof delayMs !== "number") throw new Error("Need to specify a sleep delay");
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    if (this.#loop !== undefined) throw new Error("Consume was already called");
    if (!this.connected) throw new Error("Connect must be called before consume");
    this.#loop = { callback, failed: false };
    this.#turns.later();
    return null;
  }

  /** Takes messages for the loop; says whether there was anything. */
  #takeForLoop(): boolean {
    const loop = this.#loop;
    if (loop === undefined || loop.failed || !this.connected) return false;
    this.serveEvents(this.#hasFailed);
    if (this.#loop !== loop || !this.connected) return false;
    const messages: NativeMessage[] = [], ends: PartitionEof[] = [];
    this.#fill({ max: CALLS_AT_ONCE, messages, ends });
    const error = this.#errors.shift();
    const tell = (...answer: Parameters<LoopCallback>) => this.#turns.push(() => loop.callback(...answer));
    let end = 0;
    for (let index = -1; index < messages.length; index++) {
      if (index >= 0) tell(null, messages[index]!, null, null);
      for (; end < ends.length && ends[end]!.messageIndex <= index; end++) {
        const { topic, partition, offset } = ends[end]!;
        tell(null, null, { topic, offset, partition }, null);
      }
    }
    if (error !== undefined && WARNINGS.has(error.code)) tell(null, null, null, error.code);
    else if (error !== undefined) {
      loop.failed = true;
      tell(error);
    }
    return messages.length > 0 || error !== undefined;
  }

  #answer({ callback, messages, ends }: Request, error?: ConsumeError): void {
    guarded(() => error === undefined ? callback(null, messages, ends) : callback(error));
  }

  #serveRequests(): void {
    clearTimeout(this.#timer);
    for (let request; (request = this.#requests[0]) !== undefined && this.connected;) {
      this.serveEvents(this.#hasFailed);
      // A rebalance callback may have disconnected the client or asked for more.
      if (this.#requests[0] !== request || !this.connected) return;
      this.#fill(request);
      const { messages, ends } = request;
      if (this.#errors.length > 0 && messages.length + ends.length === 0) {
        this.#requests.shift();
        this.#answer(request, this.#errors.shift());
        continue;
      }
      // An error is the next call's answer, when there are messages for this one.
      const enough = messages.length >= request.max || this.#errors.length > 0 ||
        (messages.length > 0 && (request.onlyFirst || ends.some((end) => end.messageIndex >= 0)));
      const left = request.deadline - performance.now();
      if (!enough && left > 0) {
        this.#timer = setTimeout(() => this.#serveRequests(), Math.min(left, 0x7fffffff));
        return;
      }
      this.#requests.shift();
      this.#answer(request);
    }
  }

  /** An error is answered with before what came after it is told: the rebalance of a member that polled too late. */
  readonly #hasFailed = (): boolean => this.#errors.length > 0;

  /** Takes what is there, up to an error. */
  #fill(request: Pick<Request, "max" | "messages" | "ends"> & Partial<Request>): void {
    const { messages, ends, max } = request;
    const had = messages.length + ends.length;
    while (this.#errors.length === 0 && messages.length < max) {
      if (this.#behind.length > 0) this.#takeBehind(messages, ends);
      else if (this.#reader.take(this.#messages, max - messages.length, messages, ends, this.#behind) === 0) break;
    }
    if (request.timeoutMs !== undefined && messages.length + ends.length > had) {
      request.deadline = performance.now() + request.timeoutMs;
    }
  }

  #takeBehind(messages: NativeMessage[], ends: PartitionEof[]): void {
    const next = this.#behind.shift()!;
    if ("error" in next) this.#errors.push(next.error);
    else if ("message" in next) messages.push(next.message);
    else ends.push({ ...next.end, messageIndex: messages.length - 1 });
  }

  /** Forgets what was taken of partitions and is from an old place. */
  #dropBehind(partitions: readonly PartitionInput[]): void {
    if (this.#behind.length === 0) return;
    this.#behind = this.#behind.filter((one) =>
      "error" in one || !partitions.some((gone) => same(gone, "message" in one ? one.message : one.end))
    );
  }

  protected override serveEvent(type: number, code: number, event: Pointer): void {
    if (type === EVENT.OFFSET_COMMIT) {
      this.#onCommit(code, event);
    } else if (type === EVENT.ERROR && !CLIENT_ERRORS.has(code)) {
      const { symbols } = openLibrary(), isFatal = symbols.rd_kafka_event_error_is_fatal(event) !== 0;
      const error = { code, message: readCString(symbols.rd_kafka_event_error_string(event)) };
      this.#errors.push(isFatal ? { ...error, isFatal } : error);
    } else this.emitEvent(type, event);
  }

  /** What librdkafka fetches before it has answered goes to our queue, too. */
  protected override beforeAssignment(partitions: readonly PartitionInput[]): void {
    this.#dropBehind(partitions);
    for (const partition of partitions) this.#forward(partition);
  }

  /** Lets the queues of assigned partitions flow into ours, and those of lost ones no more. */
  protected override onAssignment(partitions: readonly PartitionInput[], before: readonly PartitionInput[]): void {
    const lost = before.filter((one) => !partitions.some((kept) => same(kept, one)));
    this.#dropBehind(lost);
    for (const partition of lost) this.#release(partition);
    if (partitions.length > 0 && !this.closing) this.#awaitStops();
    for (const partition of partitions) this.#forward(partition);
    // The topics of lost partitions may be freed, and their addresses be those of others then.
    this.#reader = new MessageReader();
    this.#offsets.forget();
  }

  /**
   * Waits until librdkafka's thread has done what was asked of it before. Stopping a partition takes its forward away
   * there, a moment after the call, and starting it again gives none to a queue that a program has ever forwarded:
   * a forward that came in between would be gone, and the partition's messages would never arrive.
   */
  #awaitStops(): void {
    const out = new OutPointer();
    // Any question to that thread: it answers in the order of asking.
    if (openLibrary().symbols.rd_kafka_assignment(this.rk, out.buffer) === ErrorCode.NO_ERROR) takeList(out);
  }

  #forward(place: PartitionInput): void {
    this.#release(place);
    const { symbols } = openLibrary(), { topic, partition = -1 } = place;
    const queue = symbols.rd_kafka_queue_get_partition(this.rk, cString(topic), partition);
    if (queue === null) return;
    symbols.rd_kafka_queue_forward(queue, this.#messages);
    this.#queues.set(nameOf(place), queue);
  }

  /** Lets go of a partition's queue. */
  #release(place: PartitionInput): void {
    const { symbols } = openLibrary(), queue = this.#queues.get(nameOf(place));
    if (queue === undefined) return;
    symbols.rd_kafka_queue_forward(queue, null);
    symbols.rd_kafka_queue_destroy(queue);
    this.#queues.delete(nameOf(place));
  }

  // Offsets

  offsetsStore(partitions: TopicPartition[]): number {
    if (arguments.length < 1) throw new Error("Must provide a list of topic partitions");
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected || !this.subscribed) return ErrorCode.STATE;
    return withList(
      partitionsOf(partitions),
      (list) => openLibrary().symbols.rd_kafka_offsets_store(this.rk, list),
    );
  }

  offsetsStoreSingle(topic: string, partition: number, offset: number, leaderEpoch: number): number {
    if (arguments.length < 4) throw new Error("Must provide topic, partition, offset and leaderEpoch");
    if (!this.connected || !this.subscribed) return ErrorCode.STATE;
    // Here what is no number becomes one.
    const [to, next] = [intOf(Number(partition)), int64Of(Number(offset))];
    return this.#offsets.store(this.rk, `${topic}`, to, next, Number(leaderEpoch) | 0);
  }

  commit(partitions?: TopicPartition | TopicPartition[] | null): number {
    return this.#commit(partitions, 1);
  }

  commitSync(partitions?: TopicPartition | TopicPartition[] | null): number {
    return this.#commit(partitions, 0);
  }

  #commit(partitions: TopicPartition | TopicPartition[] | null | undefined, async: 0 | 1): number {
    if (!this.connected) throw new Error("KafkaConsumer is disconnected");
    const { symbols } = openLibrary();
    // The plain calls tell their result to a C callback only; this one makes an event of it.
    const commit = (list: Pointer) => {
      if (async === 1) return symbols.rd_kafka_commit_queue(this.rk, list, this.eventQueue, null, null);
      if (this.callbacks.offset_commit_cb === undefined) return symbols.rd_kafka_commit(this.rk, list, 0);
      return this.#commitAndTell(list);
    };
    if (partitions === null || partitions === undefined) return commit(null);
    if (typeof partitions !== "object") throw new Error("First parameter must be an object or an array");
    return withList(Array.isArray(partitions) ? partitionsOf(partitions) : [partitionOf(partitions)], commit);
  }

  /** A synchronous commit whose result `offset_commit_cb` hears of, too, when something consumes. */
  #commitAndTell(list: Pointer): number {
    const { symbols } = openLibrary();
    const queue = symbols.rd_kafka_queue_new(this.rk);
    try {
      const refused = symbols.rd_kafka_commit_queue(this.rk, list, queue, null, null);
      if (refused !== ErrorCode.NO_ERROR) return refused;
      const event = symbols.rd_kafka_queue_poll(queue, -1);
      const code = symbols.rd_kafka_event_error(event);
      this.serveLater(event);
      return code;
    } finally {
      symbols.rd_kafka_queue_destroy(queue);
    }
  }

  /**
   * Commits, and answers this commit's own answer, also with the errors of single partitions: `offset_commit_cb` hears
   * of no partition's error, and not of these commits. The answer comes when something consumes. The addon has no such
   * method.
   *
   * @internal
   */
  commitFor(partitions: readonly TopicPartition[], answer: CommitAnswer): void {
    const id = ++this.#lastCommit;
    const code = !this.connected ? ErrorCode.STATE : withList(partitionsOf(partitions), (list) => {
      const opaque = Deno.UnsafePointer.create(BigInt(id));
      return openLibrary().symbols.rd_kafka_commit_queue(this.rk, list, this.eventQueue, null, opaque);
    });
    if (code === ErrorCode.NO_ERROR) this.#commits.set(id, answer);
    else answer(code, []);
  }

  #onCommit(code: number, event: Pointer): void {
    const { symbols } = openLibrary();
    const partitions = readList(symbols.rd_kafka_event_topic_partition_list(event));
    const opaque = symbols.rd_kafka_event_opaque(event);
    if (opaque === null) return this.#tellCommit(code, partitions);
    const id = Number(Deno.UnsafePointer.value(opaque)), answer = this.#commits.get(id);
    this.#commits.delete(id);
    if (answer !== undefined) guarded(() => answer(code, partitions));
  }

  #tellCommit(code: number, partitions: PartitionResult[]): void {
    const callback = this.callbacks.offset_commit_cb as CommitCallback | undefined;
    if (callback?.results !== undefined) return guarded(() => callback.results!(code, partitions));
    const error = code === ErrorCode.NO_ERROR ? undefined : code;
    guarded(() => callback?.(error, callbackPartitions(partitions)));
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

  committed(partitions: TopicPartition[], timeoutMs: number, callback: Callback<unknown[]>): null {
    if (arguments.length < 3 || !Array.isArray(partitions)) {
      throw new Error("Need to specify an array of topic partitions");
    }
    return this.askOffsets("rd_kafka_committed_async", partitions, timeoutMs, callback, NOT_CONNECTED);
  }

  position(partitions: TopicPartition[]): number | (TopicPartition | Error)[] {
    if (!Array.isArray(partitions)) throw new Error("Need to specify an array of topic partitions");
    if (!this.connected) return ErrorCode.STATE;
    return withList(partitionsOf(partitions), (list) => {
      const code = openLibrary().symbols.rd_kafka_position(this.rk, list);
      return code === ErrorCode.NO_ERROR ? partitionsOrErrors(readList(list)) : code;
    });
  }

  getWatermarkOffsets(topic: string, partition: number): number | { lowOffset: number; highOffset: number } {
    if (typeof topic !== "string") throw new Error("1st parameter must be a topic string");
    if (typeof partition !== "number") throw new Error("2nd parameter must be a partition number");
    if (!this.connected) return ErrorCode.STATE;
    const low = new BigInt64Array(1), high = new BigInt64Array(1);
    const { symbols } = openLibrary();
    const code = symbols.rd_kafka_get_watermark_offsets(this.rk, cString(topic), partition | 0, low, high);
    return code === ErrorCode.NO_ERROR ? { lowOffset: Number(low[0]), highOffset: Number(high[0]) } : code;
  }

  seek(partition: TopicPartition, timeoutMs: number | null, callback: Callback): null {
    if (arguments.length < 3) throw new Error("Must provide a topic partition, timeout, and callback");
    if (typeof partition !== "object" || partition === null) throw new Error("Topic partition must be an object");
    if (timeoutMs !== null && typeof timeoutMs !== "number") throw new Error("Timeout must be a number.");
    if (typeof callback !== "function") throw new Error("Callback must be a function");
    const target = partitionOf(partition);
    // A time-out of 0 would make it asynchronous.
    const waitMs = Math.max(10, timeoutMs! | 0);
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      const rkt = symbols.rd_kafka_topic_new(rk, cString(target.topic), null);
      if (rkt === null) return nativeError(symbols.rd_kafka_last_error());
      const code = await this.blocking.run(() =>
        symbols.rd_kafka_seek_async(rkt, target.partition, target.offset, waitMs)
      );
      symbols.rd_kafka_topic_destroy(rkt);
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      this.#dropBehind([target]);
      return { result: undefined };
    }, NOT_CONNECTED);
  }

  pause(partitions: TopicPartition[]): number {
    return this.#toggle(arguments.length, partitions, "rd_kafka_pause_partitions");
  }

  resume(partitions: TopicPartition[]): number {
    return this.#toggle(arguments.length, partitions, "rd_kafka_resume_partitions");
  }

  #toggle(
    given: number,
    partitions: TopicPartition[],
    name: "rd_kafka_pause_partitions" | "rd_kafka_resume_partitions",
  ): number {
    if (given < 1) throw new Error("Must provide a list of topic partitions");
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected) return ErrorCode.STATE;
    return withList(partitionsOf(partitions), (list) => openLibrary().symbols[name](this.rk, list));
  }
}

function nameOf({ topic, partition = -1 }: PartitionInput): string {
  return `${topic}[${partition}]`;
}
