import { type BatchSink, openSink } from "@slipstream/slipstream/protocol";
import { scripted as script, type ScriptedSource, together } from "@slipstream/slipstream/testing";

/** The tests have no signals to wait for. */
export const QUIET = { handleSignals: false } as const;

/** A source of batches that writes down what is done. */
export function scripted<T>(batches: readonly (readonly T[])[], log: string[] = []): ScriptedSource<T> {
  return script(batches.map((messages) => together(...messages)), {
    describe: (message) => `scripted@${message}`,
    on: (event, batch) => void log.push(event === "done" ? `done ${batch}` : "closed source"),
  });
}

/** A sink whose settling is in the test's hands. */
export function manual(log: string[] = []) {
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
 * Long enough for what can go on to have gone on: several turns of the event loop, as on a busy machine any time may pass
 * in one.
 */
export async function turn(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setTimeout(resolve));
}
