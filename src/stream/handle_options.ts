/**
 * The options of `handle()`.
 *
 * @module
 */

import { describe } from "../options/describe.ts";
import { nearest, unknownOptions } from "../options/problems.ts";
import type { HandlerError } from "./handler_error.ts";
import { type PipeStage, stageProblem } from "./pipe.ts";
import { type DeadLetterSink, feeds, openDeadLetters } from "./protocol.ts";
import { type RetryOptions, retryProblems } from "./retry.ts";
import { type AnySink, sinkProblem } from "./sinks.ts";

/** What happens with a message that can't be handled; `HandleOptions.onError`. */
export type ErrorPolicy = "fail" | "skip" | DeadLetterSink | ((error: HandlerError) => unknown);

/**
 * How `Slipstream.handle` binds a handler.
 *
 * @typeParam M what the handler takes: a message of the source, or what the pipe makes of them
 * @typeParam S the sink, or the tuple of sinks
 * @typeParam P the tuple of stages
 */
export interface HandleOptions<M, S extends AnySink = AnySink, P = readonly PipeStage<never, unknown>[]> {
  /**
   * Where the emitted values go. Of several sinks, each gets every value, in the order of the array.
   * @default {none: the values go nowhere}
   */
  readonly sink?: S;
  /**
   * Stages between the source and the handler: functions from an async iterable to one, such as async generator
   * functions, TransformStreams, and functions that make one. Messages pass them one by one, and a batch is done when all
   * that came of it has settled. What a stage holds back, to emit it with a later message or at its end, is handled,
   * settles and fails like anything else, but its message may be done before.
   *
   * A stage that ends takes the handler out of the run, not out of the app: the handler gets no message any more, and a
   * source that no other handler reads ends. The next run makes the stage anew.
   * @default {none}
   */
  readonly pipe?: P;
  /** The handler's name, for errors. @default {the function's name} */
  readonly name?: string;
  /**
   * How many messages are handled at a time, when the handler is asynchronous. Those of one key stay in order, and so
   * does what they emit; those without a key have none. A batch is done when all of it is: no offset is stored
   * before those in front of it.
   *
   * One busy key can hold up others when 16 times as many messages wait.
   * @default {1}
   */
  readonly concurrency?: number;
  /** The key by which `concurrency` keeps order. @default {message.key} */
  readonly by?: (message: NoInfer<M>) => unknown;
  /**
   * Tries a codec, a stage of the pipe, the handler or a sink again that failed. What they emit then goes on when they
   * have succeeded: no attempt emits twice. A TransformStream in the pipe can't be tried again; a function that makes one
   * can. A stop does not wait for the next attempt: the message is not done, and read again next time.
   */
  readonly retry?: RetryOptions;
  /**
   * What happens when codec, pipe, handler or a sink failed for a message, and `retry` is through:
   *
   * - `"fail"`: the run ends with the error. The message is not done, and read again next time.
   * - `"skip"`: goes on with the next message. What was emitted already stays.
   * - a Topic: the message goes there as it was, byte for byte, with what happened in headers that begin with
   *   `slipstream.`; it is done when that is delivered. It can't be one that the handler reads.
   * - a function: gets the error, which carries the message, and is awaited; when it throws, the run fails.
   *
   * Other handlers of the source go on. A Topic that could not deliver what it had accepted comes here too, once a
   * message, without `retry`: it has tried for `message.timeout.ms`. Any other sink that fails after it has accepted,
   * such as a Cache whose disk is full or a WritableStream, fails the run whatever the policy, and so does a sink that
   * can't take anything any more, such as a closed Cache or a Topic whose credentials are refused: no message is to
   * blame for that.
   * @default {"fail"}
   */
  readonly onError?: ErrorPolicy;
}

const OPTIONS = [
  "sink",
  "pipe",
  "name",
  "concurrency",
  "by",
  "retry",
  "onError",
] as const satisfies (keyof HandleOptions<never>)[];

/** What is wrong with the options of `handle()`. */
export function optionProblems(options: object, sources: readonly unknown[]): string[] {
  const { sink = [], pipe = [], name, concurrency = 1, by, retry, onError = "fail" } = options as Record<
    keyof HandleOptions<never>,
    unknown
  >;
  const problems = unknownOptions(options, OPTIONS);
  const check = (holds: boolean, problem: string) => {
    if (!holds) problems.push(problem);
  };
  problems.push(...(Array.isArray(sink) ? sink : [sink]).map(sinkProblem).filter((problem) => problem !== undefined));
  if (Array.isArray(pipe)) problems.push(...pipe.map(stageProblem).filter((problem) => problem !== undefined));
  else problems.push(`pipe must be an array of stages: got ${describe(pipe)}`);
  check(name === undefined || typeof name === "string", `name must be a string: got ${describe(name)}`);
  check(
    Number.isInteger(concurrency) && concurrency as number >= 1,
    `concurrency must be a whole number from 1 on: ${String(concurrency)}`,
  );
  check(by === undefined || typeof by === "function", `by must be a function: got ${describe(by)}`);
  check(
    by === undefined || concurrency !== 1,
    "by says what concurrency keeps in order: set concurrency above 1 as well",
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
      ? `${JSON.stringify(onError)}: did you mean ${JSON.stringify(nearest(onError, ["fail", "skip"]))}?`
      : describe(onError);
    return `onError must be "fail", "skip", a Topic for dead letters or a function: got ${got}`;
  }
  if (sources.some((source) => source === onError || (onError as DeadLetterSink)[feeds]?.(source))) {
    return "onError can't be a source of the handler: its dead letters would come back for ever";
  }
}
