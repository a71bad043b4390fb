/**
 * A writer that several handlers share.
 *
 * @module
 */

import type { Delivery, SinkWriter } from "../protocol/protocol.ts";

/**
 * Makes a writer safe for callers that call `accept()` while it waits: each value is offered only after the writer has
 * accepted the one before, as the protocol demands.
 */
export function serializedWriter<T>(writer: SinkWriter<T>): SinkWriter<T> {
  /** Resolves when the writer has accepted or refused the last value; `undefined` when it has room. */
  let last: Promise<void> | undefined;
  let isClosed = false;
  const offer = (value: T, delivery: Delivery, message: unknown): void | Promise<void> => {
    // A stop has ended the wait for this value, and the run is over.
    if (isClosed) throw new Error("the sink was closed while a value waited for the values before it");
    return writer.accept(value, delivery, message);
  };
  const waitFor = (accepted: Promise<void>): Promise<void> => {
    const over = accepted.catch(() => {}).then(() => {
      if (last === over) last = undefined;
    });
    last = over;
    return accepted;
  };
  return {
    accept(value, delivery, message) {
      if (last !== undefined) return waitFor(last.then(() => offer(value, delivery, message)));
      const accepted = writer.accept(value, delivery, message);
      if (accepted !== undefined) return waitFor(accepted);
    },
    settle: (delivery) => writer.settle(delivery),
    close: (reason) => {
      isClosed = true;
      return writer.close(reason);
    },
  };
}
