/**
 * The consumer under the npm client: the addon's `KafkaConsumer`.
 *
 * Rebalances, commit results, errors and statistics are events on the consumer queue. Messages don't pass there:
 * after an assign each partition's queue is forwarded to a queue of our own, which is drained in batches. (Draining
 * the consumer queue in batches would throw rebalance events away.) A message that gets there before the forward
 * is an event and comes first.
 *
 * @module
 */

import { type Callback, EVENT } from "./client.ts";
import { GroupConsumer, guarded, same } from "./group_consumer.ts";
import { openLibrary } from "./library.ts";
import { cString, OutPointer, type Pointer } from "./memory.ts";
import { type EofEvent, MessageReader, type NativeMessage } from "./message_reader.ts";
import { CODES, nativeError, takeError } from "./native_error.ts";
import {
  forCallback,
  orErrors,
  type PartitionResult,
  readElement,
  readList,
  takeList,
  type TopicPartition,
  withList,
} from "./topic_partitions.ts";

/** Answers of a consume call: messages, and ends of partitions with their place among them. */
export type ConsumeCallback = (error: unknown, messages?: NativeMessage[], ends?: EofEvent[]) => void;

/** Answers of a consume loop: a message, an end or a warning's code at a time. */
export type LoopCallback = (
  error: unknown,
  message?: NativeMessage | null,
  end?: Omit<EofEvent, "messageIndex"> | null,
  warning?: number | null,
) => void;

interface Request {
  readonly max: number;
  readonly timeoutMs: number;
  readonly onlyFirst: boolean;
  readonly callback: ConsumeCallback;
  readonly messages: NativeMessage[];
  readonly ends: EofEvent[];
  deadline: number;
}

/** Errors of the client as a whole go to `event_cb`; any other is a consumer's, and `consume` answers with it. */
const CLIENT_ERRORS: ReadonlySet<number> = new Set([
  CODES.ALL_BROKERS_DOWN,
  CODES.TRANSPORT,
  CODES.RESOLVE,
  CODES.SSL,
  CODES.AUTHENTICATION,
  CODES.CRIT_SYS_RESOURCE,
  CODES.FATAL,
]);
const NOT_CONNECTED = "KafkaConsumer is not connected";
/** How many messages a consume loop hands out before others get their turn. */
const LOOP_MESSAGES = 1000;
/** What ends no consume loop: the addon hands these on as warnings. */
const WARNINGS: ReadonlySet<number> = new Set([CODES.UNKNOWN_TOPIC_OR_PART, CODES.TOPIC_AUTHORIZATION_FAILED]);

