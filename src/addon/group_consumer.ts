/**
 * A consumer's place in its group: what it subscribes to, what is assigned to it, and how it leaves.
 *
 * @module
 */

import { Client, EVENT } from "./client.ts";
import { guarded } from "./guarded.ts";
import { assignable } from "./partition_arguments.ts";
import { openLibrary } from "../ffi/library.ts";
import { OutPointer, type Pointer, readCString } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, type NativeError, nativeError, takeError } from "../ffi/native_error.ts";
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

/** How long the program may take to give its partitions back. */
const ANSWER_DEADLINE_MS = 10_000;
/** How long a group may take to end after an answer, before it counts as waiting for another. */
const HELD_MS = 100;
/**
 * How long who closes waits for the group. Without a broker librdkafka keeps the last commit for up to
 * `session.timeout.ms`, and no call makes it give up earlier.
 */
const LEAVE_MS = 5000;
/** A close is mostly over in a few milliseconds: it is looked at often at first, then seldom. */
const POLL_MS = { first: 2, firstForMs: 100, later: 20, alone: 200 };

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
  held: Held | undefined;
}

/** A rebalance that is to be answered. */
interface Owed {
  readonly code: number;
  readonly partitions: readonly PartitionResult[];
}

/** A rebalance that is not told yet. */
interface Held extends Owed {
  readonly at: number;
}

/** What the consumer does about its group. */
export abstract class GroupConsumer extends Client {
  #events: Pointer = null;
  /** Events that come before those in the queue. */
  readonly #later: Pointer[] = [];
  #assigned: readonly PartitionInput[] = [];
  #subscribed = false;
  /** The rebalance that was told last, until it is answered by an assign or unassign. */
  #owed: Owed | undefined;
  #leaving: Leaving | undefined;
  /** A member with a name of its own in the group, that keeps its place there when it closes. */
  readonly #static: boolean;
  /** The answer to what is owed was refused; it comes again when the group lives on although it should end. */
  #answerRefused = false;
  /**
   * What a static member hears of when librdkafka knows that it closes: giving its partitions back before, it would
   * give up its place in the group as well.
   */
  #revoked: Held | undefined;

  constructor(globalConf: unknown, topicConf: unknown) {
    super("consumer", globalConf, topicConf);
    this.#static = Boolean((globalConf as Record<string, unknown>)["group.instance.id"]);
  }

