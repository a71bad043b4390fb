/**
 * Which partitions existed before a reader began.
 *
 * @module
 */

import type { TopicPartition, TopicPartitionOffset } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";

/**
 * The partitions that exist when a reader begins. All messages of a partition that is added later were written since then:
 * a reader that starts at the end reads such a partition from its beginning.
 */
export class InitialPartitions {
  readonly #initial = new PartitionMap<true>();
  #isRecorded = false;

  /** Whether `InitialPartitions.record` was called. */
  get isRecorded(): boolean {
    return this.#isRecorded;
  }

  /**
   * Records the partitions that exist at the beginning.
   *
   * @param committed what the group has committed in them. If it has committed something in partitions 0 to n of a topic
   * and nothing in those above n, the latter were added since the group read last, and count as added later.
   */
  record(partitions: readonly TopicPartition[], committed: readonly TopicPartitionOffset[] = []): void {
    this.#isRecorded = true;
    for (const partition of partitions) this.#initial.set(partition, true);
    const hasCommitted = new Map<string, boolean[]>();
    for (const { topic, partition, offset } of committed) {
      let ofTopic = hasCommitted.get(topic);
      if (ofTopic === undefined) hasCommitted.set(topic, ofTopic = []);
      ofTopic[partition] = offset >= 0;
    }
    for (const [topic, ofTopic] of hasCommitted) {
      const first = ofTopic.indexOf(false);
      if (first <= 0 || ofTopic.lastIndexOf(true) > first) continue;
      for (let partition = first; partition < ofTopic.length; partition++) this.#initial.delete({ topic, partition });
    }
  }

  /** Whether a partition was added after the reader began. */
  isAddedLater(partition: TopicPartition): boolean {
    return this.#isRecorded && !this.#initial.has(partition);
  }
}
