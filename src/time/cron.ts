/**
 * A schedule of `Deno.cron` as a source.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems } from "../options/problems.ts";
import { type Batch, type BatchSource, openSource, type SourceReader } from "../protocol/protocol.ts";
import { scheduleProblems } from "./cron_schedule.ts";
import { readTicks, type Tick } from "./tick.ts";

/** The names that `Deno.cron` documents. It takes some others, such as `""`, and fails later. */
const NAME = /^[\w\s-]{1,64}$/;

/** A tick that is due, and the run of the cron that waits until it is handled. */
interface DueTick {
  readonly tick: Tick;
  readonly handled: PromiseWithResolvers<void>;
}

/**
 * A source of ticks on a schedule of `Deno.cron`. The cron is registered when the source is made: call `cron()` at the top
 * level of a module, as Deno Deploy requires.
 *
 * - **A run of the cron ends with its tick**: it lasts until the handlers have handled the tick and the sinks have settled
 *   what they emit, and Deno Deploy keeps the isolate until then. It fails when they fail, or when reading ends before.
 * - **No overlap**: the runs of one cron follow each other. A tick that is due before `stream()` begins waits for it.
 * - **Registration**: the cron is removed from the runtime when the run of `stream()` ends, and registered again when the
 *   source is read again. One run or loop at a time can read it; a second one fails.
 *
 * Needs `--unstable-cron` (or `"unstable": ["cron"]` in deno.json).
 *
 * @param name the name of the cron, unique in the program: 1 to 64 letters, digits, spaces, `-` and `_`
 * @param schedule the schedule in UTC, as `Deno.cron` takes it: `"*\/10 * * * *"`, or an object such as
 * `{ minute: { every: 10 } }`
 * @throws {TypeError} If a parameter is wrong, or the schedule has an unknown field; the error lists all problems, and
 * nothing is registered.
 * @throws {Error} If the runtime has no `Deno.cron`.
 *
 * @example A test runs the cron by itself
 * ```ts
 * import { cron, Slipstream } from "@slipstream/slipstream";
 * import { FakeClock } from "@slipstream/slipstream/testing";
 *
 * using clock = FakeClock.install();
 * const app = new Slipstream();
 * const hours: number[] = [];
 * app.handle(cron("hourly", "0 * * * *"), { sink: (hour: number) => hours.push(hour) }, ({ time }) => {
 *   return new Date(time).getUTCHours();
 * });
 * const ended = new AbortController();
 * const running = app.stream({ signal: ended.signal });
 * await clock.runCron("hourly");
 * console.assert(hours.length === 1);
 * ended.abort();
 * await running;
 * ```
 */
export function cron(name: string, schedule: string | Deno.CronSchedule): BatchSource<Tick> & AsyncIterable<Tick>;
export function cron(
  name: string,
  schedule: string | Deno.CronSchedule,
  ...more: unknown[]
): BatchSource<Tick> & AsyncIterable<Tick> {
  const problems = scheduleProblems(schedule);
  if (typeof name !== "string" || !NAME.test(name)) {
    const got = typeof name === "string" ? JSON.stringify(name) : describeValue(name);
    problems.unshift(`the name must be 1 to 64 letters, digits, spaces, "-" and "_": got ${got}`);
  }
  if (more.length > 0) problems.push(`it takes a name and a schedule: got ${more.length + 2} parameters`);
  assertNoProblems("cron()", problems);
  const where = `cron ${JSON.stringify(name)}`;
  if (typeof Deno.cron !== "function") {
    throw new Error(`${where} needs --unstable-cron, or "unstable": ["cron"] in deno.json`);
  }
  /** The ticks that are due and not read yet. */
  let waiting: DueTick[] = [];
  /** The ticks that are due and not handled yet, read or not. */
  let unhandled = new Set<DueTick>();
  let wakeReader: (() => void) | undefined;
  let isRead = false;
  let registration: AbortController | undefined;

  const register = () => {
    const registered = registration = new AbortController();
    const runTick = () => {
      const due: DueTick = { tick: { time: Date.now(), skipped: 0 }, handled: Promise.withResolvers() };
      waiting.push(due);
      unhandled.add(due);
      wakeReader?.();
      return due.handled.promise;
    };
    try {
      // Its promise settles when the signal aborts.
      Deno.cron(name, schedule, { signal: registered.signal }, runTick).catch(() => {});
    } catch (error) {
      registration = undefined;
      const why = error instanceof Error ? error.message : String(error);
      throw new TypeError(`${where}: can't be registered on ${JSON.stringify(schedule)}: ${why}`, { cause: error });
    }
  };

  const open = (): SourceReader<Tick> => {
    if (isRead) throw new Error(`${where} is read already: one run or loop at a time can read it`);
    if (registration === undefined) register();
    isRead = true;
    let isStopped = false, isClosed = false;
    const stop = () => {
      isStopped = true;
      wakeReader?.();
    };
    return {
      batches: new ReadableStream<Batch<Tick>>({
        async pull(controller) {
          while (!isStopped && waiting.length === 0) await new Promise<void>((resolve) => wakeReader = resolve);
          if (isStopped) return controller.close();
          const due = waiting.shift()!;
          controller.enqueue({
            messages: [due.tick],
            describe: ({ time }) => `${where}@${time}`,
            done() {
              unhandled.delete(due);
              due.handled.resolve();
            },
          });
        },
        cancel: stop,
      }, { highWaterMark: 0 }),
      stop,
      close(reason?: unknown) {
        stop();
        if (isClosed) return Promise.resolve();
        isClosed = true;
        isRead = false;
        registration?.abort();
        registration = undefined;
        const lost = unhandled;
        unhandled = new Set();
        waiting = [];
        for (const { handled } of lost) {
          handled.promise.catch(() => {}); // After its abort, `Deno.cron` may await the promise no more.
          handled.reject(reason ?? new Error(`${where}: reading ended before the tick was handled`));
        }
        return Promise.resolve();
      },
    };
  };

  register();
  return { [openSource]: open, [Symbol.asyncIterator]: () => readTicks(open()) };
}
