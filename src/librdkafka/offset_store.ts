/**
 * Storing offsets one message at a time, as the promise API does after each message.
 *
 * A list of one partition is kept for each topic, and written into where it lies in C: making a list, and a C string
 * for the topic, took a quarter of the time of reading with `eachMessage`.
 *
 * @module
 */

import { TOPIC_PARTITION } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { cString, type Pointer } from "./memory.ts";
import { fieldsOf } from "./topic_partitions.ts";

interface Kept {
  readonly list: Pointer;
  readonly element: NonNullable<Pointer>;
  /** C's own memory of the element. */
  readonly fields: DataView<ArrayBuffer>;
}

const { partition: PARTITION, offset: OFFSET } = TOPIC_PARTITION.fields;

/** The lists of a consumer; to be freed with it. */
export class OffsetStore {
  readonly #kept = new Map<string, Kept>();

  /**
   * Stores the offset to read next in a partition.
   *
   * @param leaderEpoch −1 when unknown
   * @returns librdkafka's code
   */
  store(rk: Pointer, topic: string, partition: number, offset: bigint, leaderEpoch: number): number {
    const { symbols } = openLibrary();
    const { list, element, fields } = this.#kept.get(topic) ?? this.#keep(topic);
    fields.setInt32(PARTITION, partition, true);
    fields.setBigInt64(OFFSET, offset, true);
    symbols.rd_kafka_topic_partition_set_leader_epoch(element, leaderEpoch);
    return symbols.rd_kafka_offsets_store(rk, list);
  }

  /** Frees the lists. */
  free(): void {
    for (const { list } of this.#kept.values()) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(list);
    this.#kept.clear();
  }

  #keep(topic: string): Kept {
    const { symbols } = openLibrary();
    const list = symbols.rd_kafka_topic_partition_list_new(1);
    const element = symbols.rd_kafka_topic_partition_list_add(list, cString(topic), 0)!;
    const kept: Kept = { list, element, fields: fieldsOf(element) };
    this.#kept.set(topic, kept);
    return kept;
  }
}
