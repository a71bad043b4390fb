/**
 * The accounts that a sink keeps: how many values of each delivery have not settled, and whether one has failed.
 *
 * @module
 */

import type { Delivery } from "./protocol.ts";

/**
 * The account of one delivery: it counts the values that the sink has accepted and that have not settled, and keeps the
 * first failure. The failure stays: everyone who asks for the outcome later gets it as well.
 */
export class Settlement {
  readonly #delivery: Delivery;
  #pending = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Opens an account without values. `Settlements.of` does so for a sink. */
  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  /** Counts a value that the sink accepts. */
  accepted(): void {
    this.#pending++;
  }

  /**
   * Counts a value as settled. Called once for each call of `accepted()`.
   *
   * @param failure why the sink can't deliver the value; absent when it is delivered
   */
  settled(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#pending === 0) this.#answer();
  }

  /**
   * Reports one value that the sink has accepted and can't deliver to `Delivery.undelivered`, and counts it as settled: as
   * failed only if the error policy does not dispose of its message. For a sink that tells its values apart.
   *
   * @param error why the sink can't deliver the value
   * @param message the message that `SinkWriter.accept` got together with the value
   * @returns a promise that resolves when the value has settled; it never rejects
   */
  async undelivered(error: unknown, message: unknown): Promise<void> {
    try {
      await this.#delivery.undelivered(error, message);
    } catch (error) {
      return this.settled({ error });
    }
    this.settled();
  }

  /** Whether every value has settled, and none has failed. */
  get isSettled(): boolean {
    return this.#pending === 0 && this.#failure === undefined;
  }

  /**
   * Resolves when every value that was accepted so far has settled; rejects with the first failure then. Returns a promise
   * only if there is something to wait for, or a failure.
   */
  outcome(): void | Promise<void> {
    if (this.isSettled) return;
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    promise.catch(() => {}); // The rejection reaches those who ask; without anyone it must not end the process.
    if (this.#pending === 0) this.#answer();
    return promise;
  }

  #answer(): void {
    if (this.#failure !== undefined) this.#waiting?.reject(this.#failure.error);
    else {
      this.#waiting?.resolve();
      // The sink may accept more values of the delivery later. Those who ask after that wait for these as well.
      this.#waiting = undefined;
    }
  }
}

/**
 * The accounts of one `SinkWriter`, one for each delivery. A writer counts each value in `accept`, counts it again when it
 * has settled, and answers `settle` with `Settlements.outcome`.
 *
 * An account lives as long as its delivery does.
 */
export class Settlements {
  readonly #accounts = new WeakMap<Delivery, Settlement>();
  // Most values belong to the delivery of the value before, so most look-ups end here.
  #lastDelivery: Delivery | undefined;
  #last: Settlement | undefined;

  /** The account of a delivery; opened when there is none. */
  of(delivery: Delivery): Settlement {
    if (delivery === this.#lastDelivery) return this.#last!;
    let account = this.#accounts.get(delivery);
    if (account === undefined) this.#accounts.set(delivery, account = new Settlement(delivery));
    this.#lastDelivery = delivery;
    return this.#last = account;
  }

  /** `Settlement.outcome` of a delivery's account. A delivery without an account has settled. */
  outcome(delivery: Delivery): void | Promise<void> {
    return this.#accounts.get(delivery)?.outcome();
  }
}
