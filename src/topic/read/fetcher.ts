/**
 * Fetching messages, and holding them until they are handed out.
 *
 * @module
 */

import type { FetchedMessage, PortConsumer, TopicPartition, TopicPartitionOffset } from "../../kafka/port.ts";
import { isSamePartition, type PartitionMap } from "../../kafka/partition_map.ts";
import { BatchSize, MAX_BATCH_BYTES } from "./batch_size.ts";
import type { EndOffsets } from "./end_offsets.ts";
import type { OffsetTracker } from "./offset_tracker.ts";
import type { ReadBatch } from "./read_batch.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";

/** How long a poll for messages waits for the first one, in milliseconds. */
const FETCH_WAIT_MS = 500;
/** How long a poll for events waits, in milliseconds; also the delay after a poll that failed. */
const EVENT_WAIT_MS = 20;

/** The parts of a reader that a `Fetcher` works with. */
export interface FetcherContext {
  /** The end offsets of a reader with `until: "end"`. */
  readonly ends: EndOffsets | undefined;
  readonly tracker: OffsetTracker;
  readonly stopped: ResettableSignal;
  /** The consumer; called only while there is one. */
  consumer(): PortConsumer;
  /** Whether a partition is assigned, and not being revoked. */
  isAssigned(partition: TopicPartition): boolean;
  /** Handles a poll that failed. */
  onError(error: unknown): void;
}

/** Polls the consumer, and holds fetched messages until they are handed out. Each poll also serves the consumer's events. */
export class Fetcher {
  readonly #context: FetcherContext;
  readonly #batchSize = new BatchSize();
  #fetched: FetchedMessage[] = [];
  /** Ends of partitions, reached after messages that are still in `#fetched` or that the current poll is about to return. */
  #reachedEnds: TopicPartitionOffset[] = [];
  /** The poll for messages. It goes on when something else ends the `fetch()` that began it; the next one joins it. */
  #fetching: Promise<void> | undefined;
  /** Settles when the last poll or seek has ended; the next one waits for it. */
  #exclusive: Promise<unknown> = Promise.resolve();

  constructor(context: FetcherContext) {
    this.#context = context;
  }

  /** Whether no fetched message waits to be handed out. */
  get isEmpty(): boolean {
    return this.#fetched.length === 0;
  }

  /** Records that the next batch is requested, so that the previous one is handled. */
  onRequested(): void {
    this.#batchSize.onRequested();
  }

  /** Fetches, unless fetched messages wait. Resolves at once when the reader is stopped, or the last end is reached. */
  async fetch(): Promise<void> {
    if (!this.isEmpty) return;
    const { stopped, ends } = this.#context;
    const fetching = this.#fetching ??= this.#poll(this.#batchSize.maxMessages, FETCH_WAIT_MS)
      .finally(() => this.#fetching = undefined);
    await stopped.race(ends === undefined ? fetching : ends.finished.race(fetching));
  }

  /** Polls for events, and holds a message that comes along. Resolves at once when the reader is stopped. */
  async serveEvents(): Promise<void> {
    await this.#context.stopped.race(this.serveEventsWhenStopped());
  }

  /** Polls for events, also when the reader is stopped. */
  serveEventsWhenStopped(): Promise<void> {
    return this.#poll(1, EVENT_WAIT_MS);
  }

  #poll(maxMessages: number, waitMs: number): Promise<void> {
    return this.exclusively(async () => {
      try {
        const messages = await this.#context.consumer().consume(maxMessages, waitMs);
        if (this.isEmpty) this.#fetched = messages;
        else for (const message of messages) this.#fetched.push(message);
        this.#reportReachedEnds();
      } catch (error) {
        this.#context.onError(error);
        // Some errors come back at once with every poll.
        await this.#context.stopped.delay(EVENT_WAIT_MS);
      }
    });
  }

  /** Runs a function while nothing polls. (It could not be known whether messages fetched during a seek are from before it.) */
  exclusively<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#exclusive.then(act);
    this.#exclusive = result.catch(() => {});
    return result;
  }

  /** Drops what was fetched of some partitions. */
  drop(isDropped: (partition: TopicPartition) => boolean): void {
    this.#fetched = this.#fetched.filter((message) => !isDropped(message));
    this.#reachedEnds = this.#reachedEnds.filter((end) => !isDropped(end));
  }

  /** Records that a partition's end is reached, after the messages of the current poll. */
  onEnd(end: TopicPartitionOffset): void {
    this.#reachedEnds.push(end);
  }

  /**
   * Reports reached ends once all messages before them are handed out. The end may be above the last message: offsets in
   * between belong to records that are not handed out, such as transaction markers.
   */
  #reportReachedEnds(): void {
    const { ends, tracker } = this.#context;
    if (this.#reachedEnds.length === 0) return;
    this.#reachedEnds = this.#reachedEnds.filter((end) => {
      if (this.#fetched.some((message) => isSamePartition(message, end))) return true;
      // Fetched messages of a partition that is being revoked are dropped unhandled, so its end is not reached.
      if (!this.#context.isAssigned(end)) return false;
      ends?.advance(end, end.offset);
      // Messages at and above the end offset of this reader are dropped too.
      tracker.onReachedEnd({ ...end, offset: Math.min(end.offset, ends?.get(end) ?? Infinity) });
      return false;
    });
  }

  /**
   * Hands out fetched messages as a batch of about 16 MiB at most; `undefined` if none of them is wanted.
   *
   * @param revoking the partitions that are being revoked
   */
  handOut(revoking: PartitionMap<true> | undefined): ReadBatch | undefined {
    const wanted = this.#wantedMessages(revoking);
    let bytes = 0, count = 0;
    for (; count < wanted.length && (bytes < MAX_BATCH_BYTES || count === 0); count++) bytes += wanted[count]!.size;
    this.#fetched = count < wanted.length ? wanted.splice(count) : [];
    if (count === 0) {
      this.#reportReachedEnds();
      return undefined;
    }
    this.#batchSize.onHandedOut(count, bytes);
    const batch = this.#context.tracker.handOut(wanted, bytes);
    this.#reportReachedEnds();
    return batch;
  }

  /** The messages of partitions that are not being revoked, below the end offset, and not handled before. */
  #wantedMessages(revoking: PartitionMap<true> | undefined): FetchedMessage[] {
    const { ends, tracker } = this.#context;
    if (ends === undefined && revoking === undefined && !tracker.mayRepeatMessages) return this.#fetched;
    // Messages of a partition come in runs. Maps are looked up once a run: once a message would cost more than all the rest.
    let run: TopicPartition | undefined, isRevoking = false, end = Infinity, first = 0;
    return this.#fetched.filter((message) => {
      if (run === undefined || !isSamePartition(message, run)) {
        run = message;
        isRevoking = revoking?.has(message) ?? false;
        end = ends?.get(message) ?? Infinity;
        first = !isRevoking && tracker.mayRepeatMessages ? tracker.handledUpTo(message) : 0;
      }
      if (isRevoking) return false;
      if (message.offset + 1 >= end) ends!.advance(message, message.offset + 1);
      return message.offset >= first && message.offset < end;
    });
  }
}
