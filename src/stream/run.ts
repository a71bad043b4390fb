/**
 * One run of an app's bindings.
 *
 * @module
 */

import type { Bound } from "./binding.ts";
import { BoundHandler } from "./bound_handler.ts";
import { AT_LEAST_ONCE } from "./delivery.ts";
import { findFeeders, type Link } from "./feeders.ts";
import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";
import { openDeadLetters, openSink, type RawMessage, type SinkWriter, type SourceReader } from "./protocol.ts";
import { inTurn, openAnySink, type OpenSink, type Sink } from "./sinks.ts";
import { SourceLoop } from "./source_loop.ts";
import { openAnySource, type Source } from "./sources.ts";
import type { WrapReader } from "./wrap_readers.ts";

/** How long sinks and sources may take to close after the time for the end is over, in milliseconds. */
const RELEASE_MS = 1000;
/** How long a source may take to close after a failure, in milliseconds. */
const FAILED_CLOSE_MS = 5000;
/** At a stop, how long a stream that a handler may write to has to end by itself, in milliseconds. */
const FED_END_MS = 1000;

/** The options of a `Run`. */
export interface RunOptions {
  /** The second parameter of every handler. */
  readonly args: unknown;
  /** Sources that begin paused. */
  readonly paused: ReadonlySet<unknown>;
  /** Gets each reader when it is opened; returns the one to read from. */
  readonly wrap: WrapReader;
  /** How long the end may take after a stop or a failure, in milliseconds. */
  readonly endTimeoutMs: number;
}

/** A sink, or a Topic for dead letters, and how many sources still send values to it. */
interface Fed {
  readonly writer: SinkWriter<never>;
  sources: number;
}