/** A consumer of a group, or of partitions assigned by hand. */
export class KafkaConsumer extends GroupConsumer {
  #reader = new MessageReader();
  readonly #requests: Request[] = [];
  /** Messages that came as events. */
  #early: NativeMessage[] = [];
  #earlyEnds: EofEvent[] = [];
  #errors: number[] = [];
  #messages: Pointer = null;
  /** Partitions that are paused: what came early from them waits. */
  readonly #paused = new Set<string>();
  #loop: { readonly callback: LoopCallback; failed: boolean } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #scheduled = false;

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super(globalConf, topicConf);
  }

  protected override events(): number {
    return EVENT.REBALANCE | EVENT.OFFSET_COMMIT | EVENT.FETCH;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    super.open(rk, listen);
    listen(this.#messages = openLibrary().symbols.rd_kafka_queue_new(rk));
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    clearTimeout(this.#timer);
    this.#loop = undefined;
    for (const request of this.#requests.splice(0)) this.#answer(request);
    await super.closeQueues(rk);
    openLibrary().symbols.rd_kafka_queue_destroy(this.#messages);
    this.#messages = null;
    this.#early = [];
    this.#earlyEnds = [];
    this.#errors = [];
    this.#paused.clear();
  }

  protected override serve(): void {
    guarded(() => this.callbacks.queue_non_empty_cb?.());
    if (this.connecting) this.serveEvents();
    if (this.#requests.length > 0) this.#serveRequests();
    this.#serveLoop();
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
    if (!this.connected) {
      // Who asks for no message needs no connection.
      setImmediate(() => max === 0 ? callback(null, [], []) : callback(nativeError(CODES.STATE, NOT_CONNECTED)));
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
      if (!this.connected) return;
      this.#serveRequests();
      this.#serveLoop();
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
    this.#schedule();
    return null;
  }

  #serveLoop(): void {
    const loop = this.#loop;
    if (loop === undefined || loop.failed || !this.connected) return;
    this.serveEvents();
    if (this.#loop !== loop || !this.connected) return;
    const batch = { max: LOOP_MESSAGES, messages: [] as NativeMessage[], ends: [] as EofEvent[] };
    const error = this.#fill(batch);
    let end = 0;
    const endsAt = (index: number) => {
      for (; end < batch.ends.length && batch.ends[end]!.messageIndex <= index; end++) {
        const { topic, partition, offset } = batch.ends[end]!;
        guarded(() => loop.callback(null, null, { topic, offset, partition }, null));
      }
    };
    endsAt(-1);
    for (const [index, message] of batch.messages.entries()) {
      // Also after a callback that disconnects: librdkafka counts what it has given as consumed, and commits it.
      guarded(() => loop.callback(null, message, null, null));
      endsAt(index);
    }
    if (error !== undefined && WARNINGS.has(error)) guarded(() => loop.callback(null, null, null, error));
    else if (error !== undefined) {
      loop.failed = true;
      guarded(() => loop.callback(nativeError(error)));
      return;
    }
    // More may be there; others get their turn between.
    if (batch.messages.length > 0 || error !== undefined) this.#schedule();
  }

  #answer({ callback, messages, ends }: Request, error?: number): void {
    guarded(() => error === undefined ? callback(null, messages, ends) : callback(nativeError(error)));
  }

  #serveRequests(): void {
    clearTimeout(this.#timer);
    for (let request; (request = this.#requests[0]) !== undefined && this.connected;) {
      this.serveEvents();
      // A rebalance callback may have disconnected the client or asked for more.
      if (this.#requests[0] !== request || !this.connected) return;
      const error = this.#fill(request);
      const { messages, ends } = request;
      if (error !== undefined && messages.length === 0) {
        this.#requests.shift();
        this.#answer(request, error);
        continue;
      }
      const enough = messages.length >= request.max || error !== undefined ||
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

  /** Takes what is there; an error ends the call, and is its answer when no message came before it. */
  #fill(request: Pick<Request, "max" | "messages" | "ends"> & Partial<Request>): number | undefined {
    const { messages, ends, max } = request;
    const had = messages.length + ends.length;
    if (this.#early.length > 0 || this.#earlyEnds.length > 0) {
      const later: NativeMessage[] = [];
      for (const message of this.#early) {
        (messages.length < max && !this.#paused.has(keyOf(message)) ? messages : later).push(message);
      }
      this.#early = later;
      for (const end of this.#earlyEnds.splice(0)) ends.push({ ...end, messageIndex: messages.length - 1 });
    }
    while (this.#errors.length === 0 && messages.length < max) {
      if (this.#reader.take(this.#messages, max - messages.length, messages, ends, this.#errors) === 0) break;
    }
    if (request.timeoutMs !== undefined && messages.length + ends.length > had) {
      request.deadline = performance.now() + request.timeoutMs;
    }
    return this.#errors.shift();
  }

  protected override serveEvent(type: number, code: number, event: Pointer): void {
    const { symbols } = openLibrary();
    switch (type) {
      case EVENT.FETCH:
        this.#reader.takeEvent(event, this.#early, this.#earlyEnds, this.#errors);
        break;
      case EVENT.OFFSET_COMMIT:
        this.#tellCommit(code, readList(symbols.rd_kafka_event_topic_partition_list(event)));
        break;
      case EVENT.ERROR:
        if (code === CODES.PARTITION_EOF) this.#takeEarlyEnd(event);
        else if (!CLIENT_ERRORS.has(code)) this.#errors.push(code);
        else guarded(() => this.emitEvent(type, event));
        break;
      default:
        guarded(() => this.emitEvent(type, event));
    }
  }

  /** A partition's end that came before its queue was forwarded, as early messages do. */
  #takeEarlyEnd(event: Pointer): void {
    const { symbols } = openLibrary();
    const place = symbols.rd_kafka_event_topic_partition(event);
    if (place === null) return;
    const { topic, partition, offset = 0 } = readElement(place);
    symbols.rd_kafka_topic_partition_destroy(place);
    this.#earlyEnds.push({ topic, partition, offset, messageIndex: -1 });
  }

  /** Lets the queues of newly assigned partitions flow into ours, and those of lost ones no more. */
  protected override onAssignment(partitions: readonly TopicPartition[], before: readonly TopicPartition[]): void {
    for (const lost of before) {
      if (!partitions.some((kept) => same(kept, lost))) this.#forward(lost, null);
    }
    if (partitions.length > 0 && !this.closing) this.#awaitStops();
    for (const partition of partitions) this.#forward(partition, this.#messages);
    // The topics of lost partitions may be freed, and their addresses be those of others then.
    this.#reader = new MessageReader();
    for (const key of this.#paused) if (!partitions.some((kept) => keyOf(kept) === key)) this.#paused.delete(key);
    // What came early from a partition that is gone is not ours to hand out any more.
    this.#early = this.#early.filter((message) => partitions.some((kept) => same(kept, message)));
  }

  /**
   * Waits until librdkafka's thread has done what was asked of it before. Stopping a partition takes its forward away
   * there, a moment after the call, and starting it again gives none to a queue that a program has ever forwarded:
   * a forward that came in between would be gone, and the partition's messages would never arrive.
   */
  #awaitStops(): void {
    const out = new OutPointer();
    // Any question to that thread: it answers in the order of asking.
    if (openLibrary().symbols.rd_kafka_assignment(this.rk, out.buffer) === CODES.NO_ERROR) takeList(out);
  }

  #forward({ topic, partition }: TopicPartition, target: Pointer): void {
    const { symbols } = openLibrary();
    const queue = symbols.rd_kafka_queue_get_partition(this.rk, cString(topic), partition);
    if (queue === null) return;
    symbols.rd_kafka_queue_forward(queue, target);
    symbols.rd_kafka_queue_destroy(queue);
  }

  // Offsets

  offsetsStore(partitions: TopicPartition[]): number {
    if (arguments.length < 1) throw new Error("Must provide a list of topic partitions");
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected || !this.subscribed) return CODES.STATE;
    return withList(partitions.map(withOffset), (list) => openLibrary().symbols.rd_kafka_offsets_store(this.rk, list));
  }

  offsetsStoreSingle(topic: string, partition: number, offset: number, leaderEpoch: number): number {
    if (arguments.length < 4) throw new Error("Must provide topic, partition, offset and leaderEpoch");
    return this.offsetsStore([{ topic, partition, offset, leaderEpoch }]);
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
    return withList((Array.isArray(partitions) ? partitions : [partitions]).map(withOffset), commit);
  }

  /** A synchronous commit whose result `offset_commit_cb` hears of, too. */
  #commitAndTell(list: Pointer): number {
    const { symbols } = openLibrary();
    const queue = symbols.rd_kafka_queue_new(this.rk);
    try {
      const refused = symbols.rd_kafka_commit_queue(this.rk, list, queue, null, null);
      if (refused !== CODES.NO_ERROR) return refused;
      const event = symbols.rd_kafka_queue_poll(queue, -1);
      const code = symbols.rd_kafka_event_error(event);
      const partitions = readList(symbols.rd_kafka_event_topic_partition_list(event));
      symbols.rd_kafka_event_destroy(event);
      setImmediate(() => this.#tellCommit(code, partitions));
      return code;
    } finally {
      symbols.rd_kafka_queue_destroy(queue);
    }
  }

  #tellCommit(code: number, partitions: PartitionResult[]): void {
    const error = code === CODES.NO_ERROR ? undefined : code;
    guarded(() => this.callbacks.offset_commit_cb?.(error, forCallback(partitions)));
  }

  commitCb(partitions: TopicPartition[] | null, callback: Callback): null {
    if (!this.connected) throw new Error("KafkaConsumer is disconnected");
    if (arguments.length !== 2) throw new Error("Two arguments are required");
    if ((partitions !== null && !Array.isArray(partitions)) || typeof callback !== "function") {
      throw new Error("First argument should be an array or null and second one a callback");
    }
    const code = this.commit(partitions);
    setImmediate(() => callback(code === CODES.NO_ERROR ? null : nativeError(code)));
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
    if (!this.connected) return CODES.STATE;
    return withList(partitions, (list) => {
      const code = openLibrary().symbols.rd_kafka_position(this.rk, list);
      return code === CODES.NO_ERROR ? orErrors(readList(list)) : code;
    });
  }

  getWatermarkOffsets(topic: string, partition: number): number | { lowOffset: number; highOffset: number } {
    if (typeof topic !== "string") throw new Error("1st parameter must be a topic string");
    if (typeof partition !== "number") throw new Error("2nd parameter must be a partition number");
    if (!this.connected) return CODES.STATE;
    const low = new BigInt64Array(1), high = new BigInt64Array(1);
    const code = openLibrary().symbols.rd_kafka_get_watermark_offsets(this.rk, cString(topic), partition, low, high);
    return code === CODES.NO_ERROR ? { lowOffset: Number(low[0]), highOffset: Number(high[0]) } : code;
  }

  seek(partition: TopicPartition, timeoutMs: number | null, callback: Callback): null {
    if (arguments.length < 3) throw new Error("Must provide a topic partition, timeout, and callback");
    if (typeof partition !== "object" || partition === null) throw new Error("Topic partition must be an object");
    if (timeoutMs !== null && typeof timeoutMs !== "number") throw new Error("Timeout must be a number.");
    if (typeof callback !== "function") throw new Error("Callback must be a function");
    const target = withOffset(partition);
    // A time-out of 0 would make it asynchronous.
    const waitMs = Math.max(10, timeoutMs ?? 1000);
    this.#early = this.#early.filter((message) => !same(message, partition));
    return this.call(callback, (rk) =>
      withList([target], async (list) => {
        const error = takeError(await openLibrary().symbols.rd_kafka_seek_partitions_async(rk, list, waitMs));
        const code = error?.code ?? readList(list)[0]?.code ?? CODES.NO_ERROR;
        return code === CODES.NO_ERROR ? { result: undefined } : error ?? nativeError(code);
      }), NOT_CONNECTED);
  }

  pause(partitions: TopicPartition[]): number {
    const code = this.#toggle(arguments.length, partitions, "rd_kafka_pause_partitions");
    if (code === CODES.NO_ERROR) { for (const partition of partitions) this.#paused.add(keyOf(partition)); }
    return code;
  }

  resume(partitions: TopicPartition[]): number {
    const code = this.#toggle(arguments.length, partitions, "rd_kafka_resume_partitions");
    for (const partition of partitions) this.#paused.delete(keyOf(partition));
    // What waited here wakes nobody by itself.
    if (this.#early.length > 0) this.serve();
    return code;
  }

  #toggle(
    given: number,
    partitions: TopicPartition[],
    name: "rd_kafka_pause_partitions" | "rd_kafka_resume_partitions",
  ): number {
    if (given < 1) throw new Error("Must provide a list of topic partitions");
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected) return CODES.STATE;
    return withList(partitions, (list) => openLibrary().symbols[name](this.rk, list));
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition} ${topic}`;
}

/** As the addon reads a partition where an offset matters: 0 when there is none. */
function withOffset(partition: TopicPartition): TopicPartition {
  const { topic, partition: number, offset } = partition;
  if (typeof topic !== "string" || topic === "" || typeof number !== "number" || number === -1) {
    throw new Error("Invalid topic partition provided");
  }
  return { ...partition, offset: typeof offset === "number" ? offset : 0 };
}
