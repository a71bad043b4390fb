/**
 * Trying again: the only place that knows where `@std/async` comes from.
 *
 * @module
 */

import * as std from "@std/async/retry";
import { describe } from "../options/describe.ts";
import { unknownOptions } from "../options/problems.ts";
import { isFatal } from "./handler_error.ts";
import { isLeft, LEFT } from "./left.ts";
import type { Once } from "./once.ts";

/** How a handler is tried again: the options of `retry()` of `@std/async`. */
export interface RetryOptions {
  /**
   * How often it is tried in all, from 1 on.
   * @default {5}
   */
  readonly maxAttempts?: number;
  /**
   * The wait before the second attempt, in milliseconds.
   * @default {1000}
   */
  readonly minTimeout?: number;
  /**
   * The longest wait, in milliseconds.
   * @default {60_000}
   */
  readonly maxTimeout?: number;
  /**
   * What the wait is multiplied with each time, from 1 on.
   * @default {2}
   */
  readonly multiplier?: number;
  /**
   * How much of a wait is left to chance, from 0 to 1.
   * @default {1}
   */
  readonly jitter?: number;
  /**
   * Whether an error is worth another attempt.
   * @default {() => true}
   */
  readonly isRetriable?: (error: unknown) => boolean;
  /**
   * Ends the waiting, and the attempts, when it aborts. The message is not done then, and the run ends with the error of
   * the last attempt, whatever `onError` says.
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
    return [`retry must be an object such as { maxAttempts: 3 }: got ${describe(options)}`];
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
    `isRetriable must be a function: got ${describe(isRetriable)}`,
  );
  check(
    signal === undefined || signal instanceof AbortSignal,
    `signal must be an AbortSignal: got ${describe(signal)}`,
  );
  return problems.map((problem) => `retry: ${problem}`);
}

/** `retry.signal` aborted: nobody has decided what is to become of the message. */
export class RetryAbortedError extends Error {
  /** The class's name. */
  override readonly name = "RetryAbortedError";
}

/**
 * Tries, and tries again as the options say. Costs a promise only when the first attempt does, or fails.
 *
 * @param stop cuts the wait before another attempt short
 * @param isLeftAtStop asked then: whether `LEFT` is thrown, or the error of the last attempt
 * @throws `LEFT` If it was stopped before an attempt succeeded.
 * @throws {RetryAbortedError} If `signal` aborted before; its cause is the error of the last attempt.
 * @throws the error of the last attempt
 */
export function retried(
  attempt: () => void | Promise<void>,
  options: RetryOptions,
  stop: Once,
  isLeftAtStop: () => boolean,
): void | Promise<void> {
  const failed = (error: unknown) => again(attempt, options, stop, error, isLeftAtStop);
  try {
    return attempt()?.then(undefined, failed);
  } catch (error) {
    return failed(error);
  }
}

/** The attempts after the first, which counts as one. */
async function again(
  attempt: () => void | Promise<void>,
  { signal, ...options }: RetryOptions,
  stop: Once,
  error: unknown,
  isLeftAtStop: () => boolean,
): Promise<void> {
  const isRetriable = (error: unknown) => !isLeft(error) && !isFatal(error) && (options.isRetriable?.(error) ?? true);
  // What no attempt would help is no matter of a stop.
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
      if (stop.happened) throw isLeftAtStop() ? LEFT : last;
      throw new RetryAbortedError("retry.signal aborted", { cause: last });
    }
    throw failure instanceof RetryError ? failure.cause : failure;
  } finally {
    forget();
    signal?.removeEventListener("abort", abort);
  }
}
