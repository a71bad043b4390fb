/**
 * Sources and sinks that log what a run does with them, and the wait until a run can go no further.
 *
 * @module
 */

import { type BatchSink, openSink } from "@slipstream/slipstream/protocol";
import { scripted, type ScriptedSource, together } from "@slipstream/slipstream/testing";

/** Options of `stream()`: tests end by themselves, without signals. */
export const QUIET = { handleSignals: false } as const;

/** A source of batches that logs which of them are done, and when it is closed. */
export function loggedSource<T>(batches: readonly (readonly T[])[], log: string[] = []): ScriptedSource<T> {
  return scripted(batches.map((messages) => together(...messages)), {
    describe: (message) => `scripted@${message}`,
    on: (event, batch) => void log.push(event === "done" ? `done ${batch}` : "closed source"),
  });
}

/** A sink that logs what it accepts. It settles when the test resolves a promise of `settling`, one for each `settle()`. */
export function manualSink(log: string[] = []) {
  const settling: PromiseWithResolvers<void>[] = [];
  let opened = 0;
  const sink: BatchSink<unknown> & { settling: typeof settling; opened(): number } = {
    settling,
    opened: () => opened,
    [openSink]() {
      opened++;
      return {
        accept: (value) => void log.push(`accept ${value}`),
        settle() {
          const settled = Promise.withResolvers<void>();
          settling.push(settled);
          return settled.promise;
        },
        close: (reason) =>
          void log.push(reason === undefined ? "closed sink" : `closed sink: ${(reason as Error).message}`),
      };
    },
  };
  return sink;
}

/**
 * Waits ten turns of the event loop, after which a run has done everything that waits for nothing else. (One turn may be too
 * few on a busy machine: timers of any length may fire in it.)
 */
export async function turns(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setTimeout(resolve));
}
