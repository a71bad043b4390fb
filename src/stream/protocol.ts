/**
 * For authors of sources and sinks: the contract between a run of `stream()` and what it reads from and writes to.
 *
 * Plain iterables, functions and Web Streams need none of it: `handle()` takes them as they are. Implement `BatchSource` for
 * a source that can begin again where it was, such as a queue with acknowledgements, and `BatchSink` for a sink that accepts
 * a value now and delivers it later, such as a database that is written in batches.
 *
 * A source offers *batches*: messages that it hands over together. A sink *accepts* the values that a handler emits for a
 * batch on behalf of a *delivery*, and *settles* that delivery: it reports whether every value that it accepted for it is
 * delivered. A batch is *done* when all of its deliveries have settled; the source acknowledges its messages then, and not
 * before. So delivery is at least once, whatever the sources and the sinks are.
 *
 * - A source: `BatchSource.[openSource]` returns a `SourceReader`. `batchReader()` makes one of an async generator.
 * - A sink: `BatchSink.[openSink]` returns a `SinkWriter`. `Settlements` keeps its accounts, and passes the failure of a
 *   single value to the error policy.
 * - A sink for dead letters: `DeadLetterSink.[openDeadLetters]` returns a `SinkWriter` of `RawMessage`.
 *
 * `examples/custom_source.ts` reads a queue over HTTP, page by page; `examples/custom_sink.ts` writes batches of rows to a
 * database that may refuse single rows.
 *
 * The run, the sources and the sinks keep these invariants. `tests/simulation` looks for programs that break one:
 *
 * 1. **Settlement belongs to a delivery.** `SinkWriter.settle` gives the same answer to everyone who asks, at any time and
 *    any number of times. The answer depends on the values of that delivery alone, whoever else shares the sink.
 * 2. **A failure belongs to its message.** A value that a sink accepted and could not deliver is reported to its own
 *    delivery, or makes that delivery's settlement reject. Its batch is not done then, unless the error policy disposes of
 *    the message.
 * 3. **A batch is done only after everything that its messages led to is delivered**, or disposed of by the policy: through
 *    pipes, several handlers and sinks, retries, dead letters, and at any concurrency.
 * 4. **Batches of a source are done in order.** After a batch that is not done, no later one is.
 * 5. **A message that no handler has finished is never done**, whatever ends the run: a stop, a failure, an aborted
 *    retry, a pipe that ends. The run checks for a stop before each message, and a stop cuts every wait short.
 * 6. **Every failure has an owner.** It reaches `onError`, or `stream()` rejects with it. `stream()` rejects with the first
 *    failure; later ones never keep a run from ending.
 * 7. **An end takes nothing from others.** Closing a `SinkWriter` leaves alone what other writers of the same sink have
 *    accepted.
 * 8. **Order.** For each message, the handlers of its source run in the order of binding, and every sink has accepted
 *    their values before the next message is handled (of the same key, with `concurrency`). A sink delivers the
 *    values of one writer in the order in which it accepted them.
 * 9. **Memory is bounded in bytes.** A source is read on only while the batches that are not done stay below a number
 *    and a size, and a sink makes its callers wait when it has no room.
 *
 * @example A source that begins after the last message that is done
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { batchReader, type BatchSource, openSource } from "@slipstream/slipstream/protocol";
 *
 * const log = ["a", "b", "c", "d"];
 * let handled = 0; // A real source stores it.
 *
 * const source: BatchSource<string> = {
 *   [openSource]: () =>
 *     batchReader(async function* () {
 *       for (let first = handled; first < log.length; first += 2) {
 *         const messages = log.slice(first, first + 2);
 *         yield { messages, done: (count = messages.length) => void (handled = first + count) };
 *       }
 *     }),
 * };
 *
 * const app = new Slipstream(), seen: string[] = [];
 * app.handle(source, (line) => {
 *   if (line === "d" && seen.length === 3) throw new Error("once");
 *   seen.push(line);
 * });
 * await app.stream().catch(() => {});
 * seen.push("again");
 * await app.stream();
 * console.assert(seen.join("") === "abcagaincd" && handled === 4);
 * ```
 *
 * @example A sink that delivers by the hundred
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { type BatchSink, type Delivery, openSink, Settlements } from "@slipstream/slipstream/protocol";
 *
 * const delivered: number[][] = [];
 * const sink: BatchSink<number> = {
 *   [openSink]() {
 *     const settlements = new Settlements();
 *     let waiting: { value: number; delivery: Delivery }[] = [];
 *     const deliver = () => {
 *       if (waiting.length > 0) delivered.push(waiting.map(({ value }) => value));
 *       for (const { delivery } of waiting.splice(0)) settlements.of(delivery).settled();
 *     };
 *     return {
 *       accept(value, delivery) {
 *         settlements.of(delivery).accepted();
 *         if (waiting.push({ value, delivery }) === 100) deliver();
 *       },
 *       settle(delivery) {
 *         deliver();
 *         return settlements.outcome(delivery);
 *       },
 *       close() {},
 *     };
 *   },
 * };
 *
 * const app = new Slipstream();
 * app.handle(Array(250).keys(), { sink }, (n) => n);
 * await app.stream();
 * console.assert(delivered.map(({ length }) => length).join() === "100,100,50");
 * ```
 *
 * @module
 */

