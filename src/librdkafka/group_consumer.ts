/**
 * A consumer's place in its group: what it subscribes to, what is assigned to it, and how it leaves.
 *
 * @module
 */

import { Client, EVENT } from "./client.ts";
import { openLibrary } from "./library.ts";
import { OutPointer, type Pointer, readCString } from "./memory.ts";
import { CODES, err2str, nativeError, takeError } from "./native_error.ts";
import {
  forCallback,
  orErrors,
  type PartitionResult,
  readList,
  takeList,
  type TopicPartition,
  withList,
} from "./topic_partitions.ts";

/** How long the program may take to give its partitions back. */
const ANSWER_DEADLINE_MS = 10_000;
/** How long a group may take to end after an answer, before it counts as waiting for another. */
const HELD_MS = 100;
/** A close is mostly over in a few milliseconds: it is looked at often at first, then seldom. */
const POLL_MS = { first: 2, firstForMs: 100, later: 20 };

/**
 * A group that is being left.
 *
 * What librdkafka's thread finds in its queue when the group has just ended it drops (`rd_kafka_cgrp_op_serve`, seen in
 * 2.15.1), and who asked waits for ever. A group that waits for the answer to a rebalance does not end: so nothing is
 * asked of it but that. librdkafka may have told another rebalance by the time of the answer, which has settled that as
 * well, or which still waits (partitions assigned, and revoked once they were declined): it is held back, and told
 * only if the group goes on living.
 */
interface Leaving {
  /** The last answer of `rd_kafka_rebalance_protocol`. */
  readonly protocol: string;
  /** A rebalance was answered since. */
  answered: boolean;
  held: { readonly at: number; readonly code: number; readonly partitions: PartitionResult[] } | undefined;
}

/** What the consumer does about its group. */
export abstract class GroupConsumer extends Client {
  #events: Pointer = null;
  #assigned: readonly TopicPartition[] = [];
  #subscribed = false;
  /** The code of the rebalance that was told last, until it is answered by an assign or unassign. */
  #owed: number | undefined;
  #leaving: Leaving | undefined;

  constructor(globalConf: unknown, topicConf: unknown) {
    super("consumer", globalConf, topicConf);
  }

  /** An event that is no rebalance. */
  protected abstract serveEvent(type: number, code: number, event: Pointer): void;
  /** Called when the assignment has changed. */
  protected abstract onAssignment(partitions: readonly TopicPartition[], before: readonly TopicPartition[]): void;

  /** The consumer queue, while there is one. */
  protected get eventQueue(): Pointer {
    return this.#events;
  }

