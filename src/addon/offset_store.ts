/**
 * Stores offsets one message at a time, as the KafkaJS half of the npm client does after each message.
 *
 * The C list is kept, and its element as long as the partition stays the same: a new list for each message took a quarter
 * of the time of reading with `eachMessage`. Another partition gets another element: librdkafka keeps the handle of the
 * element's partition in a private field, and later goes by that, whatever the element names.
 *
 * @module
 */

import { TOPIC_PARTITION } from "../ffi/layout.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { fieldsOf } from "../ffi/topic_partitions.ts";

interface ReusedList {
  readonly list: Pointer;
  readonly element: Pointer;
  /** C's own memory of the element. */
  readonly fields: DataView<ArrayBuffer>;
}

const { offset: OFFSET } = TOPIC_PARTITION.fields;

/** The reused list of one consumer. */
export class OffsetStore {
  /** A list of one element at most, whose memory stays where it is when the element is replaced. */
  #list: ReusedList | undefined;
  #topic = "";
  #topicBytes = cString("");
  /** The partition of the element that is in the list; `undefined` when the list is empty. */
  #partition: number | undefined;

  /**
   * Stores the next offset of a partition.
   *
   * @param leaderEpoch −1 when unknown
   * @returns librdkafka's code
   */
  store(rk: Pointer, topic: string, partition: number, offset: bigint, leaderEpoch: number): number {
    const { symbols } = openLibrary();
    const { list, element, fields } = partition === this.#partition && topic === this.#topic
      ? this.#list!
      : this.#add(topic, partition);
    fields.setBigInt64(OFFSET, offset, true);
    symbols.rd_kafka_topic_partition_set_leader_epoch(element, leaderEpoch);
    const code = symbols.rd_kafka_offsets_store(rk, list);
    // The partition is not assigned, or not any more.
    if (code !== ErrorCode.NO_ERROR) this.forget();
    return code;
  }

  /**
   * Removes the element; to be called when the assignment changes. The handle in it keeps its topic alive, and when the
   * partition is assigned again, librdkafka may have made another handle for it.
   */
  forget(): void {
    if (this.#partition === undefined) return;
    this.#partition = undefined;
    openLibrary().symbols.rd_kafka_topic_partition_list_del_by_idx(this.#list!.list, 0);
  }

  /** Frees the list, before the consumer's handle is destroyed. */
  free(): void {
    if (this.#list !== undefined) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(this.#list.list);
    this.#list = this.#partition = undefined;
  }

  #add(topic: string, partition: number): ReusedList {
    const { symbols } = openLibrary();
    this.forget();
    if (topic !== this.#topic) {
      this.#topicBytes = cString(topic);
      this.#topic = topic;
    }
    const list = this.#list?.list ?? symbols.rd_kafka_topic_partition_list_new(1);
    const element = symbols.rd_kafka_topic_partition_list_add(list, this.#topicBytes, partition)!;
    this.#partition = partition;
    return this.#list ??= { list, element, fields: fieldsOf(element) };
  }
}
