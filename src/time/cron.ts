import { type Batch, type BatchSource, openSource, type SourceReader } from "../stream/protocol.ts";
import { oneByOne, type Tick } from "./tick.ts";

interface Due {
  readonly tick: Tick;
  readonly handled: PromiseWithResolvers<void>;
}

/**
 * A source of ticks on a schedule of `Deno.cron`, registered when it is made: call it at a module's top level, as
 * Deno Deploy wants.
 *
 * - A run of the cron lasts until its tick has passed the handlers and settled in their sinks, so that Deno Deploy keeps
 *   the isolate until then; it fails when they failed, or when nobody reads the cron any more.
 * - Runs of one cron do not overlap. A tick that is due before `stream()` has begun waits for it.
 * - When the run ends, the cron is taken off; reading it again registers it again.
 *
 * Needs `--unstable-cron` (or `"unstable": ["cron"]` in deno.json).
 *
 * @param name the cron's name, one of its own in the program: letters, digits, spaces, `-` and `_`, at most 64
 * @param schedule the schedule, as `Deno.cron` takes it: `"*\/10 * * * *"`, in UTC, or an object
 * @throws {TypeError} If the name or the schedule is wrong; nothing was registered then.
 * @throws {Error} If the runtime has no `Deno.cron`.
 *
 * @example One tick, due at once as a test would have it
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
export function cron(name: string, schedule: string | Deno.CronSchedule): BatchSource<Tick> & AsyncIterable<Tick> {
  const where = `cron ${JSON.stringify(name)}`;
  // Deno.cron takes some of these, for names such as "" and "5".
  if (typeof name !== "string" || !/^[\w\s-]{1,64}$/.test(name)) {
    throw new TypeError(`${where}: a name must be 1 to 64 letters, digits, spaces, "-" and "_"`);
  }
  if (typeof schedule !== "string" && (typeof schedule !== "object" || schedule === null)) {
    throw new TypeError(`${where}: a schedule must be a string or an object: ${String(schedule)}`);
  }
  if (typeof Deno.cron !== "function") {
    throw new Error(`${where} needs --unstable-cron, or "unstable": ["cron"] in deno.json`);
  }
  let waiting: Due[] = [];
  let pending = new Set<Due>();
  let wake: (() => void) | undefined;
  let reading = false;
  let registration: AbortController | undefined;

  const register = () => {
    const registered = registration = new AbortController();
    const due = () => {
      const one: Due = { tick: { time: Date.now(), skipped: 0 }, handled: Promise.withResolvers() };
      waiting.push(one);
      pending.add(one);
      wake?.();
      return one.handled.promise;
    };
    try {
      // Settles when the signal aborts.
      Deno.cron(name, schedule, { signal: registered.signal }, due).catch(() => {});
    } catch (error) {
      registration = undefined;
      const why = error instanceof Error ? error.message : String(error);
      throw new TypeError(`${where}: can't be registered on ${JSON.stringify(schedule)}: ${why}`, { cause: error });
    }
  };

  const open = (): SourceReader<Tick> => {
    if (reading) throw new Error(`${where} is being read already`);
    if (registration === undefined) register();
    reading = true;
    let stopped = false, closed = false;
    const stop = () => {
      stopped = true;
      wake?.();
    };
    return {
      batches: new ReadableStream<Batch<Tick>>({
        async pull(controller) {
          while (!stopped && waiting.length === 0) await new Promise<void>((resolve) => wake = resolve);
          if (stopped) return controller.close();
          const due = waiting.shift()!;
          controller.enqueue({
            messages: [due.tick],
            describe: ({ time }) => `${where}@${time}`,
            done() {
              pending.delete(due);
              due.handled.resolve();
            },
          });
        },
        cancel() {
          stopped = true;
          wake?.();
        },
      }, { highWaterMark: 0 }),
      stop,
      close(reason?: unknown) {
        stop();
        if (closed) return Promise.resolve();
        closed = true;
        reading = false;
        registration?.abort();
        registration = undefined;
        const left = pending;
        pending = new Set();
        waiting = [];
        for (const { handled } of left) {
          handled.promise.catch(() => {}); // Deno.cron may have let go of it
          handled.reject(reason ?? new Error(`${where}: reading ended before the tick was handled`));
        }
        return Promise.resolve();
      },
    };
  };

  register();
  return { [openSource]: open, [Symbol.asyncIterator]: () => oneByOne(open()) };
}
