/**
 * The batch protocol: the interfaces between the code that runs a stream and its sources and sinks. `mod.ts` says how to use
 * them.
 *
 * @module
 */

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
   * Decides whether the run must skip a message. The run asks just before it handles the message. It skips the message if the
   * answer is `true`, and the source may then stop storing positions from this message on.
   *
   * A Topic answers `true` if the partition was revoked, or the reader has called `seek()`, since the message was read; and, at
   * the first question, if the partition is being revoked.
   *
   * @param askedBefore `true` at the second question about a message that waited for its key (`concurrency`). The first answer
   * was `false`; a Topic lets such a message finish while its partition is being revoked.
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
   * Waits for the values that the sink has accepted for a delivery so far. The run calls it when the handlers have finished a
   * batch; a sink that buffers values writes them now.
   *
   * Returns `undefined` or resolves when each of these values is delivered (for a Cache: on disk), or when
   * `Delivery.undelivered` has resolved for it. Rejects with the first failure. It may be called several times. A failure is
   * final: every later call rejects with it. After a success, a later call also waits for values accepted since. A delivery
   * without values has settled.
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
   * Applies the option `onError` to the message of one value that the sink has accepted and can't deliver. For sinks that can
   * tell which value has failed; other sinks let `SinkWriter.settle` reject.
   *
   * - When it returns or resolves, the message is skipped, written as a dead letter, or handled by the program's function:
   *   count the value as delivered.
   * - When it throws or rejects, the run fails: make `settle` reject with this error.
   *
   * `Settlement.undelivered` calls it and counts the value accordingly.
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
