/**
 * The options of `stream()`.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems, isOptionsObject, unknownOptions } from "../options/problems.ts";

/**
 * The options of `stream()`.
 *
 * @typeParam Args what every handler gets as its second parameter
 */
export interface StreamOptions<Args = unknown> {
  /**
   * The second parameter of every handler.
   * @default {undefined}
   */
  readonly args?: Args;
  /**
   * Stops the run when it aborts: the sources end, messages whose handling has begun are finished and settled, and `stream()`
   * resolves.
   * @default {none}
   */
  readonly signal?: AbortSignal;
  /**
   * Whether SIGINT and SIGTERM stop the run, in the same way. A second one exits the process at once.
   * @default {true}
   */
  readonly handleSignals?: boolean;
  /**
   * How long the end of a run may take after a stop or a failure, in milliseconds, from 0 on; `Infinity` sets no limit.
   * Handlers finish their messages in that time, sinks settle, and both are closed. After it `stream()` rejects, with the
   * failure if there was one; after SIGINT or SIGTERM the process exits. Sources that can begin again deliver what is not
   * done by then in the next run.
   * @default {30_000}
   */
  readonly shutdownTimeoutMs?: number;
}

/** The parameters of `stream()`: its options, which are required when handlers need `args`. */
export type StreamParameters<Args = unknown> = undefined extends Args ? [options?: StreamOptions<Args>]
  : [options: StreamOptions<Args> & { readonly args: Args }];

/** The defaults of `stream()`. */
export const DEFAULTS = { handleSignals: true, shutdownTimeoutMs: 30_000 } as const satisfies StreamOptions;
const OPTIONS = ["args", "signal", "handleSignals", "shutdownTimeoutMs"] as const satisfies (keyof StreamOptions)[];

/**
 * The options that `stream()` was called with, checked.
 *
 * @throws {TypeError} If they are not one object of known options, each of its type. Lists all problems.
 */
export function checkStreamOptions([options = {}, ...more]: readonly unknown[]): StreamOptions {
  const form = "it takes one object of options, such as stream({ args, signal })";
  if (!isOptionsObject(options)) {
    assertNoProblems("stream()", [`${form}: got ${describeValue(options)}`]);
  }
  if (more.length > 0) assertNoProblems("stream()", [`${form}: got ${more.length + 1} parameters`]);
  const { signal, handleSignals, shutdownTimeoutMs } = options as Record<string, unknown>;
  const problems = unknownOptions(options as object, OPTIONS);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    problems.push(`signal must be an AbortSignal: got ${describeValue(signal)}`);
  }
  if (handleSignals !== undefined && typeof handleSignals !== "boolean") {
    problems.push(`handleSignals must be true or false: got ${describeValue(handleSignals)}`);
  }
  if (shutdownTimeoutMs !== undefined && !(typeof shutdownTimeoutMs === "number" && shutdownTimeoutMs >= 0)) {
    problems.push(`shutdownTimeoutMs must be a number of milliseconds from 0 on: got ${String(shutdownTimeoutMs)}`);
  }
  assertNoProblems("stream()", problems);
  return options as StreamOptions;
}
