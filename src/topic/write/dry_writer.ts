/**
 * The writing half of a Topic with the option `dry`.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import type { SinkWriter } from "../../protocol/protocol.ts";
import { hasKey, toRecord } from "./record_input.ts";
import type { DeliveryReport, TopicInput } from "./topic_record.ts";

/**
 * Prints records on stdout instead of sending them. It encodes them too, so that a record that could not be sent fails
 * here as well.
 */
export class DryWriter<K, V> {
  readonly #topic: string;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(topic: string, codecs: { readonly key: Codec<K>; readonly value: Codec<V> }) {
    this.#topic = topic;
    this.#key = codecs.key;
    this.#value = codecs.value;
  }

  /** Opens a sink that prints records. */
  open(): SinkWriter<TopicInput<K, V>> {
    return { accept: (input) => this.#print(input), settle() {}, close() {} };
  }

  #print(input: TopicInput<K, V>): void | Promise<void> {
    const record = toRecord(input);
    const { key = null, value, ...rest } = record;
    const encoded = [
      hasKey(record) ? this.#key.encode(record.key!) : undefined,
      value === null ? undefined : this.#value.encode(value),
    ];
    const print = () => console.info(`Topic ${JSON.stringify(this.#topic)} (dry):`, { key, value, ...rest });
    if (!encoded.some((bytes) => bytes instanceof Promise)) return print();
    return Promise.all(encoded).then(print);
  }

  /** Prints a record. The report has partition −1 and offset −1. */
  async send(input: TopicInput<K, V>): Promise<DeliveryReport> {
    await this.#print(input);
    return { topic: this.#topic, partition: -1, offset: -1 };
  }

  /** Prints records: see `DryWriter.send`. */
  async sendBatch(inputs: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    const reports: DeliveryReport[] = [];
    for (const input of inputs) reports.push(await this.send(input));
    return reports;
  }

  /** Does nothing. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
