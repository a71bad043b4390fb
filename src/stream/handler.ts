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
 * @typeParam A what the handler takes the arguments of `stream()` for; the program's own matter, checked by nobody
 */
export type Handler<T, R, A = unknown> = (message: T, args: A) => R;

/** What a handler's result emits. */
export type EmittedBy<R> = Exclude<
  R extends Yields<infer T> ? T : R extends PromiseLike<infer T> ? T : R,
  undefined | void
>;

/** Takes what is emitted, and what it came of. */
export type Emit<O> = (value: unknown, origin: O) => void | Promise<void>;

/**
 * Hands what a handler's result emits to `emit`, in order, waiting where `emit` waits.
 *
 * @param origin handed on with each value
 * @returns a promise only when something had to be awaited
 */
export function emitAll<O>(result: unknown, emit: Emit<O>, origin: O): void | Promise<void> {
  if (result === undefined) return;
  if (typeof result !== "object" || result === null) return emit(result, origin);
  if (isThenable(result)) return emitLater(result, emit, origin);
  if (typeof (result as Partial<Iterator<unknown>>).next === "function") {
    return emitYields(result as Yields<unknown>, emit, origin);
  }
  return emit(result, origin);
}

async function emitLater<O>(result: PromiseLike<unknown>, emit: Emit<O>, origin: O): Promise<void> {
  const value = await result;
  if (value !== undefined) await emit(value, origin);
}

/** Goes on synchronously as long as everything else does. */
function emitYields<O>(yields: Yields<unknown>, emit: Emit<O>, origin: O): void | Promise<void> {
  try {
    for (;;) {
      const step = yields.next();
      if (isThenable(step)) return emitYieldsLater(yields, emit, origin, step as Promise<IteratorResult<unknown>>);
      const { done, value } = step as IteratorResult<unknown>;
      if (done) return;
      const later = value === undefined ? undefined : emit(value, origin);
      if (later !== undefined) return emitYieldsLater(yields, emit, origin, later);
    }
  } catch (error) {
    abandon(yields);
    throw error;
  }
}

/**
 * A loop, not a promise that waits for the next: a generator without end would make a chain without end.
 *
 * @param later the step to begin with, or what the step before it waits for
 */
async function emitYieldsLater<O>(
  yields: Yields<unknown>,
  emit: Emit<O>,
  origin: O,
  later: Promise<IteratorResult<unknown> | void>,
): Promise<void> {
  try {
    for (let step = await later ?? yields.next();; step = yields.next()) {
      const { done, value } = isThenable(step)
        ? await step as IteratorResult<unknown>
        : step as IteratorResult<unknown>;
      if (done) return;
      const emitting = value === undefined ? undefined : emit(value, origin);
      if (emitting !== undefined) await emitting;
    }
  } catch (error) {
    abandon(yields);
    throw error;
  }
}

/**
 * The sink refused: lets the generator's finally blocks run. That they fail, or wait for something, must not hide why
 * it was abandoned.
 */
function abandon(yields: Yields<unknown>): void {
  try {
    const returned: unknown = yields.return?.();
    if (isThenable(returned)) returned.then(undefined, () => {});
  } catch {
    // The sink's error is the one that is told.
  }
}
