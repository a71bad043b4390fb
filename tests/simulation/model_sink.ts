/**
 * Sinks: those that implement the protocol, and those that the stream adapts.
 *
 * @module
 */

import {
  type Delivery,
  openDeadLetters,
  openSink,
  type RawMessage,
  type SinkWriter,
} from "../../src/protocol/protocol.ts";
import { Settlements } from "../../src/protocol/settlement.ts";
import type { Model } from "./model.ts";
import type { SinkFault, SinkSpec } from "./program.ts";
import { type Account, type Fault, Value } from "./model_values.ts";

/** A value that is accepted and not delivered yet. */
interface AcceptedValue {
  readonly value: unknown;
  readonly delivery: Delivery;
  readonly message: unknown;
  readonly number: number;
}

/** A value that was offered to a sink, which took it. */
interface Offered {
  readonly number: number;
  readonly account: Account | undefined;
}

const decoder = new TextDecoder();
const refusesNothing = () => false;

/**
 * A sink of a program; what it has delivered survives the run.
 *
 * `asFunction()` and the others give it the form that its `kind` names. Inside it is a queue, which delivers its head after a
 * while.
 */
export class ModelSink {
  readonly spec: SinkSpec;
  readonly index: number;
  model: Model;
  /** How many values were offered to it, in all runs. */
  #count = 0;
  #opened = 0;
  readonly #letters = new WeakMap<RawMessage, Fault>();

  constructor(spec: SinkSpec, index: number, model: Model) {
    this.spec = spec;
    this.index = index;
    this.model = model;
  }

  faultAt(number: number): SinkFault | undefined {
    return this.spec.faults.find(({ at, times }) => number >= at && number < at + times)?.kind;
  }

  /** Records a value that is offered; throws the fault of the program if the sink refuses it. */
  offer(value: unknown, app: number, model: Model, refuses: (kind: SinkFault) => boolean): Offered {
    const number = this.#count++;
    const account = value instanceof Value ? model.offerValue(this.index, value) : undefined;
    const kind = this.faultAt(number);
    if (kind !== undefined && refuses(kind)) {
      const isFatal = kind === "fatal" || kind === "fatalLater";
      if (account !== undefined) throw model.refuse(account, value as Value, isFatal);
      const letter = model.fault("letter", app, undefined, isFatal);
      this.#ofLetter(value, model)!.letter = "failed";
      throw letter;
    }
    if (value instanceof Value) value.item.waiting++;
    else this.#ofLetter(value, model)!.letter = "accepted";
    return { number, account };
  }

  /** The sink has accepted a value: its handler waits no more. */
  accepted(value: unknown): void {
    if (value instanceof Value) value.item.waiting--;
  }

  /** A value is delivered. */
  delivered(value: unknown, model: Model): void {
    if (value instanceof Value) model.deliver(this.index, value);
    else this.#ofLetter(value, model)!.letter = "delivered";
  }