/** Runs bindings until their sources have ended. */
export class Run {
  readonly #bindings: readonly Bound[];
  readonly #options: RunOptions;
  readonly #sinks = new Map<Sink<unknown>, OpenSink>();
  readonly #letters = new Map<unknown, SinkWriter<RawMessage>>();
  readonly #fed = new Map<unknown, Fed>();
  readonly #loops = new Map<Source<unknown>, SourceLoop>();
  /** For each loop whose source is written to by handlers of this run: the loops of these handlers. */
  #feeders: ReadonlyMap<SourceLoop, ReadonlyMap<SourceLoop, Link>> = new Map();
  readonly #handlers: BoundHandler[] = [];
  /** How many sources of a handler have not ended. */
  readonly #feeding = new Map<BoundHandler, number>();
  readonly #readers = new Map<Source<unknown>, SourceReader<unknown>>();
  /** Sources that have not ended, or are not released. */
  readonly #open = new Set<Source<unknown>>();
  #failure: { readonly error: unknown } | undefined;
  #stopped = false;
  #isOver = false;
  /** Happens when the time for the end is over. */
  readonly #late = new ResettableSignal();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(bindings: readonly Bound[], options: RunOptions) {
    this.#bindings = bindings;
    this.#options = options;
  }

  /** Describes what is still running. */
  describe(): string {
    const going = this.#bindings.filter(({ sources }) => sources.some((source) => this.#open.has(source)));
    if (going.length === 0) return `closing of ${this.#sinks.size} sinks`;
    return going.map((bound) => bound.describe()).join("; ");
  }

  /** Stops all sources. What is in hand is finished, within the time for the end. */
  stop(): void {
    if (!this.#stopped) {
      this.#stopped = true;
      const { endTimeoutMs } = this.#options;
      if (endTimeoutMs <= LONGEST_TIMER_MS) this.#after(endTimeoutMs, () => this.#late.fire());
    }
    this.#stopLoops();
  }

  /** Takes a handler out of the run, and ends the sources that no other handler reads. */
  remove(bound: Bound): void {
    for (const handler of this.#handlers) if (handler.bound === bound) handler.removed = true;
    for (const loop of this.#loops.values()) if (loop.handlers.every(({ removed }) => removed)) loop.stop();
  }

  /** Stops handling messages of a source until it is resumed. */
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
   * @throws The first error, after the rest has ended in order.
   * @throws {Error} If the end takes longer than it may.
   */
  async toEnd(): Promise<void> {
    try {
      this.#openAll();
      if (this.#stopped) this.#stopLoops();
      const ended = Promise.all([...this.#loops].map(([source, loop]) => this.#runLoop(source, loop)));
      await this.#late.race(ended, undefined);
    } catch (error) {
      // A source or a sink can't be opened: those that were opened before it are closed.
      this.#fail(error);
    }
    if (this.#late.fired) this.#abandon();
    await this.#releaseAll();
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #openAll(): void {
    const bySource = this.#openSinks();
    for (const source of bySource.keys()) {
      this.#readers.set(source, this.#options.wrap(openAnySource(source)));
      this.#open.add(source);
    }
    for (const [source, handlers] of bySource) {
      const loop = new SourceLoop({
        reader: this.#readers.get(source)!,
        handlers,
        strategy: AT_LEAST_ONCE,
        onFailure: (error) => this.#fail(error),
      });
      this.#loops.set(source, loop);
      if (this.#options.paused.has(source)) loop.pause();
    }
    this.#feeders = findFeeders(this.#loops);
  }

  /** Opens each sink once, however many handlers share it. */
  #openSinks(): Map<Source<unknown>, BoundHandler[]> {
    const bySource = new Map<Source<unknown>, BoundHandler[]>();
    for (const bound of this.#bindings) {
      const sources = new Set(bound.sources);
      const handler = new BoundHandler(bound, {
        sinks: bound.sinks.map((sink) => this.#openSink(sink, sources.size)),
        letters: this.#openLetters(bound, sources.size),
        args: this.#options.args,
        sources: sources.size,
        onEnd: () => this.remove(bound),
      });
      this.#handlers.push(handler);
      this.#feeding.set(handler, sources.size);
      for (const source of sources) {
        const handlers = bySource.get(source) ?? [];
        handlers.push(handler);
        bySource.set(source, handlers);
      }
    }
    return bySource;
  }

  /** A function may be called by several handlers at once; other sinks accept one value after the other. */
  #openSink(sink: Sink<unknown>, sources: number): OpenSink {
    const known = this.#sinks.get(sink);
    if (known !== undefined) {
      this.#fed.get(sink)!.sources += sources;
      return known;
    }
    let open = openAnySink(sink);
    if (typeof sink !== "function" || openSink in sink) {
      const writing = this.#bindings.filter(({ sinks }) => sinks.includes(sink));
      const isAlone = writing.length === 1 && writing[0]!.sources.length === 1 && writing[0]!.concurrency === 1 &&
        writing[0]!.pipe.length === 0;
      if (!isAlone) open = { ...open, writer: inTurn(open.writer) };
    }
    this.#sinks.set(sink, open);
    this.#fed.set(sink, { writer: open.writer, sources });
    return open;
  }

  #openLetters({ onError }: Bound, sources: number): SinkWriter<RawMessage> | undefined {
    if (typeof onError !== "object") return undefined;
    let letters = this.#letters.get(onError);
    if (letters === undefined) {
      this.#letters.set(onError, letters = inTurn(onError[openDeadLetters]()));
      this.#fed.set(letters, { writer: letters, sources: 0 });
    }
    this.#fed.get(letters)!.sources += sources;
    return letters;
  }

  /** Never rejects: an error becomes the failure of the run. */
  async #runLoop(source: Source<unknown>, loop: SourceLoop): Promise<void> {
    await loop.run();
    await this.#endPipes(loop);
    await this.#closeReader(source);
    await this.#releaseFed(loop);
    if (this.#stopped) this.#stopLoops();
  }

  /** Ends the pipes whose sources have all ended: they emit what they hold back, and it settles. */
  async #endPipes(loop: SourceLoop): Promise<void> {
    for (const handler of loop.handlers) {
      const left = this.#feeding.get(handler)! - 1;
      this.#feeding.set(handler, left);
      if (left > 0 || !handler.hasPipe) continue;
      await handler.endPipe(loop);
      // Its last values belong to the delivery of one of its sources, which may have ended before.
      for (const source of handler.bound.sources) await this.#loops.get(source)?.idle();
    }
  }

  /** Closes a source. After a failure, one that takes long, such as a group without a broker, does not hold up the end. */
  async #closeReader(source: Source<unknown>): Promise<void> {
    if (!this.#open.has(source)) return;
    try {
      const closing = this.#readers.get(source)!.close(this.#failure?.error);
      if (this.#failure === undefined) await closing;
      else {
        const over = new ResettableSignal();
        this.#after(FAILED_CLOSE_MS, () => over.fire());
        await over.race(closing, undefined);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#open.delete(source);
  }

  /** Closes the sinks to which no source sends values any more: another source of the run may read from one of them. */
  async #releaseFed(loop: SourceLoop): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const { bound, letters } of loop.handlers) {
      for (const sink of letters === undefined ? bound.sinks : [...bound.sinks, letters]) {
        const fed = this.#fed.get(sink)!;
        if (--fed.sources === 0) closing.push(this.#close(sink));
      }
    }
    await Promise.all(closing);
  }

  async #close(sink: unknown): Promise<void> {
    const fed = this.#fed.get(sink);
    if (fed === undefined) return;
    this.#fed.delete(sink);
    try {
      // `undefined` can be thrown too, and must not look like an end without a failure.
      await fed.writer.close(this.#failure && (this.#failure.error ?? new Error("The run failed without a reason")));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stops the sources. A source that handlers of this run write to is stopped after these handlers have ended. */
  #stopLoops(): void {
    for (const [source, loop] of this.#loops) {
      if (loop.stopped || !this.#open.has(source)) continue;
      const feeders = this.#feeders.get(loop);
      if (feeders === undefined) {
        loop.stop();
        continue;
      }
      for (const handler of loop.handlers) if (this.#isFed(handler)) handler.runStopped();
      if ([...feeders.keys()].some((feeder) => this.#isOpen(feeder))) continue;
      // If the handlers did write to it, its stream is closed by now, and it ends by itself after the last value.
      if (![...feeders.values()].includes("certain")) this.#after(FED_END_MS, () => loop.stop());
    }
  }

  /** Whether other handlers certainly write to every source of a handler. */
  #isFed({ bound }: BoundHandler): boolean {
    return bound.sources.every((source) => {
      const feeders = this.#feeders.get(this.#loops.get(source)!);
      return feeders !== undefined && [...feeders.values()].includes("certain");
    });
  }

  #isOpen(loop: SourceLoop): boolean {
    return [...this.#loops].some(([source, one]) => one === loop && this.#open.has(source));
  }

  #after(ms: number, act: () => void): void {
    // A stop may come while exit hooks run.
    if (this.#isOver) return;
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

  /** Gives up when the time for the end is over: no batch is done after that. */
  #abandon(): void {
    const { endTimeoutMs } = this.#options;
    this.#failure ??= {
      error: new Error(
        `stream() did not end within ${endTimeoutMs} ms after its stop (shutdownTimeoutMs): ${this.describe()}; ` +
          "what was not done is read again by sources that can begin again",
      ),
    };
    for (const loop of this.#loops.values()) loop.abandon();
  }

  /** Closes the sources and sinks that are still open. */
  async #releaseAll(): Promise<void> {
    for (const handler of this.#handlers) handler.close();
    const releasing = Promise.all([
      ...[...this.#open].map((source) => this.#closeReader(source)),
      ...[...this.#fed.keys()].map((sink) => this.#close(sink)),
    ]);
    const over = new ResettableSignal();
    this.#late.listen(() => this.#after(RELEASE_MS, () => over.fire()));
    if (await over.race(releasing, undefined) === undefined) this.#abandon();
  }
}
