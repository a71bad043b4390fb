/**
 * Storing offsets one message at a time, as the promise API does after each message.
 *
 * The list is kept, and the C string of the topic that was stored for last: making both for each message took a
 * quarter of the time of reading with `eachMessage`. The element lives for one call. librdkafka puts the handle of the
 * element's partition into its private field, and goes by that from then on, whatever partition the element names
 * later; and a handle that is kept holds its topic up, of which librdkafka makes another when it comes back.
 *
 * @module
 */

import { TOPIC_PARTITION } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { cString, type Pointer } from "./memory.ts";
import { fieldsOf } from "./topic_partitions.ts";

interface Place {
  readonly list: Pointer;
  /** C's own memory of the list's only place for an element. */
  readonly fields: DataView<ArrayBuffer>;
}

const { offset: OFFSET } = TOPIC_PARTITION.fields;

/** The list of a consumer; to be freed with it. */
export class OffsetStore {
  #place: Place | undefined;
  #topic = "";
  #name = cString("");

  /**
   * Stores the offset to read next in a partition.
   *
   * @param leaderEpoch −1 when unknown
   * @returns librdkafka's code
   */
  store(rk: Pointer, topic: string, partition: number, offset: bigint, leaderEpoch: number): number {
    const { symbols } = openLibrary();
    if (topic !== this.#topic) {
      this.#name = cString(topic);
      this.#topic = topic;
    }
    const { list, fields } = this.#place ??= newPlace();
    const element = symbols.rd_kafka_topic_partition_list_add(list, this.#name, partition);
    fields.setBigInt64(OFFSET, offset, true);
    if (leaderEpoch >= 0) symbols.rd_kafka_topic_partition_set_leader_epoch?.(element, leaderEpoch);
    const code = symbols.rd_kafka_offsets_store(rk, list);
    symbols.rd_kafka_topic_partition_list_del_by_idx(list, 0);
    return code;
  }

  /** Frees the list. */
  free(): void {
    if (this.#place !== undefined) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(this.#place.list);
    this.#place = undefined;
  }
}

/** An empty list. It never grows, so that its place for an element stays where it is. */
function newPlace(): Place {
  const { symbols } = openLibrary();
  const list = symbols.rd_kafka_topic_partition_list_new(1);
  const fields = fieldsOf(symbols.rd_kafka_topic_partition_list_add(list, cString(""), 0)!);
  symbols.rd_kafka_topic_partition_list_del_by_idx(list, 0);
  return { list, fields };
}
