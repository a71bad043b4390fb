/**
 * One run of an app's bindings.
 *
 * @module
 */

import type { Bound } from "./binding.ts";
import { emitAll } from "./handler.ts";
import { HandlerError } from "./handler_error.ts";
import type { Batch, SinkWriter, SourceReader } from "./protocol.ts";
import { openAnySink, type Sink } from "./sinks.ts";
import { openAnySource, type Source } from "./sources.ts";

/** How many batches of a source may be accepted by the sinks and not settled yet. */
export const UNSETTLED_BATCHES = 32;

interface Accepted {
  readonly batch: Batch<unknown>;
  readonly settled: void | Promise<unknown>;
}

interface Step {
  readonly bound: Bound;
  readonly writers: readonly SinkWriter<unknown>[];
}

/** One source on its way through its handlers. */
interface Lane {
  readonly steps: readonly Step[];
  /** The writers behind the steps, each once, and the handler that is named when one can't settle. */
  readonly writers: ReadonlyMap<SinkWriter<unknown>, string>;
  /** Nothing of the lane is done any more. */
  failed: boolean;
}

/** Runs bindings until their sources have ended. */
export class Run {
  readonly #args: unknown;
  readonly #bindings: readonly Bound[];
  readonly #writers = new Map<Sink<unknown>, SinkWriter<unknown>>();
  readonly #readers = new Map<Source<unknown>, SourceReader<unknown>>();
  /** Sources that have not ended, or are not released. */
  readonly #open = new Set<Source<unknown>>();
  #failure: { readonly error: unknown } | undefined;
  #stopped = false;

  constructor(bindings: readonly Bound[], args: unknown) {
    this.#bindings = bindings;
    this.#args = args;
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
    for (const reader of this.#readers.values()) {
      try {
        reader.stop();
      } catch (error) {
        this.#failure ??= { error };
      }
    }
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
      if (this.#stopped) this.stop();
      await Promise.all([...bySource].map(([source, steps]) => this.#readToEnd(source, steps)));
    } catch (error) {
      // Something can't be opened: what was opened before it is released.
      this.#fail(error);
      await Promise.all([...this.#open].map((source) => this.#closeReader(source)));
    }
    // An error that is `undefined` is no orderly end.
    const reason = this.#failure && (this.#failure.error ?? new Error("The run failed without a reason"));
    const closings = [...this.#writers.values()].map(async (writer) => await writer.close(reason));
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
        const writer = this.#writers.get(sink) ?? openAnySink(sink);
        this.#writers.set(sink, writer);
        return writer;
      });
      for (const source of bound.sources) {
        const steps = bySource.get(source) ?? [];
        steps.push({ bound, writers });
        bySource.set(source, steps);
      }
    }
    return bySource;
  }

  /** Never rejects: what fails is the run's failure. */
  async #readToEnd(source: Source<unknown>, steps: readonly Step[]): Promise<void> {
    const writers = new Map<SinkWriter<unknown>, string>();
    for (const { bound, writers: its } of steps) {
      for (const writer of its) if (!writers.has(writer)) writers.set(writer, bound.name);
    }
    const lane: Lane = { steps, writers, failed: false };
    const accept = new TransformStream<Batch<unknown>, Accepted>(
      {
        transform: async (batch, controller) => {
          // Something has failed: what has not been begun is not begun any more, and not done.
          if (this.#failure !== undefined) return;
          try {
            await this.#acceptAll(batch, lane);
            if (lane.failed) return;
            controller.enqueue({ batch, settled: settleAll(lane.writers) });
          } catch (error) {
            this.#failLane(lane, error);
            // What the batch did emit gets its chance; the first error is the one that is told.
            await Promise.resolve(settleAll(lane.writers)).catch(() => {});
            // Not an error of the stream, which would drop the batches before it that are on their way to be done.
            controller.terminate();
          }
        },
      },
      { highWaterMark: 1 },
      // One more is in the hands of what settles.
      { highWaterMark: UNSETTLED_BATCHES - 1 },
    );
    const settle = new WritableStream<Accepted>({
      write: async ({ batch, settled }) => {
        try {
          await settled;
          await batch.done();
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
    await this.#closeReader(source);
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

  /** Synchronous as long as handlers and sinks are: a promise a message would cost more than the message. */
  #acceptAll(batch: Batch<unknown>, lane: Lane): void | Promise<void> {
    const messages = batch.messages[Symbol.iterator]();
    try {
      for (let next = messages.next(); !next.done; next = messages.next()) {
        const later = this.#acceptOne(next.value, batch, lane.steps, 0);
        if (later !== undefined) return this.#acceptLater(messages, later, batch, lane);
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
  }

  /** A loop, not promises that wait for the next one: the chain would be as long as the batch. */
  async #acceptLater(
    messages: Iterator<unknown>,
    later: Promise<void>,
    batch: Batch<unknown>,
    lane: Lane,
  ): Promise<void> {
    try {
      await later;
      for (let next = messages.next(); !next.done; next = messages.next()) {
        // An earlier batch has failed to settle meanwhile: this one will never be done.
        if (lane.failed) break;
        const later = this.#acceptOne(next.value, batch, lane.steps, 0);
        if (later !== undefined) await later;
      }
    } catch (error) {
      messages.return?.();
      throw error;
    }
    if (lane.failed) messages.return?.();
  }

  #acceptOne(message: unknown, batch: Batch<unknown>, steps: readonly Step[], from: number): void | Promise<void> {
    for (let index = from; index < steps.length; index++) {
      const { bound, writers } = steps[index]!;
      try {
        const later = emitAll(bound.handler(message, this.#args), (value) => emitTo(writers, value));
        if (later !== undefined) {
          return later.then(
            () => this.#acceptOne(message, batch, steps, index + 1),
            (error) => Promise.reject(handlerError(bound, batch, message, error)),
          );
        }
      } catch (error) {
        throw handlerError(bound, batch, message, error);
      }
    }
  }
}

function handlerError(bound: Bound, batch: Batch<unknown>, value: unknown, cause: unknown): HandlerError {
  const source = batch.describe?.(value);
  return new HandlerError({ handler: bound.name, value, cause, ...(source === undefined ? {} : { source }) });
}

function emitTo(writers: readonly SinkWriter<unknown>[], value: unknown): void | Promise<void> {
  for (let index = 0; index < writers.length; index++) {
    const later = writers[index]!.accept(value);
    if (later !== undefined) return later.then(() => emitTo(writers.slice(index + 1), value));
  }
}

/** A promise only when a sink needs one. It is awaited later; a rejection until then is not an unhandled one. */
function settleAll(writers: Lane["writers"]): void | Promise<unknown> {
  const pending: Promise<void>[] = [];
  for (const [writer, handler] of writers) {
    const failed = (cause: unknown) => Promise.reject(new HandlerError({ handler, value: undefined, cause }));
    try {
      const settled = writer.settle();
      if (settled !== undefined) pending.push(settled.then(undefined, failed));
    } catch (error) {
      pending.push(failed(error));
    }
  }
  if (pending.length === 0) return;
  const all = Promise.all(pending);
  all.catch(() => {});
  return all;
}
