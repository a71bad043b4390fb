/**
 * Handlers, and what they emit.
 *
 * @module
 */

import { isThenable } from "../async/is_thenable.ts";

/** A generator, or another iterator, of what a handler emits. */
export type Yields<T> =
  // An iterator would do for each of them. The compiler's errors are clear where it finds the very class that was returned.
  | Generator<T, unknown, undefined>
  | AsyncGenerator<T, unknown, undefined>
  | Iterator<T, unknown, undefined>
  | AsyncIterator<T, unknown, undefined>;

/**
 * What a handler may return: a value to emit, a promise of one, or a generator that yields any number of them. Nothing
 * is emitted for `undefined`; `null` is a value.
 *
 * @typeParam T what the handler emits
 */
export type HandlerOutput<T> =
  | T
  | undefined
  | void
  | Promise<T | undefined | void>
  | PromiseLike<T | undefined | void>
  | Yields<T | undefined>;

/**
 * A function between sources and sinks: called for each message, it returns what to emit.
 *
 * @typeParam M a message
 * @typeParam T what the handler emits
 * @typeParam Args the `args` of `stream()`
 */
export type Handler<M, T, Args = unknown> = (message: M, args: Args) => HandlerOutput<T>;

/** Receives an emitted value, and the origin that was passed with the result. */
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
 * Takes the rest of the values in a loop. (If each value's promise waited for the next one's, a generator without end would
 * make a chain of promises without end.)
 *
 * @param later the pending first step, or the pending emission of the step before it
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
 * Ends a generator after a sink has refused a value, so that its finally blocks run. Nobody awaits them, and their errors are
 * dropped: the error of the sink is the one that counts.
 */
function abandon(yields: Yields<unknown>): void {
  try {
    const returned: unknown = (yields as Iterator<unknown>).return?.();
    if (isThenable(returned)) returned.then(undefined, () => {});
  } catch {
    // The error of the sink is thrown, not this one.
  }
}
