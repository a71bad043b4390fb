/**
 * What the broker has acknowledged.
 *
 * @module
 */

import { type Id, type SourceName, SOURCES } from "./chaos_message.ts";

/** The number of messages in each partition before a member reads: uneven, and 0 in one partition of each source. */
export const BACKLOG: Readonly<Record<SourceName, readonly number[]>> = {
  one: [100, 1000, 5000, 3, 0, 600],
  two: [300, 0, 50, 900],
};

/** The times at which the messages of each partition were acknowledged, by their numbers. */
export class Ledger {
  readonly seed: number;
  readonly #sentAt = new Map<SourceName, number[][]>(SOURCES.map((name) => [name, BACKLOG[name].map(() => [])]));

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The number of the next message of a partition. */
  next(source: SourceName, partition: number): number {
    return this.#sentAt.get(source)![partition]!.length;
  }

  /** Notes that the broker has acknowledged the next messages of a partition. */
  acknowledged(source: SourceName, partition: number, count: number, at = Date.now()): void {
    for (let index = 0; index < count; index++) this.#sentAt.get(source)![partition]!.push(at);
  }

  /** The time at which a message was acknowledged; `undefined` if it was not. */
  sentAt({ source, partition, n }: Id): number | undefined {
    return this.#sentAt.get(source)?.[partition]?.[n];
  }

  /** All partitions of the sources. */
  partitions(): Pick<Id, "source" | "partition">[] {
    return SOURCES.flatMap((source) => BACKLOG[source].map((_, partition) => ({ source, partition })));
  }

  /** All messages that were acknowledged, partition by partition, in order. */
  *ids(): Generator<Id, void, undefined> {
    for (const { source, partition } of this.partitions()) {
      for (let n = 0; n < this.next(source, partition); n++) yield { source, partition, n };
    }
  }

  /** The number of messages that were acknowledged. */
  get size(): number {
    return [...this.#sentAt.values()].flat().reduce((sum, times) => sum + times.length, 0);
  }
}
