/**
 * A consumer as a member of its group: what it subscribes to, what it is assigned, and how it leaves.
 *
 * @module
 */

import { callAndReport } from "./call_and_report.ts";
import { requireArray } from "./arguments.ts";
import { ConsumerQueue } from "./consumer_queue.ts";
import { EVENT } from "./events.ts";
import { GroupState, type Rebalance } from "./group_state.ts";
import { NativeClient } from "./native_client.ts";
import { toAssignment } from "./partition_arguments.ts";
import { isSamePartition, withoutPartitions } from "../ffi/partition_identity.ts";
import { openLibrary } from "../ffi/library.ts";
import { OutPointer, type Pointer, readCString } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, type NativeError, nativeError, takeError } from "../ffi/native_error.ts";
import {
  callbackPartitions,
  type PartitionInput,
  partitionsOrErrors,
  readList,
  takeList,
  type TopicPartition,
  withList,
} from "../ffi/topic_partitions.ts";

/** How long the program may take to answer a rebalance while its consumer disconnects; then it is declined. */
const ANSWER_DEADLINE_MS = 10_000;
/**
 * How long librdkafka may take to end the group after an answer. Then the group counts as waiting for another answer: a
 * postponed rebalance is delivered, and an answer that was refused is given once more.
 */
const END_AFTER_ANSWER_MS = 100;
/**
 * How long `disconnect()` waits for the group to end. Without a broker librdkafka keeps the last commit for up to
 * `session.timeout.ms`, and no call makes it give up earlier.
 */
const LEAVE_DEADLINE_MS = 5000;
/** How often a disconnect looks at librdkafka: at first often, as most disconnects take a few milliseconds. */
const POLL_MS = { first: 2, firstForMs: 100, later: 20, detached: 200 };

/** The group membership of the addon's `KafkaConsumer`. */
export abstract class GroupConsumer extends NativeClient {
  readonly #queue = new ConsumerQueue((queue) => this.nextEvent(queue));
  readonly #state: GroupState;
  #assigned: readonly PartitionInput[] = [];
  #isSubscribed = false;

  constructor(globalConf: unknown, topicConf: unknown) {
    super("consumer", globalConf, topicConf);
    this.#state = new GroupState(Boolean((globalConf as Record<string, unknown>)["group.instance.id"]));
  }

  /** Serves an event of the consumer queue that is not a rebalance. */
  protected abstract serveEvent(type: number, code: number, event: Pointer): void;
  /** Called before librdkafka is asked to assign partitions, which it may refuse. */
  protected abstract beforeAssignment(partitions: readonly PartitionInput[]): void;
  /** Called when the assignment has changed from `before`, or when librdkafka has refused to assign `before`. */
  protected abstract onAssignment(partitions: readonly PartitionInput[], before: readonly PartitionInput[]): void;

  /** The consumer queue; NULL when the consumer has none. */
  protected get eventQueue(): Pointer {
    return this.#queue.pointer;
  }

  protected get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    this.#queue.open(rk);
    listen(this.#queue.pointer);
    this.#state.join();
  }

  // The consumer queue

  /** Hands errors on although the program does not consume; all other events wait until it does. */
  protected serveErrors(): void {
    const { symbols } = openLibrary();
    for (let event; (event = this.#queue.nextNew()) !== null;) {
      if (symbols.rd_kafka_event_type(event) !== EVENT.ERROR) {
        this.#queue.putBack(event);
        continue;
      }
      this.serveEvent(EVENT.ERROR, symbols.rd_kafka_event_error(event), event);
      symbols.rd_kafka_event_destroy(event);
    }
  }

  /** Lets an event wait until the program consumes, as if it were in the consumer queue. */
  protected serveLater(event: Pointer): void {
    this.#queue.putBack(event);
    setImmediate(() => this.wake());
  }

  /**
   * Serves the events of the consumer queue in order, so that a rebalance reaches the program before the messages that
   * follow it. Stops when `isEnough` says so; the next call continues.
   */
  protected serveEvents(isEnough: () => boolean = () => false): void {
    const { symbols } = openLibrary();
    for (let event; !isEnough() && (event = this.#queue.next()) !== null;) {
      try {
        const type = symbols.rd_kafka_event_type(event), code = symbols.rd_kafka_event_error(event);
        if (type !== EVENT.REBALANCE) {
          this.serveEvent(type, code, event);
          continue;
        }
        const rebalance = { code, partitions: readList(symbols.rd_kafka_event_topic_partition_list(event)) };
        if (this.#state.receive(rebalance)) this.#deliver(rebalance);
      } finally {
        symbols.rd_kafka_event_destroy(event);
      }
    }
  }

  // Rebalances and their answers

  /** Calls `rebalance_cb`, or does by itself what librdkafka does for a client without one. */
  #deliver(rebalance: Rebalance): void {
    const { code, partitions } = rebalance, { rebalance_cb } = this.callbacks;
    this.#state.deliver(rebalance);
    const isTooLate = this.#state.phase !== "joined" && code !== ErrorCode.REVOKE_PARTITIONS;
    if (rebalance_cb !== undefined) {
      callAndReport(() => rebalance_cb(code === ErrorCode.NO_ERROR ? undefined : code, callbackPartitions(partitions)));
    } else if (!isTooLate) callAndReport(() => this.#rebalance(rebalance));
    // A consumer that disconnects takes no assignment: assign() throws, and the group still waits for an answer.
    if (isTooLate) this.#decline();
  }

  #rebalance({ code, partitions }: Rebalance): void {
    const isCooperative = this.#protocol() === "COOPERATIVE";
    if (code === ErrorCode.ASSIGN_PARTITIONS) {
      if (isCooperative) this.incrementalAssign(partitions);
      else this.assign(partitions);
    } else if (isCooperative) this.incrementalUnassign(partitions);
    else this.unassign();
  }

  assign(all: readonly TopicPartition[]): true {
    const partitions = toAssignment(all);
    if (!this.connected) throw new Error(err2str(ErrorCode.STATE));
    this.#accept(partitions, (list) => {
      const code = openLibrary().symbols.rd_kafka_assign(this.rk, list);
      return code === ErrorCode.NO_ERROR ? undefined : new Error(err2str(code));
    });
    this.#setAssignment(partitions);
    return true;
  }

