/**
 * Virtual time: it passes when a program has nothing else to do. Import this before `src/stream`.
 *
 * Microtasks are real; timers, `Date` and `performance.now()` are not. When all microtasks have run, the next timer fires.
 * When there is none, nothing can happen any more: a promise that is still awaited then never settles.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** How far the clock advances when a read of it must show that the event loop needs a turn. */
const LONG_MS = 1000;

// `yieldToEventLoop()` keeps the `performance.now` that it finds when it is imported, and reads it often. It
// finds this clock, which advances far after a fixed number of reads: turns come at the same steps in each run of a program.
let looked = 0, readsPerTurn = Infinity, reads = 0, allReads = 0;
const realNow = performance.now.bind(performance);
performance.now = () => {
  allReads++;
  if (++reads >= readsPerTurn) {
    reads = 0;
    looked += LONG_MS;
  }
  return looked;
};

/** The real time in milliseconds, for measurements. */
export const realMilliseconds: () => number = realNow;

interface Timer {
  readonly at: number;
  readonly id: number;
  readonly act: (...args: unknown[]) => void;
  readonly args: unknown[];
  /** The interval of a repeated timer, in milliseconds. */
  readonly every: number | undefined;
  /** `VirtualTime.owner` when the timer was set. */
  readonly owner: unknown;
}

/** A virtual clock and its timers. One may be installed at a time. */
export class VirtualTime {
  /** Milliseconds since the beginning of the program. */
  now = 0;
  /** The owner of timers that are set from now on: `clear()` removes the timers of an owner. */
  owner: unknown;
  readonly #turnsPerTimer: number;
  /** The timers, in the order in which they fire. */
  readonly #timers: Timer[] = [];
  #lastId = 0;
  #restore: (() => void) | undefined;

  /** @param turnsPerTimer how many turns the event loop gets between two timers, for code that waits for turns */
  constructor(turnsPerTimer = 1) {
    this.#turnsPerTimer = turnsPerTimer;
  }

  /**
   * Takes the place of the real clock.
   *
   * @param turns after how many reads of the clock the event loop gets a turn
   */
  install(turns: number): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval, Date } = globalThis;
    const { now } = performance;
    const add = (every: boolean) => (act: Timer["act"], ms = 0, ...args: unknown[]): number =>
      this.#add({
        at: this.now + Math.max(0, ms),
        id: ++this.#lastId,
        act,
        args,
        every: every ? Math.max(1, ms) : undefined,
        owner: this.owner,
      });
    const clear = (id?: unknown) => {
      const at = this.#timers.findIndex((timer) => timer.id === Number(id));
      if (at >= 0) this.#timers.splice(at, 1);
    };
    const showing = () => this.now;
    class VirtualDate extends Date {
      constructor(...args: unknown[]) {
        super(...(args.length === 0 ? [showing()] : args) as []);
      }
      static override now = showing;
    }
    Object.assign(globalThis, {
      setTimeout: add(false),
      setInterval: add(true),
      clearTimeout: clear,
      clearInterval: clear,
      Date: VirtualDate,
    });
    performance.now = showing;
    readsPerTurn = turns;
    reads = 0;
    looked += LONG_MS; // The first read makes a turn in every program.
    this.#restore = () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, Date });
      performance.now = now;
      readsPerTurn = Infinity;
    };
  }

  /** Restores the real clock. Timers of this one never fire. */
  uninstall(): void {
    this.#restore?.();
    this.#timers.length = 0;
  }

  /** Removes timers: those of an owner, or all of them. */
  clear(owner?: unknown): void {
    const kept = owner === undefined ? [] : this.#timers.filter((timer) => timer.owner !== owner);
    this.#timers.splice(0, Infinity, ...kept);
  }

  /** Waits for a turn of the event loop, in which no time passes. */
  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #add(timer: Timer): number {
    let at = this.#timers.length;
    while (at > 0 && this.#timers[at - 1]!.at > timer.at) at--;
    this.#timers.splice(at, 0, timer);
    return timer.id;
  }

  /**
   * Lets time pass until a condition holds.
   *
   * @returns whether it holds; `false` when nothing can happen any more
   */
  async passUntil(holds: () => boolean): Promise<boolean> {
    for (let idle = 0, seen = allReads;;) {
      for (let turn = 0; turn < this.#turnsPerTimer; turn++) await this.turn();
      if (holds()) return true;
      // Code may wait for a turn of the event loop, which comes after this one: no time passes meanwhile.
      if (allReads !== seen) {
        seen = allReads;
        idle = 0;
        continue;
      }
      const timer = this.#timers.shift();
      if (timer === undefined) {
        if (++idle > 3) return false;
        continue;
      }
      idle = 0;
      this.now = Math.max(this.now, timer.at);
      if (timer.every !== undefined) this.#add({ ...timer, at: this.now + timer.every });
      timer.act(...timer.args);
    }
  }
}
