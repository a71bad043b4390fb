/**
 * The partitions that a reader reads: those that its group gives it, or all.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { PortConsumer, TopicPartition, TopicPartitionOffset } from "../../kafka/port.ts";
import { isSamePartition, PartitionMap, partitionSet } from "../../kafka/partition_map.ts";
import type { Ends } from "./ends.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { KnownPartitions } from "./known_partitions.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
import { BEGINNING, END } from "./offsets.ts";
import type { Progress } from "./progress.ts";
import type { Queries } from "./queries.ts";
import type { Starts } from "./starts.ts";
import type { TopicNames } from "./topic_names.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** How long a partition that moves to another member waits for messages that are being handled, at most. */
const REVOKE_MS = 5000;
/** librdkafka's own defaults, and the broker's interval of heartbeats for the protocol `consumer`. */
const MAX_POLL_MS = 300_000, HEARTBEAT_MS = 3000, CONSUMER_HEARTBEAT_MS = 5000;
/** librdkafka's own default. */
const REFRESH_MS = 300_000;
/** How often a member without partitions looks whether its group has read everything. */
const WATCH_MS = 1000;
/** After so long a topic that does not exist is worth a word. */
const UNKNOWN_MS = 3000;

/** The group knows this member no more, or not in this generation: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH. */
const NO_MEMBER: ReadonlySet<number> = new Set([22, 25, 113]);

type Assigned = TopicPartition & { readonly offset?: number };

/** What an assignment needs of its reader. */
export interface AssignmentParts {
  readonly names: TopicNames;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly queries: Queries;
  readonly starts: Starts;
  /** The partitions that are there when reading begins. */
  readonly known: KnownPartitions;
  /** Whether what is there at first may be left out: then it has to be known. */
  readonly startsAtEnd: boolean;
  /** What ends a reader that reads until the end. */
  readonly ends: Ends | undefined;
  readonly progress: Progress;
  readonly notices: Notices;
  readonly stopped: ResettableSignal;
  /** Whether a group gives the partitions, and knows where to go on in them. */
  readonly isGrouped: boolean;
  /** Where to begin where nothing was said or committed; `undefined` where that is an error, of which the consumer tells. */
  readonly resetTo: number | undefined;
  /** How long topics that do not exist are waited for, in milliseconds; for ever when it is `undefined`. */
  readonly missingMs: number | undefined;
  /** Whether partitions are held up, and new ones are to be. */
  isPaused(): boolean;
  /** Partitions go to another member: what was read of them is not to be handed out. */
  onRevoke(partitions: PartitionMap<true>): void;
  /** Reading can't go on. */
  onFailure(error: unknown): void;
}

/** Assigns partitions as they come and go, one change after the other. */
export class Assignment {
  readonly #parts: AssignmentParts;
  readonly #revokeMs: number;
  #consumer: PortConsumer | undefined;
  #partitions: readonly TopicPartition[] = [];
  #revoking: PartitionMap<true> | undefined;
  #changes: Promise<void> = Promise.resolve();
  /** How many changes were told and are not made yet. */
  #untaken = 0;
  #following: ReturnType<typeof setTimeout> | undefined;
  #unknownSince: number | undefined;
  /** Whether something was assigned, be it no partition. */
  #isMember = false;

  constructor(parts: AssignmentParts) {
    this.#parts = parts;
    this.#revokeMs = revokeMs(parts.conf);
  }

  /** The partitions that are assigned. */
  get partitions(): readonly TopicPartition[] {
    return this.#partitions;
  }

  /** Partitions that are on their way to another member: nothing more of them is to be handed out. */
  get revoking(): PartitionMap<true> | undefined {
    return this.#revoking;
  }

  /** Whether a partition is assigned, and not on its way to another member. */
  isOurs(partition: TopicPartition): boolean {
    return !this.#revoking?.has(partition) && this.#partitions.some((one) => isSamePartition(one, partition));
  }

