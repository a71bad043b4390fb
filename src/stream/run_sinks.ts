/**
 * The sinks of a run: each is opened once, and closed when no source feeds it any more.
 *
 * @module
 */

import type { ResolvedBinding } from "./binding.ts";
import { openDeadLetters, openSink, type RawMessage, type SinkWriter } from "../protocol/protocol.ts";
import { serializedWriter } from "./serialized_writer.ts";
import { openAnySink, type OpenSink, type Sink } from "./sinks.ts";

/** The writer of a sink, or of a sink for dead letters, and how many sources still send values to it. */
interface SharedWriter {
  readonly writer: SinkWriter<never>;
  sources: number;
}

/** The sinks of a run, and those for dead letters, which its handlers share. */
export class RunSinks {
  readonly #bindings: readonly ResolvedBinding[];
  readonly #onFailure: (error: unknown) => void;
  readonly #sinks = new Map<Sink<unknown>, OpenSink>();
  readonly #deadLetters = new Map<unknown, SinkWriter<RawMessage>>();
  /** What is not closed yet: by sink, or by writer for dead letters. */
  readonly #shared = new Map<unknown, SharedWriter>();

  /** @param onFailure receives the error of a sink that can't be closed */
  constructor(bindings: readonly ResolvedBinding[], onFailure: (error: unknown) => void) {
    this.#bindings = bindings;
    this.#onFailure = onFailure;
  }

  /** How many sinks were opened, those for dead letters aside. */
  get size(): number {
    return this.#sinks.size;
  }

  /**
   * Opens a sink for a handler, unless another handler of the run has opened it.
   *
   * @param sources how many sources the handler has
   */
  open(sink: Sink<unknown>, sources: number): OpenSink {
    const known = this.#sinks.get(sink);
    if (known !== undefined) {
      this.#shared.get(sink)!.sources += sources;
      return known;
    }
    let open = openAnySink(sink);
    if (!this.#isWrittenByOne(sink)) open = { ...open, writer: serializedWriter(open.writer) };
    this.#sinks.set(sink, open);
    this.#shared.set(sink, { writer: open.writer, sources });
    return open;
  }

  /** Whether the values of a sink come one after the other by themselves; or in any order, for a function. */
  #isWrittenByOne(sink: Sink<unknown>): boolean {
    if (typeof sink === "function" && !(openSink in sink)) return true;
    const [binding, ...others] = this.#bindings.filter(({ sinks }) => sinks.includes(sink));
    const { sources, concurrency, pipe } = binding!;
    return others.length === 0 && sources.length === 1 && concurrency === 1 && pipe.length === 0;
  }

  /**
   * Opens the sink for dead letters of a handler, unless another handler of the run has opened it.
   *
   * @returns `undefined` if its policy is another one
   */
  openDeadLetters({ onError }: ResolvedBinding, sources: number): SinkWriter<RawMessage> | undefined {
    if (typeof onError !== "object") return undefined;
    let writer = this.#deadLetters.get(onError);
    if (writer === undefined) {
      this.#deadLetters.set(onError, writer = serializedWriter(onError[openDeadLetters]()));
      this.#shared.set(writer, { writer, sources: 0 });
    }
    this.#shared.get(writer)!.sources += sources;
    return writer;
  }

  /**
   * Counts a source of a handler as over, and closes the sinks of it that no other source feeds: another source of the run
   * may read from one of them, and ends only then.
   *
   * @param reason the failure of the run; absent when it has not failed
   */
  async release(
    { sinks }: ResolvedBinding,
    deadLetters: SinkWriter<RawMessage> | undefined,
    reason: unknown,
  ): Promise<void> {
    const closing: Promise<void>[] = [];
    for (const sink of deadLetters === undefined ? sinks : [...sinks, deadLetters]) {
      const shared = this.#shared.get(sink);
      if (shared !== undefined && --shared.sources === 0) closing.push(this.#close(sink, reason));
    }
    await Promise.all(closing);
  }

  /** Closes the sinks that are still open. Never rejects. */
  async closeAll(reason: unknown): Promise<void> {
    await Promise.all([...this.#shared.keys()].map((sink) => this.#close(sink, reason)));
  }

  async #close(sink: unknown, reason: unknown): Promise<void> {
    const shared = this.#shared.get(sink);
    if (shared === undefined) return;
    this.#shared.delete(sink);
    try {
      await shared.writer.close(reason);
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
