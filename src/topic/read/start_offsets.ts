/**
 * Where a reader starts in a partition that is assigned to it.
 *
 * @module
 */

import { ErrorCode, type PortConsumer, type TopicPartition, type TopicPartitionOffset } from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";
import type { BrokerQueries } from "./broker_queries.ts";
import type { InitialPartitions } from "./initial_partitions.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { Notices } from "../../notices/notices.ts";
import { BEGINNING, END } from "./offsets.ts";
import type { RequestedOffsets } from "./requested_offsets.ts";

/** A partition to assign. Without an offset, librdkafka looks up the committed one itself. */
export type StartPosition = TopicPartition & { readonly offset?: number };

/** The parts of a reader that `StartOffsets` works with. */
export interface StartOffsetsContext {
  /** The topic, as notices name it. */
  readonly where: string;
  readonly requested: RequestedOffsets;
  readonly initial: InitialPartitions;
  readonly queries: BrokerQueries;
  readonly notices: Notices;
  /** Whether the reader is a member of a group, which has committed offsets. */
  readonly isGrouped: boolean;
  /** `BEGINNING` or `END`, as `auto.offset.reset` says; `undefined` if it says that a missing offset is an error. */
  readonly resetTo: number | undefined;
}

/**
 * Decides the start offset of each assigned partition: what the user has requested, else what the group has committed, else
 * what `auto.offset.reset` says.
 */
export class StartOffsets {
  readonly #context: StartOffsetsContext;

  constructor(context: StartOffsetsContext) {
    this.#context = context;
  }

  /**
   * A partition with the requested offset; without a group, with that of `auto.offset.reset` if none is requested.
   *
   * @throws {RangeError} If the partition does not have the requested offset.
   */
  async withRequested({ topic, partition }: TopicPartition): Promise<StartPosition> {
    const { requested, isGrouped } = this.#context;
    const offset = await requested.startOffset({ topic, partition }) ??
      (isGrouped ? undefined : this.#resetOffset({ topic, partition }));
    return { topic, partition, ...(offset === undefined ? {} : { offset }) };
  }

  /**
   * Adds the committed offset, or that of `auto.offset.reset`, to the partitions that have no offset yet. librdkafka would
   * ask for committed offsets itself. But after some errors of that request, it leaves a partition assigned and does not
   * fetch it any more; this repeats the request.
   *
   * @param isNeeded returns whether the partitions are still to be assigned; asked before the request is repeated
   */
  async withCommitted(
    consumer: PortConsumer,
    positions: readonly StartPosition[],
    isNeeded: () => boolean,
  ): Promise<readonly StartPosition[]> {
    const open = positions.filter(({ offset }) => offset === undefined);
    const committed = open.length === 0 ? undefined : await this.#committed(consumer, open, isNeeded);
    if (committed === undefined) return positions;
    const offsets = new PartitionMap<TopicPartitionOffset>();
    for (const one of committed) offsets.set(one, one);
    return positions.map((position) => {
      const found = offsets.get(position);
      if (found === undefined) return position;
      const resetTo = this.#resetOffset(position);
      return found.offset >= 0 || resetTo === undefined ? found : { ...position, offset: resetTo };
    });
  }

  /** Where `auto.offset.reset` starts in a partition. One that is added later is read from its beginning. */
  #resetOffset(partition: TopicPartition): number | undefined {
    const { initial, resetTo } = this.#context;
    return resetTo === END && initial.isAddedLater(partition) ? BEGINNING : resetTo;
  }

  /**
   * What the group has committed. `undefined` if the partitions are not needed any more, or the group does not know this
   * member any more: then the group revokes them.
   */
  async #committed(
    consumer: PortConsumer,
    partitions: readonly TopicPartition[],
    isNeeded: () => boolean,
  ): Promise<readonly TopicPartitionOffset[] | undefined> {
    const { where, queries, notices } = this.#context;
    do {
      try {
        const offsets = await queries.committed(consumer, partitions);
        notices.clear("committed-offsets-unknown", `${where}: what the group has committed is known`);
        return offsets;
      } catch (error) {
        if (!(error instanceof KafkaError) || NOT_A_MEMBER.has(error.code!)) return undefined;
        if (!error.retriable) throw error;
        notices.raise("committed-offsets-unknown", `${error.message}; still trying`);
      }
    } while (isNeeded());
    return undefined;
  }
}

/** The group does not know this member any more, or not in this generation. */
const NOT_A_MEMBER: ReadonlySet<number> = new Set([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.STALE_MEMBER_EPOCH,
]);
