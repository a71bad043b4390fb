/**
 * One run of an app's bindings.
 *
 * @module
 */

import type { Bound } from "./binding.ts";
import { breath } from "./breath.ts";
import { Lane } from "./lane.ts";
import {
  type Batch,
  openDeadLetters,
  openSink,
  type RawMessage,
  type SinkWriter,
  type SourceReader,
} from "./protocol.ts";
import { inTurn, openAnySink, type Sink } from "./sinks.ts";
import { openAnySource, type Source } from "./sources.ts";
import { Step } from "./step.ts";

/** How many batches of a source may be accepted by the sinks and not settled yet. */
export const UNSETTLED_BATCHES = 32;

interface Accepted {
  readonly batch: Batch<unknown>;
  readonly settled: void | Promise<unknown>;
  /** How many of the messages, when not all. */
  readonly handled: number | undefined;
}

/** Runs bindings until their sources have ended. */
export class Run {
  readonly #args: unknown;
  readonly #paused: ReadonlySet<unknown>;
  readonly #bindings: readonly Bound[];
  readonly #writers = new Map<Sink<unknown>, SinkWriter<unknown>>();
  readonly #letters = new Map<unknown, SinkWriter<RawMessage>>();
  readonly #lanes = new Map<Source<unknown>, Lane>();
  readonly #steps: Step[] = [];
  /** Steps whose pipe goes on, and how many sources still feed it. */
  readonly #fed = new Map<Step, number>();
  readonly #readers = new Map<Source<unknown>, SourceReader<unknown>>();
  /** Sources that have not ended, or are not released. */
  readonly #open = new Set<Source<unknown>>();
  #failure: { readonly error: unknown } | undefined;
  #stopped = false;

  /** @param paused sources that begin paused */
  constructor(bindings: readonly Bound[], args: unknown, paused: ReadonlySet<unknown> = new Set()) {
    this.#bindings = bindings;
    this.#args = args;
    this.#paused = paused;
  }

  /** What is still going on, in words. */
  describe(): string {
    const going = this.#bindings.filter(({ sources }) => sources.some((source) => this.#open.has(source)));
    if (going.length === 0) return `closing of ${this.#writers.size} sinks`;
    return going.map((bound) => bound.describe()).join("; ");
  }

