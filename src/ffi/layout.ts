/**
 * The sizes and field offsets of librdkafka's public structs, on 64-bit little-endian machines. No other file contains
 * offsets. A test compares them with those of a C compiler.
 *
 * @module
 */

/** A struct's size and the byte offsets of its fields. */
export interface Struct {
  /** `sizeof`, in bytes. */
  readonly size: number;
  /** `offsetof` by field name, in bytes. */
  readonly fields: Readonly<Record<string, number>>;
}

/** `rd_kafka_message_t` */
export const MESSAGE = {
  size: 72,
  fields: { err: 0, rkt: 8, partition: 16, payload: 24, len: 32, key: 40, key_len: 48, offset: 56, _private: 64 },
} as const satisfies Struct;

/** `rd_kafka_topic_partition_t` */
export const TOPIC_PARTITION = {
  size: 64,
  fields: { topic: 0, partition: 8, offset: 16, metadata: 24, metadata_size: 32, opaque: 40, err: 48, _private: 56 },
} as const satisfies Struct;

/** `rd_kafka_topic_partition_list_t` */
export const TOPIC_PARTITION_LIST = {
  size: 16,
  fields: { cnt: 0, size: 4, elems: 8 },
} as const satisfies Struct;

/** `rd_kafka_vu_t`: one argument of `rd_kafka_produceva`. `u` is a union; a piece of memory is `{ ptr, size }` in it. */
export const VU = { size: 72, fields: { vtype: 0, u: 8 } } as const satisfies Struct;

/** `struct rd_kafka_metadata` */
export const METADATA = {
  size: 48,
  fields: { broker_cnt: 0, brokers: 8, topic_cnt: 16, topics: 24, orig_broker_id: 32, orig_broker_name: 40 },
} as const satisfies Struct;

/** `struct rd_kafka_metadata_broker` */
export const METADATA_BROKER = { size: 24, fields: { id: 0, host: 8, port: 16 } } as const satisfies Struct;

/** `struct rd_kafka_metadata_topic` */
export const METADATA_TOPIC = {
  size: 32,
  fields: { topic: 0, partition_cnt: 8, partitions: 16, err: 24 },
} as const satisfies Struct;

/** `struct rd_kafka_metadata_partition` */
export const METADATA_PARTITION = {
  size: 40,
  fields: { id: 0, err: 4, leader: 8, replica_cnt: 12, replicas: 16, isr_cnt: 24, isrs: 32 },
} as const satisfies Struct;
