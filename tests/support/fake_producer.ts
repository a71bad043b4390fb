/**
 * A producer whose records are reported when a test says so.
 *
 * @module
 */

import {
  type ClientFactory,
  type PortProducer,
  type ProducerEvents,
  RECORDS_PER_TARGET,
  type ReportTarget,
} from "../../src/kafka/port.ts";
import { Notices } from "../../src/notices/notices.ts";
import { TopicWriter } from "../../src/topic/write/topic_writer.ts";
import { registerClientFactory } from "../../src/kafka/client_factories.ts";
import { text } from "../../src/codecs/text.ts";
import type { Codec } from "../../src/codecs/codec.ts";

const decoder = new TextDecoder(), encoder = new TextEncoder();
const QUEUE_FULL = -184, PURGED = -152;

/** A producer that accepts records, and reports them when a test calls `report()`. */
export class FakeProducer implements PortProducer {
  /** The values of all records that were produced. */
  readonly values: (string | null)[] = [];
  /** The room of its queue, in bytes of values. */
  room = Infinity;
  /** The error of `connect()`, or a promise of it. */
  connecting: Promise<unknown> = Promise.resolve();
  /** The error that the next `produce()` throws. */
  refusal: unknown;
  readonly events: ProducerEvents;
  isConnected = false;
  isDisconnecting = false;
  readonly #inFlight: { key: Uint8Array | null; value: string; target: ReportTarget; number: number }[] = [];
  #closed = Promise.withResolvers<void>();
  #offset = 0;

  constructor(events: ProducerEvents) {
    this.events = events;
  }

  async connect(): Promise<void> {
    const refused = await Promise.race([this.connecting, this.#closed.promise]);
    if (refused !== undefined) throw refused;
    if (this.isDisconnecting) throw new Error("disconnected");
    this.isConnected = true;
  }

  disconnect(): Promise<void> {
    this.isDisconnecting = true;
    this.isConnected = false;
    this.#closed.resolve();
    this.report(Infinity, PURGED);
    return Promise.resolve();
  }

  produce(
    _topic: string,
    _partition: number,
    value: Uint8Array | null,
    key: Uint8Array | null,
    _timestamp: number | null,
    target: ReportTarget,
  ): void {
    if ((target.recordNumber ?? 0) >= RECORDS_PER_TARGET) throw new RangeError("the number is out of its range");
    if (this.refusal !== undefined) {
      const { refusal } = this;
      this.refusal = undefined;
      throw refusal;
    }
    if (this.#inFlight.reduce((sum, { value }) => sum + value.length, 0) + (value?.length ?? 0) > this.room) {
      throw Object.assign(new Error("Queue full"), { code: QUEUE_FULL });
    }
    const text = value === null ? null : decoder.decode(value);
    this.values.push(text);
    this.#inFlight.push({
      key: key && key.slice(),
      value: text ?? "",
      target,
      number: target.recordNumber ?? 0,
    });
  }

  /** Reports the first so many records, or the record with a value. */
  report(which: number | string, code = 0): void {
    const some = typeof which === "number"
      ? this.#inFlight.splice(0, which)
      : this.#inFlight.splice(this.#inFlight.findIndex(({ value }) => value === which), 1);
    for (const { target, number } of some) target.reported(code, 0, code === 0 ? this.#offset++ : -1, number);
  }

  /** Answers a request with the first so many records. */
  answer(count: number, code = 0): void {
    if (this.events.requests?.wants(code) !== true) return this.report(count, code);
    this.events.requests.answered(
      this.#inFlight.splice(0, count).map(({ key, value, target, number }) => ({
        code,
        partition: 0,
        offset: code === 0 ? this.#offset++ : -1,
        timestamp: 1,
        key,
        value: encoder.encode(value),
        target,
        recordNumber: number,
      })),
    );
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

/** A writer over fake producers. */
export interface Fakes extends Disposable {
  readonly writer: TopicWriter<string, string>;
  /** The producers, in the order in which they were made. */
  readonly producers: FakeProducer[];
  /** The last producer. */
  readonly producer: FakeProducer;
  /** Called with each producer that is made from now on. */
  prepare: (producer: FakeProducer) => void;
}

/** Makes a writer over fake producers. */
export function fakes(conf: Record<string, unknown> = {}, value: Codec<string> = text): Fakes {
  const servers = `fake-${crypto.randomUUID()}`, producers: FakeProducer[] = [];
  const clients: Partial<ClientFactory> = {
    producer(_conf, events) {
      const producer = new FakeProducer(events);
      producers.push(producer);
      made.prepare(producer);
      return Promise.resolve(producer);
    },
    errorText: (code) => `error ${code}`,
  };
  const unregister = registerClientFactory(servers, clients as ClientFactory);
  const all = { "bootstrap.servers": servers, ...conf };
  const made: Fakes = {
    prepare() {},
    writer: new TopicWriter("t", all, { key: text, value }, new Notices((said) => said)),
    producers,
    get producer() {
      return producers.at(-1)!;
    },
    [Symbol.dispose]: unregister,
  };
  return made;
}

/** Waits for a few turns of the event loop. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Describes the state of a promise after a few turns of the event loop. */
export async function stateOf(promise: void | Promise<unknown>, count = 3): Promise<string> {
  promise?.catch(() => {});
  await turns(count);
  return await Promise.race([
    Promise.resolve(promise).then(() => "resolved", (error) => `rejected: ${(error as Error).message}`),
    Promise.resolve().then(() => undefined).then(() => turns(1)).then(() => "pending"),
  ]);
}