  /** Whether the consumer has subscribed to something. */
  protected get subscribed(): boolean {
    return this.#subscribed;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    const { symbols } = openLibrary();
    symbols.rd_kafka_poll_set_consumer(rk);
    listen(this.#events = symbols.rd_kafka_queue_get_consumer(rk));
  }

  /** Leaves the group. */
  protected override async closeQueues(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary();
    await this.#answerAll();
    const leaving: Leaving = { protocol: this.rebalanceProtocol(), answered: false, held: undefined };
    this.#leaving = leaving;
    const error = takeError(symbols.rd_kafka_consumer_close_queue(rk, this.#events));
    const began = performance.now();
    while (error === undefined && symbols.rd_kafka_consumer_closed(rk) === 0) {
      this.serveEvents();
      if (symbols.rd_kafka_consumer_closed(rk) !== 0) break;
      const now = performance.now(), { held } = leaving;
      if (held !== undefined && now - held.at > HELD_MS) this.#tellRebalance(held.code, held.partitions);
      else if (this.#owed !== undefined && now - began > ANSWER_DEADLINE_MS) this.#answerNone();
      await pollAfter(began);
    }
    this.serveEvents();
    this.#setAssignment([]);
    symbols.rd_kafka_queue_destroy(this.#events);
    this.#events = null;
    this.#subscribed = false;
    this.#owed = this.#leaving = undefined;
  }

  /** What was told before is answered while the group still lives, and answers everything. */
  async #answerAll(): Promise<void> {
    const began = performance.now();
    this.serveEvents();
    // An assignment can't be taken any more.
    if (this.#owed === CODES.ASSIGN_PARTITIONS) this.#answerNone();
    while (this.#owed !== undefined && performance.now() - began < ANSWER_DEADLINE_MS) {
      await pollAfter(began);
      this.serveEvents();
    }
    if (this.#owed !== undefined) this.#answerNone();
  }

  /** Runs on the consumer queue's events, in order: rebalances reach the program before the messages after them. */
  protected serveEvents(): void {
    const { symbols } = openLibrary();
    for (let event; this.#events !== null && (event = this.nextEvent(this.#events)) !== null;) {
      try {
        const type = symbols.rd_kafka_event_type(event), code = symbols.rd_kafka_event_error(event);
        if (type !== EVENT.REBALANCE) this.serveEvent(type, code, event);
        else this.#onRebalance(code, readList(symbols.rd_kafka_event_topic_partition_list(event)));
      } finally {
        symbols.rd_kafka_event_destroy(event);
      }
    }
  }

  #onRebalance(code: number, partitions: PartitionResult[]): void {
    const leaving = this.#leaving;
    if (leaving?.answered) leaving.held = { at: performance.now(), code, partitions };
    else this.#tellRebalance(code, partitions);
  }

  #tellRebalance(code: number, partitions: PartitionResult[]): void {
    const { rebalance_cb } = this.callbacks;
    if (this.#leaving !== undefined) this.#leaving.held = undefined;
    this.#owed = code;
    if (this.closing && code !== CODES.REVOKE_PARTITIONS) this.#answerNone();
    else if (rebalance_cb === undefined) guarded(() => this.#rebalance(code, partitions));
    else guarded(() => rebalance_cb(code === CODES.NO_ERROR ? undefined : code, forCallback(partitions)));
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

  assign(all: TopicPartition[]): true {
    const partitions = assignable(all);
    if (!this.connected) throw new Error(err2str(CODES.STATE));
    const code = withList(partitions, (list) => openLibrary().symbols.rd_kafka_assign(this.rk, list));
    if (code !== CODES.NO_ERROR) throw new Error(err2str(code));
    this.#owed = undefined;
    this.#setAssignment(partitions);
    return true;
  }

  unassign(): true {
    if (this.rk === null) throw new Error("KafkaConsumer is disconnected");
    const code = this.#answerNone();
    if (code !== CODES.NO_ERROR) throw new Error(err2str(code));
    return true;
  }

  /** Gives all partitions back. */
  #answerNone(): number {
    const code = this.#mayAnswer() ? openLibrary().symbols.rd_kafka_assign(this.rk, null) : CODES.NO_ERROR;
    if (code === CODES.NO_ERROR) this.#setAssignment([]);
    return code;
  }

  incrementalAssign(all: TopicPartition[]): true {
    const partitions = assignable(all);
    if (!this.connected) throw nativeError(CODES.STATE, "KafkaConsumer is disconnected");
    const error = withList(
      partitions,
      (list) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, list)),
    );
    if (error !== undefined) throw error;
    this.#owed = undefined;
    this.#setAssignment([...this.#assigned, ...partitions]);
    return true;
  }

  incrementalUnassign(all: TopicPartition[]): true {
    const partitions = assignable(all);
    if (this.rk === null) throw nativeError(CODES.STATE);
    const error = this.#mayAnswer()
      ? withList(partitions, (list) => takeError(openLibrary().symbols.rd_kafka_incremental_unassign(this.rk, list)))
      : undefined;
    if (error !== undefined) throw error;
    this.#setAssignment(this.#assigned.filter((assigned) => !partitions.some((gone) => same(assigned, gone))));
    return true;
  }

  /** Whether librdkafka is to be told what becomes of the assignment, once; see {@linkcode Leaving}. */
  #mayAnswer(): boolean {
    const leaving = this.#leaving, owed = this.#owed !== undefined;
    this.#owed = undefined;
    if (leaving === undefined) return true;
    if (owed) leaving.answered = true;
    return owed;
  }

  #setAssignment(partitions: readonly TopicPartition[]): void {
    const before = this.#assigned;
    this.#assigned = [...partitions];
    this.onAssignment(this.#assigned, before);
  }

  assignments(): number | (TopicPartition | Error)[] {
    return this.#list((out) => openLibrary().symbols.rd_kafka_assignment(this.rk, out));
  }

  assignmentLost(): boolean {
    return this.rk !== null && openLibrary().symbols.rd_kafka_assignment_lost(this.rk) !== 0;
  }

  rebalanceProtocol(): string {
    if (this.rk === null) return "NONE";
    if (this.#leaving !== undefined) return this.#leaving.protocol;
    return readCString(openLibrary().symbols.rd_kafka_rebalance_protocol(this.rk)) || "NONE";
  }

  // Subscription

  subscribe(topics: (string | RegExp)[]): number {
    if (!Array.isArray(topics)) throw new Error("First parameter must be an array");
    if (!this.connected) return CODES.STATE;
    const names = topics.map((topic) => ({ topic: topic instanceof RegExp ? topic.source : String(topic) }));
    if (names.some(({ topic }) => topic === "")) return CODES.INVALID_ARG;
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
}

/** Waits for the next look at something that began then. */
function pollAfter(began: number): Promise<void> {
  const pollMs = performance.now() - began < POLL_MS.firstForMs ? POLL_MS.first : POLL_MS.later;
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** Whether two are the same partition. */
export function same(a: TopicPartition, b: TopicPartition): boolean {
  return a.partition === b.partition && a.topic === b.topic;
}

/** What may be assigned; the addon leaves out what has no topic. */
function assignable(partitions: unknown): TopicPartition[] {
  if (!Array.isArray(partitions)) throw new Error("Need to specify an array of partitions");
  for (const partition of partitions) {
    if (typeof partition !== "object" || partition === null) throw new Error("Must pass topic-partition objects");
  }
  return partitions.filter(({ topic }) => typeof topic === "string" && topic !== "");
}

/** What a program's callback throws is the program's error and must surface, but not stop what serves the queues. */
export function guarded(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    reportError(error);
  }
}
