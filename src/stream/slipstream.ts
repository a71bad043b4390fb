/**
 * Apps: bindings, and running them.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems, unknownOptions } from "../options/problems.ts";
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
 * The options of `stream()`.
 *
 * @typeParam Args what every handler gets as its second parameter
 */
export interface StreamOptions<Args = unknown> {
  /**
   * Every handler gets this as its second parameter.
   * @default {undefined}
   */
  readonly args?: Args;
  /**
   * Stops the run when it aborts: the sources end, what is in hand is finished and settled, and `stream()` resolves.
   * @default {none}
   */
  readonly signal?: AbortSignal;
  /**
   * Whether SIGINT and SIGTERM stop the run, in the same way. A second signal exits the process at once.
   * @default {true}
   */
  readonly handleSignals?: boolean;
  /**
   * How long the end of a run may take after a stop or a failure, in milliseconds, from 0 on; `Infinity` sets no limit.
   * Handlers finish the message in hand in that time, and sinks settle. After it `stream()` rejects, with the failure if
   * there was one; after SIGINT or SIGTERM the process exits. Sources that can begin again deliver what is not done by then
   * in the next run.
   * @default {30_000}
   */
  readonly shutdownTimeoutMs?: number;
}

/** The parameters of `stream()`: its options, which are required when handlers need `args`. */
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
  if (typeof options !== "object" || options === null) {
    assertNoProblems("stream()", [`${form}: got ${describeValue(options)}`]);
  }
  if (more.length > 0) assertNoProblems("stream()", [`${form}: got ${more.length + 1} parameters`]);
  const { signal, handleSignals, shutdownTimeoutMs } = options as Record<string, unknown>;
  const problems = unknownOptions(options as object, OPTIONS);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    problems.push(`signal must be an AbortSignal: got ${describeValue(signal)}`);
  }
  if (handleSignals !== undefined && typeof handleSignals !== "boolean") {
    problems.push(`handleSignals must be true or false: got ${describeValue(handleSignals)}`);
  }
  if (shutdownTimeoutMs !== undefined && !(typeof shutdownTimeoutMs === "number" && shutdownTimeoutMs >= 0)) {
    problems.push(`shutdownTimeoutMs must be a number of milliseconds from 0 on: got ${String(shutdownTimeoutMs)}`);
  }
  assertNoProblems("stream()", problems);
  return options as StreamOptions;
}

/** Any source, whatever its messages are. */
export type AnySource = Source<never> | Source<unknown>;
/**
 * The messages of a source, or of an array of sources. Elements of an array that can be read are sources; strings,
 * numbers, arrays, bytes and other objects in it are messages.
 */
export type Messages<S> = S extends readonly (infer One)[] ? (
    One extends string | readonly unknown[] | ArrayBufferView ? One : One extends AnySource ? MessageOf<One> : One
  )
  : MessageOf<S>;

