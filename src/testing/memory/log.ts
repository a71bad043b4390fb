/**
 * The topics of a cluster in memory.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { FetchedMessage, TopicPartition, Watermarks } from "../../kafka/port.ts";

/** A record as it lies in a partition. */
export interface MemoryRecord {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** Its place in the partition. */
  readonly offset: number;
  /** The key, or `null`. */
  readonly key: Uint8Array | null;
  /** The value, or `null` for a tombstone. */
  readonly value: Uint8Array | null;
  /** In milliseconds since 1970. */
  readonly timestamp: number;
  /** Each an object of which the first property is the header. */
  readonly headers?: readonly Readonly<Record<string, Uint8Array>>[];
  /** The leader epoch; always 0. */
  readonly leaderEpoch: number;
  /** The bytes of the value. */
  readonly size: number;
}

/** A record that is to be written. */
export interface NewRecord {
  /** The key; none when left out. */
  readonly key?: Uint8Array | string | null;
  /** The value; `null` for a tombstone. */
  readonly value: Uint8Array | string | null;
  /** In milliseconds since 1970; now when left out. */
  readonly timestamp?: number;
  /** Each an object of which the first property is the header. */
  readonly headers?: readonly Readonly<Record<string, Uint8Array>>[];
}

/** A partition: records in order of their offsets, which may have gaps. */
export class PartitionLog {
  readonly topic: string;
  readonly partition: number;
  readonly #records: MemoryRecord[] = [];
  #low = 0;
  #high = 0;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  /** What is there, the oldest first. */
  get records(): readonly MemoryRecord[] {
    return this.#records;
  }

  /** The lowest offset, and the next one to be written. */
  get watermarks(): Watermarks {
    return { lowOffset: this.#low, highOffset: this.#high };
  }

  /** Writes a record, and returns its offset. */
  append({ key = null, value, timestamp = Date.now(), headers }: NewRecord): number {
    const { topic, partition } = this, offset = this.#high++;
    const bytes = bytesOf(value);
    const record = { topic, partition, offset, key: bytesOf(key), value: bytes, timestamp, leaderEpoch: 0 };
    this.#records.push({ ...record, size: bytes?.length ?? 0, ...(headers === undefined ? {} : { headers }) });
    return offset;
  }

  /** Leaves offsets out, as compaction and transactions do. */
  skip(offsets: number): void {
    this.#high += offsets;
  }

  /** Deletes the records below an offset. */
  deleteBefore(offset: number): void {
    this.#low = Math.min(Math.max(this.#low, offset), this.#high);
    this.#records.splice(0, this.#indexOf(this.#low));
  }

  /** Appends the records from an offset on, at most `max` of them. */
  read(from: number, max: number, into: FetchedMessage[]): number {
    const start = this.#indexOf(from), end = Math.min(this.#records.length, start + max);
    for (let index = start; index < end; index++) into.push(this.#records[index]!);
    return end < this.#records.length ? this.#records[end]!.offset : this.#high;
  }

  /** The index of the first record from an offset on. */
  #indexOf(offset: number): number {
    let low = 0, high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf(given: Uint8Array | string | null): Uint8Array | null {
  // Buffers, as the npm client hands them out.
  return given === null ? null : typeof given === "string" ? Buffer.from(given) : given;
}

/** The partitions by topic. */
export class TopicLogs {
  readonly #topics = new Map<string, PartitionLog[]>();

  /** Adds a topic, or partitions to one. */
  create(topic: string, partitions: number): void {
    const logs = this.#topics.get(topic) ?? [];
    for (let partition = logs.length; partition < partitions; partition++) {
      logs.push(new PartitionLog({ topic, partition }));
    }
    this.#topics.set(topic, logs);
  }

  /** The partitions of a topic; none if it does not exist. */
  of(topic: string): readonly PartitionLog[] {
    return this.#topics.get(topic) ?? [];
  }

  /** The topics that names mean; one that begins with `^` is an expression. */
  matching(names: Iterable<string>): string[] {
    const found = new Set<string>();
    for (const name of names) {
      if (!name.startsWith("^")) this.#topics.has(name) && found.add(name);
      else for (const topic of this.#topics.keys()) if (new RegExp(name).test(topic)) found.add(topic);
    }
    return [...found].sort();
  }

  /** All topics. */
  get names(): string[] {
    return [...this.#topics.keys()];
  }

  /** A partition, if it exists. */
  partition({ topic, partition }: TopicPartition): PartitionLog | undefined {
    return this.#topics.get(topic)?.[partition];
  }
}
