/**
 * The options of `handle()`.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { closestName } from "../options/closest_name.ts";
import { unknownOptions } from "../options/problems.ts";
import type { HandlerError } from "./handler_error.ts";
import { type PipeStage, stageProblem } from "./pipe.ts";
import { type DeadLetterSink, feeds, openDeadLetters } from "../protocol/protocol.ts";
import { type RetryOptions, retryProblems } from "./retry.ts";
import { type AnySink, sinkProblem } from "./sinks.ts";

/**
 * What happens to a message that can't be handled: the run fails, the message is skipped, it goes to a Topic for dead
 * letters, or a function decides. `HandleOptions.onError` documents each.
 */
export type ErrorPolicy = "fail" | "skip" | DeadLetterSink | ((error: HandlerError) => unknown);

/**
 * The options of `handle()`.
 *
 * @typeParam M what the handler gets: a message of the source, or what the last stage of the pipe emits
 * @typeParam S the sink, or the tuple of sinks
 * @typeParam P the tuple of stages
 */
export interface HandleOptions<M, S extends AnySink = AnySink, P = readonly PipeStage<never, unknown>[]> {
  /**
   * One sink or an array of sinks. Each receives every value that the handler emits; a value goes to the sinks in the order of
   * the array.
   *
   * A sink is a function (if it returns a promise, the run awaits it), a WritableStream, an object with `.writable`, a Topic
   * or a Cache. A run closes a WritableStream when every handler that writes to it has ended, and aborts it when the run
   * fails, as `pipeTo()` does; wrap the stream in a function to keep it open.
   *
   * A TransformStream can be the sink of one handler and the source of another. A message is then done when the stream has
   * taken the values of the first handler, before the second one has handled them: a crash in between loses them. A `pipe`
   * is safer.
   *
   * @default {none: emitted values are dropped}
   */
  readonly sink?: S;
  /**
   * One to ten stages in front of the handler: messages go through them in order, and the handler gets what the last one
   * emits. A stage is a function from an async iterable to another, such as an async generator function; a TransformStream,
   * which serves one run; or a function that makes a TransformStream.
   *
   * - Messages go through the stages one by one. A batch is done when everything that the stages and the handler emitted for
   *   it has settled.
   * - A stage may hold values back and emit them later, or at its end. They are handled, settle and fail like all others,
   *   but the messages that they were made of may be done before them: a crash in between loses such values.
   * - When a stage ends by itself, its handler gets no more messages in this run, and a source without other handlers
   *   ends. The next run begins with new stages.
   *
   * @default {none: the handler gets the messages}
   */
  readonly pipe?: P;
  /**
   * The name of the handler, for errors and `Binding.describe()`.
   * @default {the function's name, or "handler"}
   */
  readonly name?: string;
  /**
   * How many messages an asynchronous handler works on at a time: a whole number from 1 on.
   *
   * - Messages with the same key are handled one after the other, and sinks accept their values in that order. Messages
   *   without a key, and those of different keys, have no order between them.
   * - A batch is done when all of its messages are. So an offset is stored only when the messages before it are done.
   * - At most 16 times `concurrency` messages wait, whatever their keys. Then the source is not read until one of them
   *   starts.
   *
   * @default {1}
   */
  readonly concurrency?: number;
  /**
   * Returns the key of a message: `concurrency` keeps messages of equal keys in order. Bytes and objects are compared by
   * content.
   * @default {message.key}
   */
  readonly by?: (message: NoInfer<M>) => unknown;
  /**
   * Tries again when a codec, a stage, the handler or a sink fails for a message. `onError` applies after the last attempt.
   * Sinks get only what the successful attempt emits.
   *
   * A TransformStream in the pipe can't be tried again; a function that makes one can. After a stop there are no more
   * attempts: the message is not done, and a source that can begin again delivers it in the next run.
   *
   * @default {none: the first failure counts}
   */
  readonly retry?: RetryOptions;
  /**
   * Decides what happens to a message when a codec, a stage, the handler or a sink fails for it, after the last attempt of
   * `retry`:
   *
   * - `"fail"`: `stream()` ends the sources and rejects with the error. The message is not done; a source that can begin
   *   again delivers it in the next run.
   * - `"skip"`: the message is done. What the handler has emitted for it already stays in the sinks.
   * - a Topic: receives the message byte for byte as a dead letter, with the reason in headers that begin with `slipstream.`.
   *   The message is done when the dead letter is delivered. The Topic can't be a source of the handler.
   * - a function: receives the error, with the message as its `value`. The run awaits it, and the message is done when it
   *   returns. When it throws, `stream()` rejects.
   *
   * Other handlers of the source get the message in any case.
   *
   * Some failures come after a sink has accepted a value. A Topic that can't deliver a record within `message.timeout.ms`
   * reports it here, without `retry`. A WritableStream that fails, or a Cache whose disk is full, fails the run under
   * every policy. So does a sink that can accept nothing more, such as a closed Cache or a Topic whose credentials are
   * refused: no message is to blame.
   *
   * @default {"fail"}
   */
  readonly onError?: ErrorPolicy;
}

/** The defaults of `handle()`. */
export const HANDLE_DEFAULTS = { concurrency: 1, onError: "fail" } as const satisfies HandleOptions<never>;

const OPTIONS = [
  "sink",
  "pipe",
  "name",
  "concurrency",
  "by",
  "retry",
  "onError",
] as const satisfies (keyof HandleOptions<never>)[];

/** Returns what is wrong with the options of `handle()`: one problem for each entry. */
export function optionProblems(options: object, sources: readonly unknown[]): string[] {
  const { sink = [], pipe = [], name, by, retry } = options as Record<keyof HandleOptions<never>, unknown>;
  const { concurrency = HANDLE_DEFAULTS.concurrency, onError = HANDLE_DEFAULTS.onError } = options as Record<
    "concurrency" | "onError",
    unknown
  >;
  const problems = unknownOptions(options, OPTIONS);
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  problems.push(...(Array.isArray(sink) ? sink : [sink]).map(sinkProblem).filter((problem) => problem !== undefined));
  if (Array.isArray(pipe)) problems.push(...pipe.map(stageProblem).filter((problem) => problem !== undefined));
  else problems.push(`pipe must be an array of stages: got ${describeValue(pipe)}`);
  check(name === undefined || typeof name === "string", `name must be a string: got ${describeValue(name)}`);
  check(
    Number.isInteger(concurrency) && concurrency as number >= 1,
    `concurrency must be a whole number from 1 on: got ${String(concurrency)}`,
  );
  check(by === undefined || typeof by === "function", `by must be a function: got ${describeValue(by)}`);
  check(
    by === undefined || concurrency !== 1,
    "by has no effect without concurrency: set concurrency above 1 as well",
  );
  if (retry !== undefined) problems.push(...retryProblems(retry));
  const wrong = policyProblem(onError, sources);
  if (wrong !== undefined) problems.push(wrong);
  return problems;
}

function policyProblem(onError: unknown, sources: readonly unknown[]): string | undefined {
  if (onError === "fail" || onError === "skip" || typeof onError === "function") return;
  if (typeof onError !== "object" || onError === null || !(openDeadLetters in onError)) {
    const got = typeof onError === "string"
      ? `${JSON.stringify(onError)}: did you mean ${JSON.stringify(closestName(onError, ["fail", "skip"]))}?`
      : describeValue(onError);
    return `onError must be "fail", "skip", a Topic for dead letters or a function: got ${got}`;
  }
  if (sources.some((source) => source === onError || (onError as DeadLetterSink)[feeds]?.(source))) {
    return "onError can't be a source of the handler: its dead letters would come back for ever";
  }
}
