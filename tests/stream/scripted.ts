import { type Batch, type BatchSink, type BatchSource, openSink, openSource } from "@slipstream/slipstream";

/** The tests have no signals to wait for. */
export const QUIET = { handleSignals: false } as const;

/** A source of batches that writes down what is done. */
export function scripted<T>(
  batches: readonly (readonly T[])[],
  log: string[] = [],
): BatchSource<T> & { stopped: boolean } {
  const source = {
    stopped: false,
    [openSource]() {
      let next = 0;
      return {
        batches: new ReadableStream<Batch<T>>({
          pull(controller) {
            const index = next++;
            if (index >= batches.length || source.stopped) return controller.close();
            controller.enqueue({
              messages: batches[index]!,
              done: () => void log.push(`done ${index}`),
              describe: (message) => `scripted@${message}`,
            });
          },
        }, { highWaterMark: 0 }),
        stop: () => void (source.stopped = true),
        close: () => Promise.resolve(void log.push("closed source")),
      };
    },
  };
  return source;
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

/** Long enough for what can go on to have gone on. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
