/**
 * Partitions that a JavaScript function chooses.
 *
 * librdkafka would call a partitioner on its own thread when a topic is not known yet, where no JavaScript can run. So
 * it is asked here, before a message goes to C, and what a topic has is asked of a broker at the first message.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { openLibrary } from "../ffi/library.ts";
import { OutPointer, type Pointer, viewOf } from "../ffi/memory.ts";
import { readMetadata } from "../ffi/metadata.ts";
import { ErrorCode } from "../ffi/error_codes.ts";

/** Chooses a partition, from 0 on, of as many as there are. A message without a key has `null`. */
export type PartitionerFunction = (topic: string, key: string | null, partitions: number) => unknown;

/** How long a topic's number of partitions is believed: as long as librdkafka refreshes its own knowledge. */
const FRESH_MS = 300_000;
/** How long to wait for a broker that says it, in all and at a time. A topic that is being made has none at first. */
const WAIT_MS = 2000, PAUSE_MS = 20;

/** A producer's partitioner, and what it knows of topics. */
export class Partitioner {
  readonly #choose: PartitionerFunction;
  readonly #topics = new Map<string, { readonly partitions: number; readonly until: number }>();

  constructor(choose: PartitionerFunction) {
    this.#choose = choose;
  }

  /**
   * The partition of a message; below 0, librdkafka's code: −190 when there is no such partition, else why a topic's
   * partitions are not known. Waits for a broker at a topic's first message.
   */
  partitionOf(rk: Pointer, rkt: Pointer, topic: string, key: Uint8Array | null): number {
    const known = this.#topics.get(topic);
    let partitions = known !== undefined && known.until > performance.now() ? known.partitions : 0;
    if (partitions === 0) {
      partitions = countPartitions(rk, rkt);
      if (partitions < 0) return partitions;
      this.#topics.set(topic, { partitions, until: performance.now() + FRESH_MS });
    }
    const text = key === null || key.length === 0
      ? null
      : Buffer.from(key.buffer, key.byteOffset, key.length).toString();
    const chosen = Number(this.#choose(topic, text, partitions));
    return Number.isInteger(chosen) && chosen >= 0 && chosen < partitions ? chosen : ErrorCode.UNKNOWN_PARTITION;
  }

  /** Forgets what topics have: another connection may be to another cluster. */
  forget(): void {
    this.#topics.clear();
  }
}

/** How many partitions a topic has; below 0, why that is not known. */
function countPartitions(rk: Pointer, rkt: Pointer): number {
  const { symbols } = openLibrary();
  const out = new OutPointer(), deadline = performance.now() + WAIT_MS;
  for (;;) {
    const left = Math.max(1, Math.ceil(deadline - performance.now()));
    const code = symbols.rd_kafka_metadata(rk, 0, rkt, out.buffer, left);
    if (code !== ErrorCode.NO_ERROR) return code < 0 ? code : ErrorCode.UNKNOWN_TOPIC;
    const count = readMetadata(viewOf(out.value!)).topics[0]?.partitions.length ?? 0;
    symbols.rd_kafka_metadata_destroy(out.value);
    if (count > 0) return count;
    if (performance.now() >= deadline) return ErrorCode.UNKNOWN_TOPIC;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
}
