/** More about a `HandlerError`. */
export interface HandlerErrorOptions {
  /** The handler's name. */
  readonly handler: string;
  /** Where the message came from, such as `"emoji[0]@42"`, when its source says so. */
  readonly source?: string;
  /** The message; `undefined` when a sink failed to settle, which concerns a batch. */
  readonly value: unknown;
  /** What was thrown. */
  readonly cause: unknown;
}

/**
 * Thrown by `stream()` when a handler, or a sink that took what a handler emitted, failed.
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
  /** The handler's name. */
  readonly handler: string;
  /** Where the message came from; `undefined` when its source does not say. */
  readonly source: string | undefined;
  /** The message concerned; `undefined` when a sink failed to settle, which concerns a batch. */
  readonly value: unknown;
  /** The topic that the message was read from, when it was one. */
  readonly topic: string | undefined;
  /** The message's partition, when it was read from a topic. */
  readonly partition: number | undefined;
  /** The message's offset, when it was read from a topic. */
  readonly offset: number | undefined;

  /** Words the message from the handler, the source and the cause. */
  constructor({ handler, source, value, cause }: HandlerErrorOptions) {
    const where = source === undefined ? "" : ` on ${source}`;
    const why = cause instanceof Error ? cause.message : textOf(cause);
    super(`handler ${JSON.stringify(handler)} failed${where}: ${why}`, { cause });
    this.handler = handler;
    this.source = source;
    this.value = value;
    const { topic, partition, offset } = (value ?? {}) as Record<string, unknown>;
    const isPlace = typeof topic === "string" && typeof partition === "number" && typeof offset === "number";
    this.topic = isPlace ? topic : undefined;
    this.partition = isPlace ? partition : undefined;
    this.offset = isPlace ? offset : undefined;
  }
}

/** What was thrown, as text: anything can be, such as an object without a prototype. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** Whether an error says that a sink can't take anything any more: no message is to blame, and no policy helps. */
export function isFatal(error: unknown): boolean {
  return typeof error === "object" && error !== null && (error as { fatal?: unknown }).fatal === true;
}
