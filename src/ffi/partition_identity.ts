/**
 * Which partition a value names: its topic and its partition number.
 *
 * @module
 */

/** A topic partition, whatever else is known of it; −1 stands for a partition that is not given, as in librdkafka. */
interface Identified {
  readonly topic: string;
  readonly partition?: number;
}

/** Whether two objects name the same partition of the same topic. */
export function isSamePartition(a: Identified, b: Identified): boolean {
  return a.partition === b.partition && a.topic === b.topic;
}

/** The elements of `partitions` that name no partition of `removed`. */
export function withoutPartitions<P extends Identified>(partitions: readonly P[], removed: readonly Identified[]): P[] {
  return partitions.filter((one) => !removed.some((other) => isSamePartition(one, other)));
}

/** The text of a partition in errors, logs and as the key of a map, such as `orders[3]`. */
export function partitionText({ topic, partition = -1 }: Identified): string {
  return `${topic}[${partition}]`;
}
