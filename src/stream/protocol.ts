/**
 * For authors of sources and sinks: the contract between a run of `stream()` and what it reads from and writes to.
 *
 * Plain iterables, functions and Web Streams need none of it: `handle()` takes them as they are. Implement `BatchSource` for
 * a source that can begin again where it was, such as a log with offsets, and `BatchSink` for a sink that accepts a value
 * now and delivers it later, such as a queue.
 *
 * A source offers *batches*: messages and their positions. A sink *accepts* the values that a handler makes of a batch
 * on behalf of a *delivery*, and *settles* that delivery: says whether everything it accepted for it is delivered.
 * A batch is done when all of its deliveries have settled. At-least-once delivery is then a property of the shape,
 * whatever the sources and the sinks are.
 *
 * The invariants, which `tests/simulation` tries to break:
 *
 * 1. **Settlement belongs to a delivery.** `SinkWriter.settle` gives the same answer to everyone who asks, at
 *    any time and any number of times. The answer depends on the values of that delivery alone, whoever else shares
 *    the sink.
 * 2. **A failure belongs to its message.** A value that a sink accepted and could not deliver is reported to its own
 *    delivery, or makes that delivery's settlement reject. Its batch is not done then, unless the error policy
 *    disposed of the message.
 * 3. **A batch is done only after everything that came of its messages is delivered** or disposed of by the policy,
 *    through pipes, several handlers and sinks, retries, dead letters, and at any concurrency.
 * 4. **Batches of a source are done in order.** After a batch that is not done, no later one is.
 * 5. **A message that no handler has finished is never done**, whatever ends the run: a stop, a failure, an aborted
 *    retry, a pipe that ends. A stop is looked at before each message, and cuts every wait short.
 * 6. **Every failure has an owner.** It reaches `onError`, or `stream()` rejects with it. The first failure is the one
 *    that `stream()` rejects with; later ones never keep a run from ending.
 * 7. **Who ends takes nothing from others.** Closing a `SinkWriter` leaves alone what other writers of the same
 *    sink have accepted.
 * 8. **Order.** For each message, the handlers of its source run in the order of binding, and every sink has accepted
 *    their values before the next message is handled (of the same key, with `concurrency`). A sink delivers the
 *    values of one writer in the order it accepted them.
 * 9. **Memory is bounded in bytes.** A source is read on only while the batches that are not done stay below a number
 *    and a size, and a sink makes its users wait when it has no room.
 *
 * @example A source that begins after the last message that is done
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { type BatchSource, openSource } from "@slipstream/slipstream/protocol";
 *
 * const log = ["a", "b", "c", "d"];
 * let handled = 0; // would be stored
 *
 * const source: BatchSource<string> = {
 *   [openSource]() {
 *     let next = handled, isStopped = false;
 *     return {
 *       batches: new ReadableStream({
 *         pull(controller) {
 *           if (isStopped || next === log.length) return controller.close();
 *           const first = next, messages = log.slice(first, next += 2);
 *           controller.enqueue({ messages, done: (count = messages.length) => void (handled = first + count) });
 *         },
 *       }, { highWaterMark: 0 }),
 *       stop: () => void (isStopped = true),
 *       close: () => Promise.resolve(),
 *     };
 *   },
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
 * console.assert(handled === 4 && seen.at(-1) === "d", seen.join());
 * ```
 *
 * @example A sink that delivers by the hundred
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { type BatchSink, type Delivery, openSink } from "@slipstream/slipstream/protocol";
 *
 * const delivered: number[][] = [];
 * const sink: BatchSink<number> = {
 *   [openSink]() {
 *     const outcomes = new WeakMap<Delivery, Promise<void>[]>();
 *     let waiting: number[] = [], outcome = Promise.withResolvers<void>();
 *     const deliver = () => {
 *       if (waiting.length > 0) delivered.push(waiting);
 *       waiting = [];
 *       outcome.resolve();
 *       outcome = Promise.withResolvers();
 *     };
 *     return {
 *       accept(value, delivery) {
 *         const own = outcomes.get(delivery) ?? [];
 *         outcomes.set(delivery, own);
 *         if (own.at(-1) !== outcome.promise) own.push(outcome.promise);
 *         if (waiting.push(value) === 100) deliver();
 *       },
 *       async settle(delivery) {
 *         deliver();
 *         await Promise.all(outcomes.get(delivery) ?? []);
 *       },
 *       close: deliver,
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

/** How far a partition is handled: the offset to read next. */
export interface Position {
  /** The topic. */
  readonly topic: string;
  /** The partition, from 0. */
  readonly partition: number;
  /** The offset to read next. */
  readonly offset: number;
  /** The leader epoch that the offset belongs to; absent when unknown. */
  readonly leaderEpoch?: number;
}

