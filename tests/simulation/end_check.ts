/**
 * Checks at the end of a run: how long it took, how it ended, and what it left.
 *
 * @module
 */

import { isItemFinished, isMessageFinished } from "./done_check.ts";
import { faultOf } from "./model_handler.ts";
import type { Model, SourceState } from "./model.ts";
import type { Fault } from "./model_values.ts";

/** How long sinks and sources may take to close after `shutdownTimeoutMs`. */
const RELEASE_MS = 5000;
/** How long an end may take when nothing in the program takes longer: far less than the wait between attempts. */
const PROMPT_MS = 10_000;

/** How `stream()` ended. */
export interface Ending {
  readonly app: number;
  readonly isRejected: boolean;
  readonly error: unknown;
  readonly shutdownTimeoutMs: number;
}

/** Checks an app whose `stream()` has just ended. */
export function checkEnd(model: Model, { app, isRejected, error, shutdownTimeoutMs }: Ending): void {
  const state = model.apps[app]!;
  state.isOver = true;
  const faults = model.faults.filter((fault) => fault.app === app);
  const isTimedOut = isRejected && error instanceof Error && error.message.includes("did not end within");
  const since = Math.min(state.stoppedMs ?? Infinity, ...faults.filter(endsTheRun).map(({ ms }) => ms));
  const took = model.time.now - since;
  if (took > shutdownTimeoutMs + RELEASE_MS + 1) model.violate(`app ${app} took ${took} ms to end`);
  const slowest = Math.max(...model.program.sinks.map(({ ms }) => ms));
  const slowestHandler = Math.max(...model.handlers.map(({ wiring }) => wiring.spec.ms));
  if (
    took > PROMPT_MS + model.offered * slowest + model.begun * slowestHandler && !model.isStuck &&
    !drainsSlowly(model, app)
  ) model.violate(`app ${app} took ${took} ms to end, and nothing held it up`);
  if (isTimedOut || took >= shutdownTimeoutMs) {
    if (took < shutdownTimeoutMs) model.violate(`app ${app} gave up after ${took} ms`);
    return;
  }
  if (isRejected) checkRejection(model, app, error, faults);
  else checkResolution(model, app, faults);
  if (model.mayGiveUp) return;
  for (const source of sourcesOf(model, app)) {
    if (source.closes === 0 && model.program.sources[source.index]!.kind === "batches") {
      model.violate(`source ${source.index} was not closed`);
    }
  }
  for (const writer of model.writers) {
    if (writer.app === app && writer.closes === 0) model.violate(`${writer.name} was not closed`);
  }
}

/**
 * Whether an app retries messages after a stop because they would not come again: those of a link, or of a stream that another
 * handler may write to.
 */
function drainsSlowly(model: Model, app: number): boolean {
  return model.handlers.some(({ wiring: { spec, sources, app: own } }) =>
    own === app && spec.retry !== undefined &&
    sources.some((source) => source >= model.program.sources.length || model.program.sources[source]!.kind === "stream")
  );
}

function sourcesOf(model: Model, app: number): SourceState[] {
  return [...model.sources.values()].filter((source) => source.app === app);
}

/** Whether a failure ends the run as soon as it happens. */
function endsTheRun(fault: Fault): boolean {
  if (!fault.isReported || !fault.isFinal) return false;
  if (fault.handler?.failures.includes(fault)) return false; // It happened between messages: the run learns of it at the next push.
  if (fault.kind === "policy" || fault.fatal) return true;
  return fault.handler?.wiring.spec.onError === "fail" && fault.kind !== "codec";
}

