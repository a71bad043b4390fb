/**
 * The npm client's consumer behind the port.
 *
 * @module
 */

import type { KafkaConsumer as BindingConsumer } from "../addon/kafka_consumer.ts";
import type { KafkaJavascript } from "../addon/load_kafka_javascript.ts";
import { err2str } from "../ffi/native_error.ts";
import { codeOfPartition, OFFSET_INVALID, type PartitionResult } from "../ffi/topic_partitions.ts";
import {
  type ConsumerEvents,
  ErrorCode,
  type FetchedMessage,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "./port.ts";
import { asked, NpmClient } from "./npm_client.ts";

type Answer<T> = (error: unknown, value: T) => void;
type Assigned = readonly (TopicPartition & { readonly offset?: number })[];

/** The npm client's consumer, as it is used here. */
interface PackageConsumer {
  /** Where the package keeps its callbacks until it connects. */
  readonly _cb_configs: { readonly global: Record<string, unknown> };
  on(event: "partition.eof", listener: (end: TopicPartitionOffset) => void): unknown;
  setDefaultConsumeTimeout(timeoutMs: number): void;
  setDefaultIsTimeoutOnlyForFirstMessage(only: boolean): void;
  subscribe(topics: string[]): unknown;
  consume(max: number, answer: Answer<FetchedMessage[]>): void;
  rebalanceProtocol(): string;
  assignmentLost(): boolean;
  assign(partitions: Assigned): unknown;
  incrementalAssign(partitions: Assigned): unknown;
  unassign(): unknown;
  incrementalUnassign(partitions: Assigned): unknown;
  pause(partitions: readonly TopicPartition[]): unknown;
  resume(partitions: readonly TopicPartition[]): unknown;
  seek(target: TopicPartitionOffset, timeoutMs: number, answer: Answer<void>): unknown;
  offsetsStore(offsets: readonly TopicPartitionOffset[]): unknown;
  /** The binding's consumer. */
  getClient(): Pick<BindingConsumer, "commitFor">;
  committed(partitions: readonly TopicPartition[], timeoutMs: number, answer: Answer<(Committed | Error)[]>): unknown;
  queryWatermarkOffsets(topic: string, partition: number, timeoutMs: number, answer: Answer<Watermarks>): unknown;
  getMetadata(options: object, answer: Answer<Metadata>): unknown;
}

/** An offset is left out where there is none. */
type Committed = TopicPartition & { readonly offset?: number; readonly leaderEpoch?: number };

interface Metadata {
  readonly topics: readonly { readonly name: string; readonly partitions: readonly { readonly id: number }[] }[];
}

/** A consumer of the npm package. */
export class NpmConsumer extends NpmClient implements PortConsumer {
  readonly #consumer: PackageConsumer;

  constructor(
    { KafkaConsumer }: Pick<KafkaJavascript, "KafkaConsumer">,
    conf: Readonly<Record<string, unknown>>,
    events: ConsumerEvents,
  ) {
    // A topic configuration, even an empty one, would replace the topic's properties among the global ones.
    const consumer = new KafkaConsumer(conf, null as never) as unknown as PackageConsumer;
    super(consumer, events);
    this.#consumer = consumer;
    // The package's own place for these callbacks: in the configuration it would wrap them and make errors of codes.
    Object.assign(consumer._cb_configs.global, {
      rebalance_cb: (code: number | undefined, partitions: TopicPartition[]) =>
        code === ErrorCode.ASSIGN_PARTITIONS ? events.onAssign(partitions) : events.onRevoke(partitions),
      offset_commit_cb: Object.assign(() => {}, {
        results: (code: number, partitions: readonly PartitionResult[]) =>
          events.onCommitted(code, partitions.map(withError)),
      }),
    });
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    // The package emits it before it hands over the messages that came before the end.
    consumer.on("partition.eof", (end) => events.onEnd(end));
  }

  subscribe(topics: readonly string[]): void {
    this.#consumer.subscribe([...topics]);
  }

  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]> {
    this.#consumer.setDefaultConsumeTimeout(timeoutMs);
    return asked((answer) => this.#consumer.consume(max, answer));
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
    return asked((answer) => this.#consumer.seek(target, timeoutMs, answer));
  }

  storeOffsets(offsets: readonly TopicPartitionOffset[]): void {
    this.#consumer.offsetsStore(offsets);
  }

  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    return new Promise((resolve, reject) =>
      this.#consumer.getClient().commitFor([...offsets], (code, partitions) => {
        if (code === 0) resolve(partitions.map(withError));
        else reject(Object.assign(new Error(err2str(code)), { code }));
      })
    );
  }

  async committed(partitions: readonly TopicPartition[], timeoutMs: number): Promise<TopicPartitionOffset[]> {
    const found = await asked<(Committed | Error)[]>((answer) =>
      this.#consumer.committed(partitions, timeoutMs, answer)
    );
    return found.map((one, index) => {
      if (!(one instanceof Error)) return withOffset(one);
      const { topic, partition } = partitions[index]!, code = codeOfPartition(one) ?? -1;
      return { topic, partition, offset: OFFSET_INVALID, error: { code, message: one.message } };
    });
  }

  watermarks({ topic, partition }: TopicPartition, timeoutMs: number): Promise<Watermarks> {
    return asked((answer) => this.#consumer.queryWatermarkOffsets(topic, partition, timeoutMs, answer));
  }

  async partitions(topic: string | undefined, timeoutMs: number): Promise<TopicPartition[]> {
    const which = topic === undefined ? { allTopics: true } : { topic, allTopics: false };
    const { topics } = await asked<Metadata>((answer) =>
      this.#consumer.getMetadata({ ...which, timeout: timeoutMs }, answer)
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
