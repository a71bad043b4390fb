/**
 * The npm client's consumer behind the port.
 *
 * @module
 */

import type { KafkaConsumer as AddonConsumer } from "../addon/kafka_consumer.ts";
import type { KafkaJavascript } from "../addon/load_kafka_javascript.ts";
import { err2str } from "../ffi/native_error.ts";
import { OFFSET_INVALID, partitionErrorCode, type PartitionResult } from "../ffi/topic_partitions.ts";
import {
  type ConsumerEvents,
  ErrorCode,
  type FetchedMessage,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "./port.ts";
import { NpmClient } from "./npm_client.ts";
import { promisify } from "./npm_errors.ts";

type Callback<T> = (error: unknown, value: T) => void;
type Assigned = readonly (TopicPartition & { readonly offset?: number })[];

/** The part of the package's `KafkaConsumer` that is used here. */
interface PackageConsumer {
  /** The callbacks that the package registers when it connects. */
  readonly _cb_configs: { readonly global: Record<string, unknown> };
  on(event: "partition.eof", listener: (end: TopicPartitionOffset) => void): unknown;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(only: boolean): void;
  subscribe(topics: string[]): unknown;
  consume(max: number, callback: Callback<FetchedMessage[]>): void;
  rebalanceProtocol(): string;
  assignmentLost(): boolean;
  assign(partitions: Assigned): unknown;
  incrementalAssign(partitions: Assigned): unknown;
  unassign(): unknown;
  incrementalUnassign(partitions: Assigned): unknown;
  pause(partitions: readonly TopicPartition[]): unknown;
  resume(partitions: readonly TopicPartition[]): unknown;
  seek(target: TopicPartitionOffset, timeoutMs: number, callback: Callback<void>): unknown;
  offsetsStore(offsets: readonly TopicPartitionOffset[]): unknown;
  /** The addon's consumer. */
  getClient(): Pick<AddonConsumer, "commitWithResult">;
  committed(
    partitions: readonly TopicPartition[],
    timeoutMs: number,
    callback: Callback<(Committed | Error)[]>,
  ): unknown;
  queryWatermarkOffsets(topic: string, partition: number, timeoutMs: number, callback: Callback<Watermarks>): unknown;
  getMetadata(options: object, callback: Callback<Metadata>): unknown;
}

/** `offset` is absent if the group has committed none. */
type Committed = TopicPartition & { readonly offset?: number; readonly leaderEpoch?: number };

interface Metadata {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly { readonly id: number }[] }[];
}

/** The npm client's `KafkaConsumer` behind the port. */
export class NpmConsumer extends NpmClient implements PortConsumer {
  readonly #consumer: PackageConsumer;

  constructor(
    { KafkaConsumer }: Pick<KafkaJavascript, "KafkaConsumer">,
    conf: Readonly<Record<string, unknown>>,
    events: ConsumerEvents,
  ) {
    // null: a topic configuration, even an empty one, replaces the topic properties among the global ones.
    const consumer = new KafkaConsumer(conf, null as never) as unknown as PackageConsumer;
    super(consumer, events);
    this.#consumer = consumer;
    // Set behind the package's back: callbacks in the configuration would be wrapped, and get errors instead of codes.
    Object.assign(consumer._cb_configs.global, {
      rebalance_cb: (code: number | undefined, partitions: TopicPartition[]) =>
        code === ErrorCode.ASSIGN_PARTITIONS ? events.onAssign(partitions) : events.onRevoke(partitions),
      offset_commit_cb: Object.assign(() => {}, {
        results: (code: number, partitions: readonly PartitionResult[]) =>
          events.onCommitted(code, partitions.map(withError)),
      }),
    });
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    // The package emits this event before it hands over the messages that precede the end.
    consumer.on("partition.eof", (end) => events.onEnd(end));
  }

  subscribe(topics: readonly string[]): void {
    this.#consumer.subscribe([...topics]);
  }

  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]> {
    this.#consumer.setDefaultConsumeTimeout(timeoutMs);
    return promisify((callback) => this.#consumer.consume(max, callback));
  }

  get isCooperative(): boolean {
    return this.#consumer.rebalanceProtocol() === "COOPERATIVE";
  }

  get isAssignmentLost(): boolean {
    return this.#consumer.assignmentLost();
  }

  assign(partitions: Assigned): void {
    this.#consumer.assign(partitions);
  }

  incrementalAssign(partitions: Assigned): void {
    this.#consumer.incrementalAssign(partitions);
  }

  unassign(): void {
    this.#consumer.unassign();
  }

  incrementalUnassign(partitions: readonly TopicPartition[]): void {
    this.#consumer.incrementalUnassign(partitions);
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#consumer.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#consumer.resume(partitions);
  }

  seek(target: TopicPartitionOffset, timeoutMs: number): Promise<void> {
    return promisify((callback) => this.#consumer.seek(target, timeoutMs, callback));
  }

  storeOffsets(offsets: readonly TopicPartitionOffset[]): void {
    this.#consumer.offsetsStore(offsets);
  }

  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    return new Promise((resolve, reject) =>
      this.#consumer.getClient().commitWithResult([...offsets], (code, partitions) => {
        if (code === 0) resolve(partitions.map(withError));
        else reject(Object.assign(new Error(err2str(code)), { code }));
      })
    );
  }

  async committed(partitions: readonly TopicPartition[], timeoutMs: number): Promise<TopicPartitionOffset[]> {
    const found = await promisify<(Committed | Error)[]>((callback) =>
      this.#consumer.committed(partitions, timeoutMs, callback)
    );
    return found.map((one, index) => {
      if (!(one instanceof Error)) return withOffset(one);
      const { topic, partition } = partitions[index]!, code = partitionErrorCode(one) ?? -1;
      return { topic, partition, offset: OFFSET_INVALID, error: { code, message: one.message } };
    });
  }

  watermarks({ topic, partition }: TopicPartition, timeoutMs: number): Promise<Watermarks> {
    return promisify((callback) => this.#consumer.queryWatermarkOffsets(topic, partition, timeoutMs, callback));
  }

  async partitions(topic: string | undefined, timeoutMs: number): Promise<TopicPartition[]> {
    const which = topic === undefined ? { allTopics: true } : { topic, allTopics: false };
    const { topics } = await promisify<Metadata>((callback) =>
      this.#consumer.getMetadata({ ...which, timeout: timeoutMs }, callback)
    );
    return topics.flatMap(({ name, partitions }) => partitions.map(({ id }) => ({ topic: name, partition: id })));
  }
}

function withOffset({ topic, partition, offset = OFFSET_INVALID, leaderEpoch }: Committed): TopicPartitionOffset {
  return { topic, partition, offset, ...(leaderEpoch === undefined ? {} : { leaderEpoch }) };
}

function withError(result: PartitionResult): TopicPartitionOffset {
  const { code } = result, answer = withOffset(result);
  return code === 0 ? answer : { ...answer, error: { code, message: err2str(code) } };
}
