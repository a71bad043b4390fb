/**
 * Pausing and resuming the partitions of a reader.
 *
 * @module
 */

import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";

/**
 * Pauses the assigned partitions for two reasons: the user calls `pause()`, or nobody pulls (backpressure: messages that
 * nobody pulls must not fill the memory). Partitions flow when neither holds.
 */
export class FlowControl {
  readonly #stopped: ResettableSignal;
  readonly #consumer: () => PortConsumer | undefined;
  readonly #partitions: () => readonly TopicPartition[];
  readonly #resumed = new ResettableSignal();
  #isPausedByUser = false;
  #isUnderBackpressure = false;

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
    return this.#isPausedByUser;
  }

  /** Whether partitions are paused, for either reason. Newly assigned ones have to be paused too. */
  get arePartitionsPaused(): boolean {
    return this.#isPausedByUser || this.#isUnderBackpressure;
  }

  /** Pauses for the user. */
  pause(): void {
    this.#isPausedByUser = true;
    this.#resumed.reset();
    this.#connected?.pause(this.#partitions());
  }

  /** Resumes for the user. This also ends backpressure, which comes back if nobody pulls. */
  resume(): void {
    this.#isPausedByUser = this.#isUnderBackpressure = false;
    this.#connected?.resume(this.#partitions());
    this.#resumed.fire();
  }

  /** Pauses, since nobody pulls. */
  startBackpressure(): void {
    if (!this.arePartitionsPaused) this.#connected?.pause(this.#partitions());
    this.#isUnderBackpressure = true;
  }

  /** Resumes, since somebody pulls; unless the user has paused the reader. */
  endBackpressure(): void {
    if (!this.#isUnderBackpressure) return;
    this.#isUnderBackpressure = false;
    if (!this.#isPausedByUser) this.#connected?.resume(this.#partitions());
  }

  /** Resolves when the user has resumed the reader, or the reader is stopped. */
  async resumed(): Promise<void> {
    while (this.#isPausedByUser && !this.#stopped.fired) {
      await this.#stopped.race(this.#resumed.race(new Promise<never>(() => {})));
    }
  }

  get #connected(): PortConsumer | undefined {
    const consumer = this.#consumer();
    return consumer?.isConnected ? consumer : undefined;
  }
}
