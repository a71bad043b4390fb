import type { HandlerDelivery } from "./delivery.ts";

/** Where a value that is being handled comes from: its message, and the delivery that waits for it. */
export interface Origin {
  /** The message; or a value that a pipe has emitted by itself. */
  readonly message: unknown;
  /** The index of the message in its batch. */
  readonly index: number;
  readonly delivery: HandlerDelivery;
}

/**
 * Whether the source delivers the message of an origin again, if a stop interrupts its handling. A value that a pipe emits by
 * itself belongs to no batch, and comes once.
 */
export function comesAgain({ delivery }: Origin): boolean {
  return delivery.batch.batch !== undefined;
}
