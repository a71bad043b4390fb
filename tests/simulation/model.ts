/**
 * The model of a run: it checks each step against the invariants of the protocol.
 *
 * @module
 */

import { HandlerState } from "./handler_state.ts";
import { isBatchFinished } from "./done_check.ts";
import type { Program, Wiring } from "./program.ts";
import {
  type Account,
  Fault,
  type FaultKind,
  type Input,
  Item,
  Message,
  orderOf,
  Piped,
  rootOf,
  Value,
} from "./model_values.ts";
import type { VirtualTime } from "./virtual_time.ts";

/** A batch that a source has offered. */
export interface BatchState {
  readonly source: number;
  readonly index: number;
  readonly messages: readonly Message[];
  readonly bytes: number;
  taken: number;
  /** How many of its messages are done; `undefined` for not yet. */
  done: number | undefined;
}

/** The state of a source in a run. */
export interface SourceState {
  readonly index: number;
  readonly app: number;
  readonly batches: BatchState[];
  /** The step at which the run stopped it; 0 for not yet. */
  stopped: number;
  stoppedMs: number;
  paused: boolean;
  /** Whether it has ended by itself. */
  hasEnded: boolean;
  closes: number;
  lastDone: number;
  /** The number of the last message that the run took from a batch. */
  lastTaken: number;
  /** The messages of a source that the stream adapts. */
  readonly adapted: Message[];
  /** Whether a batch is not done, or not all of it: no later one may be. */
  isBroken: boolean;
  outstanding: number;
  outstandingBytes: number;
}

/** The state of a writer. */
export interface WriterState {
  readonly name: string;
  readonly app: number;
  closes: number;
}

/** The state of an app in a run. */
export interface AppState {
  /** When it was stopped from outside, or by a failure, in milliseconds. */
  stoppedMs: number | undefined;
  isOver: boolean;
  /** Whether all of its handlers were removed, or a pipe has ended. */
  isShortened: boolean;
}

/** How many bytes the batches that are not done may take, the last one aside. */
const UNDONE_BYTES = 64 * 1024 * 1024;
/** How many batches may be not done, the one that is being handled aside. */
const UNDONE_BATCHES = 32;

/** The model of one run of a program. */
export class Model {
  readonly program: Program;
  readonly time: VirtualTime;
  readonly handlers: readonly HandlerState[];
  readonly sources = new Map<number, SourceState>();
  readonly writers: WriterState[] = [];
  readonly apps: AppState[];
  readonly faults: Fault[] = [];
  readonly violations: string[] = [];
  /** Whether the process has crashed: nothing that happens counts any more. */
  isDead = false;
  /** How many times a handler was called. */
  begun = 0;
  /** Whether something never answers: the run may end by its time-out. */
  isStuck = false;
  /** How many values were offered to sinks. */
  offered = 0;
  retriesAbortedMs: number | undefined;
  /** Whether the run may end before everything that it has begun. */
  mayGiveUp = false;
  /** The sources that are paused, perhaps since an earlier run. */
  paused: Set<number> = new Set();
  /** The app whose `stream()` is being called. */
  openingApp = 0;
  onMessage: (count: number) => void = () => {};
  #tick = 0;
  readonly #lastDelivered = new Map<string, number>();

  constructor(program: Program, wirings: readonly Wiring[], time: VirtualTime) {
    this.program = program;
    this.time = time;
    const links = new Set(wirings.flatMap(({ sources }) => sources).map((source) => source - program.sources.length));
    this.handlers = wirings.map((wiring) => new HandlerState(wiring, links));
    this.apps = Array.from({ length: program.apps }, () => ({
      stoppedMs: undefined,
      isOver: false,
      isShortened: false,
    }));
  }

  violate(text: string): void {
    if (!this.isDead) this.violations.push(`at ${this.time.now} ms: ${text}`);
  }

  /** A sink was offered a value after it was closed, which only a run that is given up may do. */
  usedAfterClose(name: string): void {
    if (!this.mayGiveUp) this.violate(`${name} was given something after it was closed`);
  }

  tick(): number {
    return ++this.#tick;
  }

  fault(kind: FaultKind, app: number, handler?: HandlerState, fatal = false): Fault {
    const fault = new Fault(this.faults.length, kind, this.time.now, app, handler, fatal);
    this.faults.push(fault);
    return fault;
  }

