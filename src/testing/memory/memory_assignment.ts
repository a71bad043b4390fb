/**
 * The partitions that a consumer of a `MemoryKafka` reads, and its position in each.
 *
 * @module
 */

import { PartitionMap } from "../../kafka/partition_map.ts";
import { ErrorCode, type FetchedMessage, type TopicPartition, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { GroupCoordinator } from "./group_coordinator.ts";
import type { MemoryCluster } from "./memory_cluster.ts";

interface AssignedPartition extends TopicPartition {
  /** The next offset to read; `undefined` until the first read finds it. */
  position: number | undefined;
  /** Where to start: an offset or a logical offset; `undefined` for the committed one. */
  start: number | undefined;
  /** Whether `onEnd()` has been called for the current end. */
  isEndReported: boolean;
  stored: TopicPartitionOffset | undefined;
  committed: number | undefined;
}

/** librdkafka's logical offsets. */
const BEGINNING = -2, END = -1;

/** The assigned partitions of a consumer. */
export class MemoryAssignment {
  readonly #cluster: MemoryCluster;
  readonly #coordinator: GroupCoordinator;
  readonly #offsetReset: string;
  readonly #reportsEnds: boolean;
  readonly #log: (severity: number, line: string) => void;
  #assigned = new PartitionMap<AssignedPartition>();
  /** As in librdkafka, a partition is still paused when it comes back after a rebalance. */
  readonly #paused = new PartitionMap<true>();
  #reads = 0;

  /** @param log writes a line of the client's log, with a severity of syslog's */
  constructor(
    cluster: MemoryCluster,
    coordinator: GroupCoordinator,
    conf: Readonly<Record<string, unknown>>,
    log: (severity: number, line: string) => void,
  ) {
    this.#log = log;
    this.#cluster = cluster;
    this.#coordinator = coordinator;
    this.#offsetReset = String(conf["auto.offset.reset"] ?? "latest");
    this.#reportsEnds = String(conf["enable.partition.eof"] ?? false) === "true";
  }

  /** The assigned partitions. */
  get partitions(): TopicPartition[] {
    return [...this.#assigned.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Assigns these partitions, and no others. */
  replace(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void {
    this.#assigned = new PartitionMap();
    this.add(partitions);
  }

  /** Assigns these partitions as well. */
  add(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void {
    for (const { topic, partition, offset } of partitions) {
      this.#assigned.set({ topic, partition }, {
        ...{ topic, partition, position: undefined, start: offset, isEndReported: false },
        ...{ stored: undefined, committed: undefined },
      });
    }
  }

  /** Unassigns these partitions. */
  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#assigned.delete(partition);
  }

  /** Stops reading these partitions. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#paused.set(partition, true);
  }

  /** Reads these partitions again. */
  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
  }

  /** Moves the position of a partition. Returns whether the partition is assigned. */
  seek(partition: TopicPartition, offset: number): boolean {
    const assigned = this.#assigned.get(partition);
    if (assigned === undefined) return false;
    assigned.start = offset;
    assigned.position = undefined;
    assigned.isEndReported = false;
    return true;
  }

  /**
   * Reads messages, at most `max`, and the ends that are reached.
   *
   * @returns a code, if a partition has no offset to start at
   */
  read(max: number, messages: FetchedMessage[], ends: TopicPartitionOffset[]): number | undefined {
    const all = [...this.#assigned.values()];
    const first = this.#cluster.isRandom ? Math.floor(this.#cluster.random() * all.length) : this.#reads++;
    for (let index = 0; index < all.length && messages.length < max; index++) {
      const assigned = all[(first + index) % all.length]!;
      if (this.#paused.has(assigned)) continue;
      const log = this.#cluster.topics.partition(assigned);
      if (log === undefined) continue;
      const { lowOffset, highOffset } = log.watermarks;
      let { position } = assigned;
      position ??= this.#startOf(assigned, lowOffset, highOffset);
      if (position === undefined || position < lowOffset || position > highOffset) {
        const missing = position;
        position = this.#resetTo(lowOffset, highOffset);
        if (missing !== undefined && position !== undefined) this.#logReset(assigned, missing, position === lowOffset);
      }
      if (position === undefined) return ErrorCode.AUTO_OFFSET_RESET;
      if (position < highOffset) {
        const room = Math.min(max - messages.length, highOffset - position);
        const count = this.#cluster.isRandom ? 1 + Math.floor(this.#cluster.random() * room) : room;
        position = log.read(position, count, messages);
        assigned.isEndReported = false;
      }
      assigned.position = position;
      if (!this.#reportsEnds || assigned.isEndReported || position < highOffset) continue;
      assigned.isEndReported = true;
      ends.push({ topic: assigned.topic, partition: assigned.partition, offset: position });
    }
    return undefined;
  }

  #startOf({ start, topic, partition }: AssignedPartition, lowOffset: number, highOffset: number): number | undefined {
    if (start === BEGINNING) return lowOffset;
    if (start === END) return highOffset;
    if (start !== undefined && start >= 0) return start;
    return this.#coordinator.committed({ topic, partition })?.offset;
  }

  #resetTo(lowOffset: number, highOffset: number): number | undefined {
    if (this.#offsetReset === "error") return undefined;
    return ["earliest", "beginning", "smallest"].includes(this.#offsetReset) ? lowOffset : highOffset;
  }

  /** Logs the line that librdkafka logs: Topic's reader parses it. */
  #logReset({ topic, partition }: AssignedPartition, missing: number, toBeginning: boolean): void {
    const target = toBeginning ? "BEGINNING" : "END";
    this.#log(
      4,
      `${topic} [${partition}]: offset reset (at offset ${missing} (leader epoch 0), broker 1) to offset ${target} ` +
        "(leader epoch -1): fetch failed due to requested offset not available on the broker: Broker: Offset out of range",
    );
  }

  // Offsets

  /** Stores an offset to be committed. Returns whether its partition is assigned. */
  store({ topic, partition, offset, leaderEpoch }: TopicPartitionOffset): boolean {
    const assigned = this.#assigned.get({ topic, partition });
    if (assigned === undefined) return false;
    assigned.stored = { topic, partition, offset, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
    return true;
  }

  /** Returns the stored offsets that are not committed, of all partitions or of these. */
  uncommitted(partitions: readonly TopicPartition[] = this.partitions): TopicPartitionOffset[] {
    return partitions.flatMap((partition) => {
      const assigned = this.#assigned.get(partition);
      return assigned?.stored === undefined || assigned.stored.offset === assigned.committed ? [] : [assigned.stored];
    });
  }

  /** Takes note that offsets were committed. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const offset of offsets) {
      const assigned = this.#assigned.get(offset);
      if (assigned !== undefined) assigned.committed = offset.offset;
    }
  }
}