  incrementalAssign(all: readonly TopicPartition[]): true {
    const partitions = toAssignment(all);
    if (!this.connected) throw nativeError(ErrorCode.STATE, "KafkaConsumer is disconnected");
    this.#accept(partitions, (list) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, list)));
    this.#setAssignment([...this.#assigned, ...partitions]);
    return true;
  }

  unassign(): true {
    if (this.rk === null) throw new Error("KafkaConsumer is disconnected");
    if (this.#state.phase === "closing") this.#giveUp(this.#assigned);
    else {
      const code = this.#giveUpAll();
      if (code !== ErrorCode.NO_ERROR) throw new Error(err2str(code));
    }
    return true;
  }

  incrementalUnassign(all: readonly TopicPartition[]): true {
    const partitions = toAssignment(all);
    if (this.rk === null) throw nativeError(ErrorCode.STATE);
    if (this.#state.phase === "closing") this.#giveUp(partitions);
    else {
      const error = this.#giveUpSome(partitions);
      if (error !== undefined) throw error;
    }
    return true;
  }

  /** Assigns partitions. If librdkafka refuses them, undoes what was prepared, and throws its error. */
  #accept(partitions: readonly PartitionInput[], assign: (list: Pointer) => unknown): void {
    this.beforeAssignment(partitions);
    const error = withList(partitions, assign);
    if (error !== undefined) {
      this.onAssignment(this.#assigned, partitions);
      throw error;
    }
    this.#state.answer();
  }

  /** Gives up all partitions; answers librdkafka's code. */
  #giveUpAll(): number {
    const { unanswered } = this.#state;
    const code = this.#state.answer() ? openLibrary().symbols.rd_kafka_assign(this.rk, null) : ErrorCode.NO_ERROR;
    if (code === ErrorCode.NO_ERROR) this.#setAssignment([]);
    else if (this.#state.refuse(unanswered)) return ErrorCode.NO_ERROR;
    return code;
  }

  /** Gives up some partitions. */
  #giveUpSome(partitions: readonly PartitionInput[]): NativeError | undefined {
    const { unanswered } = this.#state;
    const error = this.#state.answer()
      ? withList(partitions, (list) => takeError(openLibrary().symbols.rd_kafka_incremental_unassign(this.rk, list)))
      : undefined;
    if (error !== undefined) return this.#state.refuse(unanswered) ? undefined : error;
    this.#setAssignment(withoutPartitions(this.#assigned, partitions));
    return undefined;
  }

  /**
   * Gives up partitions just before the group is left, by the call that fits the group's protocol. The program can't
   * choose it: `rebalanceProtocol()` answers "NONE" by then. Once the group is being left, librdkafka takes either call.
   */
  #giveUp(partitions: readonly PartitionInput[]): void {
    if (this.#protocol() === "COOPERATIVE") this.#giveUpSome(partitions);
    else this.#giveUpAll();
  }

  /**
   * Answers a rebalance in the program's place, without taking a partition. Until librdkafka knows that the consumer
   * closes, a cooperative group takes none but an incremental answer: after `rd_kafka_assign(NULL)` it would wait for
   * ever, if no partition is assigned that it could revoke.
   */
  #decline(): void {
    const { unanswered, phase } = this.#state;
    if (unanswered === undefined) return;
    if (phase === "leaving") this.#giveUpAll();
    else if (unanswered.code === ErrorCode.ASSIGN_PARTITIONS && this.#protocol() === "COOPERATIVE") {
      this.#state.answer();
      withList([], (none) => takeError(openLibrary().symbols.rd_kafka_incremental_assign(this.rk, none)));
    } else {
      this.#giveUp(this.#assigned.filter((one) => unanswered.partitions.some((lost) => isSamePartition(one, lost))));
    }
  }

