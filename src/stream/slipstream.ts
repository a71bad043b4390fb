/**
 * Apps: bindings, and running them.
 *
 * @module
 */

import { describe } from "../options/describe.ts";
import { complain, unknownOptions } from "../options/problems.ts";
import { bind, type Binding, type Bound } from "./binding.ts";
import type { HandleOptions } from "./handle_options.ts";
import type { Handler } from "./handler.ts";
import type { Pipe } from "./pipe.ts";
import { Run } from "./run.ts";
import { onShutdown } from "./shutdown.ts";
import type { AcceptedBy, AnySink } from "./sinks.ts";
import type { MessageOf, Source } from "./sources.ts";
import { readerWrapper } from "./wrap_readers.ts";

/**
 * How `Slipstream.stream` runs.
 *
 * @typeParam Args what every handler gets as its second parameter
 */
export interface StreamOptions<Args = unknown> {
  /**
   * The second parameter of every handler.
   * @default {undefined}
   */
  readonly args?: Args;
  /** Ends all sources in order when it aborts; `stream()` then resolves. */
  readonly signal?: AbortSignal;
  /**
   * Whether SIGINT and SIGTERM end the sources in order.
   * @default {true}
   */
  readonly handleSignals?: boolean;
  /**
   * How long the end may take, in milliseconds, after a stop or a failure: handlers finish the message in hand, and sinks
   * settle. Then `stream()` rejects, with the failure if there was one; after SIGINT or SIGTERM the process exits.
   * Sources that can begin again deliver again what is not done by then.
   * @default {30_000}
   */
  readonly shutdownTimeoutMs?: number;
}

/** The parameters of `Slipstream.stream`: its options, required when handlers need `args`. */
export type StreamParameters<Args = unknown> = undefined extends Args ? [options?: StreamOptions<Args>]
  : [options: StreamOptions<Args> & { readonly args: Args }];

const DEFAULTS = { handleSignals: true, shutdownTimeoutMs: 30_000 } as const satisfies StreamOptions;
const OPTIONS = ["args", "signal", "handleSignals", "shutdownTimeoutMs"] as const satisfies (keyof StreamOptions)[];

/**
 * The options that `stream()` was called with, checked.
 *
 * @throws {TypeError} If they are not one object of known options, each of its type. Lists all problems.
 */
function optionsOf([options = {}, ...more]: readonly unknown[]): StreamOptions {
  const form = "it takes one object of options, such as stream({ args, signal })";
  if (typeof options !== "object" || options === null) complain("stream()", [`${form}: got ${describe(options)}`]);
  if (more.length > 0) complain("stream()", [`${form}: got ${more.length + 1} parameters`]);
  const { signal, handleSignals, shutdownTimeoutMs } = options as Record<string, unknown>;
  const problems = unknownOptions(options as object, OPTIONS);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    problems.push(`signal must be an AbortSignal: got ${describe(signal)}`);
  }
  if (handleSignals !== undefined && typeof handleSignals !== "boolean") {
    problems.push(`handleSignals must be true or false: got ${describe(handleSignals)}`);
  }
  if (shutdownTimeoutMs !== undefined && !(typeof shutdownTimeoutMs === "number" && shutdownTimeoutMs >= 0)) {
    problems.push(`shutdownTimeoutMs must be a number of milliseconds from 0 on: got ${String(shutdownTimeoutMs)}`);
  }
  complain("stream()", problems);
  return options as StreamOptions;
}

/** A source, whatever its messages are. */
export type AnySource = Source<never> | Source<unknown>;
/**
 * What the messages of a source are, or of several. In an array, what can be read is a source; strings, numbers,
 * arrays, bytes and other objects are messages.
 */
export type Messages<S> = S extends readonly (infer One)[] ? (
    One extends string | readonly unknown[] | ArrayBufferView ? One : One extends AnySource ? MessageOf<One> : One
  )
  : MessageOf<S>;

