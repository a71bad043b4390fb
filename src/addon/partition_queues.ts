/**
 * The queues of assigned partitions, each forwarded to the queue from which messages are read in batches.
 *
 * @module
 */

import { partitionKey } from "./partition_identity.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, OutPointer, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type PartitionToC, takeList } from "../ffi/topic_partitions.ts";

/** The partition queues of one consumer. */
export class PartitionQueues {
  /**
   * The queues by partition. A queue is asked for while its partition is assigned, and kept: asking librdkafka for the
   * queue of another partition would mark that one as wanted for good, and librdkafka would log an error when its topic
   * is deleted.
   */
  readonly #queues = new Map<string, Pointer>();

  /** Forwards a partition's queue to another queue. */
  forward(rk: Pointer, assigned: PartitionToC, to: Pointer): void {
    this.release(assigned);
    const { symbols } = openLibrary(), { topic, partition = -1 } = assigned;
    const queue = symbols.rd_kafka_queue_get_partition(rk, cString(topic), partition);
    if (queue === null) return;
    symbols.rd_kafka_queue_forward(queue, to);
    this.#queues.set(partitionKey(assigned), queue);
  }

  /** Stops forwarding a partition's queue, and lets go of it. */
  release(partition: PartitionToC): void {
    const { symbols } = openLibrary(), queue = this.#queues.get(partitionKey(partition));
    if (queue === undefined) return;
    symbols.rd_kafka_queue_forward(queue, null);
    symbols.rd_kafka_queue_destroy(queue);
    this.#queues.delete(partitionKey(partition));
  }
}

/**
 * Waits until librdkafka's main thread has done what it was asked before. To be called between an assign and `forward`.
 *
 * The events without this wait: an assign stops a partition and starts it again, on librdkafka's thread, a moment after
 * the call. The program forwards the partition's queue. Then librdkafka stops the partition, which takes the forward
 * away, and starts it, which forwards none but a queue that no program has ever forwarded. The partition's messages
 * would never arrive.
 */
export function awaitEarlierOperations(rk: Pointer): void {
  const out = new OutPointer();
  // Any question will do: that thread answers in the order of asking.
  if (openLibrary().symbols.rd_kafka_assignment(rk, out.buffer) === ErrorCode.NO_ERROR) takeList(out);
}