  /** Whether a handler reads what another one writes. */
  get hasLinks(): boolean {
    return this.handlers.some(({ wiring }) => wiring.sources[0]! >= this.program.sources.length);
  }

  handlersOf(source: number): HandlerState[] {
    return this.handlers.filter(({ wiring }) => wiring.sources.includes(source));
  }

  // Sources

  openSource(index: number): SourceState {
    const state: SourceState = {
      index,
      app: index % this.program.apps,
      batches: [],
      stopped: 0,
      stoppedMs: 0,
      paused: this.paused.has(index),
      hasEnded: false,
      closes: 0,
      lastDone: -1,
      lastTaken: -1,
      adapted: [],
      isBroken: false,
      outstanding: 0,
      outstandingBytes: 0,
    };
    if (this.sources.get(index)?.closes === 0 && this.sources.get(index)!.batches.length > 0) {
      this.violate(`source ${index} is read twice at a time`);
    }
    this.sources.set(index, state);
    return state;
  }

  offer(source: SourceState, messages: readonly Message[], bytes: number): BatchState {
    const batch = { source: source.index, index: source.batches.length, messages, bytes, taken: 0, done: undefined };
    source.batches.push(batch);
    messages.forEach((message, index) => Object.assign(message, { batch: batch.index, index }));
    const most = Math.max(
      UNDONE_BATCHES,
      ...this.handlersOf(source.index).map(({ wiring }) => wiring.spec.concurrency),
    );
    if (!source.isBroken && (source.outstanding > most || source.outstandingBytes > UNDONE_BYTES + bytes)) {
      this.violate(
        `source ${source.index} has ${source.outstanding} batches, ${source.outstandingBytes} bytes not done`,
      );
    }
    source.outstanding++;
    source.outstandingBytes += bytes;
    return batch;
  }

  take(source: SourceState, message: Message): void {
    message.taken = this.tick();
    source.lastTaken = message.batch * 1000 + message.index;
    if (this.isDead) return;
    const what = message.toJSON();
    if (source.stopped > 0) this.violate(`${what} was taken after its source was stopped`);
    if (source.paused) this.violate(`${what} was taken while its source was paused`);
    if (source.closes > 0) this.violate(`${what} was taken after its source was closed`);
    for (const handler of this.handlersOf(source.index)) {
      if (handler.hasPool || handler.hasPipe) continue;
      if ((handler.runningBy.get(source.index) ?? 0) > 0) {
        this.violate(`${what} was taken while handler ${handler.wiring.index} was busy with the one before`);
      }
    }
  }

  done(source: SourceState, batch: BatchState, handled: number): void {
    if (this.isDead) return;
    const what = `batch ${batch.index} of source ${source.index}`;
    if (batch.done !== undefined) this.violate(`${what} was done twice`);
    if (source.closes > 0) this.violate(`${what} was done after its source was closed`);
    if (source.isBroken) this.violate(`${what} was done after one that was not`);
    if (batch.index !== source.lastDone + 1) this.violate(`${what} was done after batch ${source.lastDone}`);
    source.lastDone = batch.index;
    batch.done = handled;
    if (handled < batch.messages.length) source.isBroken = true;
    source.outstanding--;
    source.outstandingBytes -= batch.bytes;
    const unfinished = isBatchFinished(this, batch, handled);
    if (unfinished !== undefined) this.violate(`${what} was done (${handled}): ${unfinished}`);
  }

  // Handlers

