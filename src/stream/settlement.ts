/**
 * The accounts that a sink keeps: what it owes each delivery.
 *
 * @module
 */

import type { Delivery } from "./protocol.ts";

/**
 * What a sink owes one delivery: how many of the values that it accepted are still on their way, and the first that
 * failed. A failure stays: whoever asks later gets it as well.
 */
export class Settlement {
  #pending = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** One more value is on its way. */
  begin(): void {
    this.#pending++;
  }

  /** A value is delivered or disposed of; with a failure, it can't be. Each `Settlement.begin` ends once. */
  end(failure?: { readonly error: unknown }): void {
    this.#failure ??= failure;
    if (--this.#pending === 0) this.#answer();
  }

  /** Whether every value is delivered, and none has failed. */
  get isSettled(): boolean {
    return this.#pending === 0 && this.#failure === undefined;
  }

  /** Resolves when no value is on its way any more; rejects if one has failed. A promise only when one is needed. */
  settled(): void | Promise<void> {
    if (this.isSettled) return;
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    promise.catch(() => {}); // each who asks gets it; nobody may have asked when it rejects
    if (this.#pending === 0) this.#answer();
    return promise;
  }

  #answer(): void {
    if (this.#failure !== undefined) this.#waiting?.reject(this.#failure.error);
    else {
      this.#waiting?.resolve();
      // More may be accepted for the delivery later: who asks then waits for that.
      this.#waiting = undefined;
    }
  }
}

/** The accounts of one writer, by delivery. They live as long as their deliveries do. */
export class Settlements {
  readonly #accounts = new WeakMap<Delivery, Settlement>();
  // Values come in runs of one delivery: most look-ups end here.
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
