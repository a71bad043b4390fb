/**
 * Time that passes when a program has nothing else to do. To be imported before `src/stream`.
 *
 * Microtasks are real; timers, `Date` and `performance.now()` are not. When all microtasks have run, the next timer fires.
 * When there is none, nothing can happen any more: whoever still waits then, waits for ever.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** How far the clock goes on when a look at it is to say that the event loop needs a turn. */
const LONG_MS = 1000;

// `yieldToEventLoop()` keeps the `performance.now` that it finds when it is imported, and looks at it often. What it
// finds is this: a clock that shows a long time after every so many looks, so that turns come at the same places each time.
let looked = 0, looksPerTurn = Infinity, looks = 0, allLooks = 0;
const realNow = performance.now.bind(performance);
performance.now = () => {
  allLooks++;
  if (++looks >= looksPerTurn) {
    looks = 0;
    looked += LONG_MS;
  }
  return looked;
};

/** The real time in milliseconds, for those who measure. */
export const realMilliseconds: () => number = realNow;

interface Timer {
  readonly at: number;
  readonly id: number;
  readonly act: (...args: unknown[]) => void;
  readonly args: unknown[];
  /** The interval, in milliseconds, of what comes again. */
  readonly every: number | undefined;
  /** What {@linkcode VirtualTime.owner} was. */
  readonly owner: unknown;
}

/** A virtual clock and its timers. One may be installed at a time. */
export class VirtualTime {
  /** Milliseconds since the beginning of the program. */
  now = 0;
  /** On whose behalf timers are made from now on, for those who forget them by owner. */
  owner: unknown;
  readonly #turnsPerTimer: number;
  /** In the order they fire. */
  readonly #timers: Timer[] = [];
  #lastId = 0;
  #restore: (() => void) | undefined;

  /** @param turnsPerTimer the turns of the event loop between two timers, for those who wait for turns themselves */
  constructor(turnsPerTimer = 1) {
    this.#turnsPerTimer = turnsPerTimer;
  }

  /**
   * Takes the place of the real clock.
   *
   * @param turns after so many looks at the clock the event loop gets a turn
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
    looksPerTurn = turns;
    looks = 0;
    looked += LONG_MS; // the first look makes a turn, whatever was before
    this.#restore = () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, Date });
      performance.now = now;
      looksPerTurn = Infinity;
    };
  }

  /** Puts the real clock back. What still waits for this one is never called. */
  uninstall(): void {
    this.#restore?.();
    this.#timers.length = 0;
  }

  /** Forgets what waits; of an owner only, if one is given. */
  clear(owner?: unknown): void {
    const kept = owner === undefined ? [] : this.#timers.filter((timer) => timer.owner !== owner);
    this.#timers.splice(0, Infinity, ...kept);
  }

  /** Lets the event loop have a turn, in which no time passes. */
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
   * Lets time pass until something holds.
   *
   * @returns whether it holds; `false` when nothing can happen any more
   */
  async passUntil(holds: () => boolean): Promise<boolean> {
    for (let idle = 0, seen = allLooks;;) {
      for (let turn = 0; turn < this.#turnsPerTimer; turn++) await this.turn();
      if (holds()) return true;
      // Someone may wait for a turn of the event loop, which comes after this one: no time passes meanwhile.
      if (allLooks !== seen) {
        seen = allLooks;
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
