/**
 * Lists of topic partitions, `rd_kafka_topic_partition_list_t`, to C and back.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { TOPIC_PARTITION, TOPIC_PARTITION_LIST } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { cString, type OutPointer, type Pointer, pointerAt, readCString, viewOf } from "./memory.ts";
import { err2str } from "./native_error.ts";

/** A partition as the npm client gets it. A property without a value is absent. */
export interface TopicPartition {
  /** The topic's name. */
  topic: string;
  /** The partition's number. */
  partition: number;
  /** An offset, or one of librdkafka's logical offsets: −1 end, −2 beginning, −1000 stored. */
  offset?: number;
  /** The leader epoch that the offset belongs to. */
  leaderEpoch?: number;
  /** The metadata that was committed with the offset. */
  metadata?: string;
}

/** A partition for a list that is passed to C. */
export interface PartitionInput {
  /** The topic's name. */
  readonly topic: string;
  /**
   * The partition's number.
   * @default {-1}
   */
  readonly partition?: number;
  /** An offset; for `offsetsForTimes` a timestamp. */
  readonly offset?: bigint;
  /** The leader epoch that the offset belongs to. */
  readonly leaderEpoch?: number;
  /** The metadata to commit with the offset. */
  readonly metadata?: string;
}

/** A partition that is read from C, with its error. */
export interface PartitionResult extends TopicPartition {
  /** librdkafka's code for this partition; 0 for success. */
  code: number;
}

/** `RD_KAFKA_OFFSET_INVALID`: no offset. */
export const OFFSET_INVALID = -1001;

const P = TOPIC_PARTITION.fields;

/** Makes a list, passes it to a function, and frees it when the function returns or its promise settles. */
export function withList<T>(partitions: readonly PartitionInput[], call: (list: Pointer) => T): T {
  const { symbols } = openLibrary();
  const list = symbols.rd_kafka_topic_partition_list_new(Math.max(1, partitions.length));
  const free = () => symbols.rd_kafka_topic_partition_list_destroy(list);
  let result: T;
  try {
    for (const partition of partitions) add(list, partition);
    result = call(list);
  } catch (error) {
    free();
    throw error;
  }
  if (result instanceof Promise) return result.finally(free) as T;
  free();
  return result;
}

function add(list: Pointer, { topic, partition = -1, offset, leaderEpoch, metadata }: PartitionInput): void {
  const { symbols } = openLibrary();
  const name = cString(topic);
  const element = symbols.rd_kafka_topic_partition_list_add(list, name, partition);
  const fields = fieldsOf(element!);
  // Written into the element: librdkafka's function would change the first element of the same partition.
  if (offset !== undefined) fields.setBigInt64(P.offset, offset, true);
  // The list frees the copy. The package's addon commits a NUL with the metadata, and drops the last byte of what it reads.
  if (metadata !== undefined) {
    const bytes = new TextEncoder().encode(`${metadata}\0`);
    const copy = symbols.rd_kafka_mem_malloc(null, BigInt(bytes.length))!;
    new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(copy, bytes.length)).set(bytes);
    fields.setBigUint64(P.metadata, Deno.UnsafePointer.value(copy), true);
    fields.setBigUint64(P.metadata_size, BigInt(bytes.length), true);
  }
  if (leaderEpoch !== undefined && leaderEpoch >= 0) {
    symbols.rd_kafka_topic_partition_set_leader_epoch(element, leaderEpoch);
  }
}

/** C's memory of an `rd_kafka_topic_partition_t`, for writing. Valid while its list lives. */
export function fieldsOf(element: NonNullable<Pointer>): DataView<ArrayBuffer> {
  return new DataView(Deno.UnsafePointerView.getArrayBuffer(element, TOPIC_PARTITION.size));
}

/** Reads a list. Its owner stays the owner. */
export function readList(list: Pointer): PartitionResult[] {
  if (list === null) return [];
  const head = viewOf(list);
  const first = head.getBigUint64(TOPIC_PARTITION_LIST.fields.elems);
  return Array.from(
    { length: head.getInt32(TOPIC_PARTITION_LIST.fields.cnt) },
    (_, index) => readElement(pointerAt(first + BigInt(index * TOPIC_PARTITION.size))!),
  );
}

/** Reads one `rd_kafka_topic_partition_t`. Its owner stays the owner. */
export function readElement(element: NonNullable<Pointer>): PartitionResult {
  const { symbols } = openLibrary();
  const view = viewOf(element);
  const result: PartitionResult = {
    topic: readCString(view.getPointer(P.topic)),
    partition: view.getInt32(P.partition),
    code: view.getInt32(P.err),
  };
  const offset = Number(view.getBigInt64(P.offset));
  if (offset !== OFFSET_INVALID) result.offset = offset;
  const metadata = view.getPointer(P.metadata);
  const metadataBytes = Number(view.getBigUint64(P.metadata_size));
  if (metadata !== null && metadataBytes > 0) {
    const bytes = Buffer.from(Deno.UnsafePointerView.getArrayBuffer(metadata, metadataBytes));
    result.metadata = bytes.toString().replace(/\0$/, "");
  }
  const epoch = symbols.rd_kafka_topic_partition_get_leader_epoch(element);
  if (epoch >= 0) result.leaderEpoch = epoch;
  return result;
}

/** Reads the list whose address a function has written, and frees it. */
export function takeList(out: OutPointer): PartitionResult[] {
  const list = out.value;
  const partitions = readList(list);
  if (list !== null) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(list);
  return partitions;
}

const errorCodes = new WeakMap<Error, number>();

/** The code of an error of `partitionsOrErrors()`. The package's addon gives its errors none, so the code is not a property. */
export function partitionErrorCode(error: Error): number | undefined {
  return errorCodes.get(error);
}

/**
 * Partitions as the package's addon answers a request: an error takes the place of a partition that has one.
 *
 * @param requested the partitions of the request, whose metadata is kept where the answer has none
 */
export function partitionsOrErrors(
  partitions: readonly PartitionResult[],
  requested?: readonly PartitionInput[],
): (TopicPartition | Error)[] {
  return partitions.map(({ code, topic, partition, offset, leaderEpoch, ...rest }, index) => {
    if (code !== 0) {
      const error = new Error(err2str(code));
      errorCodes.set(error, code);
      return error;
    }
    const metadata = rest.metadata ?? requested?.[index]?.metadata;
    return {
      ...(offset !== undefined && { offset }),
      ...(metadata !== undefined && { metadata }),
      partition,
      topic,
      ...(leaderEpoch !== undefined && { leaderEpoch }),
    };
  });
}

/** Partitions as the package's addon passes them to rebalance and commit callbacks: an offset only if it is not negative. */
export function callbackPartitions(partitions: readonly PartitionResult[]): TopicPartition[] {
  return partitions.map(({ topic, partition, offset }) =>
    offset !== undefined && offset >= 0 ? { topic, partition, offset } : { topic, partition }
  );
}
