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

import { type Callback, Client, EVENT } from "./client.ts";
import { openLibrary } from "./library.ts";
import { cString, OutPointer, type Pointer, readCString } from "./memory.ts";
import { type EofEvent, MessageReader, type NativeMessage } from "./message_reader.ts";
import { CODES, err2str, nativeError, takeError } from "./native_error.ts";
import { forCallback, orErrors, readList, takeList, type TopicPartition, withList } from "./topic_partitions.ts";

/** Answers of a consume call: messages, and ends of partitions with their place among them. */
export type ConsumeCallback = (error: unknown, messages?: NativeMessage[], ends?: EofEvent[]) => void;

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
/** How long a close waits for the program to give its partitions back. */
const CLOSE_DEADLINE_MS = 10_000;
const CLOSE_POLL_MS = 20;

/** A consumer of a group, or of partitions assigned by hand. */
export class KafkaConsumer extends Client {
  readonly #reader = new MessageReader();
  readonly #requests: Request[] = [];
  /** Messages that came as events. */
  #early: NativeMessage[] = [];
  #earlyEnds: EofEvent[] = [];
  #errors: number[] = [];
  #events: Pointer = null;
  #messages: Pointer = null;
  #assigned: TopicPartition[] = [];
  #subscribed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #scheduled = false;

  constructor(globalConf: unknown, topicConf?: unknown) {
    if (arguments.length < 2) throw new Error("You must supply global and topic configuration");
    super("consumer", globalConf, topicConf);
  }

