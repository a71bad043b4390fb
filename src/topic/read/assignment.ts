/**
 * The partitions that are assigned to a reader: by its group, or all of them without one.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import { isSamePartition, type PartitionMap, partitionSet } from "../../kafka/partition_map.ts";
import type { BrokerQueries } from "./broker_queries.ts";
import type { EndOffsets } from "./end_offsets.ts";
import { finishWhenGroupDrained } from "./group_drain.ts";
import type { InitialPartitions } from "./initial_partitions.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { BEGINNING } from "./offsets.ts";
import type { OffsetTracker } from "./offset_tracker.ts";
import { PartitionDiscovery } from "./partition_discovery.ts";
import type { RequestedOffsets } from "./requested_offsets.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
import { StartOffsets, type StartPosition } from "./start_offsets.ts";
import type { TopicNames } from "./topic_names.ts";
import { revokeWaitMs } from "./consumer_conf.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** The parts of a reader that its `Assignment` works with. */
export interface AssignmentContext {
  readonly names: TopicNames;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly queries: BrokerQueries;
  readonly requested: RequestedOffsets;
  readonly initial: InitialPartitions;
  /** Whether reading may start at the end of a partition: then the partitions that exist when the reader starts are recorded. */
  readonly mayStartAtEnd: boolean;
  /** The end offsets of a reader with `until: "end"`. */
  readonly ends: EndOffsets | undefined;
  readonly tracker: OffsetTracker;
  readonly notices: Notices;
  readonly stopped: ResettableSignal;
  /** Whether a group assigns the partitions and has committed offsets. */
  readonly isGrouped: boolean;
  /** `BEGINNING` or `END`, as `auto.offset.reset` says; `undefined` if it says that a missing offset is an error. */
  readonly resetTo: number | undefined;
  /** How long to wait for topics that do not exist, in milliseconds; without a limit when left out. */
  readonly missingTopicMs: number | undefined;
  /** Whether partitions are paused, so that newly assigned ones have to be. */
  arePartitionsPaused(): boolean;
  /** Drops what was fetched of partitions that are revoked. */
  dropFetched(partitions: PartitionMap<true>): void;
  /** Ends reading with an error. */
  onFailure(error: unknown): void;
}

/** Assigns and revokes partitions: one change at a time, in the order in which the group has sent them. */
export class Assignment {
  readonly #context: AssignmentContext;
  readonly #discovery: PartitionDiscovery;
  readonly #startOffsets: StartOffsets;
  readonly #revokeWaitMs: number;
  #consumer: PortConsumer | undefined;
  #partitions: readonly TopicPartition[] = [];
  #revoking: PartitionMap<true> | undefined;
  /** Settles when the last change is made. */
  #changes: Promise<void> = Promise.resolve();
  /** How many changes are not made yet, the current one included. */
  #pendingChanges = 0;
  /** Whether the group has assigned something to this member yet, be it no partition. */
  #wasAssigned = false;

  constructor(context: AssignmentContext) {
    this.#context = context;
    const { ends, missingTopicMs, names, ...rest } = context;
    this.#discovery = new PartitionDiscovery({ ...rest, names, untilEnd: ends !== undefined, missingTopicMs });
    this.#startOffsets = new StartOffsets({ ...rest, where: names.where });
    this.#revokeWaitMs = revokeWaitMs(context.conf);
  }

  /** The partitions that are assigned. */
  get partitions(): readonly TopicPartition[] {
    return this.#partitions;
  }

  /** The partitions that are being revoked: no message of theirs may be handed out. */
  get revoking(): PartitionMap<true> | undefined {
    return this.#revoking;
  }

  /** Whether a partition is assigned, and not being revoked. */
  has(partition: TopicPartition): boolean {
    return !this.#revoking?.has(partition) && this.#partitions.some((one) => isSamePartition(one, partition));
  }

  /** Resolves when all changes so far are made, or the reader is stopped. */
  async settled(): Promise<void> {
    await this.#context.stopped.race(this.#changes);
  }

  /** Subscribes in the consumer's group; without a group, assigns all partitions, and those that are added later. */
  start(consumer: PortConsumer): void {
    this.#consumer = consumer;
    this.#change(() => this.#context.isGrouped ? this.#subscribe(consumer) : this.#assignAll(consumer));
  }

  /** Stops looking for partitions. */
  stop(): void {
    this.#discovery.stop();
  }

  /** Handles partitions that the group assigns. */
  onAssign(partitions: readonly TopicPartition[]): void {
    this.#change(() => this.#assign(partitions, this.#consumer!.isCooperative));
  }

  /** Handles partitions that the group revokes. */
  onRevoke(partitions: readonly TopicPartition[]): void {
    const isCooperative = this.#consumer!.isCooperative;
    this.#change(() => this.#revoke(partitions, isCooperative));
  }

  /** Handles an error that says that a topic does not exist. */
  onUnknownTopic(): void {
    this.#discovery.onMissing();
  }

