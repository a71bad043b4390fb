/**
 * Outages of the broker.
 *
 * @module
 */

import type { Kafka } from "../../tools/kafka.ts";
import { sleep } from "./members.ts";
import type { BrokerAction } from "./schedule.ts";

/** How long a broker that was killed loads its groups after its start, and members join again, in milliseconds. */
const BACK_MS = 3000;

/** Kills and freezes the broker, and counts the outages. */
export class Outages implements AsyncDisposable {
  readonly #kafka: Kafka;
  readonly #say: (text: string) => void;
  /** Ends the outage; `undefined` when there is none. */
  #end: (() => Promise<void>) | undefined;
  /** The end of the last outage, in milliseconds since 1970. */
  backAt = 0;
  /** The number of outages. */
  count = 0;

  constructor(kafka: Kafka, say: (text: string) => void) {
    this.#kafka = kafka;
    this.#say = say;
  }

  /** Whether the broker is down, or has just come back. */
  get isAway(): boolean {
    return this.#end !== undefined || Date.now() - this.backAt < BACK_MS;
  }

  /** Kills or freezes the broker for a time. Resolves when it is up again. */
  async make({ what, forMs }: BrokerAction): Promise<void> {
    this.count++;
    const began = Date.now();
    if (what === "kill") {
      this.#end = () => this.#kafka.restart();
      await this.#kafka.kill();
    } else {
      const { pid } = this.#kafka;
      // deno-lint-ignore require-await
      this.#end = async () => Deno.kill(pid, "SIGCONT");
      Deno.kill(pid, "SIGSTOP");
    }
    await sleep(forMs);
    await this.#comeBack();
    this.#say(`the broker was down (${what}) for ${Date.now() - began} ms`);
  }

  async #comeBack(): Promise<void> {
    await this.#end?.();
    this.#end = undefined;
    this.backAt = Date.now();
  }

  /** Ends an outage that goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#comeBack();
  }
}
