/**
 * The reading half of a Topic.
 *
 * @module
 */

import {
  ErrorCode,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "../../kafka/port.ts";
import type { Position } from "../../protocol/protocol.ts";
import { Assignment } from "./assignment.ts";
import { BrokerQueries } from "./broker_queries.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";
import { Committer } from "./committer.ts";
import { consumerConf, pauseAfterIdleMs, resetOffset } from "./consumer_conf.ts";
import { EndOffsets } from "./end_offsets.ts";
import { Fetcher } from "./fetcher.ts";
import { FlowControl } from "./flow_control.ts";
import { IdlePolling } from "./idle_polling.ts";
import { InitialPartitions } from "./initial_partitions.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { type Lag, lagInTime, lagOf } from "./lag.ts";
import type { Notices } from "../../notices/notices.ts";
import { describeOffsetReset, type OffsetReset, parseOffsetReset } from "./offset_reset.ts";
import { BEGINNING, END } from "./offsets.ts";
import { OffsetTracker } from "./offset_tracker.ts";
import type { ReadBatch } from "./read_batch.ts";
import { ReaderConnection } from "./reader_connection.ts";
import { RequestedOffsets } from "./requested_offsets.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";
import type { TopicNames } from "./topic_names.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** How a `TopicReader` reads. */
export interface TopicReaderOptions {
  /**
   * Returns the start offset that the user has requested for a partition (of each topic); `undefined` for the committed
   * offset, or `auto.offset.reset`.
   */
  readonly startAt: (partition: number) => number | undefined;
  /** Whether to end at the end offsets that the partitions have when they are assigned. */
  readonly untilEnd: boolean;
  /** How long to wait for the first answer of a broker, in milliseconds; without a limit when left out. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long to wait for topics that do not exist, in milliseconds; without a limit when left out. */
  readonly missingTopicMs?: number | undefined;
  /** Whether offsets are stored, and committed in the background. */
  readonly autoCommit: boolean;
}

/** How often a manual commit checks whether a pull polls for its answer, in milliseconds. */
const COMMIT_CHECK_MS = 20;

/**
 * Reads one topic or several. The first `TopicReader.next` connects and starts reading; `TopicReader.stop` ends every wait
 * at once; `TopicReader.close` commits, leaves the group and disconnects.
 */
export class TopicReader {
  readonly #where: string;
  readonly #notices: Notices;
  readonly #isGrouped: boolean;
  readonly #stopped = new ResettableSignal();
  readonly #queries: BrokerQueries;
  readonly #tracker: OffsetTracker;
  readonly #requested: RequestedOffsets;
  /** Only of a reader with `until: "end"`. */
  readonly #ends: EndOffsets | undefined;
  readonly #connection: ReaderConnection;
  readonly #assignment: Assignment;
  readonly #committer: Committer;
  readonly #fetcher: Fetcher;
  readonly #flow: FlowControl;
  readonly #idlePolling: IdlePolling;
  /** Why reading can't go on. */
  #failure: unknown;

  constructor(
    names: TopicNames,
    conf: Readonly<Record<string, unknown>>,
    options: TopicReaderOptions,
    notices: Notices,
  ) {
    this.#where = names.where;
    this.#notices = notices;
    this.#isGrouped = conf["group.id"] !== undefined;
    const commits = this.#isGrouped && options.autoCommit;
    this.#queries = new BrokerQueries(names, this.#stopped, notices);
    this.#committer = new Committer(names.where, this.#stopped, notices);
    this.#tracker = new OffsetTracker(commits ? (positions) => this.#storeOffsets(positions) : undefined);
    const initial = new InitialPartitions();
    this.#requested = new RequestedOffsets(names.where, options.startAt, {
      watermarks: (partition) => this.#watermarks(partition),
      committed: async (partition) =>
        this.#isGrouped ? (await this.#queries.committed(this.#consumer!, [partition]))[0]!.offset : -1,
      isAddedLater: (partition) => initial.isAddedLater(partition),
    });
    if (options.untilEnd) this.#ends = new EndOffsets();
    this.#fetcher = new Fetcher({
      ends: this.#ends,
      tracker: this.#tracker,
      stopped: this.#stopped,
      consumer: () => this.#consumer!,
      isAssigned: (partition) => this.#assignment.has(partition),
      onError: (error) => this.#onPollError(error),
    });
    this.#flow = new FlowControl(this.#stopped, () => this.#consumer, () => this.#assignment.partitions);
    const resetTo = resetOffset(conf);
    this.#assignment = new Assignment({
      names,
      conf,
      queries: this.#queries,
      requested: this.#requested,
      initial,
      // `Infinity` stands for a partition that the option `offset` does not name.
      mayStartAtEnd: resetTo !== BEGINNING || options.startAt(Infinity) === END,
      ends: this.#ends,
      tracker: this.#tracker,
      notices,
      stopped: this.#stopped,
      isGrouped: this.#isGrouped,
      resetTo,
      missingTopicMs: options.missingTopicMs,
      arePartitionsPaused: () => this.#flow.arePartitionsPaused,
      dropFetched: (revoked) => this.#fetcher.drop((partition) => revoked.has(partition)),
      onFailure: (error) => this.#fail(error),
    });
    this.#connection = new ReaderConnection({
      names,
      conf: consumerConf(conf, commits),
      notices,
      stopped: this.#stopped,
      connectTimeoutMs: options.connectTimeoutMs,
      events: {
        onError: (code, message) =>
          this.#fail(new KafkaError(`${this.#where}: can't read on: ${message}`, { code, fatal: true })),
        onLog: (_, message) => {
          const reset = parseOffsetReset(message);
          if (reset !== undefined) void this.#onOffsetReset(reset);
        },
        onAssign: (partitions) => this.#assignment.onAssign(partitions),
        onRevoke: (partitions) => this.#assignment.onRevoke(partitions),
        onCommitted: (code, offsets) => {
          if (code === 0) this.#tracker.onCommitted(offsets.filter(({ error }) => error === undefined));
          this.#committer.onCommitted(code, offsets, (code) => this.#connection.errorText(code));
        },
        onEnd: (end) => this.#fetcher.onEnd(end),
      },
      onConnected: (consumer) => {
        if (!this.#stopped.fired) this.#assignment.start(consumer);
      },
    });
    this.#idlePolling = new IdlePolling(pauseAfterIdleMs(conf), {
      poll: () => this.#fetcher.serveEvents(),
      pause: () => this.#flow.startBackpressure(),
    });
  }

  get #consumer(): PortConsumer | undefined {
    return this.#connection.consumer;
  }

  // Pulling

  /**
   * The next messages, at most 1,000 of them and about 16 MiB; `undefined` when the reader has ended or is stopped. One call
   * at a time.
   *
   * @throws {KafkaError} If Kafka refuses to go on.
   */
  async next(): Promise<ReadBatch | undefined> {
    this.#fetcher.onRequested();
    try {
      await this.#stopped.race(this.#idlePolling.onPull());
      return await this.#next();
    } finally {
      if (this.#consumer !== undefined) this.#idlePolling.onPulled();
    }
  }

  async #next(): Promise<ReadBatch | undefined> {
    const consumer = await this.#stopped.race(this.#connection.open());
    while (consumer !== undefined && !this.#stopped.fired) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#flow.endBackpressure();
      if (this.#flow.isPausedByUser) {
        // A message that comes along is held until the reader is resumed.
        await this.#fetcher.serveEvents();
        continue;
      }
      await this.#fetcher.fetch();
      if (this.#flow.isPausedByUser || this.#stopped.fired) continue;
      const batch = this.#fetcher.handOut(this.#assignment.revoking);
      if (batch !== undefined) {
        this.#notices.clear("read-failing", `${this.#where}: messages are read again`);
        return batch;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ends?.areAllReached && this.#fetcher.isEmpty) return undefined;
    }
    return undefined;
  }

  #onPollError(error: unknown): void {
    const code = KafkaError.codeOf(error);
    if (this.#stopped.fired || code === ErrorCode.STATE) return;
    if (code === ErrorCode.UNKNOWN_TOPIC_OR_PART) {
      this.#assignment.onUnknownTopic();
    } else if (code === ErrorCode.MAX_POLL_EXCEEDED) {
      this.#notices.event(
        "max-poll-exceeded",
        `${this.#where}: left the group, since max.poll.interval.ms went by; joining again`,
      );
    } else {
      const failure = KafkaError.from(`${this.#where}: can't read on`, error);
      if (failure.retriable) this.#notices.raise("read-failing", `${failure.message}; still trying`);
      else this.#fail(failure);
    }
  }

  async #onOffsetReset(reset: OffsetReset): Promise<void> {
    try {
      const text = describeOffsetReset(reset, await this.#watermarks(reset));
      const { topic, partition } = reset;
      this.#notices.event("offset-reset", `${this.#where}: ${text}`, { topic, partition });
    } catch {
      // Without an answer to the request for watermarks, or when the reader is stopped, there is nothing to describe.
    }
  }

  /** Ends reading with an error: `TopicReader.next` throws it. The first one counts. */
  #fail(error: unknown): void {
    if (!this.#stopped.fired) this.#failure ??= error;
  }

  /** Stops handing out messages at once, also of partitions that are assigned later. The reader stays in its group. */
  pause(): void {
    this.#flow.pause();
  }

  /** Hands out messages again. */
  resume(): void {
    this.#flow.resume();
  }

  /** Whether `TopicReader.pause` was called, and `TopicReader.resume` not since. */
  get isPaused(): boolean {
    return this.#flow.isPausedByUser;
  }

  /** Resolves when the reader is not paused, or is stopped. */
  resumed(): Promise<void> {
    return this.#flow.resumed();
  }

  // Offsets

  #storeOffsets(offsets: readonly Position[]): void {
    try {
      this.#consumer?.storeOffsets(offsets);
    } catch (error) {
      // A partition is not assigned any more. Its new owner starts at the committed offset.
      if (KafkaError.codeOf(error) !== ErrorCode.STATE && this.#consumer?.isConnected) throw error;
    }
  }

  /** Stores the offsets of the messages that are handled. */
  store(): void {
    this.#tracker.store();
  }

  /** Stores no offsets any more: messages that are handled and whose offsets are not stored are read again. */
  stopStoring(): void {
    this.#tracker.stopStoring();
  }

  /** The positions of the assigned partitions of which a message is handled. */
  get positions(): readonly Position[] {
    return this.#tracker.positions();
  }

  /**
   * Commits positions. Resolves when the broker has them.
   *
   * @throws {KafkaError} If the broker refuses all positions or those of some partitions, or the reader is stopped first.
   */
  async commit(positions: readonly Position[]): Promise<void> {
    const consumer = await this.#connection.openInTime("commit");
    if (positions.length === 0) return;
    let isAnswered = false;
    const committed = this.#committer.commit(consumer, positions).finally(() => isAnswered = true);
    committed.catch(() => {});
    // The answer is an event of the consumer, which is polled by a pull, or here.
    while (!isAnswered && !this.#stopped.fired) {
      if (this.#idlePolling.isPulling) await this.#stopped.race(settlesWithin(committed, COMMIT_CHECK_MS));
      else await this.#idlePolling.poll();
    }
    await committed;
  }

  /**
   * Moves the positions of assigned partitions, all of them before the next message is read.
   *
   * @param offsetOf returns the offset for a partition (of each topic); `undefined` for one that stays where it is
   * @throws {RangeError} If a partition does not have its offset; then no position is moved.
   * @throws {KafkaError} If the broker refuses, or the reader is stopped first.
   */
  async seek(offsetOf: (partition: number) => number | undefined): Promise<void> {
    const consumer = await this.#connection.openInTime("seek");
    await this.#assignment.exclusively("seek", async () => {
      const requested = this.#assignment.partitions.flatMap(({ topic, partition }) => {
        const offset = offsetOf(partition);
        return offset === undefined ? [] : [{ topic, partition, offset }];
      });
      const targets = await Promise.all(requested.map((target) => this.#requested.resolve(target)));
      await this.#fetcher.exclusively(async () => {
        for (const target of targets) await this.#seek(consumer, target);
      });
    });
  }

  async #seek(consumer: PortConsumer, target: TopicPartitionOffset): Promise<void> {
    await this.#queries.seek(consumer, target);
    // Messages that were handed out or fetched before are void now. (Only now: a seek that fails leaves them valid.)
    this.#tracker.onSeek(target);
    this.#ends?.reopen(target);
    this.#requested.set(target, target.offset);
    this.#fetcher.drop((partition) => isSamePartition(partition, target));
  }

  #watermarks(partition: TopicPartition): Promise<Watermarks> {
    return this.#queries.watermarks(this.#consumer!, partition);
  }

  /**
   * The lag of the assigned partitions; of all partitions while none is assigned.
   *
   * @throws {KafkaError} If a topic does not exist, a broker refuses or does not answer in time, or the reader is stopped.
   */
  async lag(): Promise<Lag> {
    const lag = this.currentOffsets().then((offsets) => lagOf(offsets, (partition) => this.#watermarks(partition)));
    return await lagInTime(this.#where, lag);
  }

  /**
   * The next offset to handle in each assigned partition, or in all partitions while none is assigned. Before a message of
   * a partition is handled, that is its requested start offset, else the committed offset, else −1.
   */
  async currentOffsets(): Promise<TopicPartitionOffset[]> {
    const consumer = await this.#connection.openInTime("ask for its lag");
    await this.#assignment.settled();
    const { partitions: assigned } = this.#assignment;
    const partitions = assigned.length > 0 ? assigned : await this.#queries.partitionsOfAll(consumer);
    const unhandled = partitions.filter((partition) => this.#tracker.position(partition) === undefined);
    const committed = new PartitionMap<number>();
    if (unhandled.length > 0 && this.#isGrouped) {
      for (const one of await this.#queries.committed(consumer, unhandled)) committed.set(one, one.offset);
    }
    return partitions.map(({ topic, partition }) => {
      const key = { topic, partition };
      const position = this.#tracker.position(key)?.offset ?? this.#requested.pendingOffset(key);
      return { topic, partition, offset: Math.max(-1, position ?? committed.get(key) ?? -1) };
    });
  }

  // The end

  /** Ends `TopicReader.next`, and every other wait, at once. */
  stop(): void {
    this.#stopped.fire();
    this.#idlePolling.stop();
    this.#assignment.stop();
  }

  /**
   * Stops, stores and commits the offsets of what is handled, leaves the group, and disconnects. Idempotent. Takes at most
   * 5 s; see `ReaderConnection.close`.
   */
  close(): Promise<void> {
    this.stop();
    return this.#connection.close(async (consumer) => {
      this.#tracker.store();
      await this.#committer.commitBeforeLeaving(
        consumer,
        () => this.#tracker.positionsToCommit(),
        () => this.#fetcher.serveEventsWhenStopped(),
      );
    });
  }
}
