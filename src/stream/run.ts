/**
 * One run of an app's bindings: opens sources and sinks, runs a loop for each source, and closes everything at the end.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";
import type { ResolvedBinding } from "./binding.ts";
import { BoundHandler } from "./bound_handler.ts";
import { AT_LEAST_ONCE } from "./delivery_strategy.ts";
import { CLOSE_AFTER_FAILURE_MS, LINK_END_MS, RELEASE_MS } from "./limits.ts";
import { findLinks, type Links } from "./links.ts";
import type { SourceReader } from "../protocol/protocol.ts";
import { RunSinks } from "./run_sinks.ts";
import { SourceLoop } from "./source_loop.ts";
import { openAnySource, type Source } from "./sources.ts";
import type { WrapReader } from "./wrap_readers.ts";

/** The options of a `Run`. */
export interface RunOptions {
  /** The second parameter of every handler. */
  readonly args: unknown;
  /** Sources that begin paused. */
  readonly paused: ReadonlySet<unknown>;
  /** Gets each reader when it is opened; returns the one to read from. */
  readonly wrap: WrapReader;
  /** How long the end may take after a stop or a failure, in milliseconds. */
  readonly shutdownTimeoutMs: number;
}

/** Runs bindings until their sources have ended. */
export class Run {
  readonly #bindings: readonly ResolvedBinding[];
  readonly #options: RunOptions;
  readonly #sinks: RunSinks;
  readonly #handlers: BoundHandler[] = [];
  /** How many sources of a handler have not ended. */
  readonly #runningSources = new Map<BoundHandler, number>();
  readonly #readers = new Map<Source<unknown>, SourceReader<unknown>>();
  readonly #loops = new Map<Source<unknown>, SourceLoop>();
  #links: Links = new Map();
  /** Sources that have not ended, or are not closed. */
  readonly #openSources = new Set<Source<unknown>>();
  /** `"stopping"` from the stop or the first failure on; `"over"` when everything is closed or given up. */
  #state: "running" | "stopping" | "over" = "running";
  #failure: { readonly error: unknown } | undefined;
  /** Fires `shutdownTimeoutMs` after the stop: the run is given up. */
  readonly #deadline = new ResettableSignal();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(bindings: readonly ResolvedBinding[], options: RunOptions) {
    this.#bindings = bindings;
    this.#options = options;
    this.#sinks = new RunSinks(bindings, (error) => this.#fail(error));
  }

  /** Describes what is still running. */
  describe(): string {
    const running = this.#bindings.filter(({ sources }) => sources.some((source) => this.#openSources.has(source)));
    if (running.length === 0) return `closing of ${this.#sinks.size} sinks`;
    return running.map((binding) => binding.describe()).join("; ");
  }

  /** Stops all sources. Messages whose handling has begun are finished, within `shutdownTimeoutMs`. */
  stop(): void {
    if (this.#state === "running") {
      this.#state = "stopping";
      const { shutdownTimeoutMs } = this.#options;
      if (shutdownTimeoutMs <= LONGEST_TIMER_MS) this.#after(shutdownTimeoutMs, () => this.#deadline.fire());
    }
    this.#stopLoops();
  }

  /** Removes a handler from the run, and ends the sources that no other handler reads. */
  remove(binding: ResolvedBinding): void {
    for (const handler of this.#handlers) if (handler.binding === binding) handler.isRemoved = true;
    for (const loop of this.#loops.values()) if (loop.handlers.every(({ isRemoved }) => isRemoved)) loop.stop();
  }

  /** Hands over no messages of a source until it is resumed. */
  pause(source: Source<unknown>): void {
    this.#loops.get(source)?.pause();
  }

  /** Resumes a source. */
  resume(source: Source<unknown>): void {
    this.#loops.get(source)?.resume();
  }

  /**
   * Runs until all sources have ended, and everything is settled, done and closed.
   *
   * @throws The first failure, after the rest has ended in order.
   * @throws {Error} If the end takes longer than `shutdownTimeoutMs`.
   */
  async toEnd(): Promise<void> {
    try {
      this.#openAll();
      if (this.#state === "stopping") this.#stopLoops();
      const ended = Promise.all([...this.#loops].map(([source, loop]) => this.#runLoop(source, loop)));
      await this.#deadline.race(ended, undefined);
    } catch (error) {
      // A source or a sink can't be opened: those that were opened before it are closed.
      this.#fail(error);
    }
    if (this.#deadline.fired) this.#abandon();
    await this.#closeAll();
    this.#state = "over";
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #openAll(): void {
    const handlersBySource = this.#openHandlers();
    for (const source of handlersBySource.keys()) {
      this.#readers.set(source, this.#options.wrap(openAnySource(source)));
      this.#openSources.add(source);
    }
    for (const [source, handlers] of handlersBySource) {
      const loop = new SourceLoop({
        reader: this.#readers.get(source)!,
        handlers,
        strategy: AT_LEAST_ONCE,
        onFailure: (error) => this.#fail(error),
      });
      this.#loops.set(source, loop);
      if (this.#options.paused.has(source)) loop.pause();
    }
    this.#links = findLinks(this.#loops);
  }

  /** Makes a handler of each binding, and opens its sinks. */
  #openHandlers(): Map<Source<unknown>, BoundHandler[]> {
    const bySource = new Map<Source<unknown>, BoundHandler[]>();
    for (const binding of this.#bindings) {
      const sources = new Set(binding.sources);
      const handler = new BoundHandler(binding, {
        sinks: binding.sinks.map((sink) => this.#sinks.open(sink, sources.size)),
        deadLetters: this.#sinks.openDeadLetters(binding, sources.size),
        args: this.#options.args,
        sources: sources.size,
        onEnd: () => this.remove(binding),
      });
      this.#handlers.push(handler);
      this.#runningSources.set(handler, sources.size);
      for (const source of sources) {
        const handlers = bySource.get(source) ?? [];
        handlers.push(handler);
        bySource.set(source, handlers);
      }
    }
    return bySource;
  }

  /** Never rejects: an error becomes the failure of the run. */
  async #runLoop(source: Source<unknown>, loop: SourceLoop): Promise<void> {
    await loop.run();
    await this.#endPipes(loop);
    await this.#closeSource(source);
    await Promise.all(loop.handlers.map(({ binding, deadLetters }) => {
      return this.#sinks.release(binding, deadLetters, this.#reason());
    }));
    if (this.#state !== "running") this.#stopLoops();
  }

  /** Ends the pipes whose sources have all ended: they emit what they hold back, and it settles. */
  async #endPipes(loop: SourceLoop): Promise<void> {
    for (const handler of loop.handlers) {
      const running = this.#runningSources.get(handler)! - 1;
      this.#runningSources.set(handler, running);
      if (running > 0 || !handler.hasPipe) continue;
      await handler.endPipe(loop);
      // Its last values belong to the delivery of one of its sources, which may have ended before.
      for (const source of handler.binding.sources) await this.#loops.get(source)?.idle();
    }
  }

  /** Closes a source. After a failure, the run does not wait for a close that takes long, such as that of a group without a broker. */
  async #closeSource(source: Source<unknown>): Promise<void> {
    if (!this.#openSources.has(source)) return;
    try {
      const closing = this.#readers.get(source)!.close(this.#failure?.error);
      if (this.#failure === undefined) await closing;
      else {
        const over = new ResettableSignal();
        this.#after(CLOSE_AFTER_FAILURE_MS, () => over.fire());
        await over.race(closing, undefined);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#openSources.delete(source);
  }

  /** Why the run has failed, as sinks get it. An `undefined` that was thrown must not look like an end without a failure. */
  #reason(): unknown {
    return this.#failure && (this.#failure.error ?? new Error("the run failed without a reason"));
  }

  /** Stops the sources. A source that handlers of this run write to is stopped after these handlers have ended. */
  #stopLoops(): void {
    for (const [source, loop] of this.#loops) {
      if (loop.isStopped || !this.#openSources.has(source)) continue;
      const writers = this.#links.get(loop);
      if (writers === undefined) {
        loop.stop();
        continue;
      }
      for (const handler of loop.handlers) if (this.#isLinked(handler)) handler.runStopped();
      if ([...writers.keys()].some((writing) => this.#isOpen(writing))) continue;
      // If the link is certain, its stream is closed by now, and the source ends by itself after the last value.
      if (![...writers.values()].includes("certain")) this.#after(LINK_END_MS, () => loop.stop());
    }
  }

  /** Whether other handlers certainly write to every source of a handler. */
  #isLinked({ binding }: BoundHandler): boolean {
    return binding.sources.every((source) => {
      const writers = this.#links.get(this.#loops.get(source)!);
      return writers !== undefined && [...writers.values()].includes("certain");
    });
  }

  #isOpen(loop: SourceLoop): boolean {
    return [...this.#loops].some(([source, one]) => one === loop && this.#openSources.has(source));
  }

  #after(ms: number, act: () => void): void {
    // A stop may come while exit hooks run.
    if (this.#state === "over") return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.stop();
  }

  /** Gives the run up: no batch is done after that. */
  #abandon(): void {
    const { shutdownTimeoutMs } = this.#options;
    this.#failure ??= {
      error: new Error(
        `stream() did not end within ${shutdownTimeoutMs} ms after its stop (shutdownTimeoutMs): ${this.describe()}; ` +
          "sources that can begin again deliver in the next run what is not done",
      ),
    };
    for (const loop of this.#loops.values()) loop.abandon();
  }

  /** Closes the sources and sinks that are still open, and gives up if that takes too long. */
  async #closeAll(): Promise<void> {
    for (const handler of this.#handlers) handler.close();
    const closing = Promise.all([
      ...[...this.#openSources].map((source) => this.#closeSource(source)),
      this.#sinks.closeAll(this.#reason()),
    ]);
    const isOver = new ResettableSignal();
    this.#deadline.listen(() => this.#after(RELEASE_MS, () => isOver.fire()));
    if (await isOver.race(closing, undefined) === undefined) this.#abandon();
  }
}
