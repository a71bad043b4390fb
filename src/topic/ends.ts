/**
 * Where a reader ends that reads until the end.
 *
 * @module
 */

import { ByPartition, type Place } from "./by_partition.ts";
import { Latch } from "./latch.ts";

/** The end of each assigned partition as it was first seen, and which are reached. */
export class Ends {
  readonly #ends = new ByPartition<number>();
  readonly #reached = new ByPartition<true>();
  #assigned: readonly Place[] | undefined;
  /** Fires when the ends of all that is assigned are reached. */
  readonly finished = new Latch();

  /** Whether a partition's end is known. */
  knows(place: Place): boolean {
    return this.#ends.has(place);
  }

  /** @param end the offset after the last one to be read */
  set(place: Place, end: number): void {
    this.#ends.set(place, end);
    if (end === 0) this.#reached.set(place, true);
  }

  /** The offset after the last one to be read. */
  of(place: Place): number {
    return this.#ends.get(place) ?? Infinity;
  }

  /** The next offset of a partition is this one now. */
  at(place: Place, offset: number): void {
    const end = this.#ends.get(place);
    if (end === undefined || offset < end) return;
    this.#reached.set(place, true);
    this.#look();
  }

  /** A partition is read again, from somewhere before its end. */
  reopen(place: Place): void {
    if (this.#reached.delete(place)) this.finished.reset();
  }

  /** What is assigned from now on; `gone` are on their way to another member, which sees ends of its own. */
  assign(places: readonly Place[], gone: readonly Place[] = []): void {
    for (const place of gone) {
      this.#ends.delete(place);
      this.#reached.delete(place);
    }
    this.#assigned = places;
    // A member that has nothing left may be given something yet.
    if (gone.length === 0 || places.length > 0) this.#look();
  }

  /** Whether all that is assigned is read to its end; not before something was. */
  get allReached(): boolean {
    return this.#assigned?.every((place) => this.#reached.has(place)) ?? false;
  }

  #look(): void {
    if (this.allReached) this.finished.fire();
  }
}
