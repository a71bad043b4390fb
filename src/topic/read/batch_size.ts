/**
 * The size of the batches that a reader hands out.
 *
 * @module
 */

/** A batch holds as many messages as are handled in about this time, in milliseconds. */
const TARGET_MS = 100;
const INITIAL_MESSAGES = 16;
const MAX_MESSAGES = 1000;
/** A batch holds at most about so many bytes. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/**
 * Adapts the size of batches to how fast they are handled: as many messages as were handled in 100 ms lately, from 1 to
 * 1,000, and no more than fit into 16 MiB at the recent mean size.
 *
 * Offsets are stored, and a run stops, between batches. So a slow handler gets small batches.
 */
export class BatchSize {
  #messages = INITIAL_MESSAGES;
  #meanBytes = 0;
  #handedOut: { readonly atMs: number; readonly count: number } | undefined;

  /** The most messages that the next batch should hold. */
  get maxMessages(): number {
    return Math.max(1, Math.min(this.#messages, Math.floor(MAX_BATCH_BYTES / this.#meanBytes)));
  }

  /** Records that a batch of so many messages, with so many bytes in all, is handed out now. */
  onHandedOut(count: number, bytes: number): void {
    if (count === 0) return;
    const mean = bytes / count;
    // The mean rises at once and falls slowly: large messages seldom come alone.
    this.#meanBytes = Math.max(mean, (this.#meanBytes + mean) / 2);
    this.#handedOut = { atMs: performance.now(), count };
  }

  /** Records that the next batch is requested: the previous one has been handled since it was handed out. */
  onRequested(): void {
    const handedOut = this.#handedOut;
    if (handedOut === undefined) return;
    this.#handedOut = undefined;
    const tookMs = Math.max(0.001, performance.now() - handedOut.atMs);
    const inTarget = Math.floor(handedOut.count * TARGET_MS / tookMs);
    this.#messages = Math.max(1, Math.min(MAX_MESSAGES, 2 * this.#messages, inTarget));
  }
}
