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

/** Runs bindings until their sources have ended. */
export class Run {
  readonly #args: unknown;
  readonly #bySource = new Map<Source<unknown>, Step[]>();
  readonly #writers = new Map<Sink<unknown>, SinkWriter<unknown>>();
  readonly #readers = new Map<Source<unknown>, SourceReader<unknown>>();
  #failure: { readonly error: unknown } | undefined;
  #stopped = false;

  constructor(bindings: readonly Bound[], args: unknown) {
    this.#args = args;
    for (const bound of bindings) {
      const writers = bound.sinks.map((sink) => this.#writer(sink));
      for (const source of bound.sources) {
        const steps = this.#bySource.get(source) ?? [];
        steps.push({ bound, writers });
        this.#bySource.set(source, steps);
      }
    }
  }

  #writer(sink: Sink<unknown>): SinkWriter<unknown> {
    let writer = this.#writers.get(sink);
    if (writer === undefined) this.#writers.set(sink, writer = openAnySink(sink));
    return writer;
  }

  /** What was still going on, in words. */
  describe(): string {
    return [...this.#bySource.values()].flat().map(({ bound }) => bound.describe()).join("; ");
  }

  /** Lets all sources end; what is in flight goes on to its end. */
  stop(): void {
    this.#stopped = true;
    for (const reader of this.#readers.values()) reader.stop();
  }

  /**
   * Resolves when all sources have ended and everything is settled, done and released.
   *
   * @throws the first error, after the rest has ended in order
   */
  async toEnd(): Promise<void> {
    try {
      for (const source of this.#bySource.keys()) this.#readers.set(source, openAnySource(source));
      if (this.#stopped) this.stop();
      await Promise.all(
        [...this.#bySource].map(([source, steps]) => this.#readToEnd(this.#readers.get(source)!, steps)),
      );
    } catch (error) {
      this.#fail(error);
    }
    await this.#release([...this.#readers.values()].map((reader) => () => reader.close()));
    const reason = this.#failure?.error;
    await this.#release([...this.#writers.values()].map((writer) => async () => await writer.close(reason)));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #readToEnd(reader: SourceReader<unknown>, steps: readonly Step[]): Promise<void> {
    const writers = [...new Set(steps.flatMap((step) => step.writers))];
    const accept = new TransformStream<Batch<unknown>, Accepted>(
      {
        transform: async (batch, controller) => {
          // Another source has failed: what has not been begun is not begun any more, and not done.
          if (this.#failure !== undefined) return;
          await this.#acceptAll(batch, steps);
          controller.enqueue({ batch, settled: settleAll(writers) });
        },
      },
      { highWaterMark: 1 },
      { highWaterMark: UNSETTLED_BATCHES },
    );
    const settle = new WritableStream<Accepted>({
      write: async ({ batch, settled }) => {
        await settled;
        await batch.done();
      },
    }, { highWaterMark: 1 });
    try {
      await reader.batches.pipeThrough(accept, { preventCancel: false }).pipeTo(settle);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.stop();
  }

  /** Synchronous as long as handlers and sinks are: a promise a message would cost more than the message. */
  #acceptAll(batch: Batch<unknown>, steps: readonly Step[]): void | Promise<void> {
    const messages = batch.messages[Symbol.iterator]();
    const goOn = (): void | Promise<void> => {
      for (let next = messages.next(); !next.done; next = messages.next()) {
        if (this.#failure !== undefined) throw this.#failure.error;
        const later = this.#acceptOne(next.value, batch, steps, 0);
        if (later !== undefined) return later.then(goOn);
      }
    };
    return goOn();
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

  async #release(closings: readonly (() => Promise<void>)[]): Promise<void> {
    const outcomes = await Promise.allSettled(closings.map((close) => close()));
    for (const outcome of outcomes) if (outcome.status === "rejected") this.#failure ??= { error: outcome.reason };
  }
}

function handlerError(bound: Bound, batch: Batch<unknown>, value: unknown, cause: unknown): HandlerError {
  if (cause instanceof HandlerError) return cause;
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
function settleAll(writers: readonly SinkWriter<unknown>[]): void | Promise<unknown> {
  const pending: (Promise<void>)[] = [];
  for (const writer of writers) {
    const settled = writer.settle();
    if (settled !== undefined) pending.push(settled);
  }
  if (pending.length === 0) return;
  const all = Promise.all(pending);
  all.catch(() => {});
  return all;
}
