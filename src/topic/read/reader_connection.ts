/**
 * The connection of a reader to its cluster.
 *
 * @module
 */

import { type ConsumerEvents, ErrorCode, type PortConsumer } from "../../kafka/port.ts";
import { bootstrapServersOf, clientFactoryFor } from "../../kafka/client_factories.ts";
import { answeredInTime, QUERY_TIMEOUT_MS } from "./broker_queries.ts";
import { Connection } from "../../kafka/connection.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { Notices } from "../../notices/notices.ts";
import { OutageMonitor } from "./outage_monitor.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { TopicNames } from "./topic_names.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** Errors after which a broker may not be reachable any more. */
const DISCONNECTED: ReadonlySet<number> = new Set([ErrorCode.TRANSPORT, ErrorCode.RESOLVE, ErrorCode.ALL_BROKERS_DOWN]);
/** How long a probe for an outage waits for an answer, in milliseconds. */
const PROBE_TIMEOUT_MS = 3000;
/** `ReaderConnection.close` waits no longer than this for the consumer to leave its group, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** What a `ReaderConnection` connects, and how. */
export interface ReaderConnectionOptions {
  readonly names: TopicNames;
  /** The configuration of the consumer. */
  readonly conf: Readonly<Record<string, unknown>>;
  readonly notices: Notices;
  /** Ends all waits. */
  readonly stopped: ResettableSignal;
  /** How long to wait for the first answer of a broker, in milliseconds; without a limit when left out. */
  readonly connectTimeoutMs?: number | undefined;
  /** Handles the events of the consumer; of its errors, only fatal ones. Left out where nothing is read. */
  readonly events?: ConsumerEvents;
  /** Called once, when a broker has answered. */
  onConnected?(consumer: PortConsumer): void;
}

/**
 * - `idle`: not opened yet.
 * - `connecting`: waits for the first answer of a broker.
 * - `connected`: a broker has answered.
 * - `closed`: connecting has failed, or the connection is being closed or was closed.
 */
type ConnectionState = "idle" | "connecting" | "connected" | "closed";