/**
 * An app: handlers that are bound together with `handle()`, and run together with `stream()`.
 *
 * Apps share nothing with each other. The functions `handle()`, `stream()`, `pause()`, `resume()` and `onExit()` belong to
 * one default app.
 *
 * - **Order**: an app handles the messages of a source one after the other. For each message, the handlers of the source run
 *   in the order of their binding, and every sink accepts what they emit before the next message is handled. Different
 *   sources run side by side.
 * - **Delivery**: at least once, for sources that can begin again. A batch of messages is done when everything that its
 *   handlers emitted has settled in the sinks; a Topic stores the offsets of a batch then, and not before.
 * - **Errors**: the option `retry` tries again, then the option `onError` decides: the run fails (the default), the message
 *   is skipped, it goes to a Topic for dead letters, or a function decides.
 * - **Concurrency**: the option `concurrency` lets a handler work on several messages at a time, and keeps those of one key
 *   in order. Other handlers of the source go on meanwhile.
 * - **Backpressure**: a slow handler or sink slows its sources. At most 32 batches of a source, and about 64 MB of a
 *   Topic's messages, are read and not done.
 *
 * An app needs no permission of its own.
 *
 * @typeParam Args what handlers get as their second parameter: the `args` of `stream()`
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
 * @example Handle three messages at a time, and report those that fail twice
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
 * @example Pass arguments to the handlers of a run
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

  /**
   * Creates an app without handlers.
   *
   * @throws {TypeError} If it is called with options: an app has none.
   */
  constructor(...options: never[]) {
    if (options.length > 0) {
      assertNoProblems("new Slipstream()", ["it has no options: see those of handle() and stream()"]);
    }
  }

  /**
   * Binds a handler to a source, or to several. The next `stream()` runs it; what the handler emits is dropped.
   *
   * @param source an iterable, an async iterable, a ReadableStream, an object with `.readable`, a Topic or a Cache; or an
   * array of them. An array is one source of its elements, unless every element can be read (arrays and bytes count as
   * messages).
   * @param handler is called with each message, and with the `args` of `stream()`; it may be asynchronous
   * @returns the binding, with which the handler can be taken out again
   * @throws {TypeError} If an argument is wrong; the error lists all problems, and nothing is bound.
   * @throws {Error} If the app is running.
   *
   * @example
   * ```ts
   * import { Slipstream } from "@slipstream/slipstream";
   *
   * const app = new Slipstream();
   * let sum = 0;
   * app.handle([[1, 2].values(), [3].values()], (n) => void (sum += n));
   * await app.stream();
   * console.assert(sum === 6);
   * ```
   */
  handle<S extends AnySource | readonly AnySource[]>(
    source: S,
    handler: Handler<Messages<S>, unknown, Args>,
  ): Binding;
  /**
   * Binds a handler to a source, or to several, with options: sinks for what it emits, a pipe of stages in front of it,
   * concurrency, and what happens when it fails.
   *
   * The handler emits the value that it returns, the value of the promise that it returns, or every value that it yields.
   * It emits nothing for `undefined`; `null` and arrays are values. Every sink must accept what it emits, or the program
   * does not compile.
   *
   * @param source an iterable, an async iterable, a ReadableStream, an object with `.readable`, a Topic or a Cache; or an
   * array of them. An array is one source of its elements, unless every element can be read (arrays and bytes count as
   * messages).
   * @param options the sinks and the rest
   * @param handler is called with each message, or with each value that the pipe emits, and with the `args` of `stream()`
   * @returns the binding, with which the handler can be taken out again
   * @throws {TypeError} If an argument or an option is wrong; the error lists all problems, and nothing is bound.
   * @throws {Error} If the app is running.
   *
   * @example Several sinks
   * ```ts
   * import { Slipstream } from "@slipstream/slipstream";
   *
   * const app = new Slipstream();
   * const lines: string[] = [], { readable, writable } = new TransformStream<string>();
   * app.handle([1, 2, 3], { sink: [(line: string) => lines.push(line), writable] }, function* (n) {
   *   if (n % 2 === 1) yield `odd: ${n}`;
   * });
   * const [copies] = await Promise.all([Array.fromAsync(readable), app.stream()]);
   * console.assert(lines.join() === "odd: 1,odd: 3" && copies.join() === lines.join());
   * ```
   *
   * @example A pipe
   * ```ts
   * import { Slipstream } from "@slipstream/slipstream";
   *
   * const app = new Slipstream();
   * const seen: string[] = [];
   * const gunzip = () => new DecompressionStream("gzip");
   * const packed = ReadableStream.from([new TextEncoder().encode("fish")]).pipeThrough(new CompressionStream("gzip"));
   * app.handle(packed, { pipe: [gunzip, () => new TextDecoderStream()] }, (text) => void seen.push(text));
   * await app.stream();
   * console.assert(seen.join("") === "fish");
   * ```
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
   * Runs the handlers of the app until all sources have ended, everything is settled, and all is released.
   *
   * The run stops earlier when `signal` aborts, and, unless `handleSignals` is `false`, on SIGINT and SIGTERM: the sources
   * end, and what is in hand is finished and settled. A second signal exits the process at once.
   *
   * An app can run again after a run; it can't run twice at a time.
   *
   * @param parameters one object of options
   * @throws {HandlerError} If a codec, a stage, a handler or a sink fails, and `onError` is `"fail"`: the first such error.
   * It is thrown after the end of the run: the batches before the failure, and those that other sources have begun, are
   * settled and done.
   * @throws The error of a source that fails, as it is, in the same way.
   * @throws {TypeError} If an option is unknown or wrong; the error lists all problems, and nothing runs.
   * @throws {Error} If nothing is bound, the app is running, or the end takes longer than `shutdownTimeoutMs`.
   *
   * @example Stop a run
   * ```ts
   * import { Slipstream, timer } from "@slipstream/slipstream";
   *
   * const app = new Slipstream();
   * const enough = new AbortController();
   * let ticks = 0;
   * app.handle(timer(5), () => {
   *   if (++ticks === 3) enough.abort();
   * });
   * await app.stream({ signal: enough.signal });
   * console.assert(ticks === 3);
   * ```
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
      // Both are awaited; the error of the run comes before that of a hook.
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
   * Calls a function at the end of each run, whatever ended it: when everything is settled and released, before `stream()`
   * resolves or rejects.
   *
   * The app calls its hooks in the order in which they were added, and awaits each. A hook that fails does not keep the
   * later ones from being called; `stream()` rejects with the first error of a hook, unless the run itself has failed.
   * Hooks are not called when a second signal, or `shutdownTimeoutMs` after a signal, exits the process.
   *
   * @param hook is called without arguments, and awaited
   * @returns a function that removes the hook
   * @throws {TypeError} If the hook is not a function.
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
    if (typeof hook !== "function") throw new TypeError(`An exit hook must be a function: got ${describeValue(hook)}`);
    this.#exitHooks.add(hook);
    return () => void this.#exitHooks.delete(hook);
  }

  /** @throws the first error of a hook */
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
   * Pauses a source: its handlers get no more messages, from the next one on, until `resume()`. A source that is paused
   * before a run begins paused. A Topic stays in its group. A stop leaves the messages of a paused source unhandled.
   *
   * The source is told: the app calls its methods `pause` and `resume` if it has them, and passes `"pause"` and
   * `"resume"` to an async generator, as the value of the `yield` where it waits. What the generator yields next in answer is
   * a message, or nothing if it is `undefined`; so a generator that does not listen is asked for one message more, which
   * waits until `resume()`.
   *
   * @param source a source as `handle()` got it
   * @throws {TypeError} If no handler is bound to the source.
   */
  pause(source: AnySource): void {
    this.#checkBound(source);
    if (this.#paused.has(source)) return;
    this.#paused.add(source);
    this.#run?.pause(source as Source<unknown>);
  }

  /**
   * Resumes a source that was paused, at once. Does nothing if it is not paused.
   *
   * @param source a source as `handle()` got it
   * @throws {TypeError} If no handler is bound to the source.
   */
  resume(source: AnySource): void {
    this.#checkBound(source);
    if (this.#paused.delete(source)) this.#run?.resume(source as Source<unknown>);
  }

  #checkBound(source: unknown): void {
    if (this.#bindings.some(({ sources }) => sources.includes(source as never))) return;
    throw new TypeError(`Nothing is bound to this source: give the one that handle() got: ${describeValue(source)}`);
  }
}

const app = new Slipstream();

/**
 * Binds a handler to sources and sinks, in the default app; see `Slipstream.handle`.
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
 * Runs the handlers of the default app until all sources have ended; see `Slipstream.stream`.
 *
 * Handlers of the default app get `args` as `unknown`. For arguments with a type, make a `Slipstream<Args>`.
 *
 * @example
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const seen: number[] = [];
 * handle([1, 2], (n) => void seen.push(n));
 * await stream({ handleSignals: false });
 * console.assert(seen.join() === "1,2");
 * ```
 */
export const stream: (options?: StreamOptions) => Promise<void> = app.stream.bind(app);

/**
 * Pauses a source of the default app; see `Slipstream.pause`.
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

/** Calls a function at the end of each run of the default app; see `Slipstream.onExit`. */
export const onExit: (hook: () => unknown) => () => void = app.onExit.bind(app);

/** Resumes a source of the default app; see `Slipstream.resume`. */
export const resume: (source: AnySource) => void = app.resume.bind(app);
