/**
 * Looks for partitions that are stalled.
 *
 * @module
 */

import { type Effect, EffectsTail } from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import { type Id, idText, kindOf, parseValue } from "./chaos_message.ts";

/** A partition with messages that wait for their first effect. */
export interface Stall {
  /** The partition, such as `one/3`. */
  readonly partition: string;
  /** The number of the first message that waits. */
  readonly n: number;
  /** How long no message of the partition has had a first effect, in milliseconds. */
  readonly forMs: number;
}

/** Follows the logs of effects of a group while they are written. */
export class StallDetector implements Disposable {
  readonly #ledger: Ledger;
  readonly #tails = new Map<string, EffectsTail>();
  readonly #effects = new Map<string, Effect[]>();
  readonly #seen = new Set<string>();
  /** The number of the first message of each partition without an effect, and since when it is the first. */
  readonly #next = new Map<string, { n: number; movedAt: number }>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The effects so far, by process. */
  get effects(): readonly (readonly Effect[])[] {
    return [...this.#effects.values()];
  }

  /** Reads what was added to the logs. */
  read(logs: readonly string[]): void {
    for (const log of logs) {
      let tail = this.#tails.get(log);
      if (tail === undefined) this.#tails.set(log, tail = new EffectsTail(log));
      const effects = tail.read(), all = this.#effects.get(log) ?? [];
      for (const effect of effects) {
        all.push(effect);
        const id = parseValue(this.#ledger.seed, effect.value);
        if (id !== undefined) this.#seen.add(idText(id));
      }
      this.#effects.set(log, all);
    }
  }

  /**
   * Returns the partitions in which a message waits.
   *
   * @param since the time from which waits count at the earliest, in milliseconds since 1970
   */
  stalls(now: number, since: number): Stall[] {
    const stalls: Stall[] = [];
    for (const one of this.#ledger.partitions()) {
      const key = `${one.source}/${one.partition}`, before = this.#next.get(key);
      let n = before?.n ?? 0;
      while (this.#isHandled({ ...one, n })) n++;
      const movedAt = before === undefined || n > before.n ? now : before.movedAt;
      const sentAt = this.#ledger.sentAt({ ...one, n });
      this.#next.set(key, { n, movedAt });
      if (sentAt !== undefined) stalls.push({ partition: key, n, forMs: now - Math.max(since, movedAt, sentAt) });
    }
    return stalls;
  }

  /** Whether a message has had its effect. Poison has none, and holds up no other message. */
  #isHandled(id: Id): boolean {
    if (this.#ledger.sentAt(id) === undefined) return false;
    return this.#seen.has(idText(id)) || kindOf(this.#ledger.seed, id) === "poison";
  }

  [Symbol.dispose](): void {
    for (const tail of this.#tails.values()) tail.close();
  }
}
