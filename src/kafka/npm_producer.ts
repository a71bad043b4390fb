/**
 * The npm client's producer behind the port.
 *
 * @module
 */

import type { KafkaJavascript } from "../addon/load_kafka_javascript.ts";
import type { RequestListener as NativeListener } from "../addon/producer.ts";
import type { PortProducer, ProducerEvents, RecordHeaders, ReportTarget, RequestListener } from "./port.ts";
import { NpmClient } from "./npm_client.ts";

/** The npm client's producer, as it is used here. */
interface PackageProducer {
  /** Where the package keeps its callbacks until it connects. */
  readonly _cb_configs: { readonly event: Record<string, unknown> };
  /** Takes any bytes, although its types want a Buffer. */
  readonly produce: PortProducer["produce"];
  flush(timeoutMs: number, callback: () => void): unknown;
  setPollInBackground(set: boolean): unknown;
  isConnected(): boolean;
}

function report(code: number, account: ReportTarget, partition: number, offset: number, number: number): void {
  account.reported(code, partition, offset, number);
}

function listener(requests: RequestListener): NativeListener {
  return {
    wants: (code) => requests.wants(code),
    tell: (messages) =>
      requests.answered(messages.map(({ opaque, number, ...record }) => ({
        ...record,
        account: opaque as ReportTarget,
        recordNumber: number,
      }))),
  };
}

/** A producer of the npm package. An account travels with its records as their opaque value. */
export class NpmProducer extends NpmClient implements PortProducer {
  readonly #producer: PackageProducer;

  constructor(
    { Producer }: Pick<KafkaJavascript, "Producer">,
    conf: Readonly<Record<string, unknown>>,
    events: ProducerEvents,
  ) {
    // A topic configuration, even an empty one, would replace the topic's properties among the global ones.
    const producer = new Producer({ ...conf }, null as never) as unknown as PackageProducer;
    super(producer, events);
    this.#producer = producer;
    // The package's own place for a delivery callback; its dr_cb would make a report and an event of each record.
    producer._cb_configs.event.delivery_cb = Object.assign(() => {}, {
      outcomesOnly: report,
      ...events.requests && { requests: listener(events.requests) },
    });
  }

  override async connect(): Promise<void> {
    await super.connect();
    this.#producer.setPollInBackground(true);
  }

  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    timestamp: number | null,
    account: ReportTarget,
    headers: RecordHeaders | undefined,
  ): void {
    this.#producer.produce(topic, partition, value, key, timestamp, account, headers);
  }

  flush(timeoutMs: number): Promise<void> {
    if (!this.#producer.isConnected()) return Promise.resolve();
    return new Promise((resolve) => this.#producer.flush(timeoutMs, () => resolve()));
  }
}
