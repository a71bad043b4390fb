/**
 * The topics of a `MemoryKafka`.
 *
 * @module
 */

import type { TopicPartition } from "../../kafka/port.ts";
import { PartitionLog } from "./partition_log.ts";

/** The logs of all partitions, by topic. */
export class TopicLogs {
  readonly #topics = new Map<string, PartitionLog[]>();

  /** Creates a topic, or adds partitions to it until it has so many. */
  create(topic: string, partitions: number): void {
    const logs = this.#topics.get(topic) ?? [];
    for (let partition = logs.length; partition < partitions; partition++) {
      logs.push(new PartitionLog({ topic, partition }));
    }
    this.#topics.set(topic, logs);
  }

  /** Returns the partitions of a topic; an empty array if the topic does not exist. */
  of(topic: string): readonly PartitionLog[] {
    return this.#topics.get(topic) ?? [];
  }

  /** Returns the topics with these names, and those that match a name that begins with `^`, a regular expression. */
  matching(names: Iterable<string>): string[] {
    const found = new Set<string>();
    for (const name of names) {
      if (!name.startsWith("^")) this.#topics.has(name) && found.add(name);
      else for (const topic of this.#topics.keys()) if (new RegExp(name).test(topic)) found.add(topic);
    }
    return [...found].sort();
  }

  /** The names of all topics. */
  get names(): string[] {
    return [...this.#topics.keys()];
  }

  /** Returns a partition, if it exists. */
  partition({ topic, partition }: TopicPartition): PartitionLog | undefined {
    return this.#topics.get(topic)?.[partition];
  }
}
