/**
 * A producer of a cluster in memory.
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
} from "../../kafka/port.ts";
import { MemoryClient } from "./client.ts";
import { type Cluster, codedError, type RecordFate } from "./cluster.ts";

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

const DELIVERED: RecordFate = {};

/** A producer: records of a partition are written in the order in which it accepted them. */
export class MemoryProducer extends MemoryClient implements PortProducer {
  readonly #room: number;
  readonly #largest: number;
  /** Those of each partition that have not met their fate. */
  readonly #queues = new Map<string, Sent[]>();
  readonly #unreported = new Set<Sent>();
  #flushing: (() => void)[] = [];

  constructor(cluster: Cluster, conf: Readonly<Record<string, unknown>>, events: ClientEvents) {
    super(cluster, conf, events);
    this.#room = Number(conf["queue.buffering.max.messages"] ?? 100_000);
    this.#largest = Number(conf["message.max.bytes"] ?? 1_000_000);
  }

  /** How many records are not reported yet. */
  override get onTheirWay(): number {
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
    if (this.#unreported.size >= this.#room) throw codedError(ErrorCode.QUEUE_FULL);
    if ((value?.length ?? 0) + (key?.length ?? 0) > this.#largest) throw codedError(ErrorCode.MSG_SIZE_TOO_LARGE);
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
    const place = `${topic}/${sent.partition}`, queue = this.#queues.get(place);
    if (queue !== undefined) return void queue.push(sent);
    const started = [sent];
    this.#queues.set(place, started);
    this.#sendLater(place, started);
  }

  #partitionOf(topic: string, key: Uint8Array | null): number {
    if (this.cluster.topics.of(topic).length === 0) this.cluster.topics.create(topic, this.cluster.partitions);
    const partitions = this.cluster.topics.of(topic).length;
    if (key === null || key.length === 0) return Math.floor(this.cluster.random() * partitions);
    let hash = 0;
    for (const byte of key) hash = (Math.imul(hash, 31) + byte) >>> 0;
    return hash % partitions;
  }

  /** Sends what is queued for a partition, and goes on as long as there is something. */
  #sendLater(place: string, queue: Sent[]): void {
    this.cluster.whenUp(() => {
      const delayMs = this.cluster.delayOf("produce");
      const send = () => {
        if (this.cluster.isUp) void this.#send(place, queue);
        else this.#sendLater(place, queue);
      };
      if (delayMs > 0) this.after(delayMs, send);
      else queueMicrotask(send);
    });
  }

  async #send(place: string, queue: Sent[]): Promise<void> {
    const { faults } = this.cluster;
    while (queue.length > 0) {
      // Purged, or the process is gone: it was not sent.
      if (this.isCrashed || queue[0]!.isReported) {
        queue.shift();
        continue;
      }
      if (!this.cluster.isUp) return this.#sendLater(place, queue);
      const sent = queue.shift()!;
      const decided = faults.produce?.(sent);
      const fate = (decided instanceof Promise ? await decided : decided) ?? DELIVERED;
      const offset = this.#write(sent, fate);
      if (fate.reportAfter !== undefined) await fate.reportAfter;
      const { code = offset === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PART : 0 } = fate;
      this.#report(sent, code, code === 0 ? offset! : -1);
    }
    this.#queues.delete(place);
  }

  /** What was sent is written also when its producer has gone meanwhile; `undefined` where there is no partition. */
  #write(sent: Sent, { code = 0, written = code === 0 }: RecordFate): number | undefined {
    const { topics } = this.cluster, { topic, partition, key, value, timestamp, headers } = sent;
    if (topics.of(topic).length === 0) topics.create(topic, Math.max(this.cluster.partitions, partition + 1));
    const log = topics.partition(sent);
    if (log === undefined || !written) return log === undefined ? undefined : -1;
    const time = timestamp === null ? {} : { timestamp }, all = headers === undefined ? {} : { headers };
    const offset = log.append({ key, value, ...time, ...all });
    this.cluster.written(topic);
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
      const forget = this.after(timeoutMs, resolve);
      this.#flushing.push(() => {
        forget();
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
  // Buffers, as the npm client hands them out.
  return bytes === null ? null : Buffer.from(bytes);
}
