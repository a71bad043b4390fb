/**
 * Storing offsets one message at a time, as the promise API does after each message.
 *
 * The list is kept, and its element for as long as the same partition is stored for: making them for each message took
 * a quarter of the time of reading with `eachMessage`. Another partition gets another element. librdkafka puts the
 * handle of the element's partition into its private field, and goes by that from then on, whatever the element names.
 *
 * @module
 */

import { TOPIC_PARTITION } from "../ffi/layout.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { fieldsOf } from "../ffi/topic_partitions.ts";

interface Place {
  readonly list: Pointer;
  readonly element: Pointer;
  /** C's own memory of the element. */
  readonly fields: DataView<ArrayBuffer>;
}

const { offset: OFFSET } = TOPIC_PARTITION.fields;

/** The list of a consumer; to be freed with it. */
export class OffsetStore {
  /** The list's only place for an element, which stays where it is as long as there are no more. */
  #place: Place | undefined;
  #topic = "";
  #name = cString("");
  /** The partition of the element that is there; `undefined` when there is none. */
  #partition: number | undefined;

  /**
   * Stores the offset to read next in a partition.
   *
   * @param leaderEpoch −1 when unknown
   * @returns librdkafka's code
   */
  store(rk: Pointer, topic: string, partition: number, offset: bigint, leaderEpoch: number): number {
    const { symbols } = openLibrary();
    const { list, element, fields } = partition === this.#partition && topic === this.#topic
      ? this.#place!
      : this.#add(topic, partition);
    fields.setBigInt64(OFFSET, offset, true);
    symbols.rd_kafka_topic_partition_set_leader_epoch(element, leaderEpoch);
    const code = symbols.rd_kafka_offsets_store(rk, list);
    // It is not assigned, or no more.
    if (code !== ErrorCode.NO_ERROR) this.forget();
    return code;
  }

  /**
   * Lets go of the partition that was stored for last; to be called when what is assigned changes. A handle that is kept
   * holds its topic up, and librdkafka may make another of a partition that goes while nothing wants it, and comes back.
   */
  forget(): void {
    if (this.#partition === undefined) return;
    this.#partition = undefined;
    openLibrary().symbols.rd_kafka_topic_partition_list_del_by_idx(this.#place!.list, 0);
  }

  /** Frees the list. */
  free(): void {
    if (this.#place !== undefined) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(this.#place.list);
    this.#place = this.#partition = undefined;
  }

  #add(topic: string, partition: number): Place {
    const { symbols } = openLibrary();
    this.forget();
    if (topic !== this.#topic) {
      this.#name = cString(topic);
      this.#topic = topic;
    }
    const list = this.#place?.list ?? symbols.rd_kafka_topic_partition_list_new(1);
    const element = symbols.rd_kafka_topic_partition_list_add(list, this.#name, partition)!;
    this.#partition = partition;
    return this.#place ??= { list, element, fields: fieldsOf(element) };
  }
}