/**
 * An isolated app: bindings of its own, run together. The free functions `handle` and `stream`
 * belong to one default app.
 *
 * - **Order**: messages of a source are handled one after the other; for each, its handlers run in the order of
 *   binding, and every sink has accepted what they emit before the next message. Sources run side by side.
 * - **Delivery**: at least once, for sources that can begin again: a batch is done when all that came of it has
 *   settled in its sinks. A Topic stores its offsets then, and not before.
 * - **Errors**: `retry`, then what `onError` says: fail (the default), skip, a Topic for dead letters, or a function.
 * - **Side by side**: `concurrency` handles so many messages at a time, those of one key in order; other handlers of the
 *   source then go on meanwhile.
 * - **Backpressure**: a slow handler or sink slows its sources; no queue grows. At most 32 batches of a source, and
 *   some 64 MB of a Topic's messages, are accepted and not done.
 *
 * Needs no permission by itself.
 *
 * @typeParam Args what handlers get as their second parameter: the `args` of `Slipstream.stream`
 *
 * @example
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 *
 * const app = new Slipstream();
 * const seen: number[] = [];
 * app.handle([1, 2, 3], { sink: (n: number) => seen.push(n) }, (n) => n * 2);
 * await app.stream();
 * console.assert(seen.join() === "2,4,6");
 * ```
 *
 * @example What can't be handled is skipped and told, the rest runs side by side
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 *
 * const app = new Slipstream();
 * const seen: number[] = [], refused: unknown[] = [];
 * app.handle([1, 2, 3], {
 *   concurrency: 3,
 *   retry: { maxAttempts: 2, minTimeout: 1 },
 *   onError: ({ value }) => refused.push(value),
 *   sink: (n: number) => seen.push(n),
 * }, async (n) => {
 *   await Promise.resolve();
 *   if (n === 2) throw new Error("no twos");
 *   return n;
 * });
 * await app.stream();
 * console.assert(seen.join() === "1,3" && refused.join() === "2");
 * ```
 *
 * @example Handlers get what the run was started with
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 *
 * const app = new Slipstream<{ readonly rate: number }>();
 * const converted: number[] = [];
 * app.handle([10, 20], { sink: (n: number) => converted.push(n) }, (price, { rate }) => price * rate);
 * await app.stream({ args: { rate: 3 } });
 * console.assert(converted.join() === "30,60");
 * ```
 */
export class Slipstream<Args = unknown> {
  readonly #bindings: Bound[] = [];
  readonly #paused = new Set<unknown>();
  readonly #exitHooks = new Set<() => unknown>();
  #running = false;
  #run: Run | undefined;

  /** Makes an app that nothing is bound in. It has no options. */
  constructor(...options: never[]) {
    if (options.length > 0) complain("new Slipstream()", ["it has no options: see those of handle() and stream()"]);
  }

