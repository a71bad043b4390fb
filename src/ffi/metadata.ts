/**
 * Reads the metadata of a cluster from C.
 *
 * @module
 */

import { METADATA, METADATA_BROKER, METADATA_PARTITION, METADATA_TOPIC } from "./layout.ts";
import { pointerAt, readCString, viewOf } from "./memory.ts";

/** The metadata of a cluster, as the npm client expects it. */
export interface Metadata {
  orig_broker_id: number;
  orig_broker_name: string;
  topics: { name: string; partitions: { id: number; leader: number; replicas: number[]; isrs: number[] }[] }[];
  brokers: { id: number; host: string; port: number }[];
}

type View = Deno.UnsafePointerView;

/** Reads an array of structs. */
function structs<T>(view: View, countAt: number, firstAt: number, size: number, read: (element: View) => T): T[] {
  const first = view.getBigUint64(firstAt);
  return Array.from(
    { length: view.getInt32(countAt) },
    (_, index) => read(viewOf(pointerAt(first + BigInt(index * size))!)),
  );
}

/** Reads a `struct rd_kafka_metadata`. The caller stays its owner. */
export function readMetadata(view: View): Metadata {
  const M = METADATA.fields, B = METADATA_BROKER.fields, T = METADATA_TOPIC.fields, P = METADATA_PARTITION.fields;
  const numbers = (of: View, countAt: number, firstAt: number) =>
    structs(of, countAt, firstAt, 4, (element) => element.getInt32());
  return {
    orig_broker_id: view.getInt32(M.orig_broker_id),
    orig_broker_name: readCString(view.getPointer(M.orig_broker_name)),
    topics: structs(view, M.topic_cnt, M.topics, METADATA_TOPIC.size, (topic) => ({
      name: readCString(topic.getPointer(T.topic)),
      partitions: structs(topic, T.partition_cnt, T.partitions, METADATA_PARTITION.size, (partition) => ({
        id: partition.getInt32(P.id),
        leader: partition.getInt32(P.leader),
        replicas: numbers(partition, P.replica_cnt, P.replicas),
        isrs: numbers(partition, P.isr_cnt, P.isrs),
      })),
    })),
    brokers: structs(view, M.broker_cnt, M.brokers, METADATA_BROKER.size, (broker) => ({
      id: broker.getInt32(B.id),
      host: readCString(broker.getPointer(B.host)),
      port: broker.getInt32(B.port),
    })),
  };
}
