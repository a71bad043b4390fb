/**
 * The lag of a reader or of a consumer group.
 *
 * @module
 */

import { answeredInTime, QUERY_TIMEOUT_MS } from "./broker_queries.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { ErrorCode, type TopicPartition, type TopicPartitionOffset, type Watermarks } from "../../kafka/port.ts";

/** The lag of one partition: the columns that `kafka-consumer-groups.sh --describe` prints. */
export interface PartitionLag {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /**
   * The offset of the next message to handle (CURRENT-OFFSET): the position of the reader, or what the group has committed.
   * Absent while no message of the partition has been handled and the group has committed nothing.
   */
  readonly currentOffset?: number;
  /** The offset that the next record written to the partition gets (LOG-END-OFFSET). */
  readonly endOffset: number;
  /**
   * How many offsets lie between the two (LAG). Offsets of messages that are deleted already do not count; offsets of
   * transaction markers and of messages that compaction removed do. Without a `currentOffset`: all that the partition has.
   */
  readonly lag: number;
}

/**
 * How many messages a reader or a consumer group has not handled yet.
 *
 * @example A lag of 13 in two partitions
 * ```ts
 * import type { Lag } from "@slipstream/slipstream";
 *
 * const lag: Lag = {
 *   total: 13,
 *   partitions: [
 *     { topic: "orders", partition: 0, currentOffset: 40, endOffset: 53, lag: 13 },
 *     { topic: "orders", partition: 1, currentOffset: 25, endOffset: 25, lag: 0 },
 *   ],
 * };
 * console.assert(lag.total === lag.partitions.reduce((sum, { lag }) => sum + lag, 0));
 * ```
 */
export interface Lag {
  /** The sum over all partitions. */
  readonly total: number;
  /**
   * Each partition, sorted by topic and number: those assigned to the reader, or all partitions of the topics when this
   * Topic is not being read or has none assigned.
   */
  readonly partitions: readonly PartitionLag[];
}

/**
 * Computes the lag.
 *
 * @param positions the next offset to handle in each partition; a negative one where there is none
 * @param watermarks asks a broker for the low and the high watermark of a partition
 */
export async function lagOf(
  positions: readonly TopicPartitionOffset[],
  watermarks: (partition: TopicPartition) => Promise<Watermarks>,
): Promise<Lag> {
  const partitions = await Promise.all(positions.map(async ({ topic, partition, offset }): Promise<PartitionLag> => {
    const { lowOffset, highOffset: endOffset } = await watermarks({ topic, partition });
    const lag = Math.max(0, endOffset - Math.max(offset, lowOffset));
    return { topic, partition, ...(offset < 0 ? {} : { currentOffset: offset }), endOffset, lag };
  }));
  partitions.sort((one, other) =>
    one.topic === other.topic ? one.partition - other.partition : one.topic < other.topic ? -1 : 1
  );
  return { total: partitions.reduce((sum, { lag }) => sum + lag, 0), partitions };
}

/** Settles as `lag` does, or rejects with a `KafkaError` after `QUERY_TIMEOUT_MS`. */
export function lagInTime(where: string, lag: Promise<Lag>): Promise<Lag> {
  const text = `${where}: can't ask for its lag: no broker answers within ${QUERY_TIMEOUT_MS / 1000} s`;
  return answeredInTime(lag, () => new KafkaError(text, { code: ErrorCode.TIMED_OUT }));
}
