/**
 * A source that implements the protocol: partitions, stored positions, and partitions that move to other readers.
 *
 * @module
 */

import { type Batch, type BatchSource, openSource, type SourceReader } from "../../src/protocol/protocol.ts";
import type { BatchState, Model, SourceState } from "./model.ts";
import type { SourceSpec } from "./program.ts";
import { Message } from "./model_values.ts";

const MEGABYTE = 1024 * 1024;

/** A source whose stored positions survive a run, and a crash. */
export class ModelSource implements BatchSource<Message> {
  readonly spec: SourceSpec;
  readonly index: number;
  /** The next offset to read, by partition, as it is stored. */
  readonly stored: number[];
  /** Up to which offset messages were done while this reader owned the partition. */
  readonly #finished: number[];
  /** How many messages each partition has. */
  readonly ends: number[];
  /** How often each partition has moved. */
  readonly generations: number[];
  model: Model;
  #reader: { move(partition: number, to: number): void } | undefined;
  #stores = 0;
  /** How often reading a message that can't be read was tried. */
  readonly #reads = new Map<string, number>();

  constructor(spec: SourceSpec, index: number, model: Model) {
    this.spec = spec;
    this.index = index;
    this.model = model;
    const { partitions } = spec;
    const total = spec.batches.reduce((sum, size) => sum + size, 0);
    this.stored = Array(partitions).fill(0);
    this.#finished = Array(partitions).fill(0);
    this.generations = Array(partitions).fill(0);
    this.ends = Array.from({ length: partitions }, (_, p) => Math.floor((total + partitions - 1 - p) / partitions));
  }

  /** A partition moves away and comes back, and is read from its stored position on; or the reader seeks to its beginning. */
  move(partition: number, isSeek: boolean): void {
    const p = partition % this.spec.partitions;
    if (isSeek) this.stored[p] = 0;
    this.generations[p]!++;
    this.#reader?.move(p, this.stored[p]!);
  }

  /** After a crash, or in a new run, reads from the stored positions on. */
  restart(model: Model): void {
    this.model = model;
    this.#reader = undefined;
    for (const p of this.generations.keys()) this.generations[p]!++;
  }

