/**
 * What `handle()` has bound together.
 *
 * @module
 */

import type { Handler } from "./handler.ts";
import type { HandlerError } from "./handler_error.ts";
import { checkStage, type PipeStage } from "./pipe.ts";
import { type DeadLetterSink, feeds, openDeadLetters } from "./protocol.ts";
import { checkRetry, type RetryOptions } from "./retry.ts";
import { type AnySink, checkSink, type Sink } from "./sinks.ts";
import { checkSource, describe, type Source } from "./sources.ts";

/** What happens with a message that can't be handled; {@linkcode HandleOptions.onError}. */
export type ErrorPolicy = "fail" | "skip" | DeadLetterSink | ((error: HandlerError) => unknown);

/**
 * How {@linkcode Slipstream.handle} binds a handler.
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

/** A handler with its sources and sinks. */
export interface Binding {
  /** The handler's name. */
  readonly name: string;
  /** The binding in words: `"count: 1 source, 2 sinks"`. */
  describe(): string;
  /**
   * Takes the handler out of the app: it gets no message any more, from the next on. A run goes on without it; a source
   * that nobody else handles ends in order. Idempotent.
   */
  stop(): void;
}

/** A binding as what runs it sees it. */
export interface Bound extends Binding {
  readonly sources: readonly Source<unknown>[];
  readonly sinks: readonly Sink<unknown>[];
  readonly handler: Handler<unknown, unknown>;
  readonly pipe: readonly PipeStage<unknown, unknown>[];
  readonly concurrency: number;
  readonly by: ((message: unknown) => unknown) | undefined;
  readonly retry: RetryOptions | undefined;
  readonly onError: ErrorPolicy;
}

/**
 * Checks what `handle()` was given and makes a binding of it.
 *
 * @throws {TypeError} If a source, a sink, an option or the handler is none.
 */
export function bind(source: unknown, second: unknown, third: unknown, stop: (bound: Bound) => void): Bound {
  if (typeof second === "function" && third !== undefined) {
    throw new TypeError(`handle() takes (source, options, handler): options go before the handler, not after it`);
  }
  const handler = typeof second === "function" ? second : third;
  const options = (typeof second === "function" ? {} : second) as HandleOptions<unknown>;
  if (typeof handler !== "function") throw new TypeError(`A handler must be a function: got ${describe(handler)}`);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`handle() takes (source, handler) or (source, options, handler): got ${describe(options)}`);
  }
  const known = ["sink", "name", "pipe", "concurrency", "by", "retry", "onError"];
  const unknown = Object.keys(options).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    throw new TypeError(`handle() has no option ${JSON.stringify(unknown)}: it has ${known.join(", ")}`);
  }
  const sources = (Array.isArray(source) && source.length > 0 && source.every(isSource) ? source : [source]) as Source<
    unknown
  >[];
  const sinks = (options.sink === undefined ? [] : Array.isArray(options.sink) ? options.sink : [options.sink]) as Sink<
    unknown
  >[];
  sources.forEach(checkSource);
  sinks.forEach(checkSink);
  const pipe = (options.pipe ?? []) as readonly PipeStage<unknown, unknown>[];
  if (!Array.isArray(pipe)) throw new TypeError(`pipe must be an array of stages: got ${describe(pipe)}`);
  pipe.forEach(checkStage);
  const { concurrency = 1, by, retry, onError = "fail" } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number from 1 on: ${concurrency}`);
  }
  if (by !== undefined && typeof by !== "function") throw new TypeError(`by must be a function: got ${describe(by)}`);
  if (by !== undefined && concurrency === 1) {
    throw new TypeError("by says what concurrency keeps in order: set concurrency above 1 as well");
  }
  if (retry !== undefined) checkRetry(retry);
  checkPolicy(onError, sources);
  const name = options.name ?? (handler.name || "handler");
  if (typeof name !== "string") throw new TypeError(`name must be a string: got ${describe(name)}`);
  const bound: Bound = {
    name,
    sources,
    sinks,
    handler: handler as Handler<unknown, unknown>,
    pipe,
    concurrency,
    by: by as Bound["by"],
    retry,
    onError,
    describe: () => `${name}: ${counted(sources.length, "source")}, ${counted(sinks.length, "sink")}`,
    stop: () => stop(bound),
  };
  return bound;
}

function checkPolicy(onError: unknown, sources: readonly unknown[]): void {
  if (onError === "fail" || onError === "skip" || typeof onError === "function") return;
  if (typeof onError !== "object" || onError === null || !(openDeadLetters in onError)) {
    const got = typeof onError === "string" ? JSON.stringify(onError) : describe(onError);
    throw new TypeError(`onError must be "fail", "skip", a Topic for dead letters or a function: got ${got}`);
  }
  if (sources.some((source) => source === onError || (onError as DeadLetterSink)[feeds]?.(source))) {
    throw new TypeError("onError can't be a source of the handler: its dead letters would come back for ever");
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * An array of sources is several of them; an array of anything else is one source of its elements. Arrays and bytes
 * inside it are messages, though they can be iterated.
 */
function isSource(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    checkSource(value);
    return !Array.isArray(value) && !ArrayBuffer.isView(value);
  } catch {
    return false;
  }
}
