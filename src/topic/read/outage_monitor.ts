/**
 * Noticing that no broker answers a connected consumer any more.
 *
 * @module
 */

import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";

/** A shorter outage, in milliseconds, makes no notice. */
const NOTICE_AFTER_MS = 3000;
const PROBE_INTERVAL_MS = 500;

/** What an `OutageMonitor` watches, and how. */
export interface OutageMonitorOptions {
  /** The topic, as notices name it. */
  readonly where: string;
  /** The value of `bootstrap.servers`, for notices. */
  readonly servers: unknown;
  readonly notices: Notices;
  /** Ends the monitoring. */
  readonly stopped: ResettableSignal;
  /** Sends any broker a request; rejects if none answers. */
  probe(): Promise<unknown>;
}

/**
 * Logs one line when an outage begins and one when it ends.
 *
 * librdkafka reports every broken connection, also when it reconnects at once, and does not report that a connection is
 * back. So the monitor probes the brokers from the first broken connection until one answers.
 */
export class OutageMonitor {
  readonly #options: OutageMonitorOptions;
  #isProbing = false;

  constructor(options: OutageMonitorOptions) {
    this.#options = options;
  }

  /** Handles a broken connection. Resolves when a broker answers, or the reader is stopped; at once if it probes already. */
  async onDisconnected(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    const { where, servers, notices, stopped } = this.#options, began = performance.now();
    while (!await this.#isAnswered() && !stopped.fired) {
      if (performance.now() - began >= NOTICE_AFTER_MS) {
        notices.raise("broker-lost", `${where}: no broker answers at ${servers} any more; waiting for one`);
      }
      await stopped.delay(PROBE_INTERVAL_MS);
    }
    this.#isProbing = false;
    if (!stopped.fired) notices.clear("broker-lost", `${where}: a broker at ${servers} answers again`);
  }

  async #isAnswered(): Promise<boolean> {
    try {
      await this.#options.stopped.race(this.#options.probe());
      return true;
    } catch {
      return false;
    }
  }
}
