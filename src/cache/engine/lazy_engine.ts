/**
 * The engine of one Cache, opened on first use.
 *
 * @module
 */

import type { Settlement } from "../../protocol/settlement.ts";
import { closedError } from "../cache_error.ts";
import type { Write } from "../store/write.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { Group } from "./group_commit.ts";
import { openEngine } from "./open_engine.ts";

/**
 * Opens the engine on first use, and keeps the order of writes that are made before it is open: each waits for its
 * turn, and so do later writes and reads.
 */
export class LazyEngine {
  readonly #path: string | undefined;
  readonly #options: EngineOptions;
  #engine: Engine | undefined;
  #opening: Promise<Engine> | undefined;
  #release: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;
  /** How many writes wait until the engine is open. */
  #waitingWrites = 0;

  /** Opens nothing yet. */
  constructor(path: string | undefined, options: EngineOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Whether `close()` has been called. Transactions that began before still use the engine. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** The error of whatever comes after `close()`. */
  closedError(): Error {
    return closedError(this.#path ?? "on the default store");
  }

  /**
   * The engine: at once if it is open and no write waits for it, else a promise.
   *
   * @throws {CacheError} If the store can't be opened, or `close()` has been called.
   */
  get(): Engine | Promise<Engine> {
    return this.#engine !== undefined && this.#waitingWrites === 0 ? this.#engine : this.#open();
  }

  /** Makes writes; resolves when they are on disk. */
  write(writes: readonly Write[], updates: readonly Write[]): Promise<void> {
    if (this.#engine !== undefined && this.#waitingWrites === 0) return this.#engine.write(writes, updates).promise;
    const accepted = this.accept(writes, updates);
    return accepted instanceof Promise ? accepted.then(({ promise }) => promise) : accepted.promise;
  }

  /**
   * Accepts writes in the order of the calls: at once, or as soon as the engine is open.
   *
   * @param settlement counts the writes as accepted now, and as settled when they are on disk or have failed
   */
  accept(writes: readonly Write[], updates: readonly Write[], settlement?: Settlement): Group | Promise<Group> {
    if (this.#engine !== undefined && this.#waitingWrites === 0) {
      return acceptNow(this.#engine, writes, updates, settlement);
    }
    this.#waitingWrites++;
    // A run that stops may ask how its delivery has settled while the store is still being opened. The settlement must
    // count this write by then.
    settlement?.accepted();
    const hasOpened = () => {
      this.#waitingWrites--;
      settlement?.settled();
    };
    // Accept and count down in one step: a write that came between the two would overtake this one.
    return this.#open().then((engine) => {
      try {
        return acceptNow(engine, writes, updates, settlement);
      } finally {
        hasOpened();
      }
    }, (error) => {
      hasOpened();
      throw error;
    });
  }

  /** What writers have to wait for before they write more; undefined while there is room. */
  room(): Promise<void> | undefined {
    return this.#engine?.groups.room();
  }

  /**
   * Waits for what was written and closes the engine. Idempotent. What comes later fails.
   *
   * @param drain waits for transactions, before the last writes are awaited
   * @param endReaders ends the readers of this Cache, before the store is closed
   */
  close(drain: (engine: Engine) => Promise<void>, endReaders: () => void): Promise<void> {
    return this.#closing ??= (async () => {
      const engine = await this.#opening?.catch(() => undefined);
      if (engine !== undefined) await drain(engine);
      await engine?.groups.flush();
      this.#engine = undefined;
      endReaders();
      await this.#release?.();
    })();
  }

  #open(): Promise<Engine> {
    if (this.#closing !== undefined) return Promise.reject(this.closedError());
    return this.#opening ??= openEngine(this.#path, this.#options).then(({ engine, release }) => {
      this.#release = release;
      return this.#engine = engine;
    }, (error) => {
      this.#opening = undefined; // so that the next use tries again
      throw error;
    });
  }
}

function acceptNow(
  engine: Engine,
  writes: readonly Write[],
  updates: readonly Write[],
  settlement: Settlement | undefined,
): Group {
  const group = engine.write(writes, updates);
  if (settlement !== undefined) group.endWithGroup(settlement);
  return group;
}