  /**
   * Runs a function while no partition is assigned or revoked.
   *
   * @param purpose what the function does, as the error says it: closed before it could `purpose`
   * @throws What the function throws; a `KafkaError` if the reader is stopped first.
   */
  exclusively(purpose: string, act: () => Promise<void>): Promise<void> {
    const result = this.#changes.then(act);
    this.#changes = result.catch(() => {});
    return this.#context.stopped.raceOrReject(
      result,
      () => new KafkaError(`${this.#context.names.where}: closed before it could ${purpose}`),
    );
  }

  #change(make: () => Promise<void>): void {
    this.#pendingChanges++;
    this.#changes = this.#changes.then(make).catch((error) => this.#fail(error)).finally(() => this.#pendingChanges--);
  }

  #fail(error: unknown): void {
    if (!this.#context.stopped.fired) this.#context.onFailure(error);
  }

  async #subscribe(consumer: PortConsumer): Promise<void> {
    const { names, initial, queries, ends, mayStartAtEnd, missingTopicMs, stopped } = this.#context;
    // The partitions of one topic may all be read to their ends while another topic does not exist yet.
    ends?.hold();
    if (ends !== undefined || missingTopicMs !== undefined) {
      this.#awaitTopics(consumer).catch((error) => this.#fail(error));
    }
    if (mayStartAtEnd) {
      const partitions = await queries.retryForever(() => queries.partitions(consumer));
      initial.record(partitions, await queries.retryForever(() => queries.committed(consumer, partitions)));
    }
    if (!stopped.fired && consumer.isConnected) consumer.subscribe(names.subscription);
  }

  /** Waits until all topics exist. From then on, a reader with `until: "end"` may finish. */
  async #awaitTopics(consumer: PortConsumer): Promise<void> {
    const { ends, queries, stopped } = this.#context;
    const partitions = await this.#discovery.find(consumer);
    if (ends === undefined) return;
    ends.release();
    const isIdle = () => this.#wasAssigned && this.#partitions.length === 0 && this.#revoking === undefined;
    await finishWhenGroupDrained(consumer, partitions, { queries, ends, stopped, isIdle });
  }

  async #assignAll(consumer: PortConsumer): Promise<void> {
    const { initial, ends, requested, stopped } = this.#context;
    const partitions = await this.#discovery.find(consumer, (found) => {
      if (!initial.isRecorded) initial.record(found);
    });
    if (stopped.fired) return;
    await this.#assign(partitions, false);
    // A pattern matches no topic, so there is nothing to read.
    if (partitions.length === 0) ends?.finish();
    this.#discovery.watch(consumer, (found) => {
      const assigned = partitionSet(this.#partitions);
      const added = found.filter((partition) => !assigned.has(partition));
      // All their messages were written after the reader began.
      for (const partition of added) requested.set(partition, BEGINNING);
      if (added.length > 0) this.#change(() => this.#assign(added, true));
    });
  }

  async #assign(partitions: readonly TopicPartition[], isCooperative: boolean): Promise<void> {
    const { stopped, ends, tracker } = this.#context;
    const positions = await this.#startPositions(partitions);
    const consumer = this.#consumer!;
    if (stopped.fired || !consumer.isConnected) return;
    tracker.onAssign(partitions);
    if (isCooperative) consumer.incrementalAssign(positions);
    else consumer.assign(positions);
    this.#partitions = isCooperative ? [...this.#partitions, ...partitions] : [...partitions];
    this.#wasAssigned = true;
    ends?.assign(this.#partitions);
    if (partitions.length > 0) this.#discovery.onExisting();
    if (this.#context.arePartitionsPaused()) consumer.pause(partitions);
  }

  /** The start offset of each partition. For a reader with `until: "end"`, also looks up its end offset. */
  async #startPositions(partitions: readonly TopicPartition[]): Promise<readonly StartPosition[]> {
    const { ends, queries, stopped } = this.#context, consumer = this.#consumer!;
    const requested = await Promise.all(partitions.map((partition) =>
      queries.retryForever(async () => {
        const position = await this.#startOffsets.withRequested(partition);
        if (ends?.has(partition) === false) {
          ends.set(partition, (await queries.watermarks(consumer, partition)).highOffset);
        }
        return position;
      })
    ));
    // A second pending change can only revoke these partitions.
    const isNeeded = () => this.#pendingChanges === 1 && !stopped.fired;
    return await this.#startOffsets.withCommitted(consumer, requested, isNeeded);
  }

  async #revoke(partitions: readonly TopicPartition[], isCooperative: boolean): Promise<void> {
    const { tracker, requested, ends, stopped, dropFetched } = this.#context;
    const consumer = this.#consumer!, isLost = consumer.isAssignmentLost;
    const revoked = partitionSet(partitions);
    this.#revoking = revoked;
    dropFetched(revoked);
    // Messages that are being handled get time to finish. Else the next owner of the partition would handle them again.
    if (!isLost && !stopped.fired) {
      await stopped.race(settlesWithin(tracker.onRevokeBegin(revoked), this.#revokeWaitMs));
    }
    if (!isLost) tracker.store();
    for (const partition of partitions) {
      if (tracker.position(partition) !== undefined) requested.markHandled(partition);
    }
    tracker.onRevoked(partitions);
    this.#partitions = this.#partitions.filter((partition) => !revoked.has(partition));
    ends?.assign(this.#partitions, partitions);
    try {
      // librdkafka leaves a paused partition paused: if it came back, it would never be fetched.
      if (this.#context.arePartitionsPaused()) consumer.resume(partitions);
      if (isCooperative) consumer.incrementalUnassign(partitions);
      else consumer.unassign();
    } catch (error) {
      if (!stopped.fired) throw error;
    } finally {
      // Messages that polls fetched during the wait are dropped too. How one could be lost otherwise:
      // 1. The first `dropFetched` drops messages 5 to 9, which wait to be handed out.
      // 2. During the wait, a poll for events fetches message 10.
      // 3. The partition comes back. Message 10 is handed out and handled, and its position stored.
      // 4. Messages 5 to 9 are fetched again, below that position.
      // A poll may have taken messages already and be about to return them: its answer comes before the next macrotask.
      if (!stopped.fired) await new Promise((resolve) => setImmediate(resolve));
      dropFetched(revoked);
      this.#revoking = undefined;
    }
  }
}
