/**
 * Delivery strategies: when and where it is stored how far a source is handled.
 *
 * **To add a strategy** (such as exactly-once):
 *
 * 1. Implement `DeliveryStrategy` here, or in a file of its own beside this one. `Batch.positions` has the positions of a
 *    batch as data, so a strategy can store them elsewhere than `Batch.done` does: in the transaction that also holds what
 *    the handlers emitted.
 * 2. Choose it in `run.ts`, where a `SourceLoop` gets its strategy. `UndoneBatches` calls it in the order of the batches,
 *    when everything that a batch led to has settled (`BatchDelivery.settle`), and never after a batch that failed.
 * 3. Hold it to the invariants of `protocol.ts`: `tests/simulation` plays programs against them, and `mutants.ts` there puts
 *    the strategy's faults in.
 *
 * @module
 */

import type { Batch } from "../protocol/protocol.ts";

/** When and where it is stored how far a source is handled. */
export interface DeliveryStrategy {
  /**
   * Stores how far a source is handled. The run calls it in the order of the batches, after everything that their messages
   * led to has settled. For a batch that a stop has interrupted, it is called with the number of handled messages, unless that
   * is 0. It is not called for a batch that failed, nor for any later batch.
   *
   * @param handled how many messages, from the first on, are handled; all of them when absent
   */
  store(batch: Batch<unknown>, handled?: number): void | Promise<void>;
}

/**
 * At least once: the source stores its position by `Batch.done` when everything that the messages before it led to has
 * settled. After a crash in between, these messages are handled again; none is lost.
 */
export const AT_LEAST_ONCE: DeliveryStrategy = {
  store: (batch, handled) => handled === undefined ? batch.done() : batch.done(handled),
};
