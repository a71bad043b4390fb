/**
 * Orderly ends on SIGINT and SIGTERM.
 *
 * @module
 */

import { emitNotice } from "../notices/notice.ts";
import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const NUMBERS: Partial<Record<Deno.Signal, number>> = { SIGINT: 2, SIGTERM: 15 };

/** The options of `onShutdown()`. */
export interface ShutdownOptions {
  /** How long the orderly end may take, in milliseconds; then the process exits. */
  readonly timeoutMs: number;
  /** Begins the orderly end. */
  readonly stop: () => void;
  /** Describes what is still running. */
  readonly describe: () => string;
}

/**
 * Begins an orderly end on the first SIGINT or SIGTERM. Exits the process on a second signal, or when the end takes too long,
 * with the code that shells use: 128 and the number of the signal.
 *
 * @returns a function that removes the listeners
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
          const text = `not ended ${timeoutMs} ms after ${signal}, left undone: ${describe()}`;
          emitNotice({ code: "shutdown-timeout", text, isOver: false });
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
