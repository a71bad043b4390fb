/**
 * Messages on their way from a consumer to who handles them.
 *
 * @module
 */

import type { FetchedMessage, PortConsumer, TopicPartition, TopicPartitionOffset } from "../../kafka/port.ts";
import { isSamePartition, type PartitionMap } from "../../kafka/partition_map.ts";
import type { Ends } from "./ends.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import { MOST_BYTES, Pace } from "./pace.ts";
import type { Progress } from "./progress.ts";
import type { ReadBatch } from "./read_batch.ts";

const FETCH_MS = 500;
/** How long a poll waits that only serves events. */
const SERVE_MS = 20;

/** What fetching needs of its reader. */
export interface FetcherParts {
  /** What ends a reader that reads until the end. */
  readonly ends: Ends | undefined;
  readonly progress: Progress;
  readonly stopped: ResettableSignal;
  /** The consumer, which is connected whenever something is asked of it. */
  consumer(): PortConsumer;
  /** Whether a partition is assigned, and not on its way to another member. */
  isOurs(partition: TopicPartition): boolean;
  /** A poll has failed. */
  onError(error: unknown): void;
}

/** Polls, and keeps what is fetched until it is handed out. A poll also serves the consumer's events. */
export class Fetcher {
  readonly #parts: FetcherParts;
  readonly #pace = new Pace();
  #held: FetchedMessage[] = [];
  /** Ends that were reached behind messages that are held, or are about to be. */
  #reached: TopicPartitionOffset[] = [];
  /** The poll that is asked for messages; it outlives the call that asked, when something else ends that. */
  #fetching: Promise<void> | undefined;
  /** The last poll, or seek: they take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: FetcherParts) {
    this.#parts = parts;
  }

  /** Whether nothing is held. */
  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** The batch that was handed out last is handled: the next one is asked for. */
  asked(): void {
    this.#pace.asked();
  }

  /** Fetches, unless something is held. Ends at once when the reader is stopped, or the last end is reached. */
  async fetch(): Promise<void> {
    if (!this.isEmpty) return;
    const { stopped, ends } = this.#parts;
    const fetching = this.#fetching ??= this.#poll(this.#pace.size, FETCH_MS).finally(() => this.#fetching = undefined);
    await stopped.race(ends === undefined ? fetching : ends.finished.race(fetching));
  }

  /** Serves events; a message that comes along is held. Ends at once when the reader is stopped. */
  async serve(): Promise<void> {
    await this.#parts.stopped.race(this.serveStopped());
  }

  /** Serves events, also when the reader is stopped. */
  serveStopped(): Promise<void> {
    return this.#poll(1, SERVE_MS);
  }

  #poll(max: number, timeoutMs: number): Promise<void> {
    return this.inTurn(async () => {
      try {
        const messages = await this.#parts.consumer().consume(max, timeoutMs);
        if (this.isEmpty) this.#held = messages;
        else for (const message of messages) this.#held.push(message);
        this.#passEnds();
      } catch (error) {
        this.#parts.onError(error);
        // Some errors come at once, again and again.
        await this.#parts.stopped.delay(SERVE_MS);
      }
    });
  }

  /**
   * Does something while nothing polls. A seek and a poll must not overlap: which messages are from before the seek
   * would be anyone's guess.
   */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Lets go of what is held of partitions. */
  drop(isGone: (partition: TopicPartition) => boolean): void {
    this.#held = this.#held.filter((message) => !isGone(message));
    this.#reached = this.#reached.filter((end) => !isGone(end));
  }

  /** The end of a partition is reached, behind the messages of the poll that is made. */
  onEnd(end: TopicPartitionOffset): void {
    this.#reached.push(end);
  }

  /**
   * Tells of the ends that have no message before them here any more: there may be records behind the last message that
   * are not handed out, such as markers of transactions.
   */
  #passEnds(): void {
    const { ends, progress } = this.#parts;
    if (this.#reached.length === 0) return;
    this.#reached = this.#reached.filter((end) => {
      if (this.#held.some((message) => isSamePartition(message, end))) return true;
      // What was fetched of a partition that leaves is let go of, unhandled.
      if (!this.#parts.isOurs(end)) return false;
      ends?.at(end, end.offset);
      // So is what lies beyond the end that this reader reads to.
      progress.skip({ ...end, offset: Math.min(end.offset, ends?.of(end) ?? Infinity) });
      return false;
    });
  }

  /**
   * A batch of what is held, of about 16 MiB at most; `undefined` if nothing of it is wanted.
   *
   * @param revoking partitions that are on their way to another member
   */
  handOut(revoking: PartitionMap<true> | undefined): ReadBatch | undefined {
    const wanted = this.#wanted(revoking);
    let bytes = 0, count = 0;
    for (; count < wanted.length && (bytes < MOST_BYTES || count === 0); count++) bytes += wanted[count]!.size;
    this.#held = count < wanted.length ? wanted.splice(count) : [];
    if (count === 0) {
      this.#passEnds();
      return undefined;
    }
    this.#pace.read(count, bytes);
    this.#pace.handed(count);
    const batch = this.#parts.progress.hand(wanted, bytes);
    this.#passEnds();
    return batch;
  }

  /** Messages of partitions that are still ours, not beyond the end, and not handled before. */
  #wanted(revoking: PartitionMap<true> | undefined): FetchedMessage[] {
    const { ends, progress } = this.#parts;
    if (ends === undefined && revoking === undefined && !progress.mayRepeat) return this.#held;
    // Messages of a partition come in runs: a look into the maps for each would cost more than all else here.
    let run: TopicPartition | undefined, isLeaving = false, end = Infinity, from = 0;
    return this.#held.filter((message) => {
      if (run === undefined || !isSamePartition(message, run)) {
        run = message;
        isLeaving = revoking?.has(message) ?? false;
        end = ends?.of(message) ?? Infinity;
        from = !isLeaving && progress.mayRepeat ? progress.handledUpTo(message) : 0;
      }
      if (isLeaving) return false;
      if (message.offset + 1 >= end) ends!.at(message, message.offset + 1);
      return message.offset >= from && message.offset < end;
    });
  }
}
