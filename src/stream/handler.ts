/**
 * Handlers, and what they emit: a returned value, a promise of one, or the values that a generator yields.
 *
 * @module
 */

import { isThenable } from "../async/is_thenable.ts";

/**
 * A generator, or another iterator, of what a handler emits.
 *
 * @typeParam T what the handler emits
 */
export type Yields<T> =
  // `Iterator` covers `Generator`. The errors of the compiler are clear only where it finds the very type that is returned.
  | Generator<T, unknown, undefined>
  | AsyncGenerator<T, unknown, undefined>
  | Iterator<T, unknown, undefined>
  | AsyncIterator<T, unknown, undefined>;

/**
 * What a handler may return: a value to emit, a promise of one, or a generator that yields any number of them. The handler
 * emits nothing for `undefined`; `null` is a value.
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
 * A function between sources and sinks: a run calls it for each message, and its sinks get what it returns or yields.
 *
 * @typeParam M a message
 * @typeParam T what the handler emits
 * @typeParam Args the `args` of `stream()`
 */
export type Handler<M, T, Args = unknown> = (message: M, args: Args) => HandlerOutput<T>;

/** Receives an emitted value, and its origin. Returns a promise if the next value has to wait. */
export type Emit<O> = (value: unknown, origin: O) => void | Promise<void>;

/**
 * Passes each value of a handler's result to `emit`, in order. Waits for the result, and for `emit`.
 *
 * @param result what the handler returned
 * @param origin passed to `emit` with each value
 * @returns a promise only if there is something to wait for
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

/** Synchronous as long as the generator and `emit` are. */
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
 * Emits the rest of the values in a loop. (If the promise of each value waited for that of the next one, an endless generator
 * would make an endless chain of promises.)
 *
 * @param later a pending step of the generator; or the pending emission of the step before, which resolves with nothing
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
 * Ends a generator after a sink has refused a value, so that its `finally` blocks run. Nothing awaits them, and their errors
 * are dropped: the handler fails with the error of the sink.
 */
function abandon(yields: Yields<unknown>): void {
  try {
    const returned: unknown = (yields as Iterator<unknown>).return?.();
    if (isThenable(returned)) returned.then(undefined, () => {});
  } catch {
    // The caller throws the error of the sink.
  }
}