  /** Resolves when every change that was told so far is made, or the reader is stopped. */
  async settled(): Promise<void> {
    await this.#parts.stopped.race(this.#changes);
  }

  /** Joins the group of a consumer; or, without one, assigns all partitions there are, and those that are added later. */
  start(consumer: PortConsumer, isGrouped: boolean): void {
    this.#consumer = consumer;
    this.#change(() => isGrouped ? this.#join(consumer) : this.#assignAll(consumer));
  }

  /** Looks for no partitions any more. */
  stop(): void {
    clearTimeout(this.#following);
  }

  /** The group gives partitions. */
  onAssign(partitions: readonly TopicPartition[]): void {
    this.#change(() => this.#assign(partitions, this.#consumer!.isCooperative));
  }

  /** The group takes partitions. */
  onRevoke(partitions: readonly TopicPartition[]): void {
    const isCooperative = this.#consumer!.isCooperative;
    this.#change(() => this.#revoke(partitions, isCooperative));
  }

  /** Does something while no partition comes or goes; what it rejects with is the caller's. */
  inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#changes.then(act);
    this.#changes = turn.catch(() => {});
    return this.#parts.stopped.raceOrReject(turn, () => new KafkaError(`${this.#parts.names.where}: closed meanwhile`));
  }

  #change(make: () => Promise<void>): void {
    this.#untaken++;
    this.#changes = this.#changes.then(make).catch((error) => {
      if (!this.#parts.stopped.fired) this.#parts.onFailure(error);
    }).finally(() => this.#untaken--);
  }

  async #join(consumer: PortConsumer): Promise<void> {
    const { names, known, queries, ends, startsAtEnd, missingMs, stopped } = this.#parts;
    // Of several topics, one that is read to its end is no end while another is missing.
    ends?.hold();
    if (ends !== undefined || missingMs !== undefined) this.#beside(() => this.#watch(consumer));
    if (startsAtEnd) {
      const partitions = await queries.patiently(() => queries.partitions(consumer));
      known.found(partitions, await queries.patiently(() => queries.committed(consumer, partitions)));
    }
    if (!stopped.fired && consumer.isConnected) consumer.subscribe(names.subscription);
  }

  async #assignAll(consumer: PortConsumer): Promise<void> {
    const { known, ends, stopped } = this.#parts;
    const partitions = await this.#find(consumer, (found) => !known.isFound && known.found(found));
    if (stopped.fired) return;
    await this.#assign(partitions, false);
    // Of an expression that nothing matches.
    if (partitions.length === 0) ends?.finish();
    this.#follow(consumer);
  }

  /**
   * The partitions of all topics, once they exist; of an expression, once something matches it, or at once for a reader
   * until the end. Nothing when the reader is stopped.
   *
   * @throws {KafkaError} If topics do not exist for too long.
   */
  async #find(
    consumer: PortConsumer,
    onFound: (partitions: readonly TopicPartition[]) => void = () => {},
  ): Promise<readonly TopicPartition[]> {
    const { names, queries, ends, missingMs = Infinity, stopped } = this.#parts, began = performance.now();
    while (!stopped.fired) {
      const partitions = await queries.patiently(() => queries.partitions(consumer));
      onFound(partitions);
      const missing = names.missing(partitions);
      if (missing.length === 0 && (partitions.length > 0 || ends !== undefined)) return partitions;
      this.onUnknown();
      if (missing.length > 0 && performance.now() - began >= missingMs) throw queries.doesNotExist(missing);
      await queries.later();
    }
    return [];
  }

  /** Does something besides the changes; reading ends with its failure. */
  #beside(act: () => Promise<void>): void {
    act().catch((error) => {
      if (!this.#parts.stopped.fired) this.#parts.onFailure(error);
    });
  }

  /**
   * Looks whether the topics of a group exist, and ends a reader until the end that has no partition when its group has
   * committed up to the ends that are there now: with more members than partitions it may never get one.
   */
  async #watch(consumer: PortConsumer): Promise<void> {
    const { ends, queries, stopped } = this.#parts;
    const partitions = await this.#find(consumer);
    if (ends === undefined) return;
    ends.release();
    const marks = await Promise.all(
      partitions.map(async (place) => ({
        place,
        ...await queries.patiently(() => queries.watermarks(consumer, place)),
      })),
    );
    const open = marks.filter(({ lowOffset, highOffset }) => lowOffset < highOffset);
    while (!stopped.fired) {
      if (this.#isIdle) {
        const committed = await queries.patiently(() => queries.committed(consumer, open.map(({ place }) => place)));
        if (this.#isIdle && committed.every(({ offset }, index) => offset >= open[index]!.highOffset)) ends.finish();
      }
      await stopped.delay(WATCH_MS);
    }
  }

  /** Whether the group has given this member nothing to read. */
  get #isIdle(): boolean {
    return this.#isMember && this.#partitions.length === 0 && this.#revoking === undefined;
  }

  /** Without a group nobody tells of partitions, or topics, that are added: looks for them now and then. */
  #follow(consumer: PortConsumer): void {
    const { conf, ends, queries, starts, stopped } = this.#parts;
    const everyMs = Number(conf["topic.metadata.refresh.interval.ms"] ?? REFRESH_MS);
    if (ends !== undefined || stopped.fired || everyMs <= 0) return;
    this.#following = setTimeout(async () => {
      // A broker that can't answer now will the next time.
      const partitions = await queries.partitions(consumer).catch(() => []);
      const known = partitionSet(this.#partitions);
      const added = partitions.filter((partition) => !known.has(partition));
      // Whatever is in them came after this reader did.
      for (const partition of added) starts.set(partition, BEGINNING);
      if (added.length > 0) this.#change(() => this.#assign(added, true));
      this.#follow(consumer);
    }, everyMs);
  }

  async #assign(partitions: readonly TopicPartition[], isCooperative: boolean): Promise<void> {
    const { stopped, ends, notices, progress, queries } = this.#parts;
    const placed = await this.#withCommitted(
      await Promise.all(partitions.map((partition) => queries.patiently(() => this.#placed(partition)))),
    );
    const consumer = this.#consumer!;
    if (stopped.fired || !consumer.isConnected) return;
    progress.begin(partitions);
    if (isCooperative) consumer.incrementalAssign(placed);
    else consumer.assign(placed);
    this.#partitions = isCooperative ? [...this.#partitions, ...partitions] : [...partitions];
    this.#isMember = true;
    ends?.assign(this.#partitions);
    if (partitions.length > 0) notices.over("unknown", `${this.#missing} exists now`);
    if (this.#parts.isPaused()) consumer.pause(partitions);
  }

  /** A partition with the offset to start at. */
  async #placed({ topic, partition }: TopicPartition): Promise<Assigned> {
    const { starts, ends, queries, isGrouped } = this.#parts, place = { topic, partition };
    const offset = await starts.of(place) ?? (isGrouped ? undefined : this.#resetTo(place));
    if (ends?.knows(place) === false) ends.set(place, (await queries.watermarks(this.#consumer!, place)).highOffset);
    return offset === undefined ? place : { ...place, offset };
  }

  /**
   * Partitions with what the group has committed where nothing else was said. librdkafka would ask for that by itself, but
   * after some errors it leaves a partition assigned and unread for good; this asks until it is told.
   */
  async #withCommitted(placed: readonly Assigned[]): Promise<readonly Assigned[]> {
    const open = placed.filter(({ offset }) => offset === undefined);
    const committed = open.length === 0 ? undefined : await this.#committed(open);
    if (committed === undefined) return placed;
    const found = new PartitionMap<Assigned>();
    for (const one of committed) found.set(one, one);
    return placed.map((place) => {
      const one = found.get(place), resetTo = this.#resetTo(place);
      if (one === undefined) return place;
      return one.offset! >= 0 || resetTo === undefined ? one : { ...place, offset: resetTo };
    });
  }

  /** Where a partition is begun of which nothing is said or committed. */
  #resetTo(place: TopicPartition): number | undefined {
    const { known, resetTo } = this.#parts;
    return resetTo === END && known.isNew(place) ? BEGINNING : resetTo;
  }

  /**
   * What the group has committed in partitions; `undefined` when they are about to go, and when this member is no more
   * one of the group, which then says so.
   */
  async #committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[] | undefined> {
    const { names, queries, notices, stopped } = this.#parts;
    do {
      try {
        const offsets = await queries.committed(this.#consumer!, partitions);
        notices.over("committed", `${names.where}: what the group has committed is known`);
        return offsets;
      } catch (error) {
        if (!(error instanceof KafkaError) || NO_MEMBER.has(error.code!)) return undefined;
        if (!error.retriable) throw error;
        notices.once("committed", `${error.message}; still trying`);
      }
    } while (this.#untaken === 1 && !stopped.fired);
    return undefined;
  }

  async #revoke(partitions: readonly TopicPartition[], isCooperative: boolean): Promise<void> {
    const { progress, starts, ends, stopped, onRevoke } = this.#parts;
    const consumer = this.#consumer!, isLost = consumer.isAssignmentLost;
    const gone = partitionSet(partitions);
    this.#revoking = gone;
    onRevoke(gone);
    // What is being handled gets its time, or the next owner would do it again.
    if (!isLost && !stopped.fired) await this.#handled(gone);
    if (!isLost) progress.store();
    for (const partition of partitions) if (progress.position(partition) !== undefined) starts.begun(partition);
    progress.leave(partitions);
    this.#partitions = this.#partitions.filter((partition) => !gone.has(partition));
    ends?.assign(this.#partitions, partitions);
    try {
      // librdkafka leaves them paused: should they come back, nothing would ever be fetched of them.
      if (this.#parts.isPaused()) consumer.resume(partitions);
      if (isCooperative) consumer.incrementalUnassign(partitions);
      else consumer.unassign();
    } catch (error) {
      if (!stopped.fired) throw error;
    } finally {
      // Polls have gone on meanwhile, and have fetched on behind what was dropped: should the partition come back, that
      // would be handled, and count, before what was dropped is read again. The answer of a poll that has taken some comes
      // before the next turn.
      if (!stopped.fired) await new Promise((resolve) => setImmediate(resolve));
      onRevoke(gone);
      this.#revoking = undefined;
    }
  }

  /** Resolves when nobody holds messages of partitions any more, the time is out, or the reader is stopped. */
  async #handled(gone: PartitionMap<true>): Promise<void> {
    const { progress, stopped } = this.#parts;
    await stopped.race(settlesWithin(progress.leaving(gone), this.#revokeMs));
  }

  /** A topic is said not to exist. One that is made in a moment is not worth a word. */
  onUnknown(): void {
    this.#unknownSince ??= performance.now();
    if (performance.now() - this.#unknownSince < UNKNOWN_MS) return;
    this.#parts.notices.once("unknown", `${this.#missing} does not exist yet; waiting for it`);
  }

  get #missing(): string {
    const { names } = this.#parts;
    return names.single === undefined ? `A topic of ${names.where}` : names.where;
  }
}

/**
 * How long a partition that is taken may wait for what is being handled. The group puts a member out that has not joined
 * again `max.poll.interval.ms` after a rebalance began, of which the member hears with its next heartbeat: half of
 * what is left of that is for handlers, the rest for a busy machine.
 */
function revokeMs(conf: Readonly<Record<string, unknown>>): number {
  const isConsumer = String(conf["group.protocol"]).toLowerCase() === "consumer";
  const heartbeatMs = isConsumer ? CONSUMER_HEARTBEAT_MS : Number(conf["heartbeat.interval.ms"] ?? HEARTBEAT_MS);
  const allowedMs = Number(conf["max.poll.interval.ms"] ?? MAX_POLL_MS) - heartbeatMs;
  return Math.max(0, Math.min(REVOKE_MS, allowedMs / 2));
}
