/**
 * The batches of a source that are handled and not done yet, and marking them as done in order.
 *
 * @module
 */

import type { BatchDelivery } from "./delivery.ts";
import type { DeliveryStrategy } from "./delivery_strategy.ts";
import { MAX_UNDONE_BATCHES, MAX_UNDONE_BYTES } from "./limits.ts";

/** A batch that is handled, and not done yet. */
interface UndoneBatch {
  readonly delivery: BatchDelivery;
  /** When the sinks have settled what came of it. */
  readonly settled: void | Promise<void>;
  /** How many messages the handlers got; all of them when absent. */
  readonly handedOver: number | undefined;
}

/**
 * Marks the batches of a source as done by its delivery strategy: in order, and each when it has settled.
 *
 * It stores positions until a batch fails or ends in the middle, because of a stop. The batches behind that one settle, since
 * their values are in the sinks, but they are not done.
 */
export class UndoneBatches {
  readonly #strategy: DeliveryStrategy;
  readonly #onFailure: (error: unknown) => void;
  readonly #maxBatches: number;
  /** In the order in which the batches were read. */
  readonly #batches: UndoneBatch[] = [];
  #bytes = 0;
  /** Whether positions are stored; `"halted"` behind a batch that is not done whole, `"abandoned"` when the run is given up. */
  #state: "storing" | "halted" | "abandoned" = "storing";
  /** The loop that waits for the first batch; `undefined` when all are done or given up. */
  #finishing: Promise<void> | undefined;
  #wakeReader: (() => void) | undefined;

  /**
   * @param onFailure receives each failure: of a batch that can't settle, and of the strategy
   * @param concurrency how many messages may be handled side by side. At least that many batches are
   * allowed, because a batch may hold a single message.
   */
  constructor(strategy: DeliveryStrategy, onFailure: (error: unknown) => void, concurrency: number) {
    this.#strategy = strategy;
    this.#onFailure = onFailure;
    this.#maxBatches = Math.max(MAX_UNDONE_BATCHES, concurrency);
  }

  /** Whether another batch may be read. One is always allowed, however large. */
  get hasRoom(): boolean {
    if (this.#batches.length === 0) return true;
    return this.#batches.length < this.#maxBatches && this.#bytes < MAX_UNDONE_BYTES;
  }

  /** Resolves when another batch may be read, or at `wakeReader()`. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#wakeReader = resolve);
  }

  /** Ends the wait for room: the source is stopped. */
  wakeReader(): void {
    this.#wakeReader?.();
    this.#wakeReader = undefined;
  }

  /** Marks no more batches as done, whatever still settles. */
  abandon(): void {
    this.#state = "abandoned";
  }

  /** Resolves when every batch so far is done or given up. */
  async idle(): Promise<void> {
    while (this.#finishing !== undefined) await this.#finishing;
  }

  /**
   * Settles a batch whose messages are handled, and marks it as done after the batches before it.
   *
   * @param handedOver how many messages the handlers got; all of them when absent
   */
  add(delivery: BatchDelivery, handedOver: number | undefined): void {
    const settled = delivery.settle();
    if (this.#finishing === undefined && settled === undefined) {
      // With nothing to wait for, as with functions as sinks, no promise is made for the batch.
      try {
        const stored = this.#store(delivery, handedOver);
        if (stored === undefined) return;
        this.#push({ delivery, handedOver: undefined, settled: stored });
        this.#finishing = this.#finishAll(true);
      } catch (error) {
        this.#fail(error);
      }
      return;
    }
    this.#push({ delivery, handedOver, settled });
    this.#finishing ??= this.#finishAll(false);
  }

  #push(batch: UndoneBatch): void {
    this.#batches.push(batch);
    this.#bytes += batch.delivery.batch?.bytes ?? 0;
  }

  /**
   * Finishes the batches one after the other. Never rejects.
   *
   * @param isFirstStored whether the first batch has settled, and its strategy is storing already
   */
  async #finishAll(isFirstStored: boolean): Promise<void> {
    for (let first; (first = this.#batches[0]) !== undefined;) {
      const { delivery, handedOver, settled } = first;
      try {
        if (settled !== undefined) await settled;
        if (!isFirstStored) {
          const stored = this.#store(delivery, handedOver);
          if (stored !== undefined) await stored;
        }
      } catch (error) {
        // The failure of a batch behind a failed one reaches the run as well; the run has failed already and ignores it.
        this.#fail(error);
      }
      isFirstStored = false;
      this.#batches.shift();
      this.#bytes -= delivery.batch?.bytes ?? 0;
      if (this.hasRoom) this.wakeReader();
    }
    this.#finishing = undefined;
  }

  #fail(error: unknown): void {
    this.#halt();
    this.#onFailure(error);
  }

  #halt(): void {
    if (this.#state === "storing") this.#state = "halted";
  }

  #store(delivery: BatchDelivery, handedOver: number | undefined): void | Promise<void> {
    if (this.#state !== "storing") return;
    const { batch } = delivery;
    const handled = Math.min(handedOver ?? Infinity, delivery.handled);
    if (handled < Infinity) this.#halt();
    if (batch === undefined || handled === 0) return;
    return handled === Infinity ? this.#strategy.store(batch) : this.#strategy.store(batch, handled);
  }
}
