/**
 * Those who read the updates of a Cache, each at its own pace and in bounded memory.
 *
 * @module
 */

import type { Write } from "./write.ts";
import type { KeyPart } from "./key.ts";
import type { Logged, UpdateLog } from "./update_log.ts";
import type { Stored } from "./value.ts";

/** An update on its way to a reader. */
export interface Published {
  readonly id: string;
  readonly key: readonly KeyPart[];
  /** The value; undefined when the key was deleted, `"large"` when it must be read. */
  readonly stored: Stored | undefined | "large";
  /** Its number in the log. */
  readonly sequence: number | undefined;
}

/** A reader of updates. */
export interface UpdateReader {
  /** The next one; undefined at the end. */
  next(): Promise<Published | undefined>;
  /** Ends it. */
  close(): void;
}

/** How far a reader may fall behind before it gets only the latest update of each key, and then loses the oldest. */
const BEHIND = 1_000;
const BEHIND_BYTES = 8 * 1024 * 1024;
/** How many updates are read from the log at once. */
const PAGE = 100;
/** How often the log is looked at when other processes write to it. */
const POLL_MS = 250;

/** Tells readers of updates. */
export class Updates {
  readonly #readers = new Set<{ push(writes: readonly Write[]): void; close(): void }>();

  /** Whether anyone reads. */
  get wanted(): boolean {
    return this.#readers.size > 0;
  }

  /** Hands committed updates to everyone who reads. */
  publish(writes: readonly Write[]): void {
    for (const reader of this.#readers) reader.push(writes);
  }

  /** Ends every reader. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  /** Reads what is published from now on. */
  live(wanted: (key: readonly KeyPart[]) => boolean): UpdateReader {
    let queue: Published[] = [];
    let at = 0;
    let bytes = 0;
    const waiter = new Waiter();
    const compact = () => {
      const latest = new Map<string, Published>();
      for (const update of queue.slice(at)) {
        latest.delete(update.id);
        latest.set(update.id, update);
      }
      queue = [...latest.values()].slice(-BEHIND);
      at = 0;
      bytes = queue.reduce((sum, update) => sum + bytesOf(update), 0);
      while (bytes > BEHIND_BYTES && queue.length > 1) bytes -= bytesOf(queue.shift()!);
    };
    const reader = {
      push: (writes: readonly Write[]) => {
        for (const { id, key, stored } of writes) {
          if (!wanted(key)) continue;
          const update = { id, key, stored, sequence: undefined };
          queue.push(update);
          bytes += bytesOf(update);
          if (queue.length - at > 2 * BEHIND || bytes > 2 * BEHIND_BYTES) compact();
        }
        if (at < queue.length) waiter.wake();
      },
      next: async () => {
        while (at === queue.length && !waiter.closed) await waiter.wait();
        if (at === queue.length || waiter.closed) return undefined;
        const update = queue[at++]!;
        bytes -= bytesOf(update);
        if (at === queue.length || at > BEHIND) {
          queue = queue.slice(at);
          at = 0;
        }
        return update;
      },
      close: () => {
        this.#readers.delete(reader);
        queue = [];
        at = 0;
        waiter.close();
      },
    };
    this.#readers.add(reader);
    return reader;
  }

  /** Reads on from a number in the log, for as long as there are updates, then as they come. */
  logged(
    log: UpdateLog,
    from: number | undefined,
    shared: boolean,
    wanted: (key: readonly KeyPart[]) => boolean,
  ): UpdateReader {
    const waiter = new Waiter();
    let next = from ?? log.sequence + 1;
    // The log was begun anew: nothing that it holds was seen.
    if (next > log.sequence + 1) next = 0;
    let page: Logged[] = [];
    const reader = {
      push: () => waiter.wake(),
      next: async (): Promise<Published | undefined> => {
        while (!waiter.closed) {
          const logged = page.shift();
          if (logged === undefined) {
            // In this order: what is committed while the log is read wakes the wait that follows.
            if (next <= log.sequence || shared) page = await log.read(next, PAGE);
            if (page.length === 0 && !waiter.closed && (shared || next > log.sequence)) {
              await waiter.wait(shared ? POLL_MS : undefined);
            } else if (page.length === 0) next = Math.max(next, log.sequence + 1); // trimmed away meanwhile
            continue;
          }
          next = logged.sequence + 1;
          if (wanted(logged.key)) return { id: "", ...logged };
        }
        return undefined;
      },
      close: () => {
        this.#readers.delete(reader);
        waiter.close();
      },
    };
    this.#readers.add(reader);
    return reader;
  }
}

function bytesOf({ key, stored }: Published): number {
  return 100 + 20 * key.length + (typeof stored === "object" ? stored.bytes : 0);
}

/** One who waits, and is woken or told that it is over. */
class Waiter {
  closed = false;
  #woken = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  async wait(ms?: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
    this.#resolve = undefined;
  }
}