/** Makes one consumer, connects it, monitors outages, and disconnects it. */
export class ReaderConnection {
  readonly #options: ReaderConnectionOptions;
  #state: ConnectionState = "idle";
  #consumer: PortConsumer | undefined;
  #opening: Promise<PortConsumer> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ReaderConnectionOptions) {
    this.#options = options;
  }

  /** The consumer: from when it is made, which is before it is connected, until it is closed. */
  get consumer(): PortConsumer | undefined {
    return this.#consumer;
  }

  get #where(): string {
    return this.#options.names.where;
  }

  get #servers(): unknown {
    return bootstrapServersOf(this.#options.conf);
  }

  /**
   * Connects, the first time; resolves with the connected consumer.
   *
   * @throws {KafkaError} If the consumer can't be made, is refused by a broker or closed meanwhile, or no broker answers
   * within `connectTimeoutMs`.
   */
  open(): Promise<PortConsumer> {
    return this.#opening ??= this.#open();
  }

  /**
   * The connected consumer, for a request that has to be answered in time.
   *
   * @param purpose what the consumer is needed for, as errors say it: can't `purpose`
   * @throws {KafkaError} If no broker answers in 10 s, or the reader is stopped first; or as `ReaderConnection.open`.
   */
  async openInTime(purpose: string): Promise<PortConsumer> {
    const opening = this.#options.stopped.raceOrReject(
      this.open(),
      () => new KafkaError(`${this.#where}: closed before it could ${purpose}`),
    );
    return await answeredInTime(opening, () => {
      const seconds = QUERY_TIMEOUT_MS / 1000;
      const text = `${this.#where}: can't ${purpose}: no broker answers at ${this.#servers} within ${seconds} s`;
      return new KafkaError(text, { code: ErrorCode.TIMED_OUT });
    });
  }

  async #open(): Promise<PortConsumer> {
    if (this.#state === "closed") throw this.#closedError();
    this.#state = "connecting";
    try {
      const consumer = await this.#connect();
      this.#options.onConnected?.(consumer);
      return consumer;
    } catch (error) {
      this.#state = "closed";
      throw error;
    }
  }

  async #connect(): Promise<PortConsumer> {
    const { conf, names, notices, stopped, events } = this.#options;
    const clients = clientFactoryFor(conf);
    const connection = new Connection(this.#where, this.#servers, notices);
    const outage = new OutageMonitor({
      where: this.#where,
      servers: this.#servers,
      notices,
      stopped,
      probe: () => this.#consumer!.partitions(names.isPattern ? undefined : names.subscription[0], PROBE_TIMEOUT_MS),
    });
    const consumer = await connection.make(clients.consumer(conf, {
      onError: (code, message, isFatal) => {
        connection.onError(code, message);
        if (this.#state === "connected" && DISCONNECTED.has(code)) void outage.onDisconnected();
        if (isFatal) events?.onError(code, message, isFatal);
      },
      onLog: (severity, message) => {
        connection.onLog(severity, message);
        events?.onLog?.(severity, message);
      },
      onAssign: (partitions) => events?.onAssign(partitions),
      onRevoke: (partitions) => events?.onRevoke(partitions),
      onCommitted: (code, offsets) => events?.onCommitted(code, offsets),
      onEnd: (end) => events?.onEnd(end),
    }));
    this.#consumer = consumer;
    if (this.#isClosed) {
      await consumer.disconnect();
      throw this.#closedError();
    }
    await this.#connectInTime(consumer, connection.open(consumer));
    if (!this.#isClosed) this.#state = "connected";
    return consumer;
  }

  // A method, since the compiler does not expect the state to change during an await.
  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  #closedError(): KafkaError {
    return new KafkaError(`${this.#where}: closed before it was connected`);
  }

  async #connectInTime(consumer: PortConsumer, connecting: Promise<void>): Promise<void> {
    const ms = this.#options.connectTimeoutMs;
    if (ms === undefined || await settlesWithin(connecting, ms)) return await connecting;
    void consumer.disconnect();
    await connecting.catch(() => {});
    const text = `${this.#where}: no broker answers at ${this.#servers} within ${ms} ms, which is connectTimeoutMs`;
    throw new KafkaError(text, { code: ErrorCode.TIMED_OUT, fatal: true });
  }

  /** The text of an error code. */
  errorText(code: number): string {
    return clientFactoryFor(this.#options.conf).errorText(code);
  }

  /**
   * Disconnects. Idempotent.
   *
   * Without a broker, librdkafka tries to leave the group for up to `session.timeout.ms`. Then this resolves after 5 s, and
   * the rest goes on in the background, which does not keep the program alive.
   *
   * @param beforeDisconnect called with the consumer, if it is connected
   */
  close(beforeDisconnect?: (consumer: PortConsumer) => Promise<void>): Promise<void> {
    return this.#closing ??= this.#close(beforeDisconnect);
  }

  async #close(beforeDisconnect?: (consumer: PortConsumer) => Promise<void>): Promise<void> {
    this.#state = "closed";
    if (this.#opening === undefined) return;
    // A consumer that is still being made is disconnected by `#connect`.
    const closed = Promise.all([this.#disconnect(beforeDisconnect), this.#opening.catch(() => {})]);
    if (!await settlesWithin(closed, CLOSE_TIMEOUT_MS)) {
      this.#options.notices.event(
        "leave-slow",
        `${this.#where}: leaving the group takes more than ${CLOSE_TIMEOUT_MS / 1000} s, and goes on in the background`,
      );
    }
    this.#consumer = undefined;
  }

  async #disconnect(beforeDisconnect?: (consumer: PortConsumer) => Promise<void>): Promise<void> {
    const consumer = this.#consumer;
    if (consumer?.isConnected) await beforeDisconnect?.(consumer);
    await consumer?.disconnect();
  }
}
