/**
 * The option `onError` in a run: what becomes of a message that fails.
 *
 * @module
 */

import { isThenable } from "../async/is_thenable.ts";
import type { ResolvedBinding } from "./binding.ts";
import { deadLetter } from "./dead_letter.ts";
import type { HandlerDelivery } from "./delivery.ts";
import type { ErrorPolicy } from "./handle_options.ts";
import { HandlerError, isFatal } from "./handler_error.ts";
import { isInterrupted } from "./interrupted.ts";
import type { Origin } from "./origin.ts";
import type { RawMessage, SinkWriter } from "../protocol/protocol.ts";
import { RetryAbortedError } from "./retry.ts";

/** Waits until a sink has accepted a value, or until a stop ends the wait. */
export type WaitForRoom = (accepted: Promise<void>, origin: Origin) => Promise<void>;

/** Applies the error policy of one binding in one run. */
export class FailurePolicy {
  readonly #binding: ResolvedBinding;
  readonly #deadLetters: SinkWriter<RawMessage> | undefined;
  readonly #waitForRoom: WaitForRoom;

  /** @param deadLetters the writer of dead letters, if the policy is a sink for them */
  constructor(
    binding: ResolvedBinding,
    deadLetters: SinkWriter<RawMessage> | undefined,
    waitForRoom: WaitForRoom,
  ) {
    this.#binding = binding;
    this.#deadLetters = deadLetters;
    this.#waitForRoom = waitForRoom;
  }

  /**
   * Applies the policy to a message that has failed.
   *
   * @param policy applies in place of the binding's
   * @returns a promise only if disposing of the message takes a while
   * @throws {HandlerError} If the message is not disposed of: the run fails.
   * @throws `INTERRUPTED` If the cause is a stop, or a stop ends the wait for room for a dead letter.
   */
  apply(cause: unknown, origin: Origin, policy: ErrorPolicy = this.#binding.onError): void | Promise<void> {
    return this.#apply(cause, origin, policy, false);
  }

  /**
   * Applies the policy to a message with a value that a sink has accepted and can't deliver. (The sink itself has retried.)
   * Unlike after `apply()`, the message is disposed of only when its dead letter is delivered, since its batch may be
   * settling already.
   */
  undelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): void | Promise<void> {
    const origin = { message, index: 0, delivery };
    const failed = (reason: unknown): never => {
      // If a stop leaves no time for the dead letter, the failure itself counts.
      const error = isInterrupted(reason) ? this.#errorOf(cause, origin) : reason;
      // The run fails at once. The batch may have to wait until others settle.
      delivery.batch.owner.fail(error);
      throw error;
    };
    try {
      return this.#apply(cause, origin, this.#binding.onError, true)?.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Fails the run, because the dead letter of a message can't be delivered. */
  deadLetterUndelivered(cause: unknown, message: unknown, delivery: HandlerDelivery): never {
    const error = this.#errorOf(cause, { message, index: 0, delivery });
    delivery.batch.owner.fail(error);
    throw error;
  }

  /** The error of a message that has failed. */
  #errorOf(cause: unknown, { message, delivery }: Origin): HandlerError {
    const source = message === undefined ? undefined : delivery.batch.batch?.describe?.(message);
    return new HandlerError({
      handler: this.#binding.name,
      value: message,
      cause,
      ...(source === undefined ? {} : { source }),
    });
  }

  /** @param mustSettle whether a dead letter must be delivered before the message is disposed of */
  #apply(cause: unknown, origin: Origin, policy: ErrorPolicy, mustSettle: boolean): void | Promise<void> {
    if (isInterrupted(cause)) throw cause;
    // No message is to blame for a sink that can accept nothing more, or for an aborted retry.
    const onError = isFatal(cause) || cause instanceof RetryAbortedError ? "fail" : policy;
    const error = this.#errorOf(cause instanceof RetryAbortedError ? cause.cause : cause, origin);
    if (onError === "fail") throw error;
    if (onError === "skip") return;
    const wrapped = (failure: unknown): unknown =>
      failure instanceof HandlerError || isInterrupted(failure) ? failure : this.#errorOf(failure, origin);
    try {
      const disposing = typeof onError === "function"
        ? called(onError, error)
        : this.#sendDeadLetter(error, origin, mustSettle);
      return disposing?.catch((failure) => Promise.reject(wrapped(failure)));
    } catch (failure) {
      throw wrapped(failure);
    }
  }

  #sendDeadLetter(error: HandlerError, origin: Origin, mustSettle: boolean): void | Promise<void> {
    const writer = this.#deadLetters!;
    const { message, delivery } = origin;
    const account = mustSettle
      ? { undelivered: (failure: unknown) => this.deadLetterUndelivered(failure, message, delivery) }
      : delivery.deadLetters;
    const accepted = writer.accept(deadLetter(error, delivery.batch.batch, message), account, message);
    if (accepted === undefined && !mustSettle) return;
    return this.#finishDeadLetter(accepted, origin, mustSettle ? () => writer.settle(account) : undefined);
  }

  async #finishDeadLetter(
    accepted: void | Promise<void>,
    origin: Origin,
    settle: (() => void | Promise<void>) | undefined,
  ): Promise<void> {
    if (accepted !== undefined) await this.#waitForRoom(accepted, origin);
    await settle?.();
  }
}

/** Calls the program's function. Returns a promise only if the function does. */
function called(onError: (error: HandlerError) => unknown, error: HandlerError): void | Promise<void> {
  const disposed = onError(error);
  if (isThenable(disposed)) return Promise.resolve(disposed).then(() => {});
}
