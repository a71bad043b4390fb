/**
 * A writer that only says what it would write.
 *
 * @module
 */

import type { Codec } from "../../codecs/codec.ts";
import type { SinkWriter } from "../../stream/protocol.ts";
import type { DeliveryReport, TopicInput } from "./topic_record.ts";
import { normalized } from "./records.ts";

/** Says each record on stdout and sends nothing. Encodes all the same, so that what can't be sent is an error here too. */
export class DryWriter<K, V> {
  readonly #topic: string;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  constructor(topic: string, codecs: { key: Codec<K>; value: Codec<V> }) {
    this.#topic = topic;
    this.#key = codecs.key;
    this.#value = codecs.value;
  }

  /** A user; all say the same. */
  open(): SinkWriter<TopicInput<K, V>> {
    return { accept: (input) => this.#say(input), settle() {}, close() {} };
  }

  #say(input: TopicInput<K, V>): void | Promise<void> {
    const { key, value, ...rest } = normalized(input);
    const encoded = [
      key === null || key === undefined ? undefined : this.#key.encode(key),
      value === null ? undefined : this.#value.encode(value),
    ];
    const say = () => console.info(`Topic ${JSON.stringify(this.#topic)} (dry):`, { key: key ?? null, value, ...rest });
    if (!encoded.some((one) => one instanceof Promise)) return say();
    return Promise.all(encoded).then(say);
  }

  /** Says a record; it is reported at partition −1 and offset −1, which are nowhere. */
  async send(input: TopicInput<K, V>): Promise<DeliveryReport> {
    await this.#say(input);
    return { topic: this.#topic, partition: -1, offset: -1 };
  }

  /** Says records, as `DryWriter.send` does. */
  async sendBatch(inputs: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    const reports: DeliveryReport[] = [];
    for (const input of inputs) reports.push(await this.send(input));
    return reports;
  }

  /** There is nothing to close. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
