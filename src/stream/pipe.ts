/**
 * Pipes as `handle()` takes them: stages between a source and a handler.
 *
 * **To add an operator** (such as a window or a join), write a function that returns a `PipeStage`: the same value fits
 * `handle({ pipe })`. `running_pipe.ts` runs the stages.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";

/**
 * A TransformStream, or another object with a readable and a writable stream.
 *
 * @typeParam I what the stage takes
 * @typeParam O what the stage emits
 */
export interface StreamStage<I, O> {
  /** The stream of what the stage emits. */
  readonly readable: ReadableStream<O>;
  /** The stream that takes what goes into the stage. */
  readonly writable: WritableStream<I>;
}

/**
 * A stage of a pipe: a function from an async iterable to another, such as an async generator function; a TransformStream; or
 * a function that makes a TransformStream.
 *
 * A run calls a function when it begins, and again after an error. A TransformStream itself serves one run, and ends with its
 * first error.
 *
 * @typeParam I what the stage takes
 * @typeParam O what the stage emits
 */
export type PipeStage<I, O> =
  | ((messages: AsyncIterable<I>) => AsyncIterable<O> | StreamStage<I, O>)
  | StreamStage<I, O>;

/**
 * One to ten stages, in order. Each takes what the one before it emits. For more stages, combine some in a function:
 * `(messages) => third(second(first(messages)))`.
 *
 * @typeParam I what the first stage takes
 */
export type Pipe<I, O1, O2, O3, O4, O5, O6, O7, O8, O9, O10> = readonly [
  PipeStage<I, O1>,
  PipeStage<O1, O2>?,
  PipeStage<O2, O3>?,
  PipeStage<O3, O4>?,
  PipeStage<O4, O5>?,
  PipeStage<O5, O6>?,
  PipeStage<O6, O7>?,
  PipeStage<O7, O8>?,
  PipeStage<O8, O9>?,
  PipeStage<O9, O10>?,
];

/** The error of a TransformStream that another run uses or has used. */
export const STREAM_IN_USE =
  "a TransformStream of a pipe is in use, or was in an earlier run: pass a function that makes one";

/** Why something is not a stage; `undefined` if it is one. */
export function stageProblem(stage: unknown): string | undefined {
  if (typeof stage === "function") return;
  if (isStreamStage(stage)) return isUnused(stage) ? undefined : STREAM_IN_USE;
  return "a stage of a pipe must be a TransformStream, a function that makes one, or a function of an async iterable that " +
    `returns one: got ${describeValue(stage)}`;
}

/** Whether a stage is a TransformStream or an object like it. */
export function isStreamStage(stage: unknown): stage is StreamStage<unknown, unknown> {
  const { readable, writable } = (stage ?? {}) as Record<string, unknown>;
  return readable instanceof ReadableStream && writable instanceof WritableStream;
}

/** Whether nothing reads from or writes to a stage. */
export function isUnused({ readable, writable }: StreamStage<unknown, unknown>): boolean {
  return !readable.locked && !writable.locked;
}
