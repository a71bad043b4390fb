/**
 * The option `retry`: attempts after a failure. Only this file imports `@std/async`.
 *
 * @module
 */

import * as std from "@std/async/retry";
import { describeValue } from "../options/describe_value.ts";
import { isOptionsObject, unknownOptions } from "../options/problems.ts";
import { isFatal } from "./handler_error.ts";
import { INTERRUPTED, isInterrupted } from "./interrupted.ts";
import type { ResettableSignal } from "../async/resettable_signal.ts";

/**
 * The option `retry` of `handle()`: the options of `retry()` of `@std/async`. The waits between attempts grow from
 * `minTimeout` by `multiplier` up to `maxTimeout`, and `jitter` shortens them at random.
 */
export interface RetryOptions {
  /**
   * The number of attempts, the first included: a whole number from 1 on.
   * @default {5}
   */
  readonly maxAttempts?: number;
  /**
   * The wait before the second attempt, in milliseconds, from 0 to `maxTimeout`.
   * @default {1000}
   */
  readonly minTimeout?: number;
  /**
   * The longest wait between two attempts, in milliseconds, above 0.
   * @default {60_000}
   */
  readonly maxTimeout?: number;
  /**
   * The factor by which each wait is longer than the one before it, from 1 on.
   * @default {2}
   */
  readonly multiplier?: number;
  /**
   * The share of each wait that is random, from 0 (none of it) to 1 (all of it).
   * @default {1}
   */
  readonly jitter?: number;
  /**
   * Returns whether another attempt can help after an error. When it returns `false`, `onError` applies at once.
   * @default {() => true}
   */
  readonly isRetriable?: (error: unknown) => boolean;
  /**
   * Ends the wait and the attempts when it aborts. The message is then not done, and `stream()` rejects with the error of
   * the last attempt under every `onError`.
   * @default {none}
   */
  readonly signal?: AbortSignal;
}

const DEFAULTS = {
  maxAttempts: 5,
  minTimeout: 1000,
  maxTimeout: 60_000,
  multiplier: 2,
  jitter: 1,
  isRetriable: () => true,
} as const satisfies RetryOptions;

const { retry, RetryError } = std as {
  retry(attempt: () => Promise<void>, options: RetryOptions): Promise<void>;
  RetryError: new (cause: unknown, attempts: number) => Error;
};

const OPTIONS = [
  "maxAttempts",
  "minTimeout",
  "maxTimeout",
  "multiplier",
  "jitter",
  "isRetriable",
  "signal",
] as const satisfies (keyof RetryOptions)[];

/** Returns what is wrong with the option `retry`. (`retry()` itself would find it only after the first failure.) */
export function retryProblems(options: unknown): string[] {
  if (!isOptionsObject(options)) {
    return [`retry must be an object such as { maxAttempts: 3 }: got ${describeValue(options)}`];
  }
  const {
    maxAttempts = DEFAULTS.maxAttempts,
    minTimeout = DEFAULTS.minTimeout,
    maxTimeout = DEFAULTS.maxTimeout,
    multiplier = DEFAULTS.multiplier,
    jitter = DEFAULTS.jitter,
    isRetriable = DEFAULTS.isRetriable,
    signal,
  } = options as RetryOptions;
  const problems = unknownOptions(options, OPTIONS);
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  check(
    Number.isInteger(maxAttempts) && maxAttempts >= 1,
    `maxAttempts must be a whole number from 1 on: got ${maxAttempts}`,
  );
  const areTimes = minTimeout >= 0 && maxTimeout > 0;
  check(minTimeout >= 0, `minTimeout must be from 0 on: got ${minTimeout}`);
  check(maxTimeout > 0, `maxTimeout must be above 0: got ${maxTimeout}`);
  check(
    !areTimes || minTimeout <= maxTimeout,
    `minTimeout must be at most maxTimeout: got ${minTimeout} and ${maxTimeout}`,
  );
  check(Number.isFinite(multiplier) && multiplier >= 1, `multiplier must be from 1 on: got ${multiplier}`);
  check(jitter >= 0 && jitter <= 1, `jitter must be from 0 to 1: got ${jitter}`);
  check(
    typeof isRetriable === "function",
    `isRetriable must be a function: got ${describeValue(isRetriable)}`,
  );
  check(
    signal === undefined || signal instanceof AbortSignal,
    `signal must be an AbortSignal: got ${describeValue(signal)}`,
  );
  return problems.map((problem) => `retry: ${problem}`);
}

/** Thrown when `retry.signal` aborts: the message is not handled, and no policy disposes of it. */
export class RetryAbortedError extends Error {
  /** The class's name. */
  override readonly name = "RetryAbortedError";
}

/**
 * Makes an attempt, and after a failure more of them, by the options. Returns a promise only if the first attempt does, or
 * fails.
 *
 * @param stop ends the wait for the next attempt when it fires
 * @param isInterruptible whether a message whose wait `stop` ends is interrupted; otherwise it has failed
 * @throws `INTERRUPTED` If `stop` fires before an attempt succeeds, and the message is interruptible.
 * @throws {RetryAbortedError} If `signal` aborts before an attempt succeeds; the cause is the error of the last attempt.
 * @throws The error of the last attempt.
 */
export function retried(
  attempt: () => void | Promise<void>,
  options: RetryOptions,
  stop: ResettableSignal,
  isInterruptible: () => boolean,
): void | Promise<void> {
  const failed = (error: unknown) => again(attempt, options, stop, error, isInterruptible);
  try {
    return attempt()?.then(undefined, failed);
  } catch (error) {
    return failed(error);
  }
}

/** Makes the attempts after the first one, which has failed with `error`. */
async function again(
  attempt: () => void | Promise<void>,
  { signal, ...options }: RetryOptions,
  stop: ResettableSignal,
  error: unknown,
  isInterruptible: () => boolean,
): Promise<void> {
  const isRetriable = (error: unknown) =>
    !isInterrupted(error) && !isFatal(error) && (options.isRetriable ?? DEFAULTS.isRetriable)(error);
  // An error that is not retriable counts even if the run is stopped.
  if (!isRetriable(error)) throw error;
  let last = error, isFirst = true;
  const ending = new AbortController();
  const abort = () => ending.abort();
  const removeListener = stop.listen(abort);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    await retry(async () => {
      if (isFirst) {
        isFirst = false;
        throw error;
      }
      try {
        await attempt();
      } catch (error) {
        last = error;
        throw error;
      }
    }, {
      ...DEFAULTS,
      ...options,
      isRetriable,
      signal: ending.signal,
    });
  } catch (failure) {
    if (failure === ending.signal.reason && ending.signal.aborted) {
      if (stop.fired) throw isInterruptible() ? INTERRUPTED : last;
      throw new RetryAbortedError("retry.signal aborted", { cause: last });
    }
    throw failure instanceof RetryError ? failure.cause : failure;
  } finally {
    removeListener();
    signal?.removeEventListener("abort", abort);
  }
}
