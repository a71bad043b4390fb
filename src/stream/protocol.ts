/**
 * The contract between what runs a stream and what it reads from and writes to.
 *
 * A source may hand over its messages in *batches*, each of which is told when it is done with. A sink has two
 * moments: it *accepts* a value, in order and at once, and it *settles*, when everything it accepted is delivered.
 * A source's batch is done only when the sinks have settled what came of it: at-least-once delivery is then a
 * property of the shape, whatever the source and the sinks are.
 *
 * Plain iterables, functions and Web Streams need none of this: they are adapted.
 *
 * @module
 */

/** Some messages of a source, taken together and finished together. */
export interface Batch<T> {
  /** The messages, in order. Iterated once. */
  readonly messages: Iterable<T>;
  /**
   * Called once, when everything that came of the messages has settled; batches are done in the order they came.
   * A batch that failed is never done. A Topic stores its offsets here, and nowhere else.
   *
   * @param handled when the run was stopped before all of them were begun: only so many messages, from the first on
   */
  done(handled?: number): void | Promise<void>;
  /** Where a message comes from, for error messages: `"emoji[0]@42"`. */
  describe?(message: T): string;
  /**
   * The messages that could not be read, by their place in {@linkcode Batch.messages}; what stands there instead is for
   * errors to show. Absent when there are none.
   */
  readonly unreadable?: ReadonlyMap<number, Unreadable<T>>;
  /**
   * Whether a message is not to be handled any more, though it was handed over: its partition is another's now, or read
   * elsewhere since a seek. Asked just before it is handled.
   */
  stale?(message: T): boolean;
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
  /** The batches; it closes when the source has ended or {@linkcode SourceReader.stop} was called. */
  readonly batches: ReadableStream<Batch<T>>;
  /** Told when the source is paused: nothing is handed on until it is resumed, and little is asked for. */
  pause?(): void;
  /** Told when the source is resumed. */
  resume?(): void;
  /** Ends {@linkcode SourceReader.batches} at once. Batches handed over already may still be done. */
  stop(): void;
  /**
   * Releases what the source holds, after the last batch is done or given up; with a reason when the run failed, for
   * a source that has to tell whoever waits for its batches. Idempotent.
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

/** Who gives values to a sink; one for many messages, since it is asked for with each. */
export interface Sender {
  /**
   * Told that a value can't be delivered that the sink had accepted. It has settled when this has returned, or its
   * promise has resolved; settling fails with what this throws.
   *
   * @param message what came with the value: the message that it was made of
   */
  undelivered(error: unknown, message: unknown): void | Promise<void>;
}

/** A sink that is being written to. */
export interface SinkWriter<T> {
  /**
   * Takes a value, in order. Returns a promise only when there is no room; the next value is then offered when it
   * has resolved.
   *
   * @param sender to be told, by a sink that knows it, that just this value can't be delivered
   * @param message what the sender is then told with it
   * @throws {TypeError} If the sink cannot take such a value. Nothing of it was written then.
   */
  accept(value: T, sender?: Sender, message?: unknown): void | Promise<void>;
  /**
   * Resolves when everything accepted so far is delivered (or on disk), rejects when some of it can't be, unless its
   * sender was told and has dealt with it.
   */
  settle(): void | Promise<void>;
  /** Releases the sink, after the last {@linkcode SinkWriter.settle}; with a reason when the run failed. Idempotent. */
  close(reason?: unknown): void | Promise<void>;
}

/** The method by which a sink is written to with its two moments apart. */
export const openSink: unique symbol = Symbol.for("slipstream.openSink") as never;

/** A sink that can accept now and settle later, such as a Topic. */
export interface BatchSink<T> {
  /** Starts writing. Opened once a run, however many handlers share the sink. */
  [openSink](): SinkWriter<T>;
}

/** The method by which a sink takes dead letters. */
export const openDeadLetters: unique symbol = Symbol.for("slipstream.openDeadLetters") as never;

/** The method by which a sink says what it feeds. */
export const feeds: unique symbol = Symbol.for("slipstream.feeds") as never;

/** A sink of messages that could not be handled, byte for byte, such as a Topic. */
export interface DeadLetterSink {
  /** Starts writing. A message is done with when its letter has settled. */
  [openDeadLetters](): SinkWriter<RawMessage>;
  /** Whether a source would read the letters: what can't be handled would come back for ever. */
  [feeds]?(source: unknown): boolean;
}
