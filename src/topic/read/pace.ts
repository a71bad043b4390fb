/**
 * How many messages to take at a time.
 *
 * @module
 */

/** As many messages as are handled in this time make a batch, in milliseconds. */
const MOMENT_MS = 100;
const FIRST = 16;
const MOST = 1000;
/** About so many bytes are in a batch at most. */
export const MOST_BYTES = 16 * 1024 * 1024;

/**
 * The size of batches: as many messages as were handled in a moment lately, from 1 to 1,000, and no more than fit into
 * 16 MiB, as large as messages were lately. Offsets are stored, and a run ends, between batches: a slow handler gets
 * short ones.
 */
export class Pace {
  #size = FIRST;
  #meanBytes = 0;
  #handed: { readonly at: number; readonly count: number } | undefined;

  /** The most that the next batch should hold. */
  get size(): number {
    return Math.max(1, Math.min(this.#size, Math.floor(MOST_BYTES / this.#meanBytes)));
  }

  /** Messages were read: so many, with so many bytes. */
  read(count: number, bytes: number): void {
    if (count === 0) return;
    const mean = bytes / count;
    // Up at once, down by and by: large messages seldom come alone.
    this.#meanBytes = Math.max(mean, (this.#meanBytes + mean) / 2);
  }

  /** A batch was handed over. */
  handed(count: number): void {
    this.#handed = { at: performance.now(), count };
  }

  /** The next one is asked for: that before it is handled. */
  asked(): void {
    const handed = this.#handed;
    if (handed === undefined) return;
    this.#handed = undefined;
    const took = Math.max(0.001, performance.now() - handed.at);
    const inAMoment = Math.floor(handed.count * MOMENT_MS / took);
    this.#size = Math.max(1, Math.min(MOST, 2 * this.#size, inAMoment));
  }
}