/** Some messages of a source, read together and finished together. */
export interface Batch<T> {
  /** The messages, in order. Iterated once. */
  readonly messages: Iterable<T>;
  /** About how many bytes the messages take; the run bounds the sum of batches that are not done. @default {0} */
  readonly bytes?: number;
  /**
   * The positions behind the first messages, one for each partition that this reader still owns. They are data: a
   * strategy may store them elsewhere than the source does. Absent where a source has no positions.
   *
   * @param handled how many messages, from the first on; all of them when left out
   */
  positions?(handled?: number): readonly Position[];
  /**
   * Stores how far the source is handled. The run calls it at most once, in the order of the batches, when everything
   * that came of the messages is settled. A batch that failed is never done.
   *
   * @param handled only so many messages, from the first on, are handled; all of them when left out
   */
  done(handled?: number): void | Promise<void>;
  /** Where a message comes from, for error messages: `"emoji[0]@42"`. */
  describe?(message: T): string;
  /**
   * The messages that could not be read, by their index in `Batch.messages`. The entry at that index is a
   * placeholder, used only in error messages. Absent when every message could be read.
   */
  readonly unreadable?: ReadonlyMap<number, Unreadable<T>>;
  /**
   * Whether a message must not be handled any more, because its partition moved to another reader, or this reader
   * seeked, after it was read. The run asks just before it handles the message.
   *
   * @param isAccepted it was asked before whether the message is stale, and was not; the message has waited since
   */
  stale?(message: T, isAccepted?: boolean): boolean;
  /** The bytes that a message was made of, for dead letters. */
  raw?(message: T): RawMessage | undefined;
}

/** Why a message could not be read. */
export interface Unreadable<T> {
  /** What was thrown, such as by a codec. */
  readonly error: unknown;
  /** Tries once more. */
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

/** A source that is being read. */
export interface SourceReader<T> {
  /** The batches. The stream closes when the source has ended or `SourceReader.stop` was called. */
  readonly batches: ReadableStream<Batch<T>>;
  /** Pauses the source: the run handles nothing of it until it is resumed, and asks for little. */
  pause?(): void;
  /** Resumes the source. */
  resume?(): void;
  /** Closes `SourceReader.batches` at once. Batches that were read before may still be done. */
  stop(): void;
  /**
   * Releases what the source holds. The run calls it after the last batch is done or given up. Idempotent.
   *
   * @param reason why the run failed; absent when it did not
   */
  close(reason?: unknown): Promise<void>;
}

/** The method by which a source hands over batches. */
export const openSource: unique symbol = Symbol.for("slipstream.openSource") as never;

/** A source of batches, such as a Topic. */
export interface BatchSource<T> {
  /** Starts reading; connections may be made later, when the first batch is asked for. */
  [openSource](): SourceReader<T>;
}

/**
 * What values are accepted on behalf of: what one handler makes of one batch. A sink keeps its own account for each
 * delivery, by the identity of this object.
 */
export interface Delivery {
  /**
   * Receives an error that concerns one value, from a sink that tells its values apart. The value has settled when this
   * returns or its promise resolves: the policy has disposed of the message. When it throws or rejects, the
   * delivery's settlement rejects with that.
   *
   * @param error why the sink could not deliver a value that it had accepted; one whose `fatal` is `true` says that the
   * sink can't deliver anything any more, and ends the run under every policy
   * @param message what was given to `SinkWriter.accept` together with the value
   */
  undelivered(error: unknown, message: unknown): void | Promise<void>;
}

/** A sink that is being written to. */
export interface SinkWriter<T> {
  /**
   * Takes a value, in order. Returns a promise only when there is no room; the next value is then offered after it has
   * resolved.
   *
   * @param delivery on whose behalf the value is accepted
   * @param message the message that the value was made of; `Delivery.undelivered` gets it back
   * @throws {TypeError} If the sink cannot take such a value. It keeps nothing of it then.
   * @throws An error whose `fatal` is `true`, if the sink can't take anything any more: the run ends under every policy.
   */
  accept(value: T, delivery: Delivery, message?: unknown): void | Promise<void>;
  /**
   * Resolves when every value that was accepted for the delivery is delivered (a Cache: on disk), or disposed of by
   * `Delivery.undelivered`. Rejects when some value can't be. Everyone who asks gets the same answer, at
   * any time; a delivery that this writer knows nothing of has settled.
   */
  settle(delivery: Delivery): void | Promise<void>;
  /**
   * Releases the sink for this user; what other writers of it have accepted is not touched. The run calls it after the
   * deliveries have settled or are given up. Idempotent.
   *
   * @param reason why the run failed; absent when it did not
   */
  close(reason?: unknown): void | Promise<void>;
}

/** The method by which a sink is written to. */
export const openSink: unique symbol = Symbol.for("slipstream.openSink") as never;

/** A sink that accepts now and settles later, such as a Topic. */
export interface BatchSink<T> {
  /** Starts writing. A run calls it once, however many of its handlers share the sink; other runs get writers of their own. */
  [openSink](): SinkWriter<T>;
}

/** The method by which a sink takes dead letters. */
export const openDeadLetters: unique symbol = Symbol.for("slipstream.openDeadLetters") as never;

/** The method by which a sink says what it feeds. */
export const feeds: unique symbol = Symbol.for("slipstream.feeds") as never;

/** A sink of messages that could not be handled, byte for byte, such as a Topic. */
export interface DeadLetterSink {
  /** Starts writing. A message is disposed of when its letter has settled. */
  [openDeadLetters](): SinkWriter<RawMessage>;
  /** Whether a source would read the letters: what can't be handled would come back for ever. */
  [feeds]?(source: unknown): boolean;
}
