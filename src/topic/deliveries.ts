/**
 * What becomes of messages on their way.
 *
 * @module
 */

import { messageNumber, NUMBERS } from "../librdkafka/opaques.ts";
import type { Sender } from "../stream/protocol.ts";
import type { KafkaError } from "./kafka_error.ts";

/** Told what became of each message that carries it. */
export interface Tracker {
  add(message: unknown): void;
  remove(): void;
  settled(code: number, partition: number, offset: number, number: number): void;
}

/** Makes the error of a delivery that failed. */
export type Failure = (code: number) => KafkaError;

/** Everything that is written between two moments of settling. */
export class Epoch implements Tracker {
  #pending = 0;
  #failed: { readonly error: unknown } | undefined;
  #waiting: { resolve(): void; reject(error: unknown): void } | undefined;
  readonly #failure: Failure;

  constructor(failure: Failure) {
    this.#failure = failure;
  }

  get used(): boolean {
    return this.#pending > 0 || this.#failed !== undefined;
  }

  add(): void {
    this.#pending++;
  }

  remove(): void {
    this.#pending--;
  }

  settled(code: number): void {
    this.over(code === 0 ? undefined : { error: this.#failure(code) });
  }

  /** One less; with an error, some of it can't be delivered. */
  over(failed?: { readonly error: unknown }): void {
    this.#failed ??= failed;
    if (--this.#pending === 0) this.#finish();
  }

  #finish(): void {
    if (this.#failed === undefined) this.#waiting?.resolve();
    else this.#waiting?.reject(this.#failed.error);
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#pending === 0) this.#finish();
    });
  }
}

/** Records of an epoch that have a sender, told apart by numbers: an object for each would cost more than the rest. */
export class Sendings implements Tracker {
  readonly epoch: Epoch;
  readonly sender: Sender;
  /** The number of the record that was added last: it is read when that is produced. */
  [messageNumber] = -1;
  readonly #messages: unknown[] = [];
  readonly #failure: Failure;

  constructor(epoch: Epoch, sender: Sender, failure: Failure) {
    this.epoch = epoch;
    this.sender = sender;
    this.#failure = failure;
  }

  get full(): boolean {
    return this.#messages.length === NUMBERS;
  }

  add(message: unknown): void {
    this.epoch.add();
    this[messageNumber] = this.#messages.push(message) - 1;
  }

  remove(): void {
    this.epoch.remove();
    this.#messages.pop();
  }

  settled(code: number, _partition: number, _offset: number, number: number): void {
    if (code === 0) this.epoch.over();
    else void this.#undelivered(this.#failure(code), this.#messages[number]);
  }

  async #undelivered(error: KafkaError, message: unknown): Promise<void> {
    try {
      await this.sender.undelivered(error, message);
      this.epoch.over();
    } catch (error) {
      this.epoch.over({ error });
    }
  }
}