  protected override events(): number {
    return EVENT.REBALANCE | EVENT.OFFSET_COMMIT | EVENT.FETCH;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    const { symbols } = openLibrary();
    symbols.rd_kafka_poll_set_consumer(rk);
    this.#events = symbols.rd_kafka_queue_get_consumer(rk);
    this.#messages = symbols.rd_kafka_queue_new(rk);
    listen(this.#events);
    listen(this.#messages);
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary();
    clearTimeout(this.#timer);
    for (const request of this.#requests.splice(0)) request.callback(null, request.messages, request.ends);
    const error = takeError(symbols.rd_kafka_consumer_close_queue(rk, this.#events));
    const deadline = performance.now() + CLOSE_DEADLINE_MS;
    while (error === undefined && symbols.rd_kafka_consumer_closed(rk) === 0) {
      this.#serveEvents();
      if (symbols.rd_kafka_consumer_closed(rk) !== 0) break;
      if (performance.now() > deadline) {
        this.#setAssignment([]);
        symbols.rd_kafka_assign(rk, null);
      }
      await new Promise((resolve) => setTimeout(resolve, performance.now() > deadline - 9_900 ? CLOSE_POLL_MS : 2));
    }
    this.#serveEvents();
    this.#setAssignment([]);
    symbols.rd_kafka_queue_destroy(this.#messages);
    symbols.rd_kafka_queue_destroy(this.#events);
    this.#events = this.#messages = null;
    this.#early = [];
    this.#earlyEnds = [];
    this.#errors = [];
    this.#subscribed = false;
  }

  protected override serve(): void {
    this.callbacks.queue_non_empty_cb?.();
    if (this.#requests.length > 0) this.#serveRequests();
  }

  // Consuming

  consume(timeoutMs: number, max: number, onlyFirst: boolean, callback: ConsumeCallback): null {
    if (typeof max !== "number") throw new Error("Parameter must be a number over 0");
    if (typeof onlyFirst !== "boolean") throw new Error("Need to specify a boolean");
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    if (!this.connected) {
      setImmediate(() => callback(nativeError(CODES.STATE, "KafkaConsumer is not connected")));
      return null;
    }
    const deadline = performance.now() + timeoutMs;
    this.#requests.push({ max, timeoutMs, onlyFirst, callback, messages: [], ends: [], deadline });
    if (!this.#scheduled) {
      this.#scheduled = true;
      // Callbacks never run inside the call that asks for them.
      setImmediate(() => {
        this.#scheduled = false;
        if (this.connected) this.#serveRequests();
      });
    }
    return null;
  }

  #serveRequests(): void {
    clearTimeout(this.#timer);
    for (let request; (request = this.#requests[0]) !== undefined && this.connected;) {
      this.#serveEvents();
      // A rebalance callback may have disconnected the client or asked for more.
      if (this.#requests[0] !== request || !this.connected) return;
      const error = this.#fill(request);
      const { messages, ends } = request;
      if (error !== undefined && messages.length === 0) {
        this.#requests.shift();
        request.callback(nativeError(error));
        continue;
      }
      const enough = messages.length >= request.max || error !== undefined ||
        (messages.length > 0 && (request.onlyFirst || ends.length > 0));
      const left = request.deadline - performance.now();
      if (!enough && left > 0) {
        this.#timer = setTimeout(() => this.#serveRequests(), Math.min(left, 0x7fffffff));
        return;
      }
      this.#requests.shift();
      request.callback(null, messages, ends);
    }
  }

  /** Takes what is there; an error ends the call, and is its answer when no message came before it. */
  #fill(request: Request): number | undefined {
    const { messages, ends, max } = request;
    const had = messages.length;
    if (this.#early.length > 0 || this.#earlyEnds.length > 0) {
      messages.push(...this.#early.splice(0, max - messages.length));
      for (const end of this.#earlyEnds.splice(0)) ends.push({ ...end, messageIndex: messages.length - 1 });
    }
    while (this.#errors.length === 0 && messages.length < max && this.#early.length === 0) {
      if (this.#reader.take(this.#messages, max - messages.length, messages, ends, this.#errors) === 0) break;
    }
    if (messages.length > had) request.deadline = performance.now() + request.timeoutMs;
    return this.#errors.shift();
  }

  /** Runs on the consumer queue's events, in order: rebalances reach the program before the messages after them. */
  #serveEvents(): void {
    const { symbols } = openLibrary();
    for (let event; this.#events !== null && (event = symbols.rd_kafka_queue_poll(this.#events, 0)) !== null;) {
      try {
        this.#serveEvent(symbols.rd_kafka_event_type(event), event);
      } finally {
        symbols.rd_kafka_event_destroy(event);
      }
    }
  }

  #serveEvent(type: number, event: Pointer): void {
    const { symbols } = openLibrary();
    const code = symbols.rd_kafka_event_error(event);
    switch (type) {
      case EVENT.FETCH:
        this.#reader.takeEvent(event, this.#early, this.#earlyEnds, this.#errors);
        break;
      case EVENT.REBALANCE: {
        const partitions = readList(symbols.rd_kafka_event_topic_partition_list(event));
        const { rebalance_cb } = this.callbacks;
        if (rebalance_cb === undefined) this.#rebalance(code, partitions);
        else rebalance_cb(code === CODES.NO_ERROR ? undefined : code, forCallback(partitions));
        break;
      }
      case EVENT.OFFSET_COMMIT:
        this.callbacks.offset_commit_cb?.(
          code === CODES.NO_ERROR ? undefined : code,
          forCallback(readList(symbols.rd_kafka_event_topic_partition_list(event))),
        );
        break;
      case EVENT.ERROR:
        if (code === CODES.PARTITION_EOF || !CLIENT_ERRORS.has(code)) this.#errors.push(code);
        else this.emitEvent(type, event);
        break;
      default:
        this.emitEvent(type, event);
    }
  }

  /** What librdkafka does by itself for a client without a rebalance callback. */
  #rebalance(code: number, partitions: TopicPartition[]): void {
    const cooperative = this.rebalanceProtocol() === "COOPERATIVE";
    if (code === CODES.ASSIGN_PARTITIONS) {
      if (cooperative) this.incrementalAssign(partitions);
      else this.assign(partitions);
    } else if (cooperative) this.incrementalUnassign(partitions);
    else this.unassign();
  }

  // Assignment

  assign(partitions: TopicPartition[]): true {
    if (!Array.isArray(partitions)) throw new Error("Need to specify an array of partitions");
    if (!this.connected) throw new Error(err2str(CODES.STATE));
    const code = withList(partitions, (list) => openLibrary().symbols.rd_kafka_assign(this.rk, list));
    if (code !== CODES.NO_ERROR) throw new Error(err2str(code));
    this.#setAssignment(partitions);
    return true;
  }

  unassign(): true {
    if (this.rk === null) throw new Error("KafkaConsumer is disconnected");
    const code = openLibrary().symbols.rd_kafka_assign(this.rk, null);
    if (code !== CODES.NO_ERROR) throw new Error(err2str(code));
    this.#setAssignment([]);
    return true;
  }

  incrementalAssign(partitions: TopicPartition[]): true {
    if (!Array.isArray(partitions)) throw new Error("Need to specify an array of partitions");
    if (!this.connected) throw nativeError(CODES.STATE, "KafkaConsumer is disconnected");
    const error = withList(
      partitions,
      (list) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, list)),
    );
    if (error !== undefined) throw error;
    this.#setAssignment([...this.#assigned, ...partitions]);
    return true;
  }

  incrementalUnassign(partitions: TopicPartition[]): true {
    if (!Array.isArray(partitions)) throw new Error("Need to specify an array of partitions");
    if (this.rk === null) throw nativeError(CODES.STATE);
    const error = withList(
      partitions,
      (list) => takeError(openLibrary().symbols.rd_kafka_incremental_unassign(this.rk, list)),
    );
    if (error !== undefined) throw error;
    this.#setAssignment(this.#assigned.filter((assigned) => !partitions.some((gone) => same(assigned, gone))));
    return true;
  }

  /** Lets the queues of newly assigned partitions flow into ours, and those of lost ones no more. */
  #setAssignment(partitions: readonly TopicPartition[]): void {
    for (const lost of this.#assigned) {
      if (!partitions.some((kept) => same(kept, lost))) this.#forward(lost, null);
    }
    for (const partition of partitions) this.#forward(partition, this.#messages);
    this.#assigned = [...partitions];
    // What came early from a partition that is gone is not ours to hand out any more.
    this.#early = this.#early.filter((message) => partitions.some((kept) => same(kept, message)));
  }

  #forward({ topic, partition }: TopicPartition, target: Pointer): void {
    const { symbols } = openLibrary();
    const queue = symbols.rd_kafka_queue_get_partition(this.rk, cString(topic), partition);
    if (queue === null) return;
    symbols.rd_kafka_queue_forward(queue, target);
    symbols.rd_kafka_queue_destroy(queue);
  }

  assignments(): number | (TopicPartition | Error)[] {
    return this.#list((out) => openLibrary().symbols.rd_kafka_assignment(this.rk, out));
  }

  assignmentLost(): boolean {
    return this.rk !== null && openLibrary().symbols.rd_kafka_assignment_lost(this.rk) !== 0;
  }

  rebalanceProtocol(): string {
    if (this.rk === null) return "NONE";
    return readCString(openLibrary().symbols.rd_kafka_rebalance_protocol(this.rk)) || "NONE";
  }

  // Subscription

  subscribe(topics: (string | RegExp)[]): number {
    if (!Array.isArray(topics)) throw new Error("First parameter must be an array");
    if (!this.connected) return CODES.STATE;
    const names = topics.map((topic) => ({ topic: topic instanceof RegExp ? topic.source : String(topic) }));
    const code = withList(names, (list) => openLibrary().symbols.rd_kafka_subscribe(this.rk, list));
    if (code === CODES.NO_ERROR) this.#subscribed = true;
    return code;
  }

  unsubscribe(): number {
    if (this.connected && this.#subscribed) {
      openLibrary().symbols.rd_kafka_unsubscribe(this.rk);
      this.#subscribed = false;
    }
    return CODES.NO_ERROR;
  }

  subscription(): number | string[] {
    const list = this.#list((out) => openLibrary().symbols.rd_kafka_subscription(this.rk, out));
    return typeof list === "number" ? list : list.map((partition) => (partition as TopicPartition).topic);
  }

  #list(call: (out: BigUint64Array<ArrayBuffer>) => number): number | (TopicPartition | Error)[] {
    if (!this.connected) return CODES.STATE;
    const out = new OutPointer();
    const code = call(out.buffer);
    return code === CODES.NO_ERROR ? orErrors(takeList(out)) : code;
  }

  // Offsets

  offsetsStore(partitions: TopicPartition[]): number {
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected || !this.#subscribed) return CODES.STATE;
    return withList(partitions, (list) => openLibrary().symbols.rd_kafka_offsets_store(this.rk, list));
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
    // The plain asynchronous call tells its result to a C callback only; this one makes an event of it.
    const commit = (list: Pointer) =>
      async === 0
        ? symbols.rd_kafka_commit(this.rk, list, 0)
        : symbols.rd_kafka_commit_queue(this.rk, list, this.#events, null, null);
    if (partitions === null || partitions === undefined) return commit(null);
    if (typeof partitions !== "object") throw new Error("First parameter must be an object or an array");
    return withList(Array.isArray(partitions) ? partitions : [partitions], commit);
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
    if (!Array.isArray(partitions)) throw new Error("Need to specify an array of topic partitions");
    return this.call(callback, (rk) =>
      withList(partitions, async (list) => {
        const code = await this.waitFor(
          timeoutMs,
          (slice) => openLibrary().symbols.rd_kafka_committed_async(rk, list, slice),
        );
        return code === CODES.NO_ERROR ? { result: orErrors(readList(list)) } : nativeError(code);
      }));
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
    if (typeof partition !== "object" || partition === null) throw new Error("Topic partition must be an object");
    if (timeoutMs !== null && typeof timeoutMs !== "number") throw new Error("Timeout must be a number.");
    if (typeof callback !== "function") throw new Error("Callback must be a function");
    // A time-out of 0 would make it asynchronous.
    const waitMs = Math.max(10, timeoutMs ?? 1000);
    this.#early = this.#early.filter((message) => !same(message, partition));
    return this.call(callback, (rk) =>
      withList([partition], async (list) => {
        const error = takeError(await openLibrary().symbols.rd_kafka_seek_partitions_async(rk, list, waitMs));
        const code = error?.code ?? readList(list)[0]?.code ?? CODES.NO_ERROR;
        return code === CODES.NO_ERROR ? { result: undefined } : error ?? nativeError(code);
      }));
  }

  pause(partitions: TopicPartition[]): number {
    return this.#toggle(partitions, "rd_kafka_pause_partitions");
  }

  resume(partitions: TopicPartition[]): number {
    return this.#toggle(partitions, "rd_kafka_resume_partitions");
  }

  #toggle(partitions: TopicPartition[], name: "rd_kafka_pause_partitions" | "rd_kafka_resume_partitions"): number {
    if (!Array.isArray(partitions)) throw new Error("Topic partition must be an array of objects");
    if (!this.connected) return CODES.STATE;
    return withList(partitions, (list) => openLibrary().symbols[name](this.rk, list));
  }
}

function same(a: TopicPartition, b: TopicPartition): boolean {
  return a.partition === b.partition && a.topic === b.topic;
}