export { batchReader } from "./batch_reader.ts";
export { Settlement, Settlements } from "./settlement.ts";

// Sources

/** The name of the method by which a run reads a `BatchSource`. */
export const openSource: unique symbol = Symbol.for("slipstream.openSource") as never;

/**
 * A source of batches, such as a Topic.
 *
 * @typeParam T a message
 */
export interface BatchSource<T> {
  /**
   * Starts reading, after the last message that is done. A run calls it once, when it begins. The source may connect later,
   * when the first batch is asked for.
   */
  [openSource](): SourceReader<T>;
}

/**
 * A source that is being read. `batchReader()` makes one of an async generator.
 *
 * @typeParam T a message
 */
export interface SourceReader<T> {
  /**
   * The batches, in order. The stream closes when the source has ended or `stop()` was called. When it fails, the run settles
   * the batches before the failure, and fails. Give it the option `highWaterMark: 0`: it must not read ahead.
   */
  readonly batches: ReadableStream<Batch<T>>;
  /** Called when the program pauses the source: the run handles no message of it until `resume()`. */
  pause?(): void;
  /** Called when the program resumes the source. */
  resume?(): void;
  /**
   * Closes `batches` at once. The run may still call `done()` of the batches that it has read. Idempotent.
   */
  stop(): void;
  /**
   * Releases what the source holds. The run calls it after the last batch is done or given up. Idempotent.
   *
   * @param reason why the run failed; absent when it did not
   */
  close(reason?: unknown): Promise<void>;
}

/**
 * Messages that a source hands over together.
 *
 * @typeParam T a message
 */
export interface Batch<T> {
  /** The messages, in order. The run iterates over them once, and stops early when it is stopped. */
  readonly messages: Iterable<T>;
  /**
   * Stores how far the source is handled, such as by an acknowledgement. The run calls it at most once, in the order of the
   * batches, when everything that the messages led to has settled. It never calls it for a batch that failed, nor for one
   * behind that. When it throws or rejects, the run fails.
   *
   * @param handled how many messages, from the first on, are handled, after a stop in the middle of the batch; all of them
   * when absent
   */
  done(handled?: number): void | Promise<void>;
  /**
   * About how many bytes the messages take. The run bounds the sum over batches that are not done.
   * @default {0}
   */
  readonly bytes?: number;
  /**
   * Describes where a message comes from, for error messages: `"emoji[0]@42"`.
   */
  describe?(message: T): string;
  /** Returns the bytes that a message was made of, for dead letters. Without it, a dead letter holds the message as JSON. */
  raw?(message: T): RawMessage | undefined;
  /**
   * The messages that could not be read, by their index in `messages`. The entry at that index is a placeholder, used only
   * in error messages. Absent when every message could be read.
   */
  readonly unreadable?: ReadonlyMap<number, Unreadable<T>>;
  /**
   * Returns whether a message must not be handled any more: its partition has moved to another reader since it was read, or
   * this reader has seeked. The run asks just before it handles the message.
   *
   * @param askedBefore whether the run has asked for this message before, and the answer was `false`: it has waited for its
   * key since (`concurrency`)
   */
  stale?(message: T, askedBefore?: boolean): boolean;
  /**
   * Returns the positions behind the first messages, one for each partition that this reader still owns. A delivery strategy
   * may store them elsewhere than `done()` does. Absent for a source without positions.
   *
   * @param handled how many messages, from the first on; all of them when absent
   */
  positions?(handled?: number): readonly Position[];
}

