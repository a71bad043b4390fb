/**
 * Attempts after a failure. Only this file imports `@std/async`.
 *
 * @module
 */

import * as std from "@std/async/retry";
import { describeValue } from "../options/describe_value.ts";
import { unknownOptions } from "../options/problems.ts";
import { isFatal } from "./handler_error.ts";
import { INTERRUPTED, isInterrupted } from "./interrupted.ts";
import type { ResettableSignal } from "../async/resettable_signal.ts";

/**
 * The option `retry` of `handle()`: the options of `retry()` of `@std/async`. Waits grow from `minTimeout` by `multiplier` up
 * to `maxTimeout`, and `jitter` shortens them at random.
 */
export interface RetryOptions {
  /**
   * The number of attempts, with the first: a whole number from 1 on.
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
   * Ends the wait and the attempts when it aborts. The message is not done then, and `stream()` rejects with the error of
   * the last attempt, whatever `onError` says.
   * @default {none}
   */
  readonly signal?: AbortSignal;
}

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

/** What is wrong with the option `retry`, as `retry()` would find it, before anything is tried. */
export function retryProblems(options: unknown): string[] {
  if (typeof options !== "object" || options === null) {
    return [`retry must be an object such as { maxAttempts: 3 }: got ${describeValue(options)}`];
  }
  const { maxAttempts = 5, minTimeout = 1000, maxTimeout = 60_000, multiplier = 2, jitter = 1, isRetriable, signal } =
    options as RetryOptions;
  const problems = unknownOptions(options, OPTIONS);
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  check(
    Number.isInteger(maxAttempts) && maxAttempts >= 1,
    `maxAttempts must be a whole number from 1 on: ${maxAttempts}`,
  );
  const areTimes = minTimeout >= 0 && maxTimeout > 0;
  check(minTimeout >= 0, `minTimeout must be from 0 on: ${minTimeout}`);
  check(maxTimeout > 0, `maxTimeout must be above 0: ${maxTimeout}`);
  check(
    !areTimes || minTimeout <= maxTimeout,
    `minTimeout must be at most maxTimeout: ${minTimeout} and ${maxTimeout}`,
  );
  check(Number.isFinite(multiplier) && multiplier >= 1, `multiplier must be from 1 on: ${multiplier}`);
  check(jitter >= 0 && jitter <= 1, `jitter must be from 0 to 1: ${jitter}`);
  check(
    isRetriable === undefined || typeof isRetriable === "function",
    `isRetriable must be a function: got ${describeValue(isRetriable)}`,
  );
  check(
    signal === undefined || signal instanceof AbortSignal,
    `signal must be an AbortSignal: got ${describeValue(signal)}`,
  );
  return problems.map((problem) => `retry: ${problem}`);
}

/** The error when `retry.signal` aborts: the message is not handled, and no policy has disposed of it. */
export class RetryAbortedError extends Error {
  /** The class's name. */
  override readonly name = "RetryAbortedError";
}

/**
 * Makes an attempt, and more of them as the options say. Returns a promise only if the first attempt does, or fails.
 *
 * @param stop ends the wait before the next attempt when it happens
 * @param isInterruptedAtStop says what is thrown then: `INTERRUPTED` if it returns `true`, else the error of the last attempt
 * @throws `INTERRUPTED` If `stop` happens before an attempt succeeds.
 * @throws {RetryAbortedError} If `signal` aborts before an attempt succeeds; the cause is the error of the last attempt.
 * @throws The error of the last attempt.
 */
export function retried(
  attempt: () => void | Promise<void>,
  options: RetryOptions,
  stop: ResettableSignal,
  isInterruptedAtStop: () => boolean,
): void | Promise<void> {
  const failed = (error: unknown) => again(attempt, options, stop, error, isInterruptedAtStop);
  try {
    return attempt()?.then(undefined, failed);
  } catch (error) {
    return failed(error);
  }
}

/** Makes the attempts after the first, which has failed with `error` and counts as one. */
async function again(
  attempt: () => void | Promise<void>,
  { signal, ...options }: RetryOptions,
  stop: ResettableSignal,
  error: unknown,
  isInterruptedAtStop: () => boolean,
): Promise<void> {
  const isRetriable = (error: unknown) =>
    !isInterrupted(error) && !isFatal(error) && (options.isRetriable?.(error) ?? true);
  // An error that no attempt can help is thrown even if the run is stopped.
  if (!isRetriable(error)) throw error;
  let last = error, isFirst = true;
  const cut = new AbortController();
  const abort = () => cut.abort();
  const forget = stop.listen(abort);
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
      ...options,
      isRetriable,
      signal: cut.signal,
    });
  } catch (failure) {
    if (failure === cut.signal.reason && cut.signal.aborted) {
      if (stop.fired) throw isInterruptedAtStop() ? INTERRUPTED : last;
      throw new RetryAbortedError("retry.signal aborted", { cause: last });
    }
    throw failure instanceof RetryError ? failure.cause : failure;
  } finally {
    forget();
    signal?.removeEventListener("abort", abort);
  }
}
