/**
 * A source that follows a script.
 *
 * @module
 */

import { type Batch, type BatchSource, openSource, type SourceReader } from "../stream/protocol.ts";
import { readersAtWork } from "./run_until_idle.ts";

/** A step of a script that is no message: what `together`, `delay` and `fail` make. */
export class ScriptStep<T = never> {
  /** What the step does: messages that come together, a wait in milliseconds, or an error. */
  readonly does: { readonly messages: readonly T[] } | { readonly delayMs: number } | { readonly error: unknown };

  /** Made by the functions, which check what they are given. */
  constructor(does: ScriptStep<T>["does"]) {
    this.does = does;
  }
}

/** Messages that come in one batch, and are done together. */
export function together<T>(...messages: T[]): ScriptStep<T> {
  return new ScriptStep({ messages });
}

/**
 * Makes the source wait before the next step of its script. A stop of the source ends the wait at once.
 *
 * @param ms how long, in milliseconds, from 0 to 2,147,483,647
 * @throws {RangeError} If the time is out of that range.
 */
export function delay(ms: number): ScriptStep {
  if (!(ms >= 0 && ms < 2 ** 31)) throw new RangeError(`delay() takes milliseconds from 0 on: ${ms}`);
  return new ScriptStep({ delayMs: ms });
}

/** An error of the source itself, as when a connection is lost for good. It comes once. */
export function fail(error: unknown): ScriptStep {
  return new ScriptStep({ error });
}

/** How a `scripted` source behaves. */
export interface ScriptedOptions<T> {
  /**
   * What happens when the script is over: the source ends, or it stays open until it is stopped, as a topic does.
   * @default {"end"}
   */
  readonly then?: "end" | "stayOpen";
  /** Where a message comes from, for error messages: `"emoji[0]@42"`. By default its place in the script. */
  readonly describe?: (message: T) => string;
  /** Told when a batch, by its place in the script, is done, and when the source is closed. */
  readonly on?: (event: "done" | "closed", batch?: number) => void;
}

const DEFAULTS = { then: "end" } as const satisfies ScriptedOptions<never>;

/** A source that follows a script, and keeps what became of it. */
export interface ScriptedSource<T> extends BatchSource<T>, AsyncIterable<T> {
  /** The messages that are done: handled, and settled in the sinks. */
  readonly done: readonly T[];
  /** Whether the last reading was asked to stop. */
  readonly stopped: boolean;
}

/**
 * A source for tests that follows a script: each message is a batch by itself, unless it is in `together`.
 *
 * - **Redelivery**: read again, it begins after the last message that was done, as a topic with a group does. So a test
 *   sees what at-least-once means for an app that failed halfway.
 * - **Backpressure**: a message comes when it is asked for.
 *
 * @typeParam T what a message is
 * @param steps messages, and between them `delay`, `fail` and `together`
 *
 * @example
 * ```ts
 * import { Slipstream } from "@slipstream/slipstream";
 * import { delay, fail, scripted } from "@slipstream/slipstream/testing";
 *
 * const source = scripted([1, delay(5), 2, fail(new Error("gone")), 3]);
 * const seen: number[] = [];
 * const app = new Slipstream();
 * app.handle(source, { sink: (n: number) => seen.push(n) }, (n) => n);
 *
 * const error = await app.stream().catch((error) => error);
 * console.assert(error.message === "gone" && source.done.join() === "1,2");
 * await app.stream();
 * console.assert(seen.join() === "1,2,3");
 * ```
 */
export function scripted<T>(
  steps: Iterable<T | ScriptStep<T> | ScriptStep>,
  options: ScriptedOptions<T> = {},
): ScriptedSource<T> {
  const { then = DEFAULTS.then } = options;
  const script = [...steps].map((step) =>
    step instanceof ScriptStep ? step as ScriptStep<T> : new ScriptStep<T>({ messages: [step as T] })
  );
  const done: T[] = [];
  const told = new Set<ScriptStep<T>>();
  let begin = 0, stopped = false;

  const open = (): SourceReader<T> => {
    let at = begin, batch = script.slice(0, begin).filter(({ does }) => "messages" in does).length;
    let halted = false, closed = false;
    let wake: (() => void) | undefined;
    const waitFor = (ms?: number) =>
      new Promise<void>((resolve) => {
        const timeout = ms === undefined ? undefined : setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timeout);
          resolve();
        };
        if (halted) wake();
      });
    const halt = () => {
      halted = true;
      wake?.();
    };
    stopped = false;
    const reader: SourceReader<T> = {
      batches: new ReadableStream<Batch<T>>({
        async pull(controller) {
          while (!halted) {
            const step = script[at++];
            if (step === undefined) {
              if (then === "stayOpen") await waitFor();
              break;
            }
            if ("delayMs" in step.does) {
              readersAtWork.add(reader);
              await waitFor(step.does.delayMs);
              readersAtWork.delete(reader);
            } else if ("messages" in step.does) {
              const { messages } = step.does, place = batch++, next = at;
              return controller.enqueue({
                messages,
                describe: options.describe ?? (() => `script[${place}]`),
                done(handled = messages.length) {
                  begin = next;
                  if (handled < messages.length) {
                    script[--begin] = new ScriptStep({ messages: messages.slice(handled) });
                  }
                  done.push(...messages.slice(0, handled));
                  options.on?.("done", place);
                },
              });
            } else if (!told.has(step)) {
              told.add(step);
              throw step.does.error;
            }
          }
          controller.close();
        },
        cancel: halt,
      }, { highWaterMark: 0 }),
      stop() {
        stopped = true;
        halt();
      },
      close() {
        halt();
        if (!closed) options.on?.("closed");
        closed = true;
        return Promise.resolve();
      },
    };
    return reader;
  };

  return {
    done,
    get stopped() {
      return stopped;
    },
    [openSource]: open,
    async *[Symbol.asyncIterator]() {
      const reader = open();
      try {
        for await (const { messages, done } of reader.batches) {
          yield* messages;
          await done();
        }
      } finally {
        await reader.close();
      }
    },
  };
}