  /** A handler was called. */
  begin(handler: HandlerState, input: Input): Item | undefined {
    if (this.isDead) return undefined;
    const { spec, index, app } = handler.wiring;
    const origin = input instanceof Piped ? input.of : input;
    // A value of a pipe is identified by its order number: another attempt makes it anew.
    const known = input instanceof Piped ? input.toJSON() + generationOf(origin) : input;
    let item = handler.items.get(known);
    if (item === undefined) {
      item = new Item(handler, input, origin, this.tick());
      handler.items.set(known, item);
      const others = handler.ofOrigin.get(origin);
      if (others === undefined) handler.ofOrigin.set(origin, [item]);
      else others.push(item);
      handler.count++;
      this.#checkFirst(handler, item);
      this.begun++;
      this.onMessage(this.begun);
    } else if (item.input !== input) {
      this.violate(`handler ${index} got ${input.toJSON()} twice`);
    } else {
      if (item.attempts >= handler.attempts || item.state !== "failed") {
        this.violate(`handler ${index} got ${input.toJSON()} once more after ${item.attempts} attempts`);
      }
      // With `concurrency`, retries go on for a while, since messages behind this one may be finished.
      const graceMs = handler.hasPool ? 300 : 0;
      const stopped = handler.wiring.sources.map((source) => this.sources.get(source));
      if (
        stopped.every((source) =>
          source !== undefined && source.stopped > 0 && source.stoppedMs + graceMs < this.time.now
        )
      ) {
        this.violate(`handler ${index} tried ${input.toJSON()} again after the stop`);
      }
    }
    if (this.apps[app]!.isOver && !this.mayGiveUp) this.violate(`handler ${index} got ${input.toJSON()} after the run`);
    item.attempts++;
    item.isRunning = true;
    item.state = "open";
    item.failure = undefined;
    item.values = [];
    handler.running++;
    const by = handler.hasPool ? keyOf(input) % spec.keys : rootSource(origin);
    handler.runningBy.set(by, (handler.runningBy.get(by) ?? 0) + 1);
    if (handler.running > spec.concurrency * (handler.hasPool ? 1 : handler.wiring.sources.length)) {
      this.violate(`handler ${index} runs ${handler.running} times side by side`);
    }
    if (handler.runningBy.get(by)! > 1) {
      this.violate(`handler ${index} runs twice for ${handler.hasPool ? "key" : "source"} ${by}`);
    }
    return item;
  }

