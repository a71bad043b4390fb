/**
 * Topic-partition lists, to C and back.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { TOPIC_PARTITION, TOPIC_PARTITION_LIST } from "./layout.ts";
import { openLibrary } from "./library.ts";
import { cString, type OutPointer, type Pointer, pointerAt, readCString, viewOf } from "./memory.ts";
import { err2str } from "./native_error.ts";

/** A partition of a topic, with what is known of it. What is absent is left out. */
export interface TopicPartition {
  /** The topic's name. */
  topic: string;
  /** The partition's number. */
  partition: number;
  /** An offset, or one of librdkafka's logical ones (−1 end, −2 beginning, −1000 stored). */
  offset?: number;
  /** The leader epoch that the offset belongs to. */
  leaderEpoch?: number;
  /** What was committed with the offset. */
  metadata?: string;
}

/** A partition on its way to C. */
export interface PartitionInput {
  /** The topic's name. */
  readonly topic: string;
  /** The partition's number; −1 unless given. */
  readonly partition?: number;
  /** An offset, or a time in its place. */
  readonly offset?: bigint;
  /** The leader epoch that the offset belongs to. */
  readonly leaderEpoch?: number;
  /** What is committed with the offset. */
  readonly metadata?: string;
}

/** A partition as it lies in C, its error beside it. */
export interface PartitionResult extends TopicPartition {
  /** librdkafka's code for this partition; 0 when all is well. */
  code: number;
}

/** librdkafka's mark for "no offset". */
export const OFFSET_INVALID = -1001;

const P = TOPIC_PARTITION.fields;

/** Calls something with a list that lives as long as the call (or its promise). */
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
  // Straight into the element: librdkafka's own function would find the first of several for the same partition.
  if (offset !== undefined) fields.setBigInt64(P.offset, offset, true);
  // The list frees it. The addon commits a NUL with it, and takes the last byte off whatever it reads.
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

/** C's own memory of an `rd_kafka_topic_partition_t`, to be written to while its list lives. */
export function fieldsOf(element: NonNullable<Pointer>): DataView<ArrayBuffer> {
  return new DataView(Deno.UnsafePointerView.getArrayBuffer(element, TOPIC_PARTITION.size));
}

/** Reads a list; it stays whose it was. */
export function readList(list: Pointer): PartitionResult[] {
  if (list === null) return [];
  const head = viewOf(list);
  const first = head.getBigUint64(TOPIC_PARTITION_LIST.fields.elems);
  return Array.from(
    { length: head.getInt32(TOPIC_PARTITION_LIST.fields.cnt) },
    (_, index) => readElement(pointerAt(first + BigInt(index * TOPIC_PARTITION.size))!),
  );
}

/** Reads one `rd_kafka_topic_partition_t`; it stays whose it was. */
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

/** Reads a list that a function wrote the address of, and frees it. */
export function takeList(out: OutPointer): PartitionResult[] {
  const list = out.value;
  const partitions = readList(list);
  if (list !== null) openLibrary().symbols.rd_kafka_topic_partition_list_destroy(list);
  return partitions;
}

const codes = new WeakMap<Error, number>();

/** librdkafka's code of an error that stands for a partition; the addon's error has none. */
export function partitionErrorCode(error: Error): number | undefined {
  return codes.get(error);
}

/** As the addon answers: a partition's own error replaces its element, and metadata that was given stays if none came. */
export function partitionsOrErrors(
  partitions: readonly PartitionResult[],
  given?: readonly PartitionInput[],
): (TopicPartition | Error)[] {
  return partitions.map(({ code, topic, partition, offset, leaderEpoch, ...own }, index) => {
    if (code !== 0) {
      const error = new Error(err2str(code));
      codes.set(error, code);
      return error;
    }
    const metadata = own.metadata ?? given?.[index]?.metadata;
    return {
      ...(offset !== undefined && { offset }),
      ...(metadata !== undefined && { metadata }),
      partition,
      topic,
      ...(leaderEpoch !== undefined && { leaderEpoch }),
    };
  });
}

/** As the addon's rebalance and commit callbacks have it: topic, partition, and an offset when there is one. */
export function callbackPartitions(partitions: readonly PartitionResult[]): TopicPartition[] {
  return partitions.map(({ topic, partition, offset }) =>
    offset !== undefined && offset >= 0 ? { topic, partition, offset } : { topic, partition }
  );
}
