/**
 * Brokers that do not answer any more.
 *
 * @module
 */

import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";

/** An outage that is shorter, in milliseconds, is not worth a word. */
const PATIENCE_MS = 3000;
const RETRY_MS = 500;

/** What an `Outage` needs of its client. */
export interface OutageParts {
  /** The topic, as notices have it. */
  readonly where: string;
  /** What `bootstrap.servers` is. */
  readonly servers: unknown;
  readonly notices: Notices;
  /** Ends the watch. */
  readonly stopped: ResettableSignal;
  /** Asks any broker for something; rejects when none answers. */
  ask(): Promise<unknown>;
}

/**
 * Says once that no broker answers a client that was connected, and once that one does again. librdkafka tells of
 * connections that break, also of one that it makes anew at once, and not of their return: so a broker is asked.
 */
export class Outage {
  readonly #parts: OutageParts;
  #isWatched = false;

  constructor(parts: OutageParts) {
    this.#parts = parts;
  }

  /** A connection is broken; resolves when a broker answers, or the client is stopped. */
  async onBroken(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const { where, servers, notices, stopped } = this.#parts, began = performance.now();
    while (!await this.#answers() && !stopped.fired) {
      if (performance.now() - began >= PATIENCE_MS) {
        notices.raise("broker-lost", `${where}: no broker answers at ${servers} any more; waiting for one`);
      }
      await stopped.delay(RETRY_MS);
    }
    this.#isWatched = false;
    if (!stopped.fired) notices.clear("broker-lost", `${where}: a broker at ${servers} answers again`);
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#parts.stopped.race(this.#parts.ask());
      return true;
    } catch {
      return false;
    }
  }
}
