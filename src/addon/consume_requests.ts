/**
 * Calls of `consume()` that wait for messages.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { callAndReport } from "./call_and_report.ts";
import type { FetchedMessages } from "./fetched_messages.ts";
import type { ConsumeError, NativeMessage, PartitionEof } from "../ffi/message_reader.ts";

/** Receives the result of `consume()`: messages, and the ends of partitions, each with its index among the messages. */
export type ConsumeCallback = (error: unknown, messages?: NativeMessage[], ends?: PartitionEof[]) => void;

/** What `ConsumeRequests` and `ConsumeLoop` need of their consumer. */
export interface ConsumerAccess {
  readonly isConnected: () => boolean;
  /** Serves events until none is left, or until an error was fetched. */
  readonly serveEvents: () => void;
}

/** One call of `consume()`. */
export interface ConsumeRequest {
  /** The most messages that it takes. */
  readonly max: number;
  /** How long it waits for a message, in milliseconds, and after each for the next. */
  readonly timeoutMs: number;
  /** Whether it ends with the first messages that come, however few. */
  readonly onlyFirst: boolean;
  readonly callback: ConsumeCallback;
}

interface Pending extends ConsumeRequest {
  readonly messages: NativeMessage[];
  readonly ends: PartitionEof[];
  deadline: number;
}

/** The pending calls of one consumer. They are answered in the order in which they were made. */
export class ConsumeRequests {
  readonly #consumer: ConsumerAccess;
  readonly #fetched: FetchedMessages;
  readonly #pending: Pending[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isScheduled = false;

  constructor(consumer: ConsumerAccess, fetched: FetchedMessages) {
    this.#consumer = consumer;
    this.#fetched = fetched;
  }

  /** Adds a call. Its callback never runs before this method has returned. */
  add(request: ConsumeRequest): void {
    this.#pending.push({ ...request, messages: [], ends: [], deadline: performance.now() + request.timeoutMs });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#consumer.isConnected()) this.serve();
    });
  }

  /** Answers the calls for which there is enough, or whose time is over. */
  serve(): void {
    clearTimeout(this.#timer);
    for (let request; (request = this.#pending[0]) !== undefined && this.#consumer.isConnected();) {
      this.#consumer.serveEvents();
      // A rebalance callback may have disconnected the client, or consumed.
      if (this.#pending[0] !== request || !this.#consumer.isConnected()) return;
      this.#fill(request);
      const { messages, ends } = request;
      if (this.#fetched.hasError() && messages.length + ends.length === 0) {
        this.#pending.shift();
        this.#answer(request, this.#fetched.takeError());
        continue;
      }
      // An error that comes after messages is the result of the next call.
      const isEnough = messages.length >= request.max || this.#fetched.hasError() ||
        (messages.length > 0 && (request.onlyFirst || ends.some((end) => end.messageIndex >= 0)));
      const remainingMs = request.deadline - performance.now();
      if (!isEnough && remainingMs > 0) {
        this.#timer = setTimeout(() => this.serve(), Math.min(remainingMs, LONGEST_TIMER_MS));
        return;
      }
      this.#pending.shift();
      this.#answer(request);
    }
  }

  /** Answers all calls with what they have. */
  close(): void {
    clearTimeout(this.#timer);
    for (const request of this.#pending.splice(0)) this.#answer(request);
  }

  #fill(request: Pending): void {
    const { messages, ends, max, timeoutMs } = request;
    const before = messages.length + ends.length;
    this.#fetched.take(max, messages, ends);
    if (messages.length + ends.length > before) request.deadline = performance.now() + timeoutMs;
  }

  #answer({ callback, messages, ends }: Pending, error?: ConsumeError): void {
    callAndReport(() => error === undefined ? callback(null, messages, ends) : callback(error));
  }
}
