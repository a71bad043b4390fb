/**
 * Who waits to have records produced.
 *
 * @module
 */

import type { ReportTarget } from "../../kafka/port.ts";
import type { Encoded } from "./encoder.ts";

/** Records that wait: for a connection, for room, for those before them, or for their codecs. */
export interface Waiting {
  /** Who may take them back. */
  readonly owner: object;
  /** The records that are to be produced, in order; `undefined` while their codecs work. */
  records: readonly Encoded[] | undefined;
  /** What a record is produced with, when it is its turn; asked again when there was no room. */
  accountOf(index: number): ReportTarget;
  /** A record was produced. */
  produced(index: number): void;
  /** A record was not produced, because of an error. */
  refused(index: number, error: unknown): void;
  /** No record from an index on is produced. */
  dropped(index: number, error: unknown): void;
}

/** Those who wait, in order. */
export class Line {
  #all: (Waiting | undefined)[] = [];
  /** Who is first. Taking the first of a long array would move the others each time. */
  #first = 0;
  /** Which record of the first is next. */
  next = 0;

  /** How many wait. */
  get length(): number {
    return this.#all.length - this.#first;
  }

  /** How many records wait; those that are being encoded count as one. */
  get records(): number {
    let sum = -this.next;
    for (let i = this.#first; i < this.#all.length; i++) sum += this.#all[i]!.records?.length ?? 1;
    return sum;
  }

  /** Who is first. */
  get head(): Waiting | undefined {
    return this.#all[this.#first];
  }

  /** Somebody comes last. */
  push(waiting: Waiting): void {
    this.#all.push(waiting);
  }

  /** The first one has had his turn. */
  shift(): void {
    this.#all[this.#first++] = undefined;
    this.next = 0;
    if (this.length > 0) return;
    this.#all = [];
    this.#first = 0;
  }

  /** Drops those of which it is said, or all. */
  drop(error: unknown, isDropped: (waiting: Waiting) => boolean = () => true): void {
    const all = this.#all.slice(this.#first).filter((one) => one !== undefined), next = this.next;
    this.#all = all.filter((one) => !isDropped(one));
    this.#first = 0;
    if (all.length > 0 && isDropped(all[0]!)) this.next = 0;
    all.forEach((one, place) => {
      if (isDropped(one)) one.dropped(place === 0 ? next : 0, error);
    });
  }
}
