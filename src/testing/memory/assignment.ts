/**
 * What a consumer of a cluster in memory reads, and how far it is.
 *
 * @module
 */

import { ErrorCode, type FetchedMessage, type TopicPartition, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { Cluster } from "./cluster.ts";
import { type GroupCoordinator, keyOf } from "./group.ts";

interface Slot extends TopicPartition {
  /** The next offset to be read; `undefined` before it is found. */
  position: number | undefined;
  /** Where to begin: an offset, or one of librdkafka's logical ones. */
  start: number | undefined;
  /** Its end was told and nothing came since. */
  isAtEnd: boolean;
  stored: TopicPartitionOffset | undefined;
  committed: number | undefined;
}

const BEGINNING = -2;
const END = -1;

/** The partitions that are assigned. */
export class Assignment {
  readonly #cluster: Cluster;
  readonly #coordinator: GroupCoordinator;
  readonly #reset: string;
  readonly #tellsEnds: boolean;
  readonly #log: (severity: number, line: string) => void;
  readonly #slots = new Map<string, Slot>();
  /** Partitions that are held up. As in librdkafka, they still are when they come back after a rebalance. */
  readonly #paused = new Set<string>();
  #turn = 0;

  /** @param log writes a line of the client's log, with syslog's severity */
  constructor(
    cluster: Cluster,
    coordinator: GroupCoordinator,
    conf: Readonly<Record<string, unknown>>,
    log: (severity: number, line: string) => void,
  ) {
    this.#log = log;
    this.#cluster = cluster;
    this.#coordinator = coordinator;
    this.#reset = String(conf["auto.offset.reset"] ?? "latest");
    this.#tellsEnds = String(conf["enable.partition.eof"] ?? false) === "true";
  }

  /** The partitions. */
  get partitions(): TopicPartition[] {
    return [...this.#slots.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Reads these alone. */
  replace(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void {
    this.#slots.clear();
    this.add(partitions);
  }

  /** Reads these too. */
  add(partitions: readonly (TopicPartition & { readonly offset?: number })[]): void {
    for (const { topic, partition, offset } of partitions) {
      this.#slots.set(keyOf({ topic, partition }), {
        ...{ topic, partition, position: undefined, start: offset, isAtEnd: false },
        ...{ stored: undefined, committed: undefined },
      });
    }
  }

  /** Reads these no more. */
  remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#slots.delete(keyOf(partition));
  }

  /** Holds partitions up, or lets them flow. */
  pause(partitions: readonly TopicPartition[], isPaused: boolean): void {
    for (const partition of partitions) {
      if (isPaused) this.#paused.add(keyOf(partition));
      else this.#paused.delete(keyOf(partition));
    }
  }

  /** Reads on elsewhere; says whether the partition is assigned. */
  seek(partition: TopicPartition, offset: number): boolean {
    const slot = this.#slots.get(keyOf(partition));
    if (slot === undefined) return false;
    slot.start = offset;
    slot.position = undefined;
    slot.isAtEnd = false;
    return true;
  }

  /**
   * Takes messages, at most `max`, and the ends that are reached.
   *
   * @returns a code, if a partition has no place to begin
   */
  take(max: number, messages: FetchedMessage[], ends: TopicPartitionOffset[]): number | undefined {
    const slots = [...this.#slots.values()];
    const first = this.#cluster.isRandom ? Math.floor(this.#cluster.random() * slots.length) : this.#turn++;
    for (let index = 0; index < slots.length && messages.length < max; index++) {
      const slot = slots[(first + index) % slots.length]!;
      if (this.#paused.has(keyOf(slot))) continue;
      const log = this.#cluster.topics.partition(slot);
      if (log === undefined) continue;
      const { lowOffset, highOffset } = log.watermarks;
      let { position } = slot;
      position ??= this.#startOf(slot, lowOffset, highOffset);
      if (position === undefined || position < lowOffset || position > highOffset) {
        const missing = position;
        position = this.#resetTo(lowOffset, highOffset);
        if (missing !== undefined && position !== undefined) this.#tellReset(slot, missing, position === lowOffset);
      }
      if (position === undefined) return ErrorCode.AUTO_OFFSET_RESET;
      if (position < highOffset) {
        const room = Math.min(max - messages.length, highOffset - position);
        const count = this.#cluster.isRandom ? 1 + Math.floor(this.#cluster.random() * room) : room;
        position = log.read(position, count, messages);
        slot.isAtEnd = false;
      }
      slot.position = position;
      if (!this.#tellsEnds || slot.isAtEnd || position < highOffset) continue;
      slot.isAtEnd = true;
      ends.push({ topic: slot.topic, partition: slot.partition, offset: position });
    }
    return undefined;
  }

  #startOf({ start, topic, partition }: Slot, lowOffset: number, highOffset: number): number | undefined {
    if (start === BEGINNING) return lowOffset;
    if (start === END) return highOffset;
    if (start !== undefined && start >= 0) return start;
    return this.#coordinator.committed({ topic, partition })?.offset;
  }

  #resetTo(lowOffset: number, highOffset: number): number | undefined {
    if (this.#reset === "error") return undefined;
    return ["earliest", "beginning", "smallest"].includes(this.#reset) ? lowOffset : highOffset;
  }

  /** Logs what librdkafka logs. */
  #tellReset({ topic, partition }: Slot, missing: number, toBeginning: boolean): void {
    const target = toBeginning ? "BEGINNING" : "END";
    this.#log(
      4,
      `${topic} [${partition}]: offset reset (at offset ${missing} (leader epoch 0), broker 1) to offset ${target} ` +
        "(leader epoch -1): fetch failed due to requested offset not available on the broker: Broker: Offset out of range",
    );
  }

  // Offsets

  /** Stores an offset; says whether its partition is assigned. */
  store({ topic, partition, offset, leaderEpoch }: TopicPartitionOffset): boolean {
    const slot = this.#slots.get(keyOf({ topic, partition }));
    if (slot === undefined) return false;
    slot.stored = { topic, partition, offset, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
    return true;
  }

  /** Offsets that are stored and not committed, of all partitions or some. */
  uncommitted(partitions: readonly TopicPartition[] = this.partitions): TopicPartitionOffset[] {
    return partitions.flatMap((partition) => {
      const slot = this.#slots.get(keyOf(partition));
      return slot?.stored === undefined || slot.stored.offset === slot.committed ? [] : [slot.stored];
    });
  }

  /** Offsets were committed. */
  committed(offsets: readonly TopicPartitionOffset[]): void {
    for (const offset of offsets) {
      const slot = this.#slots.get(keyOf(offset));
      if (slot !== undefined) slot.committed = offset.offset;
    }
  }
}
