/**
 * The queues of assigned partitions, each forwarded to the queue from which messages are read in batches.
 *
 * @module
 */

import { partitionText } from "../ffi/partition_identity.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, OutPointer, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type PartitionInput, takeList } from "../ffi/topic_partitions.ts";

/** The partition queues of one consumer. */
export class PartitionQueues {
  /**
   * The queues by partition. A queue is fetched from librdkafka while its partition is assigned, and then kept. Fetching
   * the queue of a partition that is not assigned would mark the partition as wanted for good, and librdkafka would log an
   * error when its topic is deleted.
   */
  readonly #queues = new Map<string, Pointer>();

  /** Forwards a partition's queue to another queue. */
  forward(rk: Pointer, assigned: PartitionInput, to: Pointer): void {
    this.release(assigned);
    const { symbols } = openLibrary(), { topic, partition = -1 } = assigned;
    const queue = symbols.rd_kafka_queue_get_partition(rk, cString(topic), partition);
    if (queue === null) return;
    symbols.rd_kafka_queue_forward(queue, to);
    this.#queues.set(partitionText(assigned), queue);
  }

  /** Stops forwarding a partition's queue, and lets go of it. */
  release(partition: PartitionInput): void {
    const { symbols } = openLibrary(), queue = this.#queues.get(partitionText(partition));
    if (queue === undefined) return;
    symbols.rd_kafka_queue_forward(queue, null);
    symbols.rd_kafka_queue_destroy(queue);
    this.#queues.delete(partitionText(partition));
  }
}

/**
 * Waits until librdkafka's main thread has carried out the calls that were made before. To be called between an assign call
 * and `PartitionQueues.forward`.
 *
 * Without this wait, the messages of a partition that stays assigned might never arrive:
 *
 * 1. The assign call returns. librdkafka's thread has not carried it out yet.
 * 2. The addon forwards the partition's queue.
 * 3. librdkafka's thread stops the partition, which removes the forward.
 * 4. librdkafka's thread starts the partition again. It sets a forward of its own only on queues that no program has ever
 *    forwarded, so this queue has none.
 */
export function awaitEarlierOperations(rk: Pointer): void {
  const out = new OutPointer();
  // Any call that this thread answers will do, as it answers in the order of the calls.
  if (openLibrary().symbols.rd_kafka_assignment(rk, out.buffer) === ErrorCode.NO_ERROR) takeList(out);
}
