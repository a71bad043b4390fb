/**
 * What was sent, and the producer that sends it.
 *
 * @module
 */

import { Topic } from "@slipstream/slipstream";
import { type Id, keyOf, type SourceName, SOURCES, valueOf } from "./message.ts";
import { Random } from "../support/random.ts";

/** How many messages are in the partitions of the sources before anybody reads: uneven, and none in one of each. */
export const BACKLOG: Readonly<Record<SourceName, readonly number[]>> = {
  one: [100, 1000, 5000, 3, 0, 600],
  two: [300, 0, 50, 900],
};
const EVERY_MS = 250;

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

  /** The broker has the next messages of a partition. */
  acknowledged(source: SourceName, partition: number, count: number, at = Date.now()): void {
    for (let index = 0; index < count; index++) this.#sentAt.get(source)![partition]!.push(at);
  }

  /** When a message was acknowledged; `undefined` if it was never. */
  sentAt({ source, partition, n }: Id): number | undefined {
    return this.#sentAt.get(source)?.[partition]?.[n];
  }

  /** All partitions of the sources. */
  partitions(): Pick<Id, "source" | "partition">[] {
    return SOURCES.flatMap((source) => BACKLOG[source].map((_, partition) => ({ source, partition })));
  }

  /** All messages that were acknowledged, partition by partition, in order. */
  *ids(): Generator<Id, void, undefined> {
    for (const place of this.partitions()) {
      for (let n = 0; n < this.next(place.source, place.partition); n++) yield { ...place, n };
    }
  }

  /** How many messages were acknowledged. */
  get size(): number {
    return [...this.#sentAt.values()].flat().reduce((sum, times) => sum + times.length, 0);
  }
}

/** Sends messages, and notes in a ledger what the broker has acknowledged. */
export class Producer implements AsyncDisposable {
  readonly #ledger: Ledger;
  readonly #topics: ReadonlyMap<SourceName, Topic>;
  readonly #random: Random;

  /** @param names the names of the source topics */
  constructor(ledger: Ledger, servers: string, names: Readonly<Record<SourceName, string>>) {
    this.#ledger = ledger;
    this.#topics = new Map(
      SOURCES.map((source) => [source, new Topic(names[source], { "bootstrap.servers": servers })]),
    );
    this.#random = new Random(ledger.seed, "producer");
  }

  /** Sends the backlog. */
  async fill(): Promise<void> {
    for (const source of SOURCES) {
      await Promise.all(BACKLOG[source].map((count, partition) => this.#send(source, partition, count)));
    }
  }

  /** Sends about so many messages a second, until the signal; some partitions get more than others, and one gets none. */
  async flow(perSecond: number, signal: AbortSignal): Promise<void> {
    const places = this.#ledger.partitions();
    const each = perSecond * EVERY_MS / 1000 / (places.length / 2);
    while (!signal.aborted) {
      await Promise.all(places.map(({ source, partition }, index) => {
        // The share of a place goes from none to twice its part.
        const count = this.#random.next() * each * index * 2 / places.length;
        return this.#send(source, partition, Math.round(count));
      }));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async #send(source: SourceName, partition: number, count: number): Promise<void> {
    if (count === 0) return;
    const first = this.#ledger.next(source, partition);
    const records = Array.from({ length: count }, (_, index) => {
      const id = { source, partition, n: first + index };
      return { key: keyOf(id), value: valueOf(this.#ledger.seed, id), partition };
    });
    await this.#topics.get(source)!.sendBatch(records);
    this.#ledger.acknowledged(source, partition, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const topic of this.#topics.values()) await topic.close();
  }
}