  /** An event that is no rebalance. */
  protected abstract serveEvent(type: number, code: number, event: Pointer): void;
  /** Called before partitions are assigned, which may fail. */
  protected abstract beforeAssignment(partitions: readonly PartitionInput[]): void;
  /** Called when the assignment has changed, or has not after all. */
  protected abstract onAssignment(partitions: readonly PartitionInput[], before: readonly PartitionInput[]): void;

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
    const leaving: Leaving = { protocol: this.#protocol(), answered: false, held: this.#revoked };
    this.#leaving = leaving;
    this.#revoked = undefined;
    const error = takeError(symbols.rd_kafka_consumer_close_queue(rk, this.#events));
    const began = performance.now();
    let isAlone = false;
    while (error === undefined && symbols.rd_kafka_consumer_closed(rk) === 0) {
      this.serveEvents();
      if (symbols.rd_kafka_consumer_closed(rk) !== 0) break;
      const now = performance.now(), { held } = leaving;
      if (held !== undefined && now - held.at > HELD_MS) this.#tellRebalance(held.code, held.partitions);
      else if (this.#owed !== undefined && now - began > (this.#answerRefused ? HELD_MS : ANSWER_DEADLINE_MS)) {
        this.#answerNone();
      } else if (this.#owed === undefined && now - began > LEAVE_MS && !isAlone) {
        isAlone = true;
        this.closeAlone();
      }
      if (isAlone) await pollAlone();
      else await pollAfter(began);
    }
    this.serveEvents();
    this.#setAssignment([]);
    symbols.rd_kafka_queue_destroy(this.#events);
    this.#events = null;
    this.#owed = this.#leaving = undefined;
    this.#answerRefused = false;
  }

  /** What was told before is answered while the group still lives, and answers everything. */
  async #answerAll(): Promise<void> {
    const began = performance.now();
    this.serveEvents();
    // An assignment can't be taken any more.
    if (this.#owed?.code === ErrorCode.ASSIGN_PARTITIONS) this.#decline();
    while (this.#owed !== undefined && !this.#answerRefused && performance.now() - began < ANSWER_DEADLINE_MS) {
      await pollAfter(began);
      this.serveEvents();
    }
    if (this.#owed !== undefined && !this.#answerRefused) this.#decline();
  }

  /** Hands on errors although nobody consumes; all else waits for who does. */
  protected serveErrors(): void {
    const { symbols } = openLibrary();
    for (let event; this.#events !== null && (event = this.nextEvent(this.#events)) !== null;) {
      if (symbols.rd_kafka_event_type(event) !== EVENT.ERROR) {
        this.#later.push(event);
        continue;
      }
      this.serveEvent(EVENT.ERROR, symbols.rd_kafka_event_error(event), event);
      symbols.rd_kafka_event_destroy(event);
    }
  }

  /** Lets an event wait for who consumes, as if it were in the consumer queue. */
  protected serveLater(event: Pointer): void {
    this.#later.push(event);
    setImmediate(() => this.wake());
  }

  #takeEvent(): Pointer {
    if (this.#events === null) return null;
    return this.#later.shift() ?? this.nextEvent(this.#events);
  }

  /**
   * Runs on the consumer queue's events, in order: rebalances reach the program before the messages after them.
   * What is to be told first ends it, until it is called again.
   */
  protected serveEvents(enough: () => boolean = () => false): void {
    const { symbols } = openLibrary();
    for (let event; !enough() && (event = this.#takeEvent()) !== null;) {
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
    const leaving = this.#leaving, held = { at: performance.now(), code, partitions };
    if (leaving?.answered) leaving.held = held;
    else if (this.#static && this.closing && leaving === undefined && code === ErrorCode.REVOKE_PARTITIONS) {
      this.#revoked = held;
    } else this.#tellRebalance(code, partitions);
  }

  #tellRebalance(code: number, partitions: readonly PartitionResult[]): void {
    const { rebalance_cb } = this.callbacks;
    if (this.#leaving !== undefined) this.#leaving.held = undefined;
    this.#owed = { code, partitions };
    this.#answerRefused = false;
    const late = this.closing && code !== ErrorCode.REVOKE_PARTITIONS;
    if (rebalance_cb !== undefined) {
      guarded(() => rebalance_cb(code === ErrorCode.NO_ERROR ? undefined : code, callbackPartitions(partitions)));
    } else if (!late) guarded(() => this.#rebalance(code, partitions));
    // An assignment can't be taken any more, which is what assign() says, and somebody has to decline it.
    if (late && this.#owed !== undefined) this.#decline();
  }

  /** What librdkafka does by itself for a client without a rebalance callback. */
  #rebalance(code: number, partitions: readonly TopicPartition[]): void {
    const cooperative = this.#protocol() === "COOPERATIVE";
    if (code === ErrorCode.ASSIGN_PARTITIONS) {
      if (cooperative) this.incrementalAssign(partitions);
      else this.assign(partitions);
    } else if (cooperative) this.incrementalUnassign(partitions);
    else this.unassign();
  }

  // Assignment

  assign(all: readonly TopicPartition[]): true {
    const partitions = assignable(all);
    if (!this.connected) throw new Error(err2str(ErrorCode.STATE));
    this.#take(partitions, (list) => {
      const code = openLibrary().symbols.rd_kafka_assign(this.rk, list);
      return code === ErrorCode.NO_ERROR ? undefined : new Error(err2str(code));
    });
    this.#setAssignment(partitions);
    return true;
  }

  /** Answers with partitions; what was made ready for those that librdkafka refuses is undone. */
  #take(partitions: readonly PartitionInput[], assign: (list: Pointer) => unknown): void {
    this.beforeAssignment(partitions);
    const error = withList(partitions, assign);
    if (error !== undefined) {
      this.onAssignment(this.#assigned, partitions);
      throw error;
    }
    this.#owed = undefined;
  }

  unassign(): true {
    if (this.rk === null) throw new Error("KafkaConsumer is disconnected");
    if (this.closing && this.#leaving === undefined) this.#giveBack(this.#assigned);
    else {
      const code = this.#answerNone();
      if (code !== ErrorCode.NO_ERROR) throw new Error(err2str(code));
    }
    return true;
  }

  /** Gives all partitions back. */
  #answerNone(): number {
    const owed = this.#owed;
    const code = this.#mayAnswer() ? openLibrary().symbols.rd_kafka_assign(this.rk, null) : ErrorCode.NO_ERROR;
    if (code === ErrorCode.NO_ERROR) this.#setAssignment([]);
    else if (this.#refused(owed)) return ErrorCode.NO_ERROR;
    return code;
  }

  /**
   * Answers what is owed in the program's place, and takes no partition. While the group has not been told to end, one
   * that is cooperative takes no other answer than an incremental one, and waits for it: for ever where it then has no
   * partition to be given back.
   */
  #decline(): void {
    const owed = this.#owed;
    if (owed === undefined || this.#leaving !== undefined) this.#answerNone();
    else if (owed.code === ErrorCode.ASSIGN_PARTITIONS && this.#protocol() === "COOPERATIVE") {
      this.#mayAnswer();
      withList([], (none) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, none)));
    } else this.#giveBack(this.#assigned.filter((mine) => owed.partitions.some((gone) => same(mine, gone))));
  }

  incrementalAssign(all: readonly TopicPartition[]): true {
    const partitions = assignable(all);
    if (!this.connected) throw nativeError(ErrorCode.STATE, "KafkaConsumer is disconnected");
    this.#take(partitions, (list) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, list)));
    this.#setAssignment([...this.#assigned, ...partitions]);
    return true;
  }

  incrementalUnassign(all: readonly TopicPartition[]): true {
    const partitions = assignable(all);
    if (this.rk === null) throw nativeError(ErrorCode.STATE);
    if (this.closing && this.#leaving === undefined) {
      this.#giveBack(partitions);
      return true;
    }
    const error = this.#unassignSome(partitions);
    if (error !== undefined) throw error;
    return true;
  }

  /**
   * Gives partitions back just before the group is left. Once it is being left librdkafka takes either way of doing so
   * for the one that fits, and a program that is told no protocol any more can't choose: so do we.
   */
  #giveBack(partitions: readonly PartitionInput[]): void {
    if (this.#protocol() === "COOPERATIVE") this.#unassignSome(partitions);
    else this.#answerNone();
  }

  #unassignSome(partitions: readonly PartitionInput[]): NativeError | undefined {
    const owed = this.#owed;
    const error = this.#mayAnswer()
      ? withList(partitions, (list) => takeError(openLibrary().symbols.rd_kafka_incremental_unassign(this.rk, list)))
      : undefined;
    if (error !== undefined) return this.#refused(owed) ? undefined : error;
    this.#setAssignment(this.#assigned.filter((mine) => !partitions.some((gone) => same(mine, gone))));
    return undefined;
  }

  /** Whether an answer is refused just because librdkafka does not know yet that the consumer closes: any will do then. */
  #refused(owed: Owed | undefined): boolean {
    if (!this.closing) return false;
    this.#owed = owed;
    this.#answerRefused = owed !== undefined;
    return true;
  }

  /** Whether librdkafka is to be told what becomes of the assignment, once; see `Leaving`. */
  #mayAnswer(): boolean {
    const leaving = this.#leaving, owed = this.#owed !== undefined;
    this.#owed = undefined;
    if (leaving === undefined) return true;
    if (owed) leaving.answered = true;
    return owed;
  }

  #setAssignment(partitions: readonly PartitionInput[]): void {
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
    return this.connected ? this.#protocol() : "NONE";
  }

