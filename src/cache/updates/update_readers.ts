/**
 * Those who read the updates of a Cache, each at its own pace and in bounded memory.
 *
 * @module
 */

import type { KeyPart } from "../cache_key.ts";
import { LogReader, type LogReaderOptions } from "./log_update_reader.ts";
import type { UpdateLog } from "../store/update_log.ts";
import type { PublishedUpdate, UpdateEvent, UpdateReader } from "./update_reader.ts";
import { Waiter } from "./waiter.ts";
import type { Write } from "../store/write.ts";

/** How far the commits of this process are. */
export interface CommitProgress {
  /** The latest version of the store that this process has made; empty before the first. */
  readonly latest: string;
  /** Waits for all commits under way, and until their updates are published. */
  settle(): Promise<void>;
}

/** How far a reader may fall behind before it gets only the latest update of each key, and then loses the oldest. */
const BEHIND = 1_000;
const BEHIND_BYTES = 8 * 1024 * 1024;

/** Tells readers of updates. */
export class UpdateReaders {
  readonly #readers = new Set<UpdateReader & { push(writes: readonly Write[], versionstamp: string): void }>();

  /** Whether anyone reads. */
  get wanted(): boolean {
    return this.#readers.size > 0;
  }

  /** Hands committed updates to everyone who reads. */
  publish(writes: readonly Write[], versionstamp: string): void {
    for (const reader of this.#readers) reader.push(writes, versionstamp);
  }

  /** Ends every reader. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  /** Reads what is published from now on. */
  live(progress: CommitProgress, wanted: (key: readonly KeyPart[]) => boolean): UpdateReader {
    const reader = new LiveReader(progress, wanted, () => this.#readers.delete(reader));
    this.#readers.add(reader);
    return reader;
  }

  /** Reads on in the log, for as long as there are updates, then as they come. */
  logged(log: UpdateLog, options: Omit<LogReaderOptions, "onClose">): UpdateReader {
    const reader = new LogReader(log, { ...options, onClose: (reader) => this.#readers.delete(reader) });
    this.#readers.add(reader);
    return reader;
  }
}

/** A reader without a log: holds what it has not handed out, in bounded memory. */
class LiveReader implements UpdateReader {
  readonly #progress: CommitProgress;
  readonly #wanted: (key: readonly KeyPart[]) => boolean;
  readonly #onClose: () => void;
  readonly #waiter = new Waiter();
  #queue: PublishedUpdate[] = [];
  #at = 0;
  #bytes = 0;
  /** Whether some were dropped. */
  #lost = false;
  /** How many are left before it has caught up. */
  #beforeLive: number | undefined;

  constructor(progress: CommitProgress, wanted: (key: readonly KeyPart[]) => boolean, onClose: () => void) {
    this.#progress = progress;
    this.#wanted = wanted;
    this.#onClose = onClose;
  }

  push(writes: readonly Write[], versionstamp: string): void {
    for (const { id, key, stored } of writes) {
      if (!this.#wanted(key)) continue;
      const update = { type: "update", id, key, stored, versionstamp, sequence: undefined, log: undefined } as const;
      this.#queue.push(update);
      this.#bytes += bytesOf(update);
      if (this.#queue.length - this.#at > 2 * BEHIND || this.#bytes > 2 * BEHIND_BYTES) this.#compact();
    }
    if (this.#at < this.#queue.length) this.#waiter.wake();
  }

  async next(): Promise<UpdateEvent | undefined> {
    for (; !this.#waiter.closed; await this.#waiter.wait()) {
      if (this.#lost) {
        this.#lost = false;
        return { type: "gap", reason: "behind", position: undefined };
      }
      if (this.#beforeLive === 0) {
        this.#beforeLive = undefined;
        return { type: "live", position: undefined };
      }
      if (this.#at === this.#queue.length) continue;
      const update = this.#queue[this.#at++]!;
      this.#bytes -= bytesOf(update);
      if (this.#beforeLive !== undefined) this.#beforeLive--;
      if (this.#at === this.#queue.length || this.#at > BEHIND) {
        this.#queue = this.#queue.slice(this.#at);
        this.#at = 0;
      }
      return update;
    }
    return undefined;
  }

  async restart(): Promise<string> {
    // Commits that begin after this make a later version; those under way are awaited, and on disk then.
    const { latest } = this.#progress;
    await this.#progress.settle();
    this.#empty();
    return latest;
  }

  async mark(): Promise<void> {
    await this.#progress.settle();
    this.#beforeLive = this.#queue.length - this.#at;
    this.#waiter.wake();
  }

  close(): void {
    this.#onClose();
    this.#empty();
    this.#waiter.close();
  }

  #empty(): void {
    this.#queue = [];
    this.#at = this.#bytes = 0;
    this.#lost = false;
    this.#beforeLive = undefined;
  }

  /** Keeps the latest update of each key, and drops the oldest that are too many then. */
  #compact(): void {
    const latest = new Map<string, PublishedUpdate>();
    for (const update of this.#queue.slice(this.#at)) {
      latest.delete(update.id);
      latest.set(update.id, update);
    }
    const queue = [...latest.values()].slice(-BEHIND);
    let bytes = queue.reduce((sum, update) => sum + bytesOf(update), 0);
    while (bytes > BEHIND_BYTES && queue.length > 1) bytes -= bytesOf(queue.shift()!);
    this.#lost ||= queue.length < latest.size;
    if (this.#beforeLive !== undefined) this.#beforeLive = queue.length;
    [this.#queue, this.#at, this.#bytes] = [queue, 0, bytes];
  }
}

function bytesOf({ key, stored }: PublishedUpdate): number {
  return 100 + 20 * key.length + (typeof stored === "object" ? stored.bytes : 0);
}
