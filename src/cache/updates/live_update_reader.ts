/**
 * A reader of updates without a log: it queues what is published, in bounded memory.
 *
 * @module
 */

import type { Write } from "../store/write.ts";
import type { PublishedUpdate, UpdateEvent, UpdateReader, WantedKeys } from "./update_reader.ts";
import { WakeUp } from "./wake_up.ts";

/** The commits of this process. */
export interface CommitProgress {
  /** The version of the last commit; empty before the first. */
  readonly lastVersionstamp: string;
  /** Waits until all commits under way have ended and their updates are published. */
  allCommits(): Promise<void>;
}

/**
 * How many updates the queue keeps. When it holds twice as many, it keeps the latest update of each key, and then drops
 * the oldest above this limit.
 */
const QUEUE_LIMIT = 1_000;
const QUEUE_LIMIT_BYTES = 8 * 1024 * 1024;

/** Reads what is published from now on. */
export class LiveUpdateReader implements UpdateReader {
  readonly #progress: CommitProgress;
  readonly #wanted: WantedKeys;
  readonly #onClose: () => void;
  readonly #wakeUp = new WakeUp();
  #queue: PublishedUpdate[] = [];
  /** The index of the next update in the queue. */
  #next = 0;
  #bytes = 0;
  /** Whether updates were dropped since the last gap. */
  #hasGap = false;
  /** How many updates to read before the "live" event; undefined if none is due. */
  #beforeLive: number | undefined;

  /** @param onClose called when the reader is closed */
  constructor(progress: CommitProgress, wanted: WantedKeys, onClose: () => void) {
    this.#progress = progress;
    this.#wanted = wanted;
    this.#onClose = onClose;
  }

  onCommit(updates: readonly Write[], versionstamp: string): void {
    for (const { id, key, stored } of updates) {
      if (!this.#wanted(key)) continue;
      const update = { type: "update", id, key, stored, versionstamp, sequence: undefined, log: undefined } as const;
      this.#queue.push(update);
      this.#bytes += bytesOf(update);
      const length = this.#queue.length - this.#next;
      if (length > 2 * QUEUE_LIMIT || this.#bytes > 2 * QUEUE_LIMIT_BYTES) this.#compact();
    }
    if (this.#next < this.#queue.length) this.#wakeUp.wake();
  }

  async next(): Promise<UpdateEvent | undefined> {
    for (; !this.#wakeUp.closed; await this.#wakeUp.wait()) {
      if (this.#hasGap) {
        this.#hasGap = false;
        return { type: "gap", reason: "behind", position: undefined };
      }
      if (this.#beforeLive === 0) {
        this.#beforeLive = undefined;
        return { type: "live", position: undefined };
      }
      if (this.#next === this.#queue.length) continue;
      const update = this.#queue[this.#next++]!;
      this.#bytes -= bytesOf(update);
      if (this.#beforeLive !== undefined) this.#beforeLive--;
      if (this.#next === this.#queue.length || this.#next > QUEUE_LIMIT) {
        this.#queue = this.#queue.slice(this.#next);
        this.#next = 0;
      }
      return update;
    }
    return undefined;
  }

  async skipToEnd(): Promise<string> {
    // Commits that are under way now may make this version or a later one: they are awaited, and their updates skipped.
    // Commits that begin afterwards make a later one.
    const { lastVersionstamp } = this.#progress;
    await this.#progress.allCommits();
    this.#clear();
    return lastVersionstamp;
  }

  async reportLive(): Promise<void> {
    await this.#progress.allCommits();
    this.#beforeLive = this.#queue.length - this.#next;
    this.#wakeUp.wake();
  }

  close(): void {
    this.#onClose();
    this.#clear();
    this.#wakeUp.close();
  }

  #clear(): void {
    this.#queue = [];
    this.#next = this.#bytes = 0;
    this.#hasGap = false;
    this.#beforeLive = undefined;
  }

  /** Keeps the latest update of each key, and drops the oldest of them above the limit. */
  #compact(): void {
    const latest = new Map<string, PublishedUpdate>();
    for (const update of this.#queue.slice(this.#next)) {
      latest.delete(update.id);
      latest.set(update.id, update);
    }
    const queue = [...latest.values()].slice(-QUEUE_LIMIT);
    let bytes = queue.reduce((sum, update) => sum + bytesOf(update), 0);
    while (bytes > QUEUE_LIMIT_BYTES && queue.length > 1) bytes -= bytesOf(queue.shift()!);
    this.#hasGap ||= queue.length < latest.size;
    if (this.#beforeLive !== undefined) this.#beforeLive = queue.length;
    [this.#queue, this.#next, this.#bytes] = [queue, 0, bytes];
  }
}

function bytesOf({ key, stored }: PublishedUpdate): number {
  return 100 + 20 * key.length + (typeof stored === "object" ? stored.bytes : 0);
}
