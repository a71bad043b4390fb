/**
 * A producer of a `MemoryKafka`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  type ClientEvents,
  ErrorCode,
  NULL_HEADER,
  type PortProducer,
  type RecordHeaders,
  type ReportTarget,
  type TopicPartition,
} from "../../kafka/port.ts";
import { PartitionMap } from "../../kafka/partition_map.ts";
import { MemoryClient } from "./memory_client.ts";
import type { MemoryCluster } from "./memory_cluster.ts";
import { codedError } from "./memory_errors.ts";
import type { RecordOutcome } from "./memory_faults.ts";

/** A record that `produce()` has accepted. */
interface Sent {
  readonly topic: string;
  readonly partition: number;
  readonly value: Uint8Array | null;
  readonly key: Uint8Array | null;
  readonly timestamp: number | null;
  readonly headers: RecordHeaders | undefined;
  readonly target: ReportTarget;
  readonly number: number;
  isReported: boolean;
}

const DELIVERED: RecordOutcome = {};

/** A producer. Writes the records of a partition in the order in which it accepted them. */
export class MemoryProducer extends MemoryClient implements PortProducer {
  readonly #maxPending: number;
  readonly #maxBytes: number;
  /** The records of each partition that are not sent yet. */
  readonly #queues = new PartitionMap<Sent[]>();
  readonly #unreported = new Set<Sent>();
  #flushing: (() => void)[] = [];

  constructor(cluster: MemoryCluster, conf: Readonly<Record<string, unknown>>, events: ClientEvents) {
    super(cluster, conf, events);
    this.#maxPending = Number(conf["queue.buffering.max.messages"] ?? 100_000);
    this.#maxBytes = Number(conf["message.max.bytes"] ?? 1_000_000);
  }

  override get pending(): number {
    return this.#unreported.size;
  }

  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | null,
    target: ReportTarget,
    headers: RecordHeaders | undefined,
  ): void {
    if (this.isCrashed) return;
    if (!this.isConnected || this.isDisconnecting) throw codedError(ErrorCode.STATE);
    if (this.#unreported.size >= this.#maxPending) throw codedError(ErrorCode.QUEUE_FULL);
    if ((value?.length ?? 0) + (key?.length ?? 0) > this.#maxBytes) throw codedError(ErrorCode.MSG_SIZE_TOO_LARGE);
    const sent: Sent = {
      topic,
      partition: partition >= 0 ? partition : this.#partitionOf(topic, key),
      value: copied(value),
      key: copied(key),
      timestamp,
      headers: headers?.map((header) =>
        Object.fromEntries(
          Object.entries(header).map(([name, bytes]) => [name, bytes === NULL_HEADER ? bytes : copied(bytes)!]),
        )
      ),
      target,
      number: target.recordNumber ?? 0,
      isReported: false,
    };
    this.#unreported.add(sent);
    const queue = this.#queues.get(sent);
    if (queue !== undefined) return void queue.push(sent);
    const started = [sent];
    this.#queues.set(sent, started);
    this.#sendLater(sent, started);
  }

  #partitionOf(topic: string, key: Uint8Array | null): number {
    if (this.cluster.topics.of(topic).length === 0) this.cluster.topics.create(topic, this.cluster.defaultPartitions);
    const partitions = this.cluster.topics.of(topic).length;
    if (key === null || key.length === 0) return Math.floor(this.cluster.random() * partitions);
    let hash = 0;
    for (const byte of key) hash = (Math.imul(hash, 31) + byte) >>> 0;
    return hash % partitions;
  }

  /** Sends the queued records of a partition when a broker is up, until the queue is empty. */
  #sendLater(partition: TopicPartition, queue: Sent[]): void {
    this.cluster.whenUp(() => {
      const delayMs = this.cluster.delayMs("produce");
      const send = () => {
        if (this.cluster.isUp) void this.#send(partition, queue);
        else this.#sendLater(partition, queue);
      };
      if (delayMs > 0) this.after(delayMs, send);
      else queueMicrotask(send);
    });
  }

  async #send(partition: TopicPartition, queue: Sent[]): Promise<void> {
    const { faults } = this.cluster;
    while (queue.length > 0) {
      // The record was purged, or the process is gone, before the record was sent.
      if (this.isCrashed || queue[0]!.isReported) {
        queue.shift();
        continue;
      }
      if (!this.cluster.isUp) return this.#sendLater(partition, queue);
      const sent = queue.shift()!;
      const decided = faults.produce?.(sent);
      const outcome = (decided instanceof Promise ? await decided : decided) ?? DELIVERED;
      const offset = this.#write(sent, outcome);
      if (outcome.reportAfter !== undefined) await outcome.reportAfter;
      const { code = offset === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PART : 0 } = outcome;
      this.#report(sent, code, code === 0 ? offset! : -1);
    }
    this.#queues.delete(partition);
  }

  /**
   * Writes a record that was sent, even if its producer has ended meanwhile.
   *
   * @returns the offset; −1 if the outcome says not to write; `undefined` if the partition does not exist
   */
  #write(sent: Sent, { code = 0, written = code === 0 }: RecordOutcome): number | undefined {
    const { topics } = this.cluster, { topic, partition, key, value, timestamp, headers } = sent;
    if (topics.of(topic).length === 0) topics.create(topic, Math.max(this.cluster.defaultPartitions, partition + 1));
    const log = topics.partition(sent);
    if (log === undefined || !written) return log === undefined ? undefined : -1;
    const record = { key, value, timestamp: timestamp ?? Date.now() };
    const offset = log.append(headers === undefined ? record : { ...record, headers });
    this.cluster.wakeConsumers();
    return offset;
  }

  #report(sent: Sent, code: number, offset: number): void {
    if (sent.isReported || this.isCrashed) return;
    sent.isReported = true;
    this.#unreported.delete(sent);
    sent.target.reported(code, sent.partition, offset, sent.number);
    if (this.#unreported.size === 0) { for (const flushed of this.#flushing.splice(0)) flushed(); }
  }

  flush(timeoutMs: number): Promise<void> {
    if (this.isCrashed) return new Promise(() => {});
    if (this.#unreported.size === 0 || !this.isConnected) return Promise.resolve();
    return new Promise((resolve) => {
      const cancelTimeout = this.after(timeoutMs, resolve);
      this.#flushing.push(() => {
        cancelTimeout();
        resolve();
      });
    });
  }

  protected override leave(): void {
    for (const sent of [...this.#unreported]) this.#report(sent, ErrorCode.PURGE_QUEUE, -1);
    for (const flushed of this.#flushing.splice(0)) flushed();
  }
}

function copied(bytes: Uint8Array | null): Uint8Array | null {
  // A Buffer, as the npm client has it.
  return bytes === null ? null : Buffer.from(bytes);
}
