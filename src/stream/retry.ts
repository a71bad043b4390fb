/**
 * Attempts after a failure, with growing waits between them.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { unknownOptions } from "../options/problems.ts";
import { isFatal } from "./handler_error.ts";
import { INTERRUPTED, isInterrupted } from "./interrupted.ts";
import { ResettableSignal } from "../async/resettable_signal.ts";

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

/** The values of options that are left out; those of `@std/async`. */
const DEFAULTS = {
  maxAttempts: 5,
  minTimeout: 1000,
  maxTimeout: 60_000,
  multiplier: 2,
  jitter: 1,
  isRetriable: () => true,
} as const satisfies RetryOptions;

const OPTIONS = [
  "maxAttempts",
  "minTimeout",
  "maxTimeout",
  "multiplier",
  "jitter",
  "isRetriable",
  "signal",
] as const satisfies (keyof RetryOptions)[];

/** What is wrong with the option `retry`, before anything is tried. */
export function retryProblems(options: unknown): string[] {
  if (typeof options !== "object" || options === null) {
    return [`retry must be an object such as { maxAttempts: 3 }: got ${describeValue(options)}`];
  }
  const { maxAttempts, minTimeout, maxTimeout, multiplier, jitter, isRetriable, signal } = withDefaults(options);
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
    typeof isRetriable === "function",
    `isRetriable must be a function: got ${describeValue(isRetriable)}`,
  );
  check(
    signal === undefined || signal instanceof AbortSignal,
    `signal must be an AbortSignal: got ${describeValue(signal)}`,
  );
  return problems.map((problem) => `retry: ${problem}`);
}

/** `undefined` counts as left out. */
function withDefaults(options: RetryOptions): RetryOptions & Required<Omit<RetryOptions, "signal">> {
  const defined = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(defined) };
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
  options: RetryOptions,
  stop: ResettableSignal,
  error: unknown,
  isInterruptedAtStop: () => boolean,
): Promise<void> {
  const { signal, ...growth } = withDefaults(options);
  const isRetriable = (error: unknown) => !isInterrupted(error) && !isFatal(error) && growth.isRetriable(error);
  // An error that no attempt can help is thrown even if the run is stopped.
  if (!isRetriable(error)) throw error;
  let last = error;
  const cut = new ResettableSignal();
  const abort = () => cut.fire();
  const forget = stop.listen(abort);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  const throwIfCut = () => {
    if (!cut.fired) return;
    if (stop.fired) throw isInterruptedAtStop() ? INTERRUPTED : last;
    throw new RetryAbortedError("retry.signal aborted", { cause: last });
  };
  try {
    throwIfCut();
    for (let attempts = 1; attempts < growth.maxAttempts; attempts++) {
      await cut.delay(waitMs(attempts, growth));
      throwIfCut();
      try {
        return await attempt();
      } catch (error) {
        last = error;
        if (!isRetriable(last)) break;
      }
    }
    throw last;
  } finally {
    forget();
    signal?.removeEventListener("abort", abort);
  }
}

/** The wait after so many attempts, in milliseconds. */
function waitMs(
  attempts: number,
  { minTimeout, maxTimeout, multiplier, jitter }: Required<Omit<RetryOptions, "isRetriable" | "signal">>,
): number {
  const longest = Math.min(maxTimeout, minTimeout * multiplier ** (attempts - 1));
  return longest * (1 - jitter * Math.random());
}
