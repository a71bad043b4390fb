/**
 * Looks for partitions in which nothing moves.
 *
 * @module
 */

import { type Effect, EffectsTail } from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import { type Id, idText, kindOf, read } from "./message.ts";

/** A partition in which nothing has had a first effect for a while, though messages wait. */
export interface Stall {
  /** `one/3` */
  readonly partition: string;
  /** The first message that waits. */
  readonly n: number;
  readonly forMs: number;
}

/** Follows the logs of effects of a group while they are written. */
export class Progress implements Disposable {
  readonly #ledger: Ledger;
  readonly #tails = new Map<string, EffectsTail>();
  readonly #effects = new Map<string, Effect[]>();
  readonly #seen = new Set<string>();
  /** The first message of each partition that has no effect yet, and when it came to be that. */
  readonly #next = new Map<string, { n: number; movedAt: number }>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The effects so far, by process. */
  get effects(): readonly (readonly Effect[])[] {
    return [...this.#effects.values()];
  }

  /** Reads on in the logs. */
  read(logs: readonly string[]): void {
    for (const log of logs) {
      let tail = this.#tails.get(log);
      if (tail === undefined) this.#tails.set(log, tail = new EffectsTail(log));
      const effects = tail.read(), all = this.#effects.get(log) ?? [];
      for (const effect of effects) {
        all.push(effect);
        const id = read(this.#ledger.seed, effect.value);
        if (id !== undefined) this.#seen.add(idText(id));
      }
      this.#effects.set(log, all);
    }
  }

  /**
   * The partitions in which a message waits, with how long its partition has not moved.
   *
   * @param since waits count from then on at the earliest
   */
  waiting(now: number, since: number): Stall[] {
    const waiting: Stall[] = [];
    for (const one of this.#ledger.partitions()) {
      const key = `${one.source}/${one.partition}`, before = this.#next.get(key);
      let n = before?.n ?? 0;
      while (this.#isHandled({ ...one, n })) n++;
      const movedAt = before === undefined || n > before.n ? now : before.movedAt;
      const sentAt = this.#ledger.sentAt({ ...one, n });
      this.#next.set(key, { n, movedAt });
      if (sentAt !== undefined) waiting.push({ partition: key, n, forMs: now - Math.max(since, movedAt, sentAt) });
    }
    return waiting;
  }

  /** Poison has no effect, and holds nothing up. */
  #isHandled(id: Id): boolean {
    if (this.#ledger.sentAt(id) === undefined) return false;
    return this.#seen.has(idText(id)) || kindOf(this.#ledger.seed, id) === "poison";
  }

  [Symbol.dispose](): void {
    for (const tail of this.#tails.values()) tail.close();
  }
}