  [openSource](): SourceReader<Message> {
    const { spec, model, index } = this;
    const state = model.openSource(index);
    const next = [...this.stored];
    const handedOut: Message[] = [];
    let count = 0, turn = 0, isStopped = false, hasFailed = false;
    let wake: (() => void) | undefined;
    this.#reader = {
      move: (p, to) => {
        next[p] = to;
        const tick = model.tick();
        for (const message of handedOut) if (message.partition === p && message.stale === 0) message.stale = tick;
        wake?.();
      },
    };
    const wait = (ms: number) =>
      new Promise<void>((resolve) => {
        const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    const read = (size: number): Message[] => {
      const messages: Message[] = [];
      for (let empty = 0; messages.length < size && empty < spec.partitions; turn++) {
        const p = turn % spec.partitions;
        if (next[p]! >= this.ends[p]!) empty++;
        else {
          empty = 0;
          messages.push(new Message(index, p, next[p]!++, this.generations[p]!));
        }
      }
      return messages;
    };
    const over = async (
      controller: ReadableStreamDefaultController<Batch<Message>>,
    ): Promise<Message[] | undefined> => {
      if (spec.end === "fail" && !hasFailed) {
        hasFailed = state.hasEnded = true;
        throw model.fault("source", state.app);
      }
      if (spec.end === "silent") await new Promise(() => {});
      while (spec.end === "open" && !isStopped) {
        await wait(Infinity);
        const more = isStopped ? [] : read(spec.batches[0] ?? 1);
        if (more.length > 0) return more;
      }
      state.hasEnded = true;
      controller.close();
    };
    return {
      batches: new ReadableStream<Batch<Message>>({
        pull: async (controller) => {
          if (spec.gapMs > 0 && !isStopped) await wait(spec.gapMs);
          const size = spec.batches.length === 0 ? 1 : spec.batches[count++ % spec.batches.length]!;
          let messages = isStopped ? [] : read(Math.max(1, size));
          if (isStopped && spec.end !== "silent") return controller.close();
          if (messages.length === 0) {
            const more = await over(controller);
            if (more === undefined) return;
            messages = more;
          }
          handedOut.push(...messages);
          const batch = model.offer(state, messages, spec.megabytes * MEGABYTE);
          controller.enqueue(this.#batch(model, state, batch));
        },
      }, { highWaterMark: 0 }),
      stop: () => {
        if (isStopped) return;
        isStopped = true;
        state.stopped = model.tick();
        state.stoppedMs = model.time.now;
        wake?.();
      },
      close: async () => {
        if (model.isDead) return;
        if (++state.closes > 1) model.violate(`source ${index} was closed twice`);
        isStopped = true;
        wake?.();
        await undefined;
        if (spec.closeFails) throw model.fault("close", state.app);
      },
    };
  }

  #batch(model: Model, state: SourceState, batch: BatchState): Batch<Message> {
    const { spec, index } = this;
    const { messages } = batch;
    const unreadable = new Map<number, { error: unknown; again(): Message }>();
    messages.forEach((message, at) => {
      const order = message.partition + message.offset * spec.partitions;
      const fault = spec.unreadable.find((fault) => fault.at === order);
      if (fault !== undefined) this.#makeUnreadable(model, message, fault.times, unreadable, at);
    });
    return {
      messages: {
        *[Symbol.iterator]() {
          for (const message of messages) {
            batch.taken++;
            model.take(state, message);
            yield message;
          }
        },
      },
      bytes: batch.bytes,
      describe: (message) => message.toJSON(),
      stale: (message) => message.stale > 0,
      ...(unreadable.size === 0 ? {} : { unreadable }),
      done: (handled = messages.length) => {
        if (model.isDead) return;
        model.done(state, batch, handled);
        for (const { partition, offset, stale } of messages.slice(0, handled)) {
          if (stale === 0 && offset === this.#finished[partition]) this.#finished[partition]!++;
        }
        const store = () => {
          if (model.isDead) return;
          if (this.#stores++ === spec.storeFails) throw model.fault("store", state.app);
          for (const { partition, offset, stale } of messages.slice(0, handled)) {
            if (stale === 0) this.stored[partition] = offset + 1;
            if (this.stored[partition]! > this.#finished[partition]!) {
              model.violate(
                `position ${
                  this.stored[partition]
                } of source ${index}[${partition}] was stored, which nobody had finished`,
              );
            }
          }
        };
        if (spec.storeMs === 0) return store();
        return new Promise<void>((resolve) => setTimeout(resolve, spec.storeMs)).then(store);
      },
    };
  }

  #makeUnreadable(
    model: Model,
    message: Message,
    times: number,
    unreadable: Map<number, { error: unknown; again(): Message }>,
    at: number,
  ): void {
    const what = message.toJSON();
    const tries = this.#reads.get(what) ?? 0;
    if (tries >= times) return;
    this.#reads.set(what, tries + 1);
    const isHopeless = times > 1;
    let again = 0;
    const shared = model.fault("codec", message.source % model.program.apps);
    shared.isReported = false;
    // The codec's failure is one for each handler.
    const faults = model.handlersOf(message.source).map((handler) => {
      const fault = model.fault("codec", handler.wiring.app, handler);
      fault.isReported = false;
      fault.isFinal = handler.attempts === 1;
      handler.unread.set(message, fault);
      return fault;
    });
    unreadable.set(at, {
      error: shared,
      again: () => {
        if (!isHopeless) return message;
        again++;
        for (const fault of faults) fault.isFinal ||= again >= fault.handler!.attempts - 1;
        throw shared;
      },
    });
  }
}
