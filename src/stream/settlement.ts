/**
 * The accounts that a sink keeps: which values of each delivery are still to be delivered, and which have failed.
 *
 * @module
 */

import type { Delivery } from "./protocol.ts";

/**
 * The account of one delivery: how many of its values are accepted and not delivered yet, and the first failure. A failure
 * stays: everyone who asks later gets it as well.
 */
export class Settlement {
  #pending = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** One more value is on its way. */
  begin(): void {
    this.#pending++;
  }

  /** A value is delivered or disposed of, or, with a failure, can't be. Called once for each `begin()`. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#pending === 0) this.#answer();
  }

  /** Whether every value is delivered, and none has failed. */
  get isSettled(): boolean {
    return this.#pending === 0 && this.#failure === undefined;
  }

  /** Resolves when no value is on its way; rejects if one has failed. Returns a promise only if it has to wait. */
  settled(): void | Promise<void> {
    if (this.isSettled) return;
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    promise.catch(() => {}); // those who ask get the rejection; nobody may have asked yet
    if (this.#pending === 0) this.#answer();
    return promise;
  }

  #answer(): void {
    if (this.#failure !== undefined) this.#waiting?.reject(this.#failure.error);
    else {
      this.#waiting?.resolve();
      // The sink may accept more values of the delivery later, and those who ask then wait for these.
      this.#waiting = undefined;
    }
  }
}

/** The accounts of one writer, by delivery. They live as long as their deliveries do. */
export class Settlements {
  readonly #accounts = new WeakMap<Delivery, Settlement>();
  // Successive values mostly belong to one delivery, so most look-ups end here.
  #lastDelivery: Delivery | undefined;
  #last: Settlement | undefined;

  /** The account of a delivery; made when there is none. */
  of(delivery: Delivery): Settlement {
    if (delivery === this.#lastDelivery) return this.#last!;
    let account = this.#accounts.get(delivery);
    if (account === undefined) this.#accounts.set(delivery, account = new Settlement());
    this.#lastDelivery = delivery;
    return this.#last = account;
  }

  /** `Settlement.settled` of a delivery's account, if there is one. */
  settle(delivery: Delivery): void | Promise<void> {
    return this.#accounts.get(delivery)?.settled();
  }
}
