/**
 * A broker that goes away and comes back.
 *
 * @module
 */

import type { Kafka } from "../../tools/kafka.ts";
import { sleep } from "./members.ts";
import type { BrokerAction } from "./schedule.ts";

/** After it is back, a broker that was killed loads its groups, and members join again, for so long. */
const BACK_MS = 3000;

/** Kills and freezes a broker, and counts it. */
export class Outages implements AsyncDisposable {
  readonly #kafka: Kafka;
  readonly #say: (text: string) => void;
  #back: (() => Promise<void>) | undefined;
  /** When it came back last, in milliseconds since 1970. */
  backAt = 0;
  /** How many times it went away. */
  count = 0;

  constructor(kafka: Kafka, say: (text: string) => void) {
    this.#kafka = kafka;
    this.#say = say;
  }

  /** Whether it is away, or came back just now. */
  get isAway(): boolean {
    return this.#back !== undefined || Date.now() - this.backAt < BACK_MS;
  }

  /** Does to the broker what the schedule says; resolves when it is back. */
  async make({ what, forMs }: BrokerAction): Promise<void> {
    this.count++;
    const began = Date.now();
    if (what === "kill") {
      this.#back = () => this.#kafka.restart();
      await this.#kafka.kill();
    } else {
      const { pid } = this.#kafka;
      // deno-lint-ignore require-await
      this.#back = async () => Deno.kill(pid, "SIGCONT");
      Deno.kill(pid, "SIGSTOP");
    }
    await sleep(forMs);
    await this.#comeBack();
    this.#say(`the broker was away (${what}) for ${Date.now() - began} ms`);
  }

  async #comeBack(): Promise<void> {
    await this.#back?.();
    this.#back = undefined;
    this.backAt = Date.now();
  }

  /** Leaves a broker behind that answers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#comeBack();
  }
}
