/**
 * The default app: `handle()`, `stream()` and the rest as functions.
 *
 * @module
 */

import { Slipstream } from "./slipstream.ts";
import type { AnySource } from "./sources.ts";
import type { StreamOptions } from "./stream_options.ts";

const app = new Slipstream();

/**
 * Binds a handler to sources and sinks in the default app. `Slipstream.handle` documents it.
 *
 * @example
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const seen: string[] = [];
 * handle([0, 1, 2], { sink: (line: string) => seen.push(line) }, function* (n) {
 *   if (n % 2 === 0) yield `even: ${n}`;
 * });
 * await stream();
 * console.assert(seen.join() === "even: 0,even: 2");
 * ```
 */
export const handle: Slipstream["handle"] = app.handle.bind(app) as Slipstream["handle"];

/**
 * Runs the handlers of the default app until all sources have ended. `Slipstream.stream` documents it.
 *
 * The second parameter of its handlers, `args`, has the type `unknown`. For another type, make a `Slipstream<Args>`.
 *
 * @example
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const seen: number[] = [];
 * handle([1, 2], (n) => void seen.push(n));
 * await stream({ handleSignals: false });
 * console.assert(seen.join() === "1,2");
 * ```
 */
export const stream: (options?: StreamOptions) => Promise<void> = app.stream.bind(app);

/**
 * Pauses a source of the default app. `Slipstream.pause` documents it.
 *
 * @example
 * ```ts
 * import { handle, pause, resume, stream } from "@slipstream/slipstream";
 *
 * const numbers = [1, 2, 3], seen: number[] = [];
 * handle(numbers, (n) => {
 *   seen.push(n);
 *   if (n === 2) pause(numbers);
 * });
 * const running = stream();
 * await new Promise((resolve) => setTimeout(resolve, 10));
 * console.assert(seen.join() === "1,2");
 * resume(numbers);
 * await running;
 * console.assert(seen.join() === "1,2,3");
 * ```
 */
export const pause: (source: AnySource) => void = app.pause.bind(app);

/** Resumes a source of the default app. `Slipstream.resume` documents it. */
export const resume: (source: AnySource) => void = app.resume.bind(app);

/** Calls a function at the end of each run of the default app. `Slipstream.onExit` documents it. */
export const onExit: (hook: () => unknown) => () => void = app.onExit.bind(app);
