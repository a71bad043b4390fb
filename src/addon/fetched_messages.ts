/**
 * Messages, ends of partitions and errors that a consumer has fetched, in their order, until the program takes them.
 *
 * @module
 */

import { isSamePartition } from "../ffi/partition_identity.ts";
import type { Pointer } from "../ffi/memory.ts";
import {
  type ConsumeError,
  type HeldBack,
  MessageReader,
  type NativeMessage,
  type PartitionEof,
} from "../ffi/message_reader.ts";
import type { PartitionInput } from "../ffi/topic_partitions.ts";

/** What one consumer has fetched. */
export class FetchedMessages {
  #queue: Pointer = null;
  #reader = new MessageReader();
  /** Errors whose turn has come: each is the result of a call of its own. */
  readonly #errors: ConsumeError[] = [];
  /** What was read from the queue together with an error, and comes after it. */
  #behindError: HeldBack[] = [];

  /** Sets the queue from which messages are read. */
  open(queue: Pointer): void {
    this.#queue = queue;
  }

  /** Forgets the queue, and drops everything that was not taken. */
  close(): void {
    this.#queue = null;
    this.#errors.length = this.#behindError.length = 0;
  }

  /** Whether the next thing to be taken is an error. */
  readonly hasError = (): boolean => this.#errors.length > 0;

  takeError(): ConsumeError | undefined {
    return this.#errors.shift();
  }

  addError(error: ConsumeError): void {
    this.#errors.push(error);
  }

  /** Appends what is there without waiting to `messages` and `ends`: up to `max` messages, and up to the next error. */
  take(max: number, messages: NativeMessage[], ends: PartitionEof[]): void {
    while (this.#errors.length === 0 && messages.length < max) {
      if (this.#behindError.length > 0) this.#takeBehindError(messages, ends);
      else if (this.#reader.take(this.#queue, max - messages.length, messages, ends, this.#behindError) === 0) break;
    }
  }

  #takeBehindError(messages: NativeMessage[], ends: PartitionEof[]): void {
    const next = this.#behindError.shift()!;
    if ("error" in next) this.#errors.push(next.error);
    else if ("message" in next) messages.push(next.message);
    else ends.push({ ...next.end, messageIndex: messages.length - 1 });
  }

  /** Drops the messages and ends of partitions whose position has changed. */
  drop(partitions: readonly PartitionInput[]): void {
    if (this.#behindError.length === 0) return;
    this.#behindError = this.#behindError.filter((one) =>
      "error" in one ||
      !partitions.some((dropped) => isSamePartition(dropped, "message" in one ? one.message : one.end))
    );
  }

  /** Forgets the addresses of topics. librdkafka may free the topics of lost partitions, and reuse their addresses. */
  forgetTopics(): void {
    this.#reader = new MessageReader();
  }
}