function checkRejection(model: Model, app: number, error: unknown, faults: readonly Fault[]): void {
  const root = faultOf(error);
  const text = String(error);
  if (text.includes("the sink had no room when the run was stopped")) return;
  for (let cause = error as { name?: string; cause?: unknown } | undefined; cause; cause = cause.cause as never) {
    if (cause.name === "BrokenPipeError") return;
  }
  // The reader of a link was removed: its writer can't write any more, and no fault of the program is the cause.
  const links = model.program.sources.length;
  if (model.handlers.some(({ removed, wiring }) => removed > 0 && wiring.app === app && wiring.sources[0]! >= links)) {
    return;
  }
  if (root === undefined) return model.violate(`app ${app} rejected with ${text}, which no fault of the program is`);
  if (root.app !== app) model.violate(`app ${app} rejected with "${root.message}" of app ${root.app}`);
  if (root.isDisposed && root.isFinal) {
    model.violate(`app ${app} rejected with "${root.message}", which the policy had disposed of`);
  }
  if (!root.isFinal) return;
  const first = faults.find((fault) => endsTheRun(fault) && fault.ms < root.ms);
  if (first !== undefined) {
    model.violate(
      `app ${app} rejected with "${root.message}" of ${root.ms} ms, though "${first.message}" was first, at ${first.ms} ms`,
    );
  }
}

function checkResolution(model: Model, app: number, faults: readonly Fault[]): void {
  const { stoppedMs, isShortened } = model.apps[app]!;
  const isStopped = stoppedMs !== undefined;
  for (const fault of faults) {
    if (!fault.isReported || fault.isDisposed) continue;
    if (fault.kind === "source" && sourcesOf(model, app).some(({ stopped }) => stopped > 0)) continue;
    const { handler } = fault;
    if (
      fault.kind === "stage" && (handler!.hasPipeEnded || handler!.attempts > 1 && handler!.failures.includes(fault))
    ) continue;
    if (!fault.isFinal) continue; // Another attempt may have succeeded; unfinished messages are checked below.
    if (isStopped && fault.handler?.wiring.spec.onError === "letters" && fault.letter !== "failed") continue;
    model.violate(`app ${app} resolved though "${fault.message}" had failed and nobody had disposed of it`);
  }
  const isWhole = !isStopped && !isShortened;
  for (const source of sourcesOf(model, app)) {
    const handlers = model.handlersOf(source.index);
    if (isWhole) {
      for (const batch of source.batches) {
        if (batch.done !== batch.messages.length) {
          model.violate(`app ${app} resolved, and batch ${batch.index} of source ${source.index} is not done`);
        }
      }
      for (const message of source.adapted) {
        const why = isMessageFinished(handlers, message);
        if (why !== undefined) model.violate(`app ${app} resolved, and ${why}`);
      }
    }
    checkPrefix(model, source);
  }
  for (const handler of model.handlers) {
    if (handler.wiring.app !== app) continue;
    for (const item of handler.items.values()) {
      if (isWhole) {
        const why = isItemFinished(item);
        if (why !== undefined) model.violate(`app ${app} resolved, and ${why}`);
      }
      for (const value of item.values) {
        for (const [sink, { state }] of value.accounts) {
          if (state !== "delivered") continue;
          // The readers of a link have handled what it took, unless they were removed.
          for (const reader of model.handlersOf(model.program.sources.length + sink)) {
            if (reader.removed > 0 || reader.ofOrigin.has(value) || reader.pulled.has(value)) continue;
            model.violate(`app ${app} resolved, and handler ${reader.wiring.index} did not get ${value.toJSON()}`);
          }
        }
      }
    }
  }
}

/** Checks that messages that were finished before a stop are done: they must not be handled again. */
function checkPrefix(model: Model, source: SourceState): void {
  const handlers = model.handlersOf(source.index);
  if (handlers.some((handler) => handler.hasPipe || handler.hasPool || handler.wiring.spec.retry !== undefined)) return;
  // A stop interrupts a message whose value waits too long for room in a link; the link may take the value all the same.
  if (handlers.some(({ links, wiring }) => wiring.sinks.some((sink) => links.has(sink)))) return;
  for (const batch of source.batches) {
    const finished = batch.messages.findIndex((message) =>
      message.stale > 0 || isMessageFinished(handlers, message) !== undefined
    );
    const count = finished < 0 ? batch.messages.length : finished;
    if (count > (batch.done ?? 0)) {
      model.violate(
        `batch ${batch.index} of source ${source.index}: ${count} are finished, ${batch.done ?? 0} are done`,
      );
    }
    if (finished >= 0) return;
  }
}