/** How far a partition is handled. */
export interface Position {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  /** The leader epoch that the offset belongs to; absent when it is unknown. */
  readonly leaderEpoch?: number;
}

/**
 * Why a message could not be read.
 *
 * @typeParam T a message
 */
export interface Unreadable<T> {
  /** The error that was thrown, such as by a codec. */
  readonly error: unknown;
  /** Tries to read the message once more, for the option `retry`. */
  again(): T | Promise<T>;
}

/** A message as bytes. */
export interface RawMessage {
  /** The key, or `null`. */
  readonly key: Uint8Array | null;
  /** The value, or `null` for a tombstone. */
  readonly value: Uint8Array | null;
  /** The headers, in order; names may repeat. */
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

// Sinks

/** The name of the method by which a run writes to a `BatchSink`. */
export const openSink: unique symbol = Symbol.for("slipstream.openSink") as never;

/**
 * A sink that accepts values now and settles them later, such as a Topic.
 *
 * @typeParam T a value
 */
export interface BatchSink<T> {
  /**
   * Starts writing. A run calls it once, however many of its handlers share the sink. Other runs get writers of their own.
   */
  [openSink](): SinkWriter<T>;
}

/**
 * A sink that is being written to.
 *
 * @typeParam T a value
 */
export interface SinkWriter<T> {
  /**
   * Takes a value. The order of the calls is the order in which the sink delivers the values. Returns a promise only when
   * there is no room for another value; the run offers the next one after it has resolved.
   *
   * @param delivery on whose behalf the sink accepts the value
   * @param message the message for which the handler emitted the value: pass it on to `Delivery.undelivered`
   * @throws {TypeError} If the sink cannot take such a value. It keeps nothing of it then, and the error policy applies.
   * @throws An error whose `fatal` is `true`, if the sink can't take anything any more: the run ends under every policy.
   */
  accept(value: T, delivery: Delivery, message?: unknown): void | Promise<void>;
  /**
   * Resolves when every value that the sink has accepted for the delivery is delivered (for a Cache: on disk), or disposed
   * of by `Delivery.undelivered`. Rejects when a value can't be delivered. The run asks when it has handled a batch, so a
   * sink that holds values back delivers them now. Everyone who asks gets the same answer, at any time; a delivery for which
   * the sink has accepted nothing has settled.
   */
  settle(delivery: Delivery): void | Promise<void>;
  /**
   * Releases the sink for this writer; what other writers of it have accepted is not touched. The run calls it after the
   * deliveries have settled or are given up. Idempotent.
   *
   * @param reason why the run failed; absent when it did not
   */
  close(reason?: unknown): void | Promise<void>;
}

/**
 * On whose behalf a sink accepts values: what one handler emits for one batch. A sink keeps an account for each delivery, by
 * the identity of this object; see `Settlements`.
 */
export interface Delivery {
  /**
   * Receives an error that concerns one value alone, from a sink that tells its values apart. The value has settled when this
   * returns or its promise resolves: the policy has disposed of the message. When it throws or rejects, the settlement of the
   * delivery rejects with that error. `Settlement.undelivered` does both.
   *
   * @param error why the sink could not deliver a value that it had accepted. An error whose `fatal` is `true` means that the
   * sink can't deliver anything any more, and ends the run under every policy.
   * @param message the message that `SinkWriter.accept` got together with the value
   */
  undelivered(error: unknown, message: unknown): void | Promise<void>;
}

// Dead letters

/** The name of the method by which a run writes dead letters to a `DeadLetterSink`. */
export const openDeadLetters: unique symbol = Symbol.for("slipstream.openDeadLetters") as never;

/** The name of the method by which a `DeadLetterSink` finds that a source reads what is written to it. */
export const feeds: unique symbol = Symbol.for("slipstream.feeds") as never;

/** A sink of messages that could not be handled, byte for byte, such as a Topic: a value for the option `onError`. */
export interface DeadLetterSink {
  /** Starts writing. A message is disposed of when its dead letter has settled. */
  [openDeadLetters](): SinkWriter<RawMessage>;
  /**
   * Returns whether a source reads what is written to this sink. `handle()` refuses such a source: messages that can't be
   * handled would come back for ever.
   */
  [feeds]?(source: unknown): boolean;
}
