/** The parts of a `HandlerError`. */
export interface HandlerErrorOptions {
  /** The name of the handler. */
  readonly handler: string;
  /**
   * Where the message came from: topic, partition and offset, such as `"emoji[0]@42"`.
   * @default {unknown}
   */
  readonly source?: string;
  /** The message; `undefined` when a sink failed for a whole batch. */
  readonly value: unknown;
  /** What the codec, the stage, the handler or the sink has thrown. */
  readonly cause: unknown;
}

/**
 * The error of a message that can't be handled: a codec, a stage of the pipe, the handler or a sink has failed for it. A
 * function as `onError` receives it, and `stream()` rejects with it. Its `cause` is what the codec, the stage, the handler or
 * the sink has thrown.
 *
 * @example
 * ```ts
 * import { HandlerError } from "@slipstream/slipstream";
 *
 * const error = new HandlerError({ handler: "count", value: 1, cause: new Error("too many") });
 * console.assert(error.message === 'handler "count" failed: too many');
 * ```
 */
export class HandlerError extends Error {
  /** The class's name. */
  override readonly name = "HandlerError";
  /** The name of the handler. */
  readonly handler: string;
  /** Where the message came from, such as `"emoji[0]@42"`; `undefined` when its source does not report it. */
  readonly source: string | undefined;
  /** The message; `undefined` when a sink failed for a whole batch. */
  readonly value: unknown;
  /** The topic of the message; `undefined` if it does not come from one. */
  readonly topic: string | undefined;
  /** The partition of the message; `undefined` if it does not come from a topic. */
  readonly partition: number | undefined;
  /** The offset of the message; `undefined` if it does not come from a topic. */
  readonly offset: number | undefined;

  /** Composes the error message from the handler, the source and the cause. */
  constructor({ handler, source, value, cause }: HandlerErrorOptions) {
    const where = source === undefined ? "" : ` on ${source}`;
    const why = cause instanceof Error ? cause.message : textOf(cause);
    super(`handler ${JSON.stringify(handler)} failed${where}: ${why}`, { cause });
    this.handler = handler;
    this.source = source;
    this.value = value;
    const { topic, partition, offset } = (value ?? {}) as Record<string, unknown>;
    const isOfTopic = typeof topic === "string" && typeof partition === "number" && typeof offset === "number";
    this.topic = isOfTopic ? topic : undefined;
    this.partition = isOfTopic ? partition : undefined;
    this.offset = isOfTopic ? offset : undefined;
  }
}

/** Converts what was thrown to text, whatever it is: `String()` throws for an object without a prototype. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** Whether an error means that a sink can accept nothing more. No message is to blame for it, and no policy applies. */
export function isFatal(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as { fatal?: unknown }).fatal === true;
}
