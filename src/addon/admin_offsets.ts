/**
 * Makes the partition lists of admin requests, and reads the results of those about offsets.
 *
 * @module
 */

import { int64Option, intOption, type Options } from "./admin_options.ts";
import { readError } from "./admin_results.ts";
import { isObject } from "./arguments.ts";
import { pointersOf } from "./c_arrays.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readCString } from "../ffi/memory.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";
import { OFFSET_INVALID, type PartitionResult, readElement, readList } from "../ffi/topic_partitions.ts";

/** A partition's committed offset. */
export interface GroupOffset {
  topic: string;
  partition: number;
  offset: number;
  metadata: string | null;
  leaderEpoch?: number;
  error?: NativeError;
}

/** A group's committed offsets. */
export interface GroupOffsets {
  groupId: string;
  error?: NativeError;
  partitions: GroupOffset[];
}

/** A partition from which records were deleted, and its first offset since then. */
export interface DeletedRecords {
  topic: string;
  partition: number;
  lowWatermark: number;
  error?: NativeError;
}

/** The offset that an OffsetSpec has named. */
export interface ListedOffset {
  topic: string;
  partition: number;
  offset: number;
  error?: NativeError;
  leaderEpoch?: number;
  timestamp: number;
}

/**
 * Makes a C list, which the caller frees; `undefined` if an element is not an object.
 *
 * @param offsetOf Reads the offset of an element; without it the list has no offsets.
 */
export function newPartitionList(
  elements: readonly unknown[],
  offsetOf?: (element: Options) => bigint,
): Pointer | undefined {
  if (!elements.every(isObject)) return undefined;
  const { symbols } = openLibrary();
  const names = elements.map(({ topic }) => cString(topic === undefined || topic === null ? "" : String(topic)));
  const list = symbols.rd_kafka_topic_partition_list_new(Math.max(1, elements.length));
  elements.forEach((element, index) => {
    const partition = intOption(element, "partition", -1);
    symbols.rd_kafka_topic_partition_list_add(list, names[index]!, partition);
    if (offsetOf === undefined) return;
    symbols.rd_kafka_topic_partition_list_set_offset(list, names[index]!, partition, offsetOf(element));
  });
  return list;
}

/** The offset of `{ offset: number }`. */
export function plainOffset(element: Options): bigint {
  return int64Option(element, "offset", 0n);
}

/** The offset of `{ offset: { timestamp: number } }`: an OffsetSpec. */
export function specifiedOffset({ offset }: Options): bigint {
  return isObject(offset) ? int64Option(offset, "timestamp", 0n) : 0n;
}

const errorOf = ({ code }: PartitionResult) => code !== 0 && { error: nativeError(code) };
const epochOf = ({ leaderEpoch }: PartitionResult) => leaderEpoch !== undefined && { leaderEpoch };

/** Reads the event of ListConsumerGroupOffsets. */
export function readGroupOffsets(event: Pointer): GroupOffsets[] {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_ListConsumerGroupOffsets_result(event);
  return pointersOf((count) => symbols.rd_kafka_ListConsumerGroupOffsets_result_groups(result, count)).map((group) => {
    const error = readError(symbols.rd_kafka_group_result_error(group));
    return {
      groupId: readCString(symbols.rd_kafka_group_result_name(group)),
      ...(error && { error }),
      partitions: readList(symbols.rd_kafka_group_result_partitions(group)).map((partition) => ({
        topic: partition.topic,
        partition: partition.partition,
        offset: partition.offset ?? OFFSET_INVALID,
        metadata: partition.metadata ?? null,
        ...epochOf(partition),
        ...errorOf(partition),
      })),
    };
  });
}

/** Reads the event of DeleteRecords. */
export function readDeletedRecords(event: Pointer): DeletedRecords[] {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_DeleteRecords_result(event);
  return readList(symbols.rd_kafka_DeleteRecords_result_offsets(result)).map((partition) => ({
    topic: partition.topic,
    partition: partition.partition,
    lowWatermark: partition.offset ?? OFFSET_INVALID,
    ...errorOf(partition),
  }));
}

/** Reads the event of ListOffsets. */
export function readListedOffsets(event: Pointer): ListedOffset[] {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_ListOffsets_result(event);
  return pointersOf((count) => symbols.rd_kafka_ListOffsets_result_infos(result, count)).map((info) => {
    const partition = readElement(symbols.rd_kafka_ListOffsetsResultInfo_topic_partition(info)!);
    return {
      topic: partition.topic,
      partition: partition.partition,
      offset: partition.offset ?? OFFSET_INVALID,
      ...errorOf(partition),
      ...epochOf(partition),
      timestamp: Number(symbols.rd_kafka_ListOffsetsResultInfo_timestamp(info)),
    };
  });
}
