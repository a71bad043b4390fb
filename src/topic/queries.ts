/**
 * What a reader asks brokers.
 *
 * @module
 */

import type { KafkaJavascript } from "../librdkafka/kafka_javascript.ts";
import type { Place } from "./by_partition.ts";
import { placeText } from "./by_partition.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Latch } from "./latch.ts";
import type { TopicNames } from "./topic_names.ts";

type Consumer = InstanceType<KafkaJavascript["KafkaConsumer"]>;
type Answer<T> = (error: unknown, answer: T) => void;

/** How long a broker is waited for. */
export const QUERY_MS = 10_000;
const RETRY_MS = 300;

/** The lowest offset there is and the next one to be written. */
export interface Watermarks {
  readonly lowOffset: number;
  readonly highOffset: number;
}

/** Asks, and asks again for a while when a broker says that it can't answer yet, as a new cluster's coordinators do. */
export class Queries {
  readonly #names: TopicNames;
  readonly #stopped: Latch;

  /** @param stopped ends the asking again */
  constructor(names: TopicNames, stopped: Latch) {
    this.#names = names;
    this.#stopped = stopped;
  }

  async #ask<T>(doing: string, ask: (answer: Answer<T>) => void): Promise<T> {
    const deadline = performance.now() + QUERY_MS;
    for (;;) {
      try {
        return await new Promise<T>((resolve, reject) =>
          ask((error, answer) =>
            error ? reject(KafkaError.from(`${this.#names.where}: can't ask for ${doing}`, error)) : resolve(answer)
          )
        );
      } catch (error) {
        if (!(error as KafkaError).retriable || this.#stopped.fired || performance.now() > deadline) throw error;
      }
      await this.later();
    }
  }

  /** Waits before asking again, or until nobody asks any more. */
  async later(): Promise<void> {
    await this.#stopped.race(new Promise((resolve) => setTimeout(resolve, RETRY_MS)));
  }

  /** The partitions of the topics that are there. */
  async places(consumer: Consumer): Promise<Place[]> {
    const topics = this.#names.isPattern ? [undefined] : this.#names.subscription;
    const found = await Promise.all(
      topics.map((topic) =>
        this.#ask<{ topics: { name: string; partitions: { id: number }[] }[] }>("its partitions", (answer) => {
          const which = topic === undefined ? { allTopics: true } : { topic, allTopics: false };
          consumer.getMetadata({ ...which, timeout: QUERY_MS } as never, answer as never);
        })
      ),
    );
    return found.flatMap(({ topics }) => topics).filter(({ name }) => this.#names.include(name)).flatMap(
      ({ name, partitions }) => partitions.map(({ id }) => ({ topic: name, partition: id })),
    );
  }

  /** The ends of a partition. */
  watermarks(consumer: Consumer, place: Place): Promise<Watermarks> {
    return this.#ask(
      `the offsets of ${placeText(place)}`,
      (answer) => consumer.queryWatermarkOffsets(place.topic, place.partition, QUERY_MS, answer as never),
    );
  }

  /** What the group has committed. */
  committed(consumer: Consumer, places: readonly Place[]): Promise<(Place & { readonly offset?: number })[]> {
    return this.#ask(
      "committed offsets",
      (answer) => consumer.committed(places as never, QUERY_MS, answer as never),
    );
  }
}
