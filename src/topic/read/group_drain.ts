/**
 * Ending a member of a group that reads until the end and has no partition.
 *
 * @module
 */

import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import type { BrokerQueries } from "./broker_queries.ts";
import type { EndOffsets } from "./end_offsets.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";

const POLL_INTERVAL_MS = 1000;

/** The parts of a reader that `finishWhenGroupDrained` works with. */
export interface GroupDrainContext {
  readonly queries: BrokerQueries;
  readonly ends: EndOffsets;
  readonly stopped: ResettableSignal;
  /** Whether the group has assigned no partition to this member. */
  isIdle(): boolean;
}

/**
 * Finishes a reader with `until: "end"` whose group has assigned it no partition, once the group has committed up to the
 * end offsets that the partitions had when this function was called. In a group with more members than partitions, such a member may never be assigned one. Resolves when
 * the reader is stopped.
 */
export async function finishWhenGroupDrained(
  consumer: PortConsumer,
  partitions: readonly TopicPartition[],
  { queries, ends, stopped, isIdle }: GroupDrainContext,
): Promise<void> {
  const found = await Promise.all(partitions.map(async (partition) => ({
    partition,
    ...await queries.retryForever(() => queries.watermarks(consumer, partition)),
  })));
  const nonEmpty = found.filter(({ lowOffset, highOffset }) => lowOffset < highOffset);
  while (!stopped.fired) {
    if (isIdle()) {
      const committed = await queries.retryForever(() =>
        queries.committed(consumer, nonEmpty.map(({ partition }) => partition))
      );
      const isDrained = committed.every(({ offset }, index) => offset >= nonEmpty[index]!.highOffset);
      // The group may have assigned a partition meanwhile.
      if (isDrained && isIdle()) ends.finish();
    }
    await stopped.delay(POLL_INTERVAL_MS);
  }
}
