/**
 * Pausing and resuming the partitions of a reader.
 *
 * @module
 */

import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";

/**
 * - `flowing`: partitions are fetched.
 * - `backpressure`: partitions are paused, since nobody pulls: messages that nobody pulls must not fill the memory.
 * - `paused`: the user has paused the reader.
 */
type FlowState = "flowing" | "backpressure" | "paused";

/** Pauses and resumes the assigned partitions, for the user and for backpressure. */
export class FlowControl {
  readonly #stopped: ResettableSignal;
  readonly #consumer: () => PortConsumer | undefined;
  readonly #partitions: () => readonly TopicPartition[];
  readonly #resumed = new ResettableSignal();
  #state: FlowState = "flowing";

  /**
   * @param stopped ends all waits
   * @param consumer returns the consumer, once there is one
   * @param partitions returns the assigned partitions
   */
  constructor(
    stopped: ResettableSignal,
    consumer: () => PortConsumer | undefined,
    partitions: () => readonly TopicPartition[],
  ) {
    this.#stopped = stopped;
    this.#consumer = consumer;
    this.#partitions = partitions;
  }

  /** Whether the user has paused the reader. */
  get isPausedByUser(): boolean {
    return this.#state === "paused";
  }

  /** Whether partitions are paused, for either reason. Newly assigned ones have to be paused too. */
  get arePartitionsPaused(): boolean {
    return this.#state !== "flowing";
  }

  /** Pauses for the user. The end of backpressure does not resume. */
  pause(): void {
    this.#state = "paused";
    this.#resumed.reset();
    this.#connected?.pause(this.#partitions());
  }

  /** Resumes for the user. This ends backpressure too, which comes back if nobody pulls. */
  resume(): void {
    this.#state = "flowing";
    this.#connected?.resume(this.#partitions());
    this.#resumed.fire();
  }

  /** Pauses, since nobody pulls. */
  startBackpressure(): void {
    if (this.#state !== "flowing") return;
    this.#state = "backpressure";
    this.#connected?.pause(this.#partitions());
  }

  /** Resumes, since somebody pulls; unless the user has paused the reader. */
  endBackpressure(): void {
    if (this.#state !== "backpressure") return;
    this.#state = "flowing";
    this.#connected?.resume(this.#partitions());
  }

  /** Resolves when the user has resumed the reader, or the reader is stopped. */
  async resumed(): Promise<void> {
    while (this.#state === "paused" && !this.#stopped.fired) {
      await this.#stopped.race(this.#resumed.race(new Promise<never>(() => {})));
    }
  }

  get #connected(): PortConsumer | undefined {
    const consumer = this.#consumer();
    return consumer?.isConnected ? consumer : undefined;
  }
}
