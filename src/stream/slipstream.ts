/**
 * Apps: `handle()` binds handlers, `stream()` runs them. The functions of the default app are in `default_app.ts`.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems } from "../options/problems.ts";
import { bind, type Binding, type ResolvedBinding } from "./binding.ts";
import type { HandleOptions } from "./handle_options.ts";
import type { Handler } from "./handler.ts";
import type { Pipe } from "./pipe.ts";
import { Run } from "./run.ts";
import { onShutdown } from "./shutdown.ts";
import type { AcceptedBy, AnySink } from "./sinks.ts";
import type { AnySource, Messages, Source } from "./sources.ts";
import { checkStreamOptions, DEFAULTS, type StreamParameters } from "./stream_options.ts";
import { readerWrapper } from "./wrap_readers.ts";

/**
 * An app: `handle()` binds handlers to sources and sinks, and `stream()` runs all of them.
 *
 * Apps share nothing with each other. The functions `handle()`, `stream()`, `pause()`, `resume()` and `onExit()` belong to
 * one default app.
 *
 * - **Order**: an app handles the messages of a source one after the other. For each message, the handlers of the source run
 *   in the order of binding, and every sink accepts what they emit before the next message is handled. Different sources
 *   run side by side.
 * - **Delivery**: at least once, for sources that can begin again where they were, such as a Topic with a consumer group. A
 *   batch of messages is done when the sinks have settled everything that its handlers emitted; a Topic stores the offsets
 *   of a batch then, and not before. What was handled and not done when a process crashes is handled again.
 * - **Errors**: the option `retry` tries again, then the option `onError` decides: the run fails (the default), the message
 *   is skipped, it goes to a Topic as a dead letter, or a function decides.
 * - **Concurrency**: with the option `concurrency`, a handler works on several messages at a time, and on those of one key in
 *   order.
 * - **Backpressure**: a slow handler or sink slows its sources. The app reads no further while 32 batches of a source (or
 *   as many as `concurrency`, if that is more), or 64 MiB of a Topic's messages, are not done.
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
  readonly #bindings: ResolvedBinding[] = [];
  readonly #paused = new Set<unknown>();
  readonly #exitHooks = new Set<() => unknown>();
  #isRunning = false;
  #run: Run | undefined;

  /**
   * Creates an app without handlers.
   *
   * @throws {TypeError} If it is called with options: an app has none.
   */
  constructor(...options: never[]) {
    if (options.length > 0) {
      assertNoProblems("new Slipstream()", ["it takes no options: those of handle() and stream() apply"]);
    }
  }

  /**
   * Binds a handler to a source, or to several. The next `stream()` runs it. What the handler emits is dropped.
   *
   * @param source an iterable, an async iterable, a ReadableStream, an object with `.readable`, a Topic or a Cache; or an
   * array of them. An array whose elements are all sources stands for each of them; any other array is one source of its
   * elements. (Arrays and bytes in an array count as messages.)
   * @param handler is called with each message, and with the `args` of `stream()`; it may be asynchronous
   * @returns the binding; its `stop()` removes the handler
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
   * array of them. An array whose elements are all sources stands for each of them; any other array is one source of its
   * elements. (Arrays and bytes in an array count as messages.)
   * @param options the sinks and the rest
   * @param handler is called with each message, or with each value that the pipe emits, and with the `args` of `stream()`
   * @returns the binding; its `stop()` removes the handler
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
    if (this.#isRunning) throw new Error("handle() can't bind while stream() runs: call it before");
    const binding = bind(source, second, third, (binding) => this.#remove(binding));
    this.#bindings.push(binding);
    return binding;
  }

  /**
   * Runs the handlers of the app until all sources have ended, the sinks have settled everything, and both are closed.
   *
   * The run stops earlier when `signal` aborts, and, unless `handleSignals` is `false`, on SIGINT and SIGTERM: the sources
   * end, and messages whose handling has begun are finished and settled. A second SIGINT or SIGTERM exits the process at once.
   *
   * An app can run again after a run, but not twice at a time.
   *
   * @param parameters one object of options
   * @throws {HandlerError} If a codec, a stage, a handler or a sink fails, and `onError` is `"fail"`: the first such error.
   * `stream()` rejects with it after the end of the run: the batches before the failure, and the messages that handlers
   * of other sources have begun, are settled and done.
   * @throws The error of a source that fails, unchanged, in the same way.
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
    const options = checkStreamOptions(parameters);
    const { handleSignals = DEFAULTS.handleSignals, shutdownTimeoutMs = DEFAULTS.shutdownTimeoutMs } = options;
    const { args, signal } = options;
    if (this.#bindings.length === 0) throw new Error("stream() has nothing to run: bind a handler with handle() first");
    if (this.#isRunning) throw new Error("stream() runs already: await it before the next call");
    this.#isRunning = true;
    let removeListeners = () => {};
    try {
      const run = this.#run = new Run([...this.#bindings], {
        args,
        paused: this.#paused,
        wrap: readerWrapper(options),
        shutdownTimeoutMs,
      });
      const stop = () => run.stop();
      if (handleSignals) {
        removeListeners = onShutdown({
          timeoutMs: shutdownTimeoutMs,
          stop,
          describe: () => run.describe(),
        });
      }
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const ended = run.toEnd().finally(() => signal?.removeEventListener("abort", stop));
      const hooked = ended.catch(() => {}).then(() => this.#callExitHooks());
      // Both are awaited; the error of the run comes before that of a hook.
      for (const outcome of await Promise.allSettled([ended, hooked])) {
        if (outcome.status === "rejected") throw outcome.reason;
      }
    } finally {
      removeListeners();
      this.#isRunning = false;
      this.#run = undefined;
    }
  }

  /**
   * Calls a function at the end of each run, whether it succeeded or failed: when sources and sinks are closed, before
   * `stream()` resolves or rejects.
   *
   * The app calls its hooks in the order in which they were added, and awaits each. A hook that fails does not keep the
   * later ones from being called; `stream()` rejects with the first error of a hook, unless the run itself has failed.
   * The app calls no hooks when a second SIGINT or SIGTERM, or `shutdownTimeoutMs` after the first, exits the process.
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
    if (typeof hook !== "function") {
      throw new TypeError(`onExit(): the hook must be a function: got ${describeValue(hook)}`);
    }
    this.#exitHooks.add(hook);
    return () => void this.#exitHooks.delete(hook);
  }

  /** @throws The first error of a hook, after all of them were called. */
  async #callExitHooks(): Promise<void> {
    const errors: unknown[] = [];
    for (const hook of [...this.#exitHooks]) {
      try {
        await hook();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #remove(binding: ResolvedBinding): void {
    const index = this.#bindings.indexOf(binding);
    if (index < 0) return;
    this.#bindings.splice(index, 1);
    this.#run?.remove(binding);
  }

  /**
   * Pauses a source: the app hands no further message of it to handlers until `resume()` is called. Messages that handlers
   * have begun, and messages that wait for their key (`concurrency`), are still handled.
   *
   * The pause lasts until `resume()`, also into the next run. It can be set before `stream()`. When a run stops, it does not
   * handle the remaining messages of a paused source.
   *
   * The app tells the source about the pause where it can:
   *
   * - a `BatchSource`: it calls `SourceReader.pause` and `SourceReader.resume`, if the reader has them. The reader of a Topic
   *   has not: the Topic stays a member of its consumer group, and pauses its partitions when nobody asks for messages;
   * - an async generator that has begun: its pending `yield` returns `"pause"` or `"resume"`. If the generator then yields a
   *   value other than `undefined`, that value is a message, and waits until `resume()`;
   * - any other iterable: it calls the methods `pause` and `resume` of the object, if they exist;
   * - a ReadableStream, or an object with `.readable`: it is not told.
   *
   * @param source the same object that was passed to `handle()`
   * @throws {TypeError} If no handler is bound to the source.
   */
  pause(source: AnySource): void {
    this.#checkBound(source, "pause()");
    if (this.#paused.has(source)) return;
    this.#paused.add(source);
    this.#run?.pause(source as Source<unknown>);
  }

  /**
   * Resumes a source that is paused. Does nothing if it is not.
   *
   * @param source the same object that was passed to `handle()`
   * @throws {TypeError} If no handler is bound to the source.
   */
  resume(source: AnySource): void {
    this.#checkBound(source, "resume()");
    if (this.#paused.delete(source)) this.#run?.resume(source as Source<unknown>);
  }

  #checkBound(source: unknown, where: string): void {
    if (this.#bindings.some(({ sources }) => sources.includes(source as never))) return;
    const got = describeValue(source);
    throw new TypeError(
      `${where}: no handler is bound to this source (${got}): pass the same object that was passed to handle()`,
    );
  }
}
