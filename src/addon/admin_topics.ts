/**
 * Makes the topics of admin requests, and reads the results of those about topics.
 *
 * @module
 */

import { intOption, type Options } from "./admin_options.ts";
import { type Node, readError, readNode, readOperations } from "./admin_results.ts";
import { isObject } from "./arguments.ts";
import { pointersOf } from "./c_arrays.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, type Pointer, readCString, readText } from "../ffi/memory.ts";
import { err2str, type NativeError, nativeError } from "../ffi/native_error.ts";

/** A partition of a topic, its leader and its replicas. */
export interface PartitionDescription {
  partition: number;
  leader: Node | null;
  isr: Node[];
  replicas: Node[];
}

/** A topic and its partitions. */
export interface TopicDescription {
  name: string;
  topicId: { mostSignificantBits: bigint; leastSignificantBits: bigint; base64: string };
  isInternal: boolean;
  error?: NativeError;
  authorizedOperations?: number[];
  partitions: PartitionDescription[];
}

const ERROR_TEXT_BYTES = 512;

/**
 * Makes a `rd_kafka_NewTopic_t`, which the caller frees.
 *
 * @throws {Error} If librdkafka refuses it, or a configuration value is not a string.
 */
export function newTopic(topic: Options): Pointer {
  const { symbols } = openLibrary();
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  const native = symbols.rd_kafka_NewTopic_new(
    cString(topic.topic === undefined || topic.topic === null ? "" : String(topic.topic)),
    intOption(topic, "num_partitions", 0),
    intOption(topic, "replication_factor", 0),
    text,
    BigInt(text.length),
  );
  if (native === null) throw new Error(readText(text));
  try {
    for (const [name, value] of isObject(topic.config) ? Object.entries(topic.config) : []) {
      if (typeof value !== "string") throw new Error("Config values must all be provided as strings.");
      const code = symbols.rd_kafka_NewTopic_set_config(native, cString(name), cString(value));
      if (code !== 0) throw new Error(err2str(code));
    }
  } catch (error) {
    symbols.rd_kafka_NewTopic_destroy(native);
    throw error;
  }
  return native;
}

/**
 * The first error among the topics of a request's result.
 *
 * @param withText Whether the error carries the broker's text, and not librdkafka's for its code.
 */
export function firstTopicError(
  call: (count: BigUint64Array<ArrayBuffer>) => Pointer,
  withText: boolean,
): NativeError | { readonly result: undefined } {
  const { symbols } = openLibrary();
  for (const topic of pointersOf(call)) {
    const code = symbols.rd_kafka_topic_result_error(topic);
    if (code === 0) continue;
    return nativeError(code, withText && readCString(symbols.rd_kafka_topic_result_error_string(topic)) || undefined);
  }
  return { result: undefined };
}

/** Reads the event of DescribeTopics. */
export function readDescribedTopics(event: Pointer): TopicDescription[] {
  const { symbols } = openLibrary();
  const result = symbols.rd_kafka_event_DescribeTopics_result(event);
  return pointersOf((count) => symbols.rd_kafka_DescribeTopics_result_topics(result, count)).map(readTopic);
}

function readTopic(topic: Pointer): TopicDescription {
  const { symbols } = openLibrary();
  const id = symbols.rd_kafka_TopicDescription_topic_id(topic);
  const error = readError(symbols.rd_kafka_TopicDescription_error(topic));
  const operations = readOperations((count) => symbols.rd_kafka_TopicDescription_authorized_operations(topic, count));
  return {
    name: readCString(symbols.rd_kafka_TopicDescription_name(topic)),
    topicId: {
      mostSignificantBits: symbols.rd_kafka_Uuid_most_significant_bits(id),
      leastSignificantBits: symbols.rd_kafka_Uuid_least_significant_bits(id),
      base64: readCString(symbols.rd_kafka_Uuid_base64str(id)),
    },
    isInternal: symbols.rd_kafka_TopicDescription_is_internal(topic) !== 0,
    ...(error && { error }),
    ...(operations && { authorizedOperations: operations }),
    partitions: pointersOf((count) => symbols.rd_kafka_TopicDescription_partitions(topic, count)).map(readPartition),
  };
}

function readPartition(partition: Pointer): PartitionDescription {
  const { symbols } = openLibrary();
  const leader = symbols.rd_kafka_TopicPartitionInfo_leader(partition);
  return {
    partition: symbols.rd_kafka_TopicPartitionInfo_partition(partition),
    leader: leader === null ? null : readNode(leader),
    isr: pointersOf((count) => symbols.rd_kafka_TopicPartitionInfo_isr(partition, count)).map(readNode),
    replicas: pointersOf((count) => symbols.rd_kafka_TopicPartitionInfo_replicas(partition, count)).map(readNode),
  };
}
