/**
 * Whether a batch may be marked as done: every message before its position must be finished.
 *
 * @module
 */

import type { HandlerState } from "./handler_state.ts";
import type { BatchState, Model } from "./model.ts";
import { type Item, type Message, Piped, type Value } from "./model_values.ts";

/** Why the first messages of a batch may not be done; `undefined` if they may. */
export function isBatchFinished(model: Model, batch: BatchState, handled: number): string | undefined {
  const handlers = model.handlersOf(batch.source);
  for (let index = 0; index < handled; index++) {
    const message = batch.messages[index]!;
    const why = isMessageFinished(handlers, message);
    if (why !== undefined) return `${message.toJSON()}: ${why}`;
  }
  for (const handler of handlers) {
    if (!handler.hasPipe) continue;
    const why = isPipeFinished(handler, batch, handled);
    if (why !== undefined) return why;
  }
}

/** Why a message may not be done; `undefined` if it may. */
export function isMessageFinished(handlers: readonly HandlerState[], message: Message): string | undefined {
  // Its partition has moved: the new reader has to finish it.
  if (message.stale > 0) return;
  if (message.taken === 0) return "it was not taken";
  let isHandled = false;
  for (const handler of handlers) {
    if (handler.removed > 0 && handler.removed < message.taken) continue;
    const hasBegun = handler.pulled.has(message) || handler.ofOrigin.has(message);
    const unread = hasBegun ? undefined : handler.unread.get(message);
    if (unread?.isDisposed === true) {
      isHandled = true;
      continue;
    }
    // Its pipe ended in an earlier message, which counts as its removal.
    if (handler.hasPipeEnded && !hasBegun) continue;
    // It was removed while an earlier handler had the message, while its codec was retried, or while the message waited for its key.
    const hasWaited = handler !== handlers[0] || unread !== undefined || handler.hasPool;
    if (handler.removed > 0 && !hasBegun && hasWaited) continue;
    isHandled = true;
    const { index } = handler.wiring;
    if (unread !== undefined) {
      return `handler ${index} could not read it, and nobody has disposed of it (${unread.message})`;
    }
    if (handler.hasPipe) {
      const pulled = handler.pulled.get(message);
      if (pulled === undefined) return `the pipe of handler ${index} did not get it`;
      // When a later stage ends the pipe, the failure of an earlier stage in the same message reaches nobody.
      if (pulled.failure !== undefined && !pulled.failure.isDisposed && !handler.hasPipeEnded) {
        return `the pipe of handler ${index} failed, and nobody has disposed of it (${pulled.failure.message})`;
      }
    } else if (!handler.ofOrigin.has(message)) return `handler ${index} did not handle it`;
    for (const item of handler.ofOrigin.get(message) ?? []) {
      if (item.input instanceof Piped && item.input.isLate) continue;
      const why = isItemFinished(item);
      if (why !== undefined) return why;
    }
  }
  if (!isHandled) return "no handler was left to handle it";
}

/** Why values that a pipe has emitted by itself keep a batch from being done: they settle before the next batch is done. */
function isPipeFinished(handler: HandlerState, batch: BatchState, handled: number): string | undefined {
  // Only messages that went through the pipe wait for the values of earlier ones.
  const last = batch.messages.slice(0, handled).findLast((message) => handler.pulled.has(message));
  if (last === undefined) return;
  for (const [origin, items] of handler.ofOrigin) {
    const message = origin as Message;
    if (message.source !== batch.source || message.stale > 0) continue;
    const isBefore = message.batch < batch.index || (message.batch === batch.index && message.index < last.index);
    if (!isBefore) continue;
    for (const item of items) {
      // With several sources, such a value belongs to the one whose message is in the pipe.
      if (handler.wiring.sources.length > 1 && item.input instanceof Piped && item.input.isLate) continue;
      const why = isItemFinished(item);
      if (why !== undefined) return `it came of ${message.toJSON()}, and ${why}`;
    }
  }
}

/** Why the handling of one input is not finished: `undefined` if it is. */
export function isItemFinished(item: Item): string | undefined {
  const { handler } = item;
  const what = `${item.input.toJSON()} in handler ${handler.wiring.index}`;
  if (item.state === "open") return `${what} is not handled`;
  if (item.failure !== undefined) {
    if (!item.failure.isDisposed) return `${what} failed, and nobody has disposed of it (${item.failure.message})`;
  }
  for (const value of item.values) {
    for (const sink of handler.wiring.sinks) {
      const why = isValueFinished(value, sink, item.failure !== undefined);
      if (why !== undefined) return why;
    }
  }
}

function isValueFinished(value: Value, sink: number, isDisposed: boolean): string | undefined {
  const account = value.accounts.get(sink);
  const state = account?.state;
  if (state === "delivered" || state === "disposed") return;
  // A link whose reader was removed takes nothing any more. The policy decides then, and later sinks get nothing either.
  const { links, wiring } = value.item.handler;
  const isCut = () => wiring.sinks.some((sink) => links.has(sink));
  if (account === undefined && wiring.spec.onError !== "fail" && isCut()) return;
  // The policy has disposed of the message; values that a sink accepted before settle all the same.
  if (isDisposed && (state === undefined || state === "refused")) return;
  return `${value.toJSON()} is ${state ?? "not accepted"} in sink ${sink}`;
}