  /** The failure that a dead letter is about. */
  #ofLetter(letter: unknown, model: Model): Fault | undefined {
    let fault = this.#letters.get(letter as RawMessage);
    if (fault === undefined) {
      this.#letters.set(letter as RawMessage, fault = this.#findFault(letter as RawMessage, model));
    }
    return fault;
  }

  #findFault(letter: RawMessage, model: Model): Fault {
    const { headers, value } = letter;
    const header = (name: string) => {
      const found = headers.find(([key]) => key === name)?.[1];
      return found === undefined || found === null ? "" : decoder.decode(found);
    };
    const id = /fault (\d+):/.exec(header("slipstream.error"))?.[1];
    if (id === undefined) {
      // The error of a pipe that can't go on. Its cause is a fault of the program, the error itself is not.
      return {} as Fault;
    }
    const fault = model.faults[Number(id)]!;
    const isOfStage = fault.kind === "stage";
    if (value === null && !isOfStage) model.violate(`the dead letter of "${fault.message}" has no value`);
    if (fault.kind !== "codec") return fault;
    // The failure of a codec is one for each handler.
    const index = /^handler(\d+)$/.exec(header("slipstream.handler"))?.[1];
    const handler = model.handlers.find(({ wiring }) => wiring.index === Number(index));
    const text = value === null ? "" : decoder.decode(value);
    return [...handler!.unread].findLast(([message]) => JSON.stringify(message) === text)?.[1] ?? fault;
  }

  // On the protocol

  [openSink](): SinkWriter<unknown> {
    return this.#open(`sink ${this.index}`);
  }

  [openDeadLetters](): SinkWriter<RawMessage> {
    return this.#open(`letters`);
  }

  #open(name: string): SinkWriter<unknown> {
    const { spec, model } = this;
    const state = model.openWriter(`${name}, writer ${this.#opened++}`, model.openingApp);
    const settlements = new Settlements();
    const queue: AcceptedValue[] = [];
    let room: PromiseWithResolvers<void> | undefined;
    let drained: PromiseWithResolvers<void> | undefined;
    let isTicking = false, isStuck = false;
    let fatal: Fault | undefined;
    const settle = (one: AcceptedValue, failure?: { readonly error: unknown }) => {
      settlements.of(one.delivery).settled(failure);
    };
    const deliver = (one: AcceptedValue) => {
      const kind = this.faultAt(one.number);
      if (fatal === undefined && kind !== "undelivered" && kind !== "fatalLater") {
        this.delivered(one.value, model);
        return settle(one);
      }
      const { value, message } = one;
      const handler = value instanceof Value ? value.item.handler : undefined;
      const kindOf = handler === undefined ? "letter" : "undelivered";
      const fault = model.fault(kindOf, state.app, handler, kind === "fatalLater" || fatal !== undefined);
      if (kind === "fatalLater") fatal ??= fault;
      const account = value instanceof Value ? value.accounts.get(this.index) : undefined;
      if (account !== undefined) Object.assign(account, { state: "failed", fault });
      else this.#ofLetter(value, model)!.letter = "failed";
      Object.assign(fault, { fatal: fault.fatal });
      const disposed = () => {
        if (model.isDead) return;
        if (!fault.isDisposed) model.violate(`undelivered() returned though nobody disposed of "${fault.message}"`);
        if (account !== undefined) account.state = "disposed";
        settle(one);
      };
      try {
        const later = one.delivery.undelivered(fault, message);
        if (later === undefined) disposed();
        else later.then(disposed, (error) => settle(one, { error }));
      } catch (error) {
        settle(one, { error });
      }
    };
    const commit = () => {
      const group = queue.splice(0);
      if (!group.some(({ number }) => this.faultAt(number) === "commit")) {
        for (const one of group) {
          this.delivered(one.value, model);
          settle(one);
        }
        return;
      }
      const fault = model.fault("commit", state.app);
      for (const one of group) {
        if (one.value instanceof Value) Object.assign(one.value.accounts.get(this.index)!, { state: "failed", fault });
        settle(one, { error: fault });
      }
    };
    const step = () => {
      if (model.isDead) return;
      if (queue.some(({ number }) => this.faultAt(number) === "stuck")) {
        model.isStuck = isStuck = true;
        return;
      }
      if (spec.kind === "groups") commit();
      else deliver(queue.shift()!);
      if (queue.length < spec.room) {
        room?.resolve();
        room = undefined;
      }
      if (queue.length === 0) drained?.resolve();
    };
    const ticking = () => {
      if (isTicking || isStuck || queue.length === 0) return;
      isTicking = true;
      setTimeout(() => {
        isTicking = false;
        step();
        ticking();
      }, spec.ms);
    };
    return {
      accept: (value, delivery, message) => {
        if (model.isDead) return new Promise(() => {});
        if (state.closes > 0) model.usedAfterClose(state.name);
        if (room !== undefined) model.violate(`${state.name} was offered a value while it had no room`);
        if (fatal !== undefined) throw fatal;
        const { number } = this.offer(value, state.app, model, (kind) => kind === "refuse" || kind === "fatal");
        settlements.of(delivery).accepted();
        queue.push({ value, delivery, message, number });
        if (spec.ms === 0) {
          step();
          return void this.accepted(value);
        }
        ticking();
        if (queue.length < spec.room) return void this.accepted(value);
        room = Promise.withResolvers();
        return room.promise.then(() => this.accepted(value));
      },
      settle: (delivery) => settlements.outcome(delivery),
      close: async () => {
        if (model.isDead) return;
        if (++state.closes > 1) model.violate(`${state.name} was closed twice`);
        if (queue.length > 0) await (drained = Promise.withResolvers()).promise;
        if (spec.closeMs > 0) await new Promise((resolve) => setTimeout(resolve, spec.closeMs));
        if (spec.closeFails) throw model.fault("close", state.app);
      },
    };
  }
}