  #protocol(): string {
    if (this.#leaving !== undefined) return this.#leaving.protocol;
    return readCString(openLibrary().symbols.rd_kafka_rebalance_protocol(this.rk)) || "NONE";
  }

  // Subscription

  subscribe(topics: (string | RegExp)[]): number {
    if (!Array.isArray(topics)) throw new Error("First parameter must be an array");
    if (!this.connected) return ErrorCode.STATE;
    const names = topics.map((topic) => ({ topic: topic instanceof RegExp ? topic.source : String(topic) }));
    if (names.some(({ topic }) => topic === "")) return ErrorCode.INVALID_ARG;
    const code = withList(names, (list) => openLibrary().symbols.rd_kafka_subscribe(this.rk, list));
    if (code === ErrorCode.NO_ERROR) this.#subscribed = true;
    return code;
  }

  unsubscribe(): number {
    if (this.connected && this.#subscribed) {
      openLibrary().symbols.rd_kafka_unsubscribe(this.rk);
      this.#subscribed = false;
    }
    return ErrorCode.NO_ERROR;
  }

  subscription(): number | string[] {
    const list = this.#list((out) => openLibrary().symbols.rd_kafka_subscription(this.rk, out));
    return typeof list === "number" ? list : list.map((partition) => (partition as TopicPartition).topic);
  }

  #list(call: (out: BigUint64Array<ArrayBuffer>) => number): number | (TopicPartition | Error)[] {
    if (!this.connected) return ErrorCode.STATE;
    const out = new OutPointer();
    const code = call(out.buffer);
    return code === ErrorCode.NO_ERROR ? partitionsOrErrors(takeList(out)) : code;
  }
}

/** Waits for the next look at something that began then. */
function pollAfter(began: number): Promise<void> {
  const pollMs = performance.now() - began < POLL_MS.firstForMs ? POLL_MS.first : POLL_MS.later;
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** Waits for the next look at a close that keeps no program alive. */
function pollAlone(): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, POLL_MS.alone)));
}

/** Whether two are the same partition. */
export function same(a: PartitionInput | TopicPartition, b: PartitionInput | TopicPartition): boolean {
  return a.partition === b.partition && a.topic === b.topic;
}
