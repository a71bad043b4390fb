/**
 * Orderly ends on SIGINT and SIGTERM.
 *
 * @module
 */

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const NUMBERS: Partial<Record<Deno.Signal, number>> = { SIGINT: 2, SIGTERM: 15 };

/** A timer for longer fires at once: 24 days and more, or Infinity, are no deadline. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What an orderly end needs to know. */
export interface ShutdownOptions {
  /** How long it may take, in milliseconds, before the process exits all the same. */
  readonly timeoutMs: number;
  /** Begins the end. */
  readonly stop: () => void;
  /** What is still going on, in words. */
  readonly describe: () => string;
}

/**
 * On the first signal begins an orderly end; on a second one, or when that takes too long, exits at once, with 128
 * and the signal's number as shells have it.
 *
 * @returns takes the listeners away again
 */
export function onShutdown({ timeoutMs, stop, describe }: ShutdownOptions): () => void {
  let signalled = false;
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      const status = 128 + NUMBERS[signal]!;
      if (signalled) Deno.exit(status);
      signalled = true;
      if (timeoutMs <= LONGEST_TIMER_MS) {
        deadline = setTimeout(() => {
          console.error(`slipstream: not ended ${timeoutMs} ms after ${signal}, left undone: ${describe()}`);
          Deno.exit(status);
        }, timeoutMs);
      }
      stop();
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    clearTimeout(deadline);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  };
}