/** Makes a function as a sink: synchronous, or with a promise. */
export function asFunction(sink: ModelSink, now: () => Model): (value: unknown) => void | Promise<void> {
  const { spec } = sink;
  const take = (value: unknown, model: Model) =>
    sink.offer(value, (value as Value).item.handler.wiring.app, model, (kind) => kind !== "stuck");
  const over = (value: unknown, model: Model) => {
    sink.accepted(value);
    sink.delivered(value, model);
  };
  return (value) => {
    const model = now();
    if (model.isDead) return new Promise(() => {});
    if (spec.kind !== "asyncFunction") {
      take(value, model);
      return over(value, model);
    }
    return (async () => {
      await undefined;
      take(value, model);
      await new Promise((resolve) => setTimeout(resolve, spec.ms));
      over(value, model);
    })();
  };
}

/** Makes a WritableStream as a sink. */
export function asStream(sink: ModelSink, app: number): WritableStream<unknown> {
  const { spec, model } = sink;
  const state = model.openWriter(`the stream of sink ${sink.index}`, app);
  let hasFailed = false;
  const close = () => {
    if (model.isDead || hasFailed) return;
    if (++state.closes > 1) model.violate(`${state.name} was closed twice`);
    if (spec.closeFails) throw model.fault("close", app);
  };
  return new WritableStream({
    write: async (value) => {
      if (model.isDead) return await new Promise(() => {});
      if (state.closes > 0) model.usedAfterClose(state.name);
      const { account, number } = sink.offer(value, app, model, refusesNothing);
      sink.accepted(value);
      if (spec.ms > 0) await new Promise((resolve) => setTimeout(resolve, spec.ms));
      const kind = sink.faultAt(number);
      if (kind === "commit" || kind === "undelivered" || kind === "fatalLater") {
        hasFailed = true; // It takes nothing more.
        state.closes++;
        const fault = model.fault("commit", app);
        if (account !== undefined) Object.assign(account, { state: "failed", fault });
        throw fault;
      }
      sink.delivered(value, model);
    },
    close,
    abort: close,
  }, new CountQueuingStrategy({ highWaterMark: Math.max(1, spec.room) }));
}

/** Makes a link: a TransformStream between two handlers. */
export function asLink(sink: ModelSink, app: number): TransformStream<unknown, unknown> {
  const { spec, model } = sink;
  return new TransformStream(
    {
      transform: async (value, controller) => {
        if (model.isDead) return await new Promise(() => {});
        sink.offer(value, app, model, refusesNothing);
        sink.accepted(value);
        if (spec.ms > 0) await new Promise((resolve) => setTimeout(resolve, spec.ms));
        sink.delivered(value, model);
        controller.enqueue(value);
      },
    },
    undefined,
    new CountQueuingStrategy({ highWaterMark: spec.room % 3 }),
  );
}
