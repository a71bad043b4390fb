/**
 * A clock that a test controls.
 *
 * @module
 */

import FakeTimers from "@sinonjs/fake-timers";
import { Cron } from "croner";
import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";

/** Options of `FakeClock.install()`. */
export interface FakeClockOptions {
  /**
   * The time at which the clock starts, in milliseconds since 1970 or as a Date.
   * @default {0}
   */
  readonly now?: number | Date;
}

const DEFAULTS = { now: 0 } as const satisfies FakeClockOptions;

type CronHandler = () => void | Promise<void>;

interface RegisteredCron {
  readonly handler: CronHandler;
  /** The run that is going on. */
  run: Promise<void> | undefined;
}

let installed: FakeClock | undefined;

/**
 * A clock that stands still until a test advances it. While it is installed, it replaces `setTimeout`, `setInterval`, `Date`,
 * `performance.now()` and `Deno.cron`, and with them the time of `timer()`, `cron()`, retries and `MemoryKafka`.
 *
 * - **Crons** that are registered while the clock is installed run when `FakeClock.advance` passes their times. Schedules are
 *   in UTC and number the days of the week from 1 (Sunday), as those of `Deno.cron`. They need no `--unstable-cron`. Runs of
 *   one cron do not overlap, and a run that fails is not repeated.
 * - **librdkafka** and its brokers use real time. So test time with a `scripted()` source or a `MemoryKafka`, and test a
 *   `LocalBroker` without a fake clock.
 *
 * One clock can be installed at a time. `using`, or `FakeClock.uninstall`, restores what it replaced.
 *
 * @example
 * ```ts
 * import { Slipstream, timer } from "@slipstream/slipstream";
 * import { FakeClock } from "@slipstream/slipstream/testing";
 *
 * using clock = FakeClock.install();
 * const app = new Slipstream();
 * const times: number[] = [];
 * app.handle(timer(60_000), { sink: (time: number) => times.push(time) }, ({ time }) => time);
 * const ended = new AbortController();
 * const running = app.stream({ signal: ended.signal });
 * await clock.advance(120_000);
 * ended.abort();
 * await running;
 * console.assert(times.join() === "60000,120000");
 * ```
 */
export class FakeClock implements Disposable {
  readonly #clock: ReturnType<typeof FakeTimers.install>;
  readonly #cron: PropertyDescriptor | undefined;
  readonly #crons = new Map<string, RegisteredCron>();
  #failed: { readonly error: unknown } | undefined;

  private constructor(now: number | Date) {
    this.#clock = FakeTimers.install({
      now,
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    });
    this.#cron = Object.getOwnPropertyDescriptor(Deno, "cron");
    const cron = (name: string, schedule: string | Deno.CronSchedule, ...rest: unknown[]) => {
      const handler = rest.find((one) => typeof one === "function") as CronHandler;
      const { signal } = (rest.find((one) => typeof one === "object") ?? {}) as { signal?: AbortSignal };
      return this.#register(name, schedule, handler, signal);
    };
    Object.defineProperty(Deno, "cron", { value: cron, configurable: true, writable: true });
  }

  /**
   * Installs a clock.
   *
   * @throws {Error} If a clock is installed already.
   */
  static install(options: FakeClockOptions = {}): FakeClock {
    if (installed !== undefined) throw new Error("A FakeClock is installed already: uninstall it first");
    return installed = new FakeClock(options.now ?? DEFAULTS.now);
  }

  /** The time of the clock, in milliseconds since 1970. */
  get now(): number {
    return this.#clock.now;
  }

  /** The names of the crons that are registered. */
  get crons(): string[] {
    return [...this.#crons.keys()];
  }

  /**
   * Advances the clock. Timers and crons that fall due fire in order, and promises that they settle go on before the next
   * one fires. Resolves when the clock has reached the new time.
   *
   * @param ms the time to advance, in milliseconds
   * @throws {RangeError} If the time is below 0.
   * @throws The error of the first cron that failed, if one did.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`FakeClock.advance() takes milliseconds from 0 on: ${ms}`);
    await this.#clock.tickAsync(ms);
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed.error;
  }

  /**
   * Runs a cron now, regardless of its schedule. Resolves when the run has ended; a run that is going on ends first.
   *
   * @throws {Error} If no cron with that name is registered.
   * @throws The error of the run, if it fails.
   */
  async runCron(name: string): Promise<void> {
    const cron = this.#crons.get(name);
    if (cron === undefined) {
      throw new Error(`There is no cron ${JSON.stringify(name)}; there are: ${this.crons.join(", ") || "none"}`);
    }
    await cron.run?.catch(() => {}); // whoever started that run gets the error
    await this.#run(cron);
  }

  #run(cron: RegisteredCron): Promise<void> {
    return cron.run = (async () => await cron.handler())().finally(() => cron.run = undefined);
  }

  #register(
    name: string,
    schedule: string | Deno.CronSchedule,
    handler: CronHandler,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (this.#crons.has(name)) throw new TypeError("Cron with this name already exists");
    const times = new Cron(expression(schedule), {
      timezone: "UTC",
      paused: true,
      mode: "5-part",
      alternativeWeekdays: true,
    });
    const registered: RegisteredCron = { handler, run: undefined };
    this.#crons.set(name, registered);
    const over = Promise.withResolvers<void>();
    let timeout: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      const due = times.nextRun(new Date(this.now))?.getTime();
      if (due === undefined) return;
      timeout = setTimeout(async () => {
        if (this.now < due) return wait(); // one timer could not wait that long
        try {
          await registered.run?.catch(() => {}); // whoever started that run gets the error
          await this.#run(registered);
        } catch (error) {
          this.#failed ??= { error };
        }
        if (this.#crons.get(name) === registered) wait();
      }, Math.min(due - this.now, LONGEST_TIMER_MS));
    };
    wait();
    signal?.addEventListener("abort", () => {
      clearTimeout(timeout);
      this.#crons.delete(name);
      over.resolve();
    });
    return over.promise;
  }

  /** Restores the real clock. Idempotent. */
  uninstall(): void {
    if (installed !== this) return;
    installed = undefined;
    this.#crons.clear();
    this.#clock.uninstall();
    if (this.#cron === undefined) delete (Deno as { cron?: unknown }).cron;
    else Object.defineProperty(Deno, "cron", this.#cron);
  }

  /** Restores the real clock: what `using` calls. */
  [Symbol.dispose](): void {
    this.uninstall();
  }
}

const FIELDS = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek"] as const;

/**
 * A schedule as the five fields of a cron expression. Fields that are smaller than the smallest one that is set are at their
 * first value, as with `Deno.cron`: `{ hour: 1 }` is at 1:00, not at each minute.
 */
function expression(schedule: string | Deno.CronSchedule): string {
  if (typeof schedule === "string") return schedule;
  const smallest = FIELDS.findIndex((name) => schedule[name] !== undefined);
  return FIELDS.map((name, index) => {
    const field = schedule[name];
    if (field === undefined) {
      if (index >= smallest || smallest < 0) return "*";
      // A day of the week leaves the day of the month open.
      return index < 2 ? "0" : smallest === 3 ? "1" : "*";
    }
    if (typeof field === "number") return String(field);
    if ("exact" in field) return [field.exact].flat().join(",");
    const { start, end, every = 1 } = field as { start?: number; end?: number; every?: number };
    if (start === undefined) return `*/${every}`;
    return end === undefined ? `${start}/${every}` : `${start}-${end}/${every}`;
  }).join(" ");
}
