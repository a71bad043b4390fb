/**
 * Bindings: what `handle()` makes of its arguments.
 *
 * @module
 */

import { describeValue } from "../options/describe_value.ts";
import { assertNoProblems, isOptionsObject } from "../options/problems.ts";
import { type ErrorPolicy, HANDLE_DEFAULTS, type HandleOptions, optionProblems } from "./handle_options.ts";
import type { Handler } from "./handler.ts";
import type { PipeStage } from "./pipe.ts";
import type { RetryOptions } from "./retry.ts";
import type { Sink } from "./sinks.ts";
import { type Source, sourceProblem } from "./sources.ts";

/** A handler with its sources and sinks: what `handle()` returns. */
export interface Binding {
  /** The name of the handler. */
  readonly name: string;
  /** Describes the binding: `"count: 1 source, 2 sinks"`. */
  describe(): string;
  /**
   * Removes the handler from its app: it gets no more messages, from the next one on. A run goes on with the other handlers,
   * and ends a source that none of them reads. Idempotent.
   */
  stop(): void;
}

/** A binding as a run sees it: every option has a value. */
export interface ResolvedBinding extends Binding {
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
 * Checks the arguments of `handle()` and makes a binding of them.
 *
 * @throws {TypeError} If an argument or an option is wrong; the error lists all problems.
 */
export function bind(
  source: unknown,
  second: unknown,
  third: unknown,
  stop: (binding: ResolvedBinding) => void,
): ResolvedBinding {
  const [options, handler] = typeof second === "function" ? [third ?? {}, second] : [second, third];
  const sources = Array.isArray(source) && source.length > 0 && source.every(isSource) ? source : [source];
  const problems = sources.map(sourceProblem).filter((problem) => problem !== undefined);
  if (typeof second === "function" && third !== undefined) problems.push("options go before the handler, not after it");
  if (typeof handler !== "function") problems.push(`the handler must be a function: got ${describeValue(handler)}`);
  if (isOptionsObject(options)) problems.push(...optionProblems(options, sources));
  // handle(source, 5) lacks a handler, and that is reported already.
  else if (typeof handler === "function") problems.push(`the options must be an object: got ${describeValue(options)}`);
  assertNoProblems("handle()", problems);

  const handle = handler as Handler<unknown, unknown>;
  const {
    sink = [],
    pipe = [],
    concurrency = HANDLE_DEFAULTS.concurrency,
    by,
    retry,
    onError = HANDLE_DEFAULTS.onError,
    name = handle.name || "handler",
  } = options as HandleOptions<unknown>;
  const sinks = Array.isArray(sink) ? sink : [sink];
  const binding: ResolvedBinding = {
    name,
    sources,
    sinks,
    handler: handle,
    pipe: pipe as ResolvedBinding["pipe"],
    concurrency,
    by,
    retry,
    onError,
    describe: () => `${name}: ${counted(sources.length, "source")}, ${counted(sinks.length, "sink")}`,
    stop: () => stop(binding),
  };
  return binding;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Whether an element of an array is a source. An array of sources stands for each of them; an array of anything else is one
 * source of its elements. Arrays and bytes in it are messages, though they can be iterated.
 */
function isSource(value: unknown): boolean {
  return sourceProblem(value) === undefined && typeof value === "object" && !Array.isArray(value) &&
    !ArrayBuffer.isView(value);
}
