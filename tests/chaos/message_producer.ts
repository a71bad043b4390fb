/**
 * The producer of the source topics.
 *
 * @module
 */

import { Topic } from "@slipstream/slipstream";
import { Random } from "../support/random.ts";
import { keyOf, type SourceName, SOURCES, valueOf } from "./chaos_message.ts";
import { BACKLOG, type Ledger } from "./ledger.ts";

/** The time between two sends of `flow()`, in milliseconds. */
const EVERY_MS = 250;

/** Sends messages, and notes in a ledger which of them the broker has acknowledged. */
export class MessageProducer implements AsyncDisposable {
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

  /** Sends about so many messages a second until the signal aborts. The first partition receives none, the last the most. */
  async flow(perSecond: number, signal: AbortSignal): Promise<void> {
    const partitions = this.#ledger.partitions();
    const each = perSecond * EVERY_MS / 1000 / (partitions.length / 2);
    while (!signal.aborted) {
      await Promise.all(partitions.map(({ source, partition }, index) => {
        // From 0 for the first partition up to twice the mean for the last.
        const count = this.#random.next() * each * index * 2 / partitions.length;
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
