/**
 * Holding up the flow of messages.
 *
 * @module
 */

import type { PortConsumer, TopicPartition } from "../../kafka/port.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";

/** Pauses partitions for who asks, and while nobody pulls: what nobody pulls must not fill the memory. */
export class Flow {
  readonly #stopped: ResettableSignal;
  readonly #consumer: () => PortConsumer | undefined;
  readonly #partitions: () => readonly TopicPartition[];
  /** Fires when the flow goes on. */
  readonly #resumed = new ResettableSignal();
  #isPaused = false;
  #isHeldUp = false;

  /**
   * @param stopped ends all waits
   * @param consumer the consumer, if there is one yet
   * @param partitions what is assigned
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

  /** Whether somebody has asked to pause. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether nothing is fetched: partitions that are assigned now are to be paused. */
  get isStill(): boolean {
    return this.#isPaused || this.#isHeldUp;
  }

  /** Stops the flow at once. */
  pause(): void {
    this.#isPaused = true;
    this.#resumed.reset();
    this.#connected?.pause(this.#partitions());
  }

  /** Lets messages flow again. */
  resume(): void {
    this.#isPaused = this.#isHeldUp = false;
    this.#connected?.resume(this.#partitions());
    this.#resumed.fire();
  }

  /** Nobody pulls. */
  holdUp(): void {
    if (!this.isStill) this.#connected?.pause(this.#partitions());
    this.#isHeldUp = true;
  }

  /** Somebody pulls. */
  letGo(): void {
    if (!this.#isHeldUp) return;
    this.#isHeldUp = false;
    if (!this.#isPaused) this.#connected?.resume(this.#partitions());
  }

  /** Resolves when the flow goes on, or the reader is stopped. */
  async resumed(): Promise<void> {
    while (this.#isPaused && !this.#stopped.fired) {
      await this.#stopped.race(this.#resumed.race(new Promise<never>(() => {})));
    }
  }

  get #connected(): PortConsumer | undefined {
    const consumer = this.#consumer();
    return consumer?.isConnected ? consumer : undefined;
  }
}