  #checkFirst(handler: HandlerState, item: Item): void {
    const { origin, input } = item;
    const { index } = handler.wiring;
    const order = orderOf(input, origin);
    const orderKey = laneOf(origin) + (handler.hasPool ? `/${keyOf(input) % handler.wiring.spec.keys}` : "");
    const last = handler.lastOrder.get(orderKey);
    if (last !== undefined && order <= last) this.violate(`handler ${index} got ${input.toJSON()} after a later one`);
    handler.lastOrder.set(orderKey, order);
    if (!(origin instanceof Message)) return;
    const source = this.sources.get(origin.source)!;
    const isLate = input instanceof Piped && input.isLate;
    // A message in front of one that any handler has begun is finished, or the latter would be repeated.
    const number = origin.batch * 1000 + origin.index;
    if (handler.hasPool && source.stopped > 0 && !isLate && number > source.lastTaken) {
      this.violate(`handler ${index} began ${input.toJSON()} after the stop`);
    }
    if (input instanceof Piped) return;
    if (handler.removed > 0 && origin.taken > handler.removed) {
      this.violate(`handler ${index} got ${input.toJSON()} after it was removed`);
    }
    if (origin.stale > 0 && (handler.hasPool || origin.stale < origin.taken)) {
      this.violate(`handler ${index} got ${input.toJSON()}, which is stale`);
    }
    if (handler.hasPool) return;
    for (const other of this.handlersOf(origin.source)) {
      if (other === handler) break;
      if (other.hasPool || other.hasPipe) continue;
      const before = other.items.get(origin);
      if (
        before === undefined
          ? !other.unread.has(origin) && other.removed === 0
          : before.state === "open" || before.waiting > 0
      ) {
        this.violate(`handler ${index} got ${input.toJSON()} before handler ${other.wiring.index} was through with it`);
      }
    }
  }

  /** An attempt has ended: it succeeded, unless there is a failure. */
  end(item: Item, failure?: Fault): void {
    if (!item.isRunning) return;
    item.isRunning = false;
    const { handler } = item;
    handler.running--;
    const by = handler.hasPool ? keyOf(item.input) % handler.wiring.spec.keys : rootSource(item.origin);
    handler.runningBy.set(by, handler.runningBy.get(by)! - 1);
    if (failure !== undefined) item.failure = failure;
    item.state = item.failure === undefined ? "ok" : "failed";
    if (failure === undefined) return;
    failure.isFinal = failure.fatal || item.attempts >= handler.attempts;
    failure.mayBeCut = isLate(item);
  }

  /** A handler is removed: by its binding, or because its pipe has ended. */
  remove(handler: HandlerState): void {
    if (handler.removed > 0) return;
    handler.removed = this.tick();
    this.apps[handler.wiring.app]!.isShortened = true;
  }

  // Sinks

  /** A sink is offered a value. */
  offerValue(sink: number, value: Value): Account | undefined {
    if (this.isDead) return undefined;
    this.offered++;
    const { item } = value;
    const { index, app, spec } = item.handler.wiring;
    const what = `${value.toJSON()} for sink ${sink}`;
    if (this.apps[app]!.isOver && !this.mayGiveUp) this.violate(`${what} was accepted after the run`);
    const before = value.accounts.get(sink);
    if (before !== undefined && before.state !== "refused") this.violate(`${what} was accepted twice`);
    if (before !== undefined && before.refusals >= item.handler.attempts) {
      this.violate(`${what} was offered once too often`);
    }
    if (
      spec.retry !== undefined && (item.state !== "ok" && item.failure === undefined || value.attempt !== item.attempts)
    ) {
      this.violate(`${what} was emitted by an attempt of handler ${index} that had not succeeded`);
    }
    if (before?.fault !== undefined && item.failure === before.fault) {
      Object.assign(item, { failure: undefined, state: "ok" });
    }
    const account = before ?? { state: "accepted", refusals: 0, fault: undefined };
    account.state = "accepted";
    value.accounts.set(sink, account);
    if (before === undefined) {
      const orderKey = `${sink}>${laneOf(item.origin)}${
        item.handler.hasPool ? `/${keyOf(item.input) % spec.keys}` : ""
      }`;
      const last = item.handler.lastOrder.get(orderKey);
      if (last !== undefined && value.order <= last) this.violate(`${what} was accepted after a later one`);
      item.handler.lastOrder.set(orderKey, value.order);
    }
    return account;
  }

  /** A sink does not take a value. */
  refuse(account: Account, value: Value, fatal: boolean): Fault {
    const { handler } = value.item;
    const fault = this.fault("refuse", handler.wiring.app, handler, fatal);
    account.state = "refused";
    account.refusals++;
    account.fault = fault;
    fault.mayBeCut = isLate(value.item);
    fault.isFinal = fatal || account.refusals >= handler.attempts;
    value.item.failure = fault;
    if (value.item.state === "ok") value.item.state = "failed";
    else this.end(value.item); // The generator is ended.
    return fault;
  }

  /** A value is delivered. */
  deliver(sink: number, value: Value): void {
    const account = value.accounts.get(sink);
    if (account === undefined || this.isDead) return;
    account.state = "delivered";
    const { handler, input, origin } = value.item;
    const key = handler.hasPool ? `/${keyOf(input) % handler.wiring.spec.keys}` : "";
    const orderKey = `${sink}:${handler.wiring.index}:${laneOf(origin)}${key}`;
    const last = this.#lastDelivered.get(orderKey);
    if (last !== undefined && value.order <= last) {
      this.violate(`${value.toJSON()} was delivered in sink ${sink} after a later one`);
    }
    this.#lastDelivered.set(orderKey, value.order);
  }

  openWriter(name: string, app: number): WriterState {
    const writer = { name, app, closes: 0 };
    this.writers.push(writer);
    return writer;
  }
}

function isLate({ input }: Item): boolean {
  return input instanceof Piped && input.isLate;
}

/** The key by which a handler with `concurrency` keeps order. */
export function keyOf(input: Input): number {
  const root = rootOf(input instanceof Piped ? input.of : input)!;
  return root.partition * 3 + root.offset;
}

function laneOf(origin: Message | Value): string {
  if (origin instanceof Message) return `${origin.source}/${origin.partition}/${origin.generation}`;
  const { handler, input, origin: before } = origin.item;
  const { index, spec } = handler.wiring;
  return `handler ${index}${handler.hasPool ? `/${keyOf(input) % spec.keys}` : ""}/${laneOf(before)}`;
}

function generationOf(origin: Message | Value): string {
  return `#${rootOf(origin)!.generation}`;
}

function rootSource(origin: Message | Value): string | number {
  return origin instanceof Value ? "link" : origin.source;
}
