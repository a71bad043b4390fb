/**
 * Handlers, and running them.
 *
 * @module
 */

import { isThenable } from "./sinks.ts";

/** Yields that come one after the other, now or later. */
export type Yields<T> = Iterator<T, unknown, undefined> | AsyncIterator<T, unknown, undefined>;

/**
 * What sits between sources and sinks: gets a message (and the arguments of `stream()`), returns a value to emit, or
 * yields any number of them. `undefined` emits nothing.
 *
 * @typeParam T what a message is
 * @typeParam R what the handler returns: a value, a promise of one, or a generator
 */
// deno-lint-ignore no-explicit-any -- the arguments of stream() are the program's own
export type Handler<T, R> = (message: T, args: any) => R;

/** What a handler's result emits. */
export type EmittedBy<R> = Exclude<
  R extends Yields<infer T> ? T : R extends PromiseLike<infer T> ? T : R,
  undefined | void
>;

/**
 * Hands what a handler's result emits to `emit`, in order, waiting where `emit` waits.
 *
 * @returns a promise only when something had to be awaited
 */
export function emitAll(result: unknown, emit: (value: unknown) => void | Promise<void>): void | Promise<void> {
  if (result === undefined) return;
  if (typeof result !== "object" || result === null) return emit(result);
  if (isThenable(result)) return emitLater(result, emit);
  if (typeof (result as Partial<Iterator<unknown>>).next === "function") {
    return emitYields(result as Yields<unknown>, emit);
  }
  return emit(result);
}

async function emitLater(result: PromiseLike<unknown>, emit: (value: unknown) => void | Promise<void>): Promise<void> {
  const value = await result;
  if (value !== undefined) await emit(value);
}

/** Goes on synchronously as long as everything else does. */
function emitYields(yields: Yields<unknown>, emit: (value: unknown) => void | Promise<void>): void | Promise<void> {
  try {
    for (;;) {
      const step = yields.next();
      if (step instanceof Promise || isThenable(step)) {
        return emitAsyncYields(yields, step as Promise<IteratorResult<unknown>>, emit);
      }
      const { done, value } = step as IteratorResult<unknown>;
      if (done) return;
      const later = value === undefined ? undefined : emit(value);
      if (later !== undefined) return later.then(() => emitYields(yields, emit));
    }
  } catch (error) {
    // The sink refused: let the generator's finally blocks run.
    yields.return?.();
    throw error;
  }
}

async function emitAsyncYields(
  yields: Yields<unknown>,
  first: Promise<IteratorResult<unknown>>,
  emit: (value: unknown) => void | Promise<void>,
): Promise<void> {
  try {
    for (let step = await first; !step.done; step = await yields.next()) {
      if (step.value !== undefined) await emit(step.value);
    }
  } catch (error) {
    await yields.return?.();
    throw error;
  }
}
