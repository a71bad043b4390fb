/**
 * SIGINT and SIGTERM stop a run.
 *
 * @module
 */

import { emitNotice } from "../notices/notice.ts";
import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const NUMBERS: Partial<Record<Deno.Signal, number>> = { SIGINT: 2, SIGTERM: 15 };

/** The options of `onShutdown()`. */
export interface ShutdownOptions {
  /** How long the end may take, in milliseconds; then the process exits. */
  readonly timeoutMs: number;
  /** Stops the run. */
  readonly stop: () => void;
  /** Describes what is still running. */
  readonly describe: () => string;
}

/**
 * Stops a run on the first SIGINT or SIGTERM. Exits the process on a second one, or when the end takes too long. The exit code
 * is the one that shells use: 128 plus the number of the signal.
 *
 * @returns a function that removes the listeners
 */
export function onShutdown({ timeoutMs, stop, describe }: ShutdownOptions): () => void {
  let isSignalled = false;
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      const exitCode = 128 + NUMBERS[signal]!;
      if (isSignalled) Deno.exit(exitCode);
      isSignalled = true;
      if (timeoutMs <= LONGEST_TIMER_MS) {
        deadline = setTimeout(() => {
          const text = `the run did not end within ${timeoutMs} ms after ${signal}, and exits: ${describe()}`;
          emitNotice({ code: "shutdown-timeout", text, isOver: false });
          Deno.exit(exitCode);
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
