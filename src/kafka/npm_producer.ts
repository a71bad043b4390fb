/**
 * The npm client's producer behind the port.
 *
 * @module
 */

import type { KafkaJavascript } from "../addon/load_kafka_javascript.ts";
import type { ProduceRequestListener } from "../addon/delivery_reports.ts";
import type { PortProducer, ProducerEvents, RecordHeaders, ReportTarget, RequestListener } from "./port.ts";
import { NpmClient } from "./npm_client.ts";

/** The part of the package's `Producer` that is used here. */
interface PackageProducer {
  /** The callbacks that the package registers when it connects. */
  readonly _cb_configs: { readonly event: Record<string, unknown> };
  /** Accepts any Uint8Array, although its types want a Buffer. */
  readonly produce: PortProducer["produce"];
  flush(timeoutMs: number, callback: () => void): unknown;
  setPollInBackground(set: boolean): unknown;
  isConnected(): boolean;
}

function report(code: number, target: ReportTarget, partition: number, offset: number, recordNumber: number): void {
  target.reported(code, partition, offset, recordNumber);
}

/** The addon's listener that passes requests on to one of the port. */
function addonListener(requests: RequestListener): ProduceRequestListener {
  return {
    wantsRequest: (code) => requests.wants(code),
    onRequest: (messages) =>
      requests.answered(messages.map(({ opaque, number, ...record }) => ({
        ...record,
        target: opaque as ReportTarget,
        recordNumber: number,
      }))),
  };
}

/** The npm client's `Producer` behind the port. A record carries its `ReportTarget` as its opaque value. */
export class NpmProducer extends NpmClient implements PortProducer {
  readonly #producer: PackageProducer;

  constructor(
    { Producer }: Pick<KafkaJavascript, "Producer">,
    conf: Readonly<Record<string, unknown>>,
    events: ProducerEvents,
  ) {
    // null: a topic configuration, even an empty one, replaces the topic properties among the global ones.
    const producer = new Producer({ ...conf }, null as never) as unknown as PackageProducer;
    super(producer, events);
    this.#producer = producer;
    // Set behind the package's back: its dr_cb would make a report object and an event of every record.
    producer._cb_configs.event.delivery_cb = Object.assign(() => {}, {
      outcomesOnly: report,
      ...events.requests && { requests: addonListener(events.requests) },
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
    target: ReportTarget,
    headers: RecordHeaders | undefined,
  ): void {
    this.#producer.produce(topic, partition, value, key, timestamp, target, headers);
  }

  flush(timeoutMs: number): Promise<void> {
    if (!this.#producer.isConnected()) return Promise.resolve();
    return new Promise((resolve) => this.#producer.flush(timeoutMs, () => resolve()));
  }
}
