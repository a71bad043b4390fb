/**
 * Trying again: the only place that knows where `@std/async` comes from.
 *
 * @module
 */

import * as std from "@std/async/retry";

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
  /** Ends the waiting, and the attempts, when it aborts. */
  readonly signal?: AbortSignal;
}

const { retry, RetryError } = std as {
  retry(attempt: () => Promise<void>, options: RetryOptions): Promise<void>;
  RetryError: new (cause: unknown, attempts: number) => Error;
};

/**
 * Checks the options as `retry()` would, before anything is tried.
 *
 * @throws {TypeError | RangeError} If one is wrong, or the shortest wait is longer than the longest.
 */
export function checkRetry(options: RetryOptions): void {
  if (typeof options !== "object" || options === null) throw new TypeError("retry must be options: { maxAttempts, … }");
  const { maxAttempts = 5, minTimeout = 1000, maxTimeout = 60_000, multiplier = 2, jitter = 1 } = options;
  const known = ["maxAttempts", "minTimeout", "maxTimeout", "multiplier", "jitter", "isRetriable", "signal"];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`retry has no option ${JSON.stringify(unknown)}: it has ${known.join(", ")}`);
  }
  const check = (holds: boolean, what: string) => {
    if (!holds) throw new RangeError(`retry.${what}`);
  };
  check(
    Number.isInteger(maxAttempts) && maxAttempts >= 1,
    `maxAttempts must be a whole number from 1 on: ${maxAttempts}`,
  );
  check(minTimeout >= 0, `minTimeout must be from 0 on: ${minTimeout}`);
  check(maxTimeout > 0, `maxTimeout must be above 0: ${maxTimeout}`);
  check(minTimeout <= maxTimeout, `minTimeout must be at most maxTimeout: ${minTimeout} and ${maxTimeout}`);
  check(Number.isFinite(multiplier) && multiplier >= 1, `multiplier must be from 1 on: ${multiplier}`);
  check(jitter >= 0 && jitter <= 1, `jitter must be from 0 to 1: ${jitter}`);
  if (options.isRetriable !== undefined && typeof options.isRetriable !== "function") {
    throw new TypeError(`retry.isRetriable must be a function: got ${typeof options.isRetriable}`);
  }
}

/**
 * Tries, and tries again as the options say. Costs a promise only when the first attempt does, or fails.
 *
 * @throws the error of the last attempt
 */
export function retried(attempt: () => void | Promise<void>, options: RetryOptions): void | Promise<void> {
  try {
    return attempt()?.then(undefined, (error) => again(attempt, options, error));
  } catch (error) {
    return again(attempt, options, error);
  }
}

/** The attempts after the first, which counts as one. */
async function again(attempt: () => void | Promise<void>, options: RetryOptions, error: unknown): Promise<void> {
  let first = true;
  try {
    await retry(async () => {
      if (first) {
        first = false;
        throw error;
      }
      await attempt();
    }, options);
  } catch (failure) {
    throw failure instanceof RetryError ? failure.cause : failure;
  }
}
