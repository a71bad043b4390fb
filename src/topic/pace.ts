/**
 * How many messages to take at a time.
 *
 * @module
 */

/** As many messages as are handled in this time make a batch, in milliseconds. */
const MOMENT_MS = 100;
const FIRST = 16;
const MOST = 1000;

/**
 * The size of batches: as many messages as were handled in a moment lately, from 1 to 1,000. Offsets are stored, and a
 * run ends, between batches: a slow handler gets short ones.
 */
export class Pace {
  #size = FIRST;
  #handed: { readonly at: number; readonly count: number } | undefined;

  /** The most that the next batch should hold. */
  get size(): number {
    return this.#size;
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
