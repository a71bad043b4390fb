/**
 * `consumeLoop()`: one callback for every message, until the client disconnects.
 *
 * @module
 */

import { CallbackQueue, CALLBACKS_PER_FETCH } from "./callback_queue.ts";
import type { ConsumerAccess } from "./consume_requests.ts";
import type { FetchedMessages } from "./fetched_messages.ts";
import type { NativeMessage, PartitionEof } from "../ffi/message_reader.ts";
import { ErrorCode } from "../ffi/error_codes.ts";

/** Receives one thing at a time: an error, a message, the end of a partition, or the code of a warning. */
export type LoopCallback = (
  error: unknown,
  message?: NativeMessage | null,
  end?: Omit<PartitionEof, "messageIndex"> | null,
  warning?: number | null,
) => void;

/** The errors that do not end a loop: the native addon passes them on as warnings. */
const WARNINGS: ReadonlySet<number> = new Set([ErrorCode.UNKNOWN_TOPIC_OR_PART, ErrorCode.TOPIC_AUTHORIZATION_FAILED]);

/** The loop of one consumer. */
export class ConsumeLoop {
  readonly #consumer: ConsumerAccess;
  readonly #fetched: FetchedMessages;
  readonly #calls = new CallbackQueue(() => this.#fetch());
  #running: { readonly callback: LoopCallback; hasFailed: boolean } | undefined;

  constructor(consumer: ConsumerAccess, fetched: FetchedMessages) {
    this.#consumer = consumer;
    this.#fetched = fetched;
  }

  /** Whether the loop was started; an error ends the calls, but not this state. */
  get isStarted(): boolean {
    return this.#running !== undefined;
  }

  start(callback: LoopCallback): void {
    this.#running = { callback, hasFailed: false };
    this.#calls.runSoon();
  }

  /** Calls back for what is there. */
  serve(): void {
    if (this.#running !== undefined) this.#calls.runNow();
  }

  /**
   * Ends the loop when the callbacks for all fetched messages are called: librdkafka counts a message that it has handed
   * out as consumed, and commits it.
   */
  async stop(): Promise<void> {
    this.#running = undefined;
    await this.#calls.runAll();
  }

  /** Fetches messages up to an error, and adds a callback for each; returns whether there was anything. */
  #fetch(): boolean {
    const running = this.#running, isOver = () => this.#running !== running || !this.#consumer.isConnected();
    if (running === undefined || running.hasFailed || isOver()) return false;
    this.#consumer.serveEvents();
    if (isOver()) return false;
    const messages: NativeMessage[] = [], ends: PartitionEof[] = [];
    this.#fetched.take(CALLBACKS_PER_FETCH, messages, ends);
    const error = this.#fetched.takeError();
    const add = (...result: Parameters<LoopCallback>) => this.#calls.add(() => running.callback(...result));
    let end = 0;
    for (let index = -1; index < messages.length; index++) {
      if (index >= 0) add(null, messages[index]!, null, null);
      for (; end < ends.length && ends[end]!.messageIndex <= index; end++) {
        const { topic, partition, offset } = ends[end]!;
        add(null, null, { topic, offset, partition }, null);
      }
    }
    if (error !== undefined && WARNINGS.has(error.code)) add(null, null, null, error.code);
    else if (error !== undefined) {
      running.hasFailed = true;
      add(error);
    }
    return messages.length > 0 || error !== undefined;
  }
}