  /** Lets all sources end; what is in flight goes on to its end. */
  stop(): void {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) lane.stop();
    for (const reader of this.#readers.values()) {
      try {
        reader.stop();
      } catch (error) {
        this.#failure ??= { error };
      }
    }
  }

  /** Takes a handler out; a source that nobody else handles ends. */
  remove(bound: Bound): void {
    for (const step of this.#steps) if (step.bound === bound) step.removed = true;
    for (const [source, lane] of this.#lanes) {
      if (!lane.steps.every(({ removed }) => removed)) continue;
      lane.stop();
      this.#readers.get(source)?.stop();
    }
  }

  /** Hands on nothing more of a source. */
  pause(source: Source<unknown>): void {
    this.#lanes.get(source)?.pause();
    this.#readers.get(source)?.pause?.();
  }

  /** Goes on with a source. */
  resume(source: Source<unknown>): void {
    this.#readers.get(source)?.resume?.();
    this.#lanes.get(source)?.resume();
  }

  /**
   * Resolves when all sources have ended and everything is settled, done and released.
   *
   * @throws the first error, after the rest has ended in order
   */
  async toEnd(): Promise<void> {
    try {
      const bySource = this.#openSinks();
      for (const source of bySource.keys()) {
        this.#readers.set(source, openAnySource(source));
        this.#open.add(source);
      }
      for (const [source, steps] of bySource) {
        this.#lanes.set(source, new Lane(steps, (lane, error) => this.#failLane(lane, error)));
        if (this.#paused.has(source)) this.pause(source);
      }
      if (this.#stopped) this.stop();
      await Promise.all([...this.#lanes].map(([source, lane]) => this.#readToEnd(source, lane)));
    } catch (error) {
      // Something can't be opened: what was opened before it is released.
      this.#fail(error);
      await Promise.all([...this.#open].map((source) => this.#closeReader(source)));
    }
    // Sinks are closed only when no handler runs any more.
    await Promise.all(this.#steps.map(({ pool }) => pool?.idle()));
    // An error that is `undefined` is no orderly end.
    const reason = this.#failure && (this.#failure.error ?? new Error("The run failed without a reason"));
    const closings = [...this.#writers.values(), ...this.#letters.values()].map(async (writer) =>
      await writer.close(reason)
    );
    for (const outcome of await Promise.allSettled(closings)) {
      if (outcome.status === "rejected") this.#failure ??= { error: outcome.reason };
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Opens each sink once, however many handlers share it. */
  #openSinks(): Map<Source<unknown>, Step[]> {
    const bySource = new Map<Source<unknown>, Step[]>();
    for (const bound of this.#bindings) {
      const writers = bound.sinks.map((sink) => {
        const writer = this.#writers.get(sink) ?? this.#openSink(sink);
        this.#writers.set(sink, writer);
        return writer;
      });
      const step = new Step(bound, writers, this.#openLetters(bound), this.#args);
      this.#steps.push(step);
      const sources = new Set(bound.sources);
      this.#fed.set(step, sources.size);
      for (const source of sources) {
        const steps = bySource.get(source) ?? [];
        steps.push(step);
        bySource.set(source, steps);
      }
    }
    return bySource;
  }

  /** Functions answer each value by itself; whatever else is written to by several at once is written to in turn. */
  #openSink(sink: Sink<unknown>): SinkWriter<unknown> {
    const writer = openAnySink(sink);
    if (typeof sink === "function" && !(openSink in sink)) return writer;
    const writing = this.#bindings.filter(({ sinks }) => sinks.includes(sink));
    const alone = writing.length === 1 && writing[0]!.sources.length === 1 && writing[0]!.concurrency === 1;
    return alone ? writer : inTurn(writer);
  }

  #openLetters({ onError }: Bound): SinkWriter<RawMessage> | undefined {
    if (typeof onError !== "object") return undefined;
    const writer = this.#letters.get(onError) ?? inTurn(onError[openDeadLetters]());
    this.#letters.set(onError, writer);
    return writer;
  }

  /** Never rejects: what fails is the run's failure. */
  async #readToEnd(source: Source<unknown>, lane: Lane): Promise<void> {
    const accept = new TransformStream<Batch<unknown>, Accepted>(
      {
        transform: async (batch, controller) => {
          // Something has failed: what has not been begun is not begun any more, and not done.
          if (this.#failure !== undefined || lane.left) return;
          // A batch of one message is over before its lane looks at the clock.
          const turn = breath();
          if (turn !== undefined) await turn;
          const context = lane.context(batch);
          try {
            const handled = await lane.accept(context);
            if (lane.failed) return;
            // Nothing of it: stopped while the source was paused.
            if (handled !== 0) controller.enqueue({ batch, settled: lane.settle(context), handled });
          } catch (error) {
            this.#failLane(lane, error);
            // What the batch did emit gets its chance; the first error is the one that is told.
            await Promise.resolve(lane.settle(context)).catch(() => {});
            // Not an error of the stream, which would drop the batches before it that are on their way to be done.
            controller.terminate();
          }
        },
      },
      { highWaterMark: 1 },
      // One more is in the hands of what settles. A batch may be one message: then it takes as many as run side by side.
      { highWaterMark: Math.max(UNSETTLED_BATCHES, ...lane.steps.map(({ bound }) => bound.concurrency)) - 1 },
    );
    const settle = new WritableStream<Accepted>({
      write: async ({ batch, settled, handled }) => {
        try {
          await settled;
          await batch.done(handled);
        } catch (error) {
          this.#failLane(lane, error);
          throw error;
        }
      },
    }, { highWaterMark: 1 });
    // Of the two pipes each is awaited to its end: no handler runs when the sinks are closed.
    const reading = this.#readers.get(source)!.batches.pipeTo(accept.writable, { preventAbort: true });
    await Promise.all([
      reading.catch(async (error) => {
        if (lane.failed) return;
        // The source's own error. What was read before it is settled and done.
        this.#fail(error);
        await accept.writable.close();
      }).catch((error) => this.#fail(error)),
      accept.readable.pipeTo(settle).catch((error) => this.#failLane(lane, error)),
    ]);
    await this.#endPipes(lane);
    await this.#closeReader(source);
  }

  /** Lets pipes that no source feeds any more emit what they hold back, and settles it. */
  async #endPipes(lane: Lane): Promise<void> {
    for (const step of lane.steps) {
      const left = this.#fed.get(step)! - 1;
      this.#fed.set(step, left);
      if (left > 0 || step.bound.pipe.length === 0) continue;
      const context = lane.context(undefined);
      try {
        await step.end(context);
        await lane.settle(context);
      } catch (error) {
        this.#failLane(lane, error);
      }
    }
  }

  async #closeReader(source: Source<unknown>): Promise<void> {
    try {
      await this.#readers.get(source)!.close(this.#failure?.error);
    } catch (error) {
      this.#fail(error);
    }
    this.#open.delete(source);
  }

  #failLane(lane: Lane, error: unknown): void {
    lane.failed = true;
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.stop();
  }
}