  #setAssignment(partitions: readonly PartitionInput[]): void {
    const before = this.#assigned;
    this.#assigned = [...partitions];
    this.onAssignment(this.#assigned, before);
  }

  // Leaving the group

  protected override onDisconnecting(): void {
    this.#state.close();
  }

  protected override async closeQueues(rk: Pointer): Promise<void> {
    await this.#awaitAnswer();
    await this.#leave(rk);
    this.#setAssignment([]);
    this.#queue.close();
    this.#state.end();
  }

  /**
   * Waits until the rebalance that was delivered last is answered, as long as the group lives: one answer then settles
   * everything. Declines an assignment at once, and a revocation when the program takes too long.
   */
  async #awaitAnswer(): Promise<void> {
    const began = performance.now();
    this.serveEvents();
    if (this.#state.unanswered?.code === ErrorCode.ASSIGN_PARTITIONS) this.#decline();
    const isAwaited = () => this.#state.unanswered !== undefined && !this.#state.isAnswerRefused;
    while (isAwaited() && performance.now() - began < ANSWER_DEADLINE_MS) {
      await untilNextPoll(began);
      this.serveEvents();
    }
    if (isAwaited()) this.#decline();
  }

  /**
   * Has librdkafka leave the group, and waits until it has. librdkafka revokes what is assigned, waits for the answer,
   * commits, and sends LeaveGroup; see `GroupState` for what may cross on the way.
   */
  async #leave(rk: Pointer): Promise<void> {
    const { symbols } = openLibrary(), state = this.#state;
    state.leave(this.#protocol());
    const error = takeError(symbols.rd_kafka_consumer_close_queue(rk, this.#queue.pointer));
    const began = performance.now();
    let isDetached = false;
    while (error === undefined && symbols.rd_kafka_consumer_closed(rk) === 0) {
      this.serveEvents();
      if (symbols.rd_kafka_consumer_closed(rk) !== 0) break;
      const now = performance.now(), { postponed, unanswered, isAnswerRefused } = state;
      if (postponed !== undefined && now - postponed.at > END_AFTER_ANSWER_MS) this.#deliver(postponed);
      else if (unanswered !== undefined) {
        if (now - began > (isAnswerRefused ? END_AFTER_ANSWER_MS : ANSWER_DEADLINE_MS)) this.#giveUpAll();
      } else if (now - began > LEAVE_DEADLINE_MS && !isDetached) {
        isDetached = true;
        this.detachClose();
      }
      await (isDetached ? untilNextDetachedPoll() : untilNextPoll(began));
    }
    this.serveEvents();
  }

  // Assignment and subscription

  assignments(): number | (TopicPartition | Error)[] {
    return this.#readPartitions((out) => openLibrary().symbols.rd_kafka_assignment(this.rk, out));
  }

  assignmentLost(): boolean {
    return this.rk !== null && openLibrary().symbols.rd_kafka_assignment_lost(this.rk) !== 0;
  }

  rebalanceProtocol(): string {
    return this.connected ? this.#protocol() : "NONE";
  }

  #protocol(): string {
    const { protocolWhenLeaving } = this.#state;
    if (protocolWhenLeaving !== undefined) return protocolWhenLeaving;
    return readCString(openLibrary().symbols.rd_kafka_rebalance_protocol(this.rk)) || "NONE";
  }

  subscribe(topics: (string | RegExp)[]): number {
    requireArray(topics, "First parameter must be an array");
    if (!this.connected) return ErrorCode.STATE;
    const names = topics.map((topic) => ({ topic: topic instanceof RegExp ? topic.source : String(topic) }));
    if (names.some(({ topic }) => topic === "")) return ErrorCode.INVALID_ARG;
    const code = withList(names, (list) => openLibrary().symbols.rd_kafka_subscribe(this.rk, list));
    if (code === ErrorCode.NO_ERROR) this.#isSubscribed = true;
    return code;
  }

  unsubscribe(): number {
    if (this.connected && this.#isSubscribed) {
      openLibrary().symbols.rd_kafka_unsubscribe(this.rk);
      this.#isSubscribed = false;
    }
    return ErrorCode.NO_ERROR;
  }

  subscription(): number | string[] {
    const list = this.#readPartitions((out) => openLibrary().symbols.rd_kafka_subscription(this.rk, out));
    return typeof list === "number" ? list : list.map((partition) => (partition as TopicPartition).topic);
  }

  #readPartitions(call: (out: BigUint64Array<ArrayBuffer>) => number): number | (TopicPartition | Error)[] {
    if (!this.connected) return ErrorCode.STATE;
    const out = new OutPointer();
    const code = call(out.buffer);
    return code === ErrorCode.NO_ERROR ? partitionsOrErrors(takeList(out)) : code;
  }
}

/** Waits until librdkafka is to be looked at again, for something that began at `began`. */
function untilNextPoll(began: number): Promise<void> {
  const pollMs = performance.now() - began < POLL_MS.firstForMs ? POLL_MS.first : POLL_MS.later;
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** The same for a close that must not keep the program running. */
function untilNextDetachedPoll(): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, POLL_MS.detached)));
}
