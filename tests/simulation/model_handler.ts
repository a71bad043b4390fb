/**
 * The handlers of a program, and their error policies.
 *
 * @module
 */

import type { HandlerError } from "../../src/stream/handler_error.ts";
import type { HandlerState } from "./handler_state.ts";
import type { Model } from "./model.ts";
import { Fault, type Input, type Item, Message, Value } from "./model_values.ts";

/** Makes the function of a handler; `stop` stops its binding. */
export function handlerOf(state: () => HandlerState, model: () => Model, stop: () => void): (input: Input) => unknown {
  const { spec } = state().wiring;
  /** How often each message has failed, by its number. */
  let failing: { readonly item: Input; left: number; readonly fatal: boolean } | undefined;
  const begin = (input: Input): { item: Item; fails: (() => Fault) | undefined; model: Model } | undefined => {
    const now = model(), handler = state();
    const before = handler.count;
    const item = now.begin(handler, input);
    if (item === undefined) return undefined;
    if (handler.count > before) {
      const found = spec.throws.find(({ at }) => at === before);
      if (found !== undefined) failing = { item: input, left: found.times, fatal: found.kind === "fatal" };
      if (before === spec.stopAt) stop();
    }
    if (failing?.item !== input || failing.left-- <= 0) return { item, fails: undefined, model: now };
    const { fatal } = failing;
    return { item, fails: () => now.fault("throw", handler.wiring.app, handler, fatal), model: now };
  };
  const emit = (item: Item): Value => {
    const value = new Value(item, item.values.length);
    item.values.push(value);
    return value;
  };
  const sleep = () => new Promise((resolve) => setTimeout(resolve, spec.ms));
  const never = () => new Promise<never>(() => {});
  switch (spec.kind) {
    case "sync":
      return (input) => {
        const begun = begin(input);
        if (begun === undefined) return never();
        const { item, fails, model } = begun;
        const fault = fails?.();
        const value = fault === undefined && spec.emits > 0 ? emit(item) : undefined;
        model.end(item, fault);
        if (fault !== undefined) throw fault;
        return value;
      };
    case "async":
      return async (input) => {
        const begun = begin(input);
        if (begun === undefined) return await never();
        const { item, fails, model } = begun;
        await (spec.ms > 0 ? sleep() : undefined);
        if (model.isDead) return await never();
        const fault = fails?.();
        const value = fault === undefined && spec.emits > 0 ? emit(item) : undefined;
        model.end(item, fault);
        if (fault !== undefined) throw fault;
        return value;
      };
    case "generator":
      return function* (input) {
        const begun = begin(input);
        if (begun === undefined) return;
        const { item, fails, model } = begun;
        let fault: Fault | undefined;
        try {
          for (let count = 0; count < spec.emits; count++) {
            // A generator fails after it has emitted a value.
            if (fails !== undefined && count === 1) break;
            yield emit(item);
          }
          if (fails !== undefined) throw fault = fails();
        } finally {
          model.end(item, fault);
        }
      };
    case "asyncGenerator":
      return async function* (input) {
        const begun = begin(input);
        if (begun === undefined) return await never();
        const { item, fails, model } = begun;
        let fault: Fault | undefined;
        try {
          for (let count = 0; count < spec.emits; count++) {
            if (fails !== undefined && count === 1) break;
            if (spec.ms > 0) await sleep();
            if (model.isDead) await never();
            yield emit(item);
          }
          if (fails !== undefined) throw fault = fails();
        } finally {
          model.end(item, fault);
        }
      };
  }
}

/** The fault of the program that is the cause of an error. */
export function faultOf(error: unknown): Fault | undefined {
  for (let cause = error, depth = 0; cause !== undefined && cause !== null && depth < 9; depth++) {
    if (cause instanceof Fault) return cause;
    cause = (cause as { cause?: unknown }).cause;
  }
}

/** Makes a function for `onError`. */
export function policyOf(state: () => HandlerState, model: () => Model): (error: HandlerError) => unknown {
  const { onError } = state().wiring.spec;
  let count = 0;
  return (error) => {
    const now = model(), handler = state();
    if (now.isDead) return new Promise(() => {});
    let fault = faultOf(error);
    if (fault === undefined) {
      // A link whose reader has ended, by a failure of its own or by a stop, takes nothing any more.
      if (now.hasLinks || now.mayGiveUp || String(error).includes("no room when the run was stopped")) return;
      return now.violate(`the policy of handler ${handler.wiring.index} got ${error}`);
    }
    if (fault.kind === "codec") fault = handler.unread.get(error.value as Message) ?? fault;
    // A WritableStream that has failed refuses each value after that with the same error.
    if (fault.reachedPolicy && fault.kind !== "commit") {
      now.violate(`the policy of handler ${handler.wiring.index} got "${fault.message}" twice`);
    }
    fault.reachedPolicy = true;
    // A failure that a sink reports later makes no message wait.
    const item = fault.kind === "undelivered" ? undefined : itemOf(handler, error.value);
    if (item !== undefined) item.waiting++;
    const over = () => {
      if (item !== undefined) item.waiting--;
      if (onError === "brokenFunction" && count++ % 2 === 0) throw now.fault("policy", handler.wiring.app, handler);
      fault!.hasReturned = true;
    };
    if (onError !== "slowFunction") return over();
    return new Promise<void>((resolve) => setTimeout(resolve, 7)).then(over);
  };
}

function itemOf(handler: HandlerState, value: unknown): Item | undefined {
  return value instanceof Message || value instanceof Value ? handler.items.get(value) : undefined;
}
