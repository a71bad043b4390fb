/**
 * The queue on which librdkafka reports a consumer's rebalances, commit results, errors and statistics.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";

/** librdkafka's consumer queue, with events that were put back in front of it. Not open until `open` is called. */
export class ConsumerQueue {
  readonly #poll: (queue: Pointer) => Pointer;
  readonly #putBack: Pointer[] = [];
  #pointer: Pointer = null;

  /** @param poll Takes the next event from a queue without waiting; NULL when there is none. */
  constructor(poll: (queue: Pointer) => Pointer) {
    this.#poll = poll;
  }

  /** The `rd_kafka_queue_t`; NULL when the queue is not open. */
  get pointer(): Pointer {
    return this.#pointer;
  }

  /** Opens the consumer queue of a handle. From then on librdkafka delivers the events of the consumer to this queue alone. */
  open(rk: Pointer): void {
    const { symbols } = openLibrary();
    symbols.rd_kafka_poll_set_consumer(rk);
    this.#pointer = symbols.rd_kafka_queue_get_consumer(rk);
  }

  /** Takes the next event, which the caller destroys; NULL when there is none. */
  next(): Pointer {
    return this.#pointer === null ? null : this.#putBack.shift() ?? this.#poll(this.#pointer);
  }

  /** Takes the next event that was not put back. */
  nextNew(): Pointer {
    return this.#pointer === null ? null : this.#poll(this.#pointer);
  }

  /** Puts an event behind those that were put back before, and in front of all others. */
  putBack(event: Pointer): void {
    this.#putBack.push(event);
  }

  close(): void {
    openLibrary().symbols.rd_kafka_queue_destroy(this.#pointer);
    this.#pointer = null;
  }
}
