/**
 * Tests of the npm client's producer on a local broker.
 *
 * @module
 */

import { LocalBroker } from "@slipstream/slipstream/testing";
import { until } from "./brokers.ts";
import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";

type Module = Awaited<ReturnType<typeof loadKafkaJavascript>>;
/** The npm client's producer. */
export type Producer = InstanceType<Module["Producer"]>;
/** The addon's producer under it. */
export type Native = Record<string, (...args: unknown[]) => unknown>;

/** A delivery report. */
export interface Report {
  readonly error: { readonly code: number } | null;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly size: number;
  readonly timestamp?: number;
  readonly opaque?: unknown;
}

/** Calls a method whose last parameter is a callback, and resolves with its result. */
// deno-lint-ignore no-explicit-any -- the type of the result depends on the method
export function ask(client: unknown, method: string, ...args: unknown[]): Promise<any> {
  return new Promise((resolve, reject) =>
    (client as Record<string, (...args: unknown[]) => void>)[method]!(
      ...args,
      (error: unknown, data: unknown) => error ? reject(error) : resolve(data),
    )
  );
}

/** Connects a producer; resolves with it, its delivery reports and the addon's producer under it. Disposing disconnects it. */
export async function connectProducer(
  bootstrapServers: string,
  own: Record<string, unknown> = {},
): Promise<{ producer: Producer; native: Native; reports: Report[] } & AsyncDisposable> {
  const { Producer } = await loadKafkaJavascript();
  const producer = new Producer({ "bootstrap.servers": bootstrapServers, "dr_cb": true, ...own }, {});
  const reports: Report[] = [];
  producer.on("delivery-report", (error, report) => void reports.push({ error, ...report } as never));
  await ask(producer, "connect", {});
  return {
    producer,
    native: (producer as unknown as { _client: Native })._client,
    reports,
    [Symbol.asyncDispose]: async () => {
      if (producer.isConnected()) await ask(producer, "disconnect", 5000);
    },
  };
}

/** A consumed message. */
export interface Read {
  readonly value: Uint8Array | null;
  readonly key?: Uint8Array | null;
  readonly timestamp?: number;
  readonly headers?: readonly Readonly<Record<string, Uint8Array | null>>[];
}

/** Reads the first messages of a topic's only partition. */
export async function readBack(
  bootstrapServers: string,
  topic: string,
  count: number,
  own: Record<string, unknown> = {},
): Promise<Read[]> {
  const { KafkaConsumer } = await loadKafkaJavascript();
  const consumer = new KafkaConsumer({ "bootstrap.servers": bootstrapServers, "group.id": "readers", ...own }, {});
  await ask(consumer, "connect", {});
  try {
    consumer.assign([{ topic, partition: 0, offset: 0 }]);
    const read: Read[] = [];
    await until(async () => read.push(...await ask(consumer, "consume", 10)) >= count, `${count} messages of ${topic}`);
    return read;
  } finally {
    await ask(consumer, "disconnect");
  }
}

/** Starts a local broker with a topic `t` of one partition. */
export async function startBrokerWithTopic(): Promise<LocalBroker> {
  const broker = await LocalBroker.start();
  broker.createTopic("t", { partitions: 1 });
  return broker;
}

/** Decodes bytes; `null` and `undefined` stay as they are. */
export function decode(bytes: Uint8Array | null | undefined): string | null | undefined {
  return bytes ? new TextDecoder().decode(bytes) : bytes;
}
