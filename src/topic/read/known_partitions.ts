/**
 * Which partitions were there before a reader was.
 *
 * @module
 */

import type { TopicPartition, TopicPartitionOffset } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/**
 * The partitions that a reader finds when it begins. All that lies in those that come later was written since then: who
 * begins at the end of what there is reads them from their beginning.
 */
export class KnownPartitions {
  readonly #known = new PartitionMap<true>();
  #isFound = false;

  /** Whether `KnownPartitions.found` was called. */
  get isFound(): boolean {
    return this.#isFound;
  }

  /**
   * These are there at the beginning.
   *
   * @param committed what the group has committed of them: where it has committed something of all partitions of a topic
   * up to one, those after it were added since the group was here last, and count as new
   */
  found(partitions: readonly TopicPartition[], committed: readonly TopicPartitionOffset[] = []): void {
    this.#isFound = true;
    for (const partition of partitions) this.#known.set(partition, true);
    const has = new Map<string, boolean[]>();
    for (const { topic, partition, offset } of committed) {
      let partitions = has.get(topic);
      if (partitions === undefined) has.set(topic, partitions = []);
      partitions[partition] = offset >= 0;
    }
    for (const [topic, partitions] of has) {
      const first = partitions.indexOf(false);
      if (first <= 0 || partitions.lastIndexOf(true) > first) continue;
      for (let partition = first; partition < partitions.length; partition++) this.#known.delete({ topic, partition });
    }
  }

  /** Whether a partition came later. */
  isNew(partition: TopicPartition): boolean {
    return this.#isFound && !this.#known.has(partition);
  }
}
