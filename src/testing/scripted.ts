/**
 * Sources for tests, which follow a script.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { type Batch, type BatchSource, openSource, type SourceReader } from "../protocol/protocol.ts";
import { busyReaders } from "./source_activity.ts";

/** A step of a script other than a single message. Made by `together()`, `delay()` and `fail()`. */
export class ScriptStep<T = never> {
  /** The messages of one batch, a delay in milliseconds, or the error that the source throws. */
  readonly action: { readonly messages: readonly T[] } | { readonly delayMs: number } | { readonly error: unknown };

  /** Checks nothing: use the functions. */
  constructor(action: ScriptStep<T>["action"]) {
    this.action = action;
  }
}

/** Makes a step of a script: several messages in one batch. */
export function together<T>(...messages: T[]): ScriptStep<T> {
  return new ScriptStep({ messages });
}

/**
 * Makes a step of a script: the source waits before the next step. When the source is stopped, the wait ends at once.
 *
 * @param ms the time in milliseconds, from 0 to 2,147,483,647
 * @throws {RangeError} If the time is out of that range.
 */
export function delay(ms: number): ScriptStep {
  if (!(ms >= 0 && ms <= LONGEST_TIMER_MS)) {
    throw new RangeError(`delay() takes milliseconds from 0 to ${LONGEST_TIMER_MS}: ${ms}`);
  }
  return new ScriptStep({ delayMs: ms });
}

/**
 * Makes a step of a script: the source throws an error, as a source does that has lost its connection for good. When the
 * source is read again, it goes on behind the step.
 */
export function fail(error: unknown): ScriptStep {
  return new ScriptStep({ error });
}

/** Options of `scripted()`. */
export interface ScriptedOptions<T> {
  /**
   * What the source does after the last step: `"end"`, or `"stayOpen"` until it is stopped, as a Topic does.
   * @default {"end"}
   */
  readonly then?: "end" | "stayOpen";
  /**
   * Returns where a message comes from, for error messages, such as `"emoji[0]@42"`.
   * @default {"script[0]", with the index of the batch}
   */
  readonly describe?: (message: T) => string;
  /** Called when a batch is done, with its index in the script, and when the source is closed. */
  readonly on?: (event: "done" | "closed", batch?: number) => void;
}

const DEFAULTS = { then: "end" } as const satisfies ScriptedOptions<never>;

/**
 * A source that follows a script, and records which of its messages are done.
 *
 * @typeParam T the type of a message
 */
export interface ScriptedSource<T> extends BatchSource<T>, AsyncIterable<T> {
  /** The messages that are done: handled, and settled in the sinks. */
  readonly done: readonly T[];
  /** Whether the source was stopped when it was read last. */
  readonly stopped: boolean;
}

/**
 * Makes a source for tests that follows a script. Each message is a batch of its own, unless it is in `together()`.
 *
 * - **Redelivery**: when the source is read again, it starts after the last message that is done, as a Topic with a group
 *   does. So a test sees what at-least-once means for an app that has failed halfway.
 * - **Backpressure**: the source goes on with the script when the run asks for a batch.
 *
 * @typeParam T the type of a message
 * @param steps messages, and steps made by `delay()`, `fail()` and `together()`
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
  const thrown = new Set<ScriptStep<T>>();
  let begin = 0, stopped = false;

  const open = (): SourceReader<T> => {
    let next = begin, batchCount = script.slice(0, begin).filter(({ action }) => "messages" in action).length;
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
            const step = script[next++];
            if (step === undefined) {
              if (then === "stayOpen") await waitFor();
              break;
            }
            if ("delayMs" in step.action) {
              busyReaders.add(reader);
              await waitFor(step.action.delayMs);
              busyReaders.delete(reader);
            } else if ("messages" in step.action) {
              const { messages } = step.action, index = batchCount++, behind = next;
              return controller.enqueue({
                messages,
                describe: options.describe ?? (() => `script[${index}]`),
                done(handled = messages.length) {
                  begin = behind;
                  if (handled < messages.length) {
                    script[--begin] = new ScriptStep({ messages: messages.slice(handled) });
                  }
                  done.push(...messages.slice(0, handled));
                  options.on?.("done", index);
                },
              });
            } else if (!thrown.has(step)) {
              thrown.add(step);
              throw step.action.error;
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
