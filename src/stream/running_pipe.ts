/**
 * The stages of a pipe in a run.
 *
 * @module
 */

import { yieldToEventLoop } from "../async/yield_to_event_loop.ts";
import { isStreamStage, isUnused, type PipeStage, STREAM_IN_USE } from "./pipe.ts";
import { runStreamStage } from "./stream_stage.ts";

/** The error of a message that a pipe can't take, because one of its TransformStreams has ended with an error. */
export class BrokenPipeError extends Error {
  /** The class's name. */
  override readonly name = "BrokenPipeError";
}

/** Receives what the stages emit between messages or at their end. The functions never throw or reject. */
export interface PipeEvents {
  /** Called with a value that the last stage emits. The stages go on when the promise resolves. */
  handle(value: unknown): void | Promise<void>;
  /** Called when a stage fails. */
  fail(error: unknown): void | Promise<void>;
}

/** Answers a request of the first stage for a message. */
type Answer = (result: IteratorResult<unknown, undefined>) => void;
/** Handles a value that the stages made of a message. */
type Handle = (value: unknown) => void | Promise<void>;

/**
 * - `"new"`: no stages are made yet.
 * - `"starting"`: a message waits until the new stages ask for it. If they fail before, it is the failure of the message.
 * - `"running"`: the stages take messages.
 * - `"ended"`: the stages have ended by themselves, and take no more messages.
 * - `"failed"`: a stage has failed. The next push makes new stages, if all of them are functions.
 */
type State = "new" | "starting" | "running" | "ended" | "failed";

/**
 * The stages of a pipe in a run: messages are pushed into the first one, and what the last one emits is handled.
 *
 * A stage asks for its input. So a message counts as processed when the first stage asks for the next one, and everything
 * emitted for this one is handled. Values that a stage emits after that, or because it has asked ahead, are passed to `PipeEvents`.
 */
export class RunningPipe {
  readonly #stages: readonly PipeStage<unknown, unknown>[];
  readonly #events: PipeEvents;
  #state: State = "new";
  /** Whether the input has ended: the stages emit what they hold back, and end. */
  #isEnding = false;
  /** Handles what the stages make of the message that is being pushed; `undefined` between messages. */
  #handle: Handle | undefined;
  /** Whether a value of the message that is being pushed is at its handler: the push is not over. */
  #isHandling = false;
  /** The first stage's requests for messages, in order: more than one if it asks ahead. */
  #requests: Answer[] = [];
  /** The failure of the message that is being pushed. */
  #failure: { readonly error: unknown } | undefined;
  /** The error of a TransformStream, which can't be made anew. */
  #broken: unknown;
  #wake: (() => void) | undefined;
  #lastPush: Promise<unknown> = Promise.resolve();
  #releasing: Promise<void> | undefined;

  /** Whether new stages can be made after an error: whether all of them are functions. */
  readonly isRenewable: boolean;

  /** @throws {TypeError} If a TransformStream is in use. */
  constructor(stages: readonly PipeStage<unknown, unknown>[], events: PipeEvents) {
    if (!stages.every((stage) => typeof stage === "function" || isUnused(stage))) throw new TypeError(STREAM_IN_USE);
    this.#stages = stages;
    this.#events = events;
    this.isRenewable = stages.every((stage) => typeof stage === "function");
  }

  /** Whether the stages have ended by themselves: they take no more messages. */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /**
   * Pushes a message through the stages, after the messages before it. Resolves with `true` when everything that they made of
   * it is handled, or with `false` if they ended before they asked for it. After an error, the next push makes new stages.
   *
   * @param release called when the stages are done with the message, before values that they emit by themselves are
   * handled; never rejects
   * @throws {BrokenPipeError} If a stage failed before, and can't be made anew.
   * @throws The error of a stage, or of `handle`.
   */
  push(message: unknown, handle: Handle, release?: () => Promise<void>): Promise<boolean> {
    const pushed = this.#lastPush.then(() => this.#push(message, handle, release));
    this.#lastPush = pushed.catch(() => {});
    return pushed;
  }

  async #push(message: unknown, handle: Handle, release?: () => Promise<void>): Promise<boolean> {
    let answer: Answer | undefined;
    while ((answer = this.#requests.shift()) === undefined) {
      if (this.#state === "ended") return false;
      if (this.#broken !== undefined) {
        throw new BrokenPipeError(
          "the pipe can't go on, since its TransformStream ended with the error before: pass a function that makes one",
          { cause: this.#broken },
        );
      }
      if (!this.#isRunning) this.#start();
      await this.#requested();
      this.#throwFailure();
    }
    this.#state = "running";
    this.#handle = handle;
    answer({ done: false, value: message });
    await this.#requested();
    this.#handle = undefined;
    this.#throwFailure();
    if (release !== undefined) {
      await (this.#releasing = release());
      this.#releasing = undefined;
    }
    return true;
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  /** Ends the input of the stages. Resolves when what they still emit is handled. */
  async end(): Promise<void> {
    await this.#lastPush;
    this.#isEnding = true;
    for (const answer of this.#requests.splice(0)) answer({ done: true, value: undefined });
    await this.#requested();
  }

  get #isRunning(): boolean {
    return this.#state === "starting" || this.#state === "running";
  }

  /** Resolves when the first stage asks for a message and everything emitted is handled, or when the stages are over. */
  async #requested(): Promise<void> {
    while ((this.#requests.length === 0 || this.#isHandling) && this.#isRunning) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Makes stages for a message that waits. */
  #start(): void {
    this.#state = "starting";
    this.#isHandling = false;
    const input: AsyncIterableIterator<unknown, undefined> = {
      [Symbol.asyncIterator]: () => input,
      next: () =>
        new Promise((resolve) => {
          if (this.#isEnding) return resolve({ done: true, value: undefined });
          this.#requests.push(resolve);
          this.#wake?.();
        }),
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
    this.#run(input).then(() => this.#over("ended"), async (error) => {
      if (!this.isRenewable) this.#broken = error ?? new Error("the stage failed without a reason");
      const isBetweenMessages = this.#handle === undefined && this.#state !== "starting";
      if (isBetweenMessages) await this.#events.fail(error);
      else this.#failure = { error };
      this.#over("failed");
    });
  }

  #over(state: "ended" | "failed"): void {
    this.#state = state;
    this.#requests = [];
    this.#wake?.();
  }

  async #run(input: AsyncIterable<unknown>): Promise<void> {
    const output = this.#stages.reduce<AsyncIterable<unknown>>((messages, stage) => {
      const made = typeof stage === "function" ? stage(messages) : stage;
      return isStreamStage(made) ? runStreamStage(messages, made) : made;
    }, input);
    for await (const value of output) {
      if (value === undefined) continue;
      if (this.#releasing !== undefined) await this.#releasing;
      const handle = this.#handle ?? this.#events.handle;
      // A stage may ask for the next message while this one is handled.
      this.#isHandling = this.#handle !== undefined;
      const handling = handle(value);
      if (handling !== undefined) await handling;
      const yielding = yieldToEventLoop();
      if (yielding !== undefined) await yielding;
      if (!this.#isHandling) continue;
      this.#isHandling = false;
      this.#wake?.();
    }
  }
}