  /**
   * Binds a handler to a source, or to several: an array of which every element can be read. (Arrays and bytes in an array
   * are messages.)
   *
   * @param source an iterable, an async iterable, a ReadableStream, an object with `.readable`, a Topic or a Cache; or an
   * array of them
   * @param handler called with each message, and with the `args` of `Slipstream.stream`; the values that it returns
   * or yields go nowhere
   * @throws {TypeError} If an argument is not a source or a function. Nothing is bound then.
   * @throws {Error} If the app runs.
   */
  handle<S extends AnySource | readonly AnySource[]>(
    source: S,
    handler: Handler<Messages<S>, unknown, Args>,
  ): Binding;
  /**
   * Binds a handler with options: sinks for what it emits, stages in front of it, and what happens when it fails.
   *
   * Sinks are functions (awaited when they return a promise), WritableStreams and objects with `.writable` (closed when
   * all that writes to them has ended, aborted when the run fails, as `pipeTo` does; wrap one in a function to keep it
   * open), Topics and Caches. A TransformStream can be the sink of one handler and the source of another; a message is done
   * then when the stream has taken it, so a `pipe` is safer.
   *
   * @param source an iterable, an async iterable, a ReadableStream, an object with `.readable`, a Topic or a Cache; or an
   * array of them
   * @param options the sinks, the pipe, concurrency, retries, and what happens with errors
   * @param handler called with each message, and with the `args` of `Slipstream.stream`; it returns or yields
   * values that every sink takes
   * @throws {TypeError} If an argument is not a source, a sink, an option or a function. Nothing is bound then.
   * @throws {RangeError} If a number is out of its range. Nothing is bound then.
   * @throws {Error} If the app runs.
   */
  handle<
    S extends AnySource | readonly AnySource[],
    // `const`, so that `[key, value]` is a pair, not an array. What is not inferred is its default: without a sink the
    // handler may emit anything, and a stage that is not there emits what the one before it does.
    const T extends AcceptedBy<K>,
    const K extends AnySink = (value: unknown) => unknown,
    O1 = Messages<S>,
    O2 = O1,
    O3 = O2,
    O4 = O3,
    O5 = O4,
    O6 = O5,
    O7 = O6,
    O8 = O7,
    O9 = O8,
    O10 = O9,
  >(
    source: S,
    options: HandleOptions<O10, K, Pipe<Messages<S>, O1, O2, O3, O4, O5, O6, O7, O8, O9, O10>>,
    handler: Handler<NoInfer<O10>, T, Args>,
  ): Binding;
  // `never`: or the compiler would say of each wrong call that this signature allows it.
  handle(source: unknown, ...[second, third]: never[]): Binding {
    if (this.#running) throw new Error("handle() can't bind while stream() runs: bind first");
    const bound = bind(source, second, third, (bound) => this.#stop(bound));
    this.#bindings.push(bound);
    return bound;
  }

  /**
   * Runs everything that is bound. Resolves when all sources have ended, and everything is settled and released.
   *
   * SIGINT and SIGTERM end the sources in order: what is in flight is finished and settled first. A second signal
   * exits at once.
   *
   * @throws {HandlerError} The first error of a handler or its sinks, after the rest has ended in order: batches that
   * came before it, and those of other sources that were begun, are settled and done. An error of a source itself is
   * thrown as it is, in the same way.
   * @throws {TypeError} If an option is unknown or wrong; the error lists all problems, and nothing runs.
   * @throws {Error} If nothing is bound, the app runs already, or the end takes longer than `shutdownTimeoutMs`.
   */
  async stream(...parameters: StreamParameters<Args>): Promise<void> {
    const options = optionsOf(parameters);
    const { handleSignals = DEFAULTS.handleSignals, shutdownTimeoutMs = DEFAULTS.shutdownTimeoutMs } = options;
    const { args, signal } = options;
    if (this.#bindings.length === 0) throw new Error("stream() has nothing to run: bind a handler with handle() first");
    if (this.#running) throw new Error("stream() runs already: await it before it is run again");
    this.#running = true;
    let forget = () => {};
    try {
      const run = this.#run = new Run([...this.#bindings], {
        args,
        paused: this.#paused,
        wrap: readerWrapper(options),
        endTimeoutMs: shutdownTimeoutMs,
      });
      const stop = () => run.stop();
      if (handleSignals) forget = onShutdown({ timeoutMs: shutdownTimeoutMs, stop, describe: () => run.describe() });
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const ended = run.toEnd().finally(() => signal?.removeEventListener("abort", stop));
      const hooked = ended.catch(() => {}).then(() => this.#exit());
      // The run's own error is the one that is told; both are waited for.
      for (const outcome of await Promise.allSettled([ended, hooked])) {
        if (outcome.status === "rejected") throw outcome.reason;
      }
    } finally {
      forget();
      this.#running = false;
      this.#run = undefined;
    }
  }

  /**
   * Calls a function at the end of each run, whatever ended it: once, when all is settled, done and released, before
   * `stream()` resolves or rejects. Hooks are called in the order they came, each when the one before it is over. One
   * that fails does not keep the others from being called; `stream()` rejects with its error, unless the run had failed.
   *
   * A second signal, and a time-out of the end, exit without calling them.
   *
   * @returns takes the hook away again
   * @throws {TypeError} If it is no function.
   *
   * @example
   * ```ts
   * import { Slipstream } from "@slipstream/slipstream";
   *
   * const app = new Slipstream();
   * const log: unknown[] = [];
   * app.onExit(() => log.push("closed"));
   * app.handle([1, 2], (n) => void log.push(n));
   * await app.stream();
   * console.assert(log.join() === "1,2,closed");
   * ```
   */
  onExit(hook: () => unknown): () => void {
    if (typeof hook !== "function") throw new TypeError(`An exit hook must be a function: got ${describe(hook)}`);
    this.#exitHooks.add(hook);
    return () => void this.#exitHooks.delete(hook);
  }

  /** @throws what the first hook that failed did */
  async #exit(): Promise<void> {
    const failed: unknown[] = [];
    for (const hook of [...this.#exitHooks]) {
      try {
        await hook();
      } catch (error) {
        failed.push(error);
      }
    }
    if (failed.length > 0) throw failed[0];
  }

  #stop(bound: Bound): void {
    const at = this.#bindings.indexOf(bound);
    if (at < 0) return;
    this.#bindings.splice(at, 1);
    this.#run?.remove(bound);
  }

  /**
   * Hands on nothing more of a source, from the next message on, until it is resumed. A Topic stays in its group. Also
   * before a run, which then begins paused. A run that is stopped leaves what was paused unhandled.
   *
   * A source with the methods `pause` and `resume` has them called; an async generator gets `"pause"` and
   * `"resume"` as the value of a `yield`: what it yields in answer is a message, unless it is `undefined`. One that does
   * not listen is so asked for one message more, which waits.
   *
   * @throws {TypeError} If nothing is bound to the source.
   */
  pause(source: AnySource): void {
    this.#checkBound(source);
    if (this.#paused.has(source)) return;
    this.#paused.add(source);
    this.#run?.pause(source as Source<unknown>);
  }

  /**
   * Goes on with a source that was paused, at once.
   *
   * @throws {TypeError} If nothing is bound to the source.
   */
  resume(source: AnySource): void {
    this.#checkBound(source);
    if (this.#paused.delete(source)) this.#run?.resume(source as Source<unknown>);
  }

  #checkBound(source: unknown): void {
    if (this.#bindings.some(({ sources }) => sources.includes(source as never))) return;
    throw new TypeError(`Nothing is bound to this source: give the one that handle() got: ${describe(source)}`);
  }
}

const app = new Slipstream();

/**
 * Binds a handler in the default app: `Slipstream.handle`.
 *
 * @example
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const seen: string[] = [];
 * handle([0, 1, 2], { sink: (line: string) => seen.push(line) }, function* (n) {
 *   if (n % 2 === 0) yield `even: ${n}`;
 * });
 * await stream();
 * console.assert(seen.join() === "even: 0,even: 2");
 * ```
 */
export const handle: Slipstream["handle"] = app.handle.bind(app) as Slipstream["handle"];

/**
 * Runs the default app: `Slipstream.stream`. Its handlers get `args` as `unknown`; make a `Slipstream<Args>` for
 * arguments with a type.
 */
export const stream: (options?: StreamOptions) => Promise<void> = app.stream.bind(app);

/**
 * Pauses a source of the default app: `Slipstream.pause`.
 *
 * @example
 * ```ts
 * import { handle, pause, resume, stream } from "@slipstream/slipstream";
 *
 * const numbers = [1, 2, 3], seen: number[] = [];
 * handle(numbers, (n) => {
 *   seen.push(n);
 *   if (n === 2) pause(numbers);
 * });
 * const running = stream();
 * await new Promise((resolve) => setTimeout(resolve, 10));
 * console.assert(seen.join() === "1,2");
 * resume(numbers);
 * await running;
 * console.assert(seen.join() === "1,2,3");
 * ```
 */
export const pause: (source: AnySource) => void = app.pause.bind(app);

/** Calls a function at the end of each run of the default app: `Slipstream.onExit`. */
export const onExit: (hook: () => unknown) => () => void = app.onExit.bind(app);

/** Resumes a source of the default app: `Slipstream.resume`. */
export const resume: (source: AnySource) => void = app.resume.bind(app);
