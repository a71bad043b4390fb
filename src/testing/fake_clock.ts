/**
 * Time in a test's hands.
 *
 * @module
 */

import FakeTimers from "@sinonjs/fake-timers";
import { Cron } from "croner";

/** How a `FakeClock` begins. */
export interface FakeClockOptions {
  /**
   * The time it shows at first, in milliseconds since 1970 or as a Date.
   * @default {0}
   */
  readonly now?: number | Date;
}

const DEFAULTS = { now: 0 } as const satisfies FakeClockOptions;

type CronHandler = () => void | Promise<void>;

interface Registered {
  readonly handler: CronHandler;
  run: Promise<void> | undefined;
}

const LONGEST_MS = 2 ** 31 - 1;
let installed: FakeClock | undefined;

/**
 * A clock that goes on when a test says so: for `timer()`, `cron()`, `setTimeout`, `setInterval`, `Date` and
 * `performance.now()`.
 *
 * - **Crons** that are registered while it is there run on their schedules as the clock passes them, in UTC as
 *   `Deno.cron` has it (days of the week from 1, Sunday), and need no `--unstable-cron`; runs of one cron do not
 *   overlap, and a failed one is not tried again.
 * - **librdkafka is not fooled**: what it and a broker wait for passes in real time. Test time with a
 *   `scripted` source or `MemoryKafka`, which goes by this clock, and other topics without one.
 *
 * One at a time; put back what was there with `using`, or `FakeClock.uninstall`.
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
  readonly #crons = new Map<string, Registered>();
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
   * Stops time.
   *
   * @throws {Error} If a fake clock is there already.
   */
  static install(options: FakeClockOptions = {}): FakeClock {
    if (installed !== undefined) throw new Error("A FakeClock is installed already: uninstall it first");
    return installed = new FakeClock(options.now ?? DEFAULTS.now);
  }

  /** The time, in milliseconds since 1970. */
  get now(): number {
    return this.#clock.now;
  }

  /** The names of the crons that are registered. */
  get crons(): string[] {
    return [...this.#crons.keys()];
  }

  /**
   * Lets time pass: timers and crons that fall due in it come one after the other, and what they begin goes on as far
   * as it can without more time.
   *
   * @param ms how much, in milliseconds
   * @throws {RangeError} If it is below 0.
   * @throws What a cron's run failed with, if one did.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`advance() takes milliseconds from 0 on: ${ms}`);
    await this.#clock.tickAsync(ms);
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed.error;
  }

  /**
   * Runs a cron now, whatever its schedule, and resolves when its run is over.
   *
   * @throws {Error} If there is no such cron.
   * @throws What the run fails with.
   */
  async runCron(name: string): Promise<void> {
    const cron = this.#crons.get(name);
    if (cron === undefined) {
      throw new Error(`There is no cron ${JSON.stringify(name)}; there are: ${this.crons.join(", ") || "none"}`);
    }
    await cron.run?.catch(() => {}); // told to who began it
    await this.#run(cron);
  }

  #run(cron: Registered): Promise<void> {
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
    const registered: Registered = { handler, run: undefined };
    this.#crons.set(name, registered);
    const over = Promise.withResolvers<void>();
    let timeout: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      const due = times.nextRun(new Date(this.now))?.getTime();
      if (due === undefined) return;
      timeout = setTimeout(async () => {
        if (this.now < due) return wait(); // too far away for one timer
        try {
          await registered.run?.catch(() => {}); // told to who began it
          await this.#run(registered);
        } catch (error) {
          this.#failed ??= { error };
        }
        if (this.#crons.get(name) === registered) wait();
      }, Math.min(due - this.now, LONGEST_MS));
    };
    wait();
    signal?.addEventListener("abort", () => {
      clearTimeout(timeout);
      this.#crons.delete(name);
      over.resolve();
    });
    return over.promise;
  }

  /** Puts the real clock back. Idempotent. */
  uninstall(): void {
    if (installed !== this) return;
    installed = undefined;
    this.#crons.clear();
    this.#clock.uninstall();
    if (this.#cron === undefined) delete (Deno as { cron?: unknown }).cron;
    else Object.defineProperty(Deno, "cron", this.#cron);
  }

  /** Puts the real clock back: what `using` calls. */
  [Symbol.dispose](): void {
    this.uninstall();
  }
}

const FIELDS = ["minute", "hour", "dayOfMonth", "month", "dayOfWeek"] as const;

/** A schedule in the five fields of cron. What is smaller than the smallest field that is set is at its first. */
function expression(schedule: string | Deno.CronSchedule): string {
  if (typeof schedule === "string") return schedule;
  const smallest = FIELDS.findIndex((name) => schedule[name] !== undefined);
  return FIELDS.map((name, index) => {
    const field = schedule[name];
    if (field === undefined) {
      if (index >= smallest || smallest < 0) return "*";
      // A day of the week does not ask for a day of the month.
      return index < 2 ? "0" : smallest === 3 ? "1" : "*";
    }
    if (typeof field === "number") return String(field);
    if ("exact" in field) return [field.exact].flat().join(",");
    const { start, end, every = 1 } = field as { start?: number; end?: number; every?: number };
    if (start === undefined) return `*/${every}`;
    return end === undefined ? `${start}/${every}` : `${start}-${end}/${every}`;
  }).join(" ");
}
