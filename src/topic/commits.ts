/**
 * Commits that were asked for and are not answered yet.
 *
 * @module
 */

import type { PartitionOffset } from "./progress.ts";

interface Waiting {
  readonly offsets: readonly PartitionOffset[];
  resolve(): void;
  reject(error: Error): void;
}

/** Knows commits by their offsets: librdkafka says of no answer whose it is. */
export class Commits {
  readonly #waiting: Waiting[] = [];

  /** Settles as the commit of just these offsets does. */
  wait(offsets: readonly PartitionOffset[]): Promise<void> {
    const answer = new Promise<void>((resolve, reject) => this.#waiting.push({ offsets, resolve, reject }));
    answer.catch(() => {}); // whoever asked may have stopped waiting
    return answer;
  }

  /** A commit was answered; says whether somebody waits for it. */
  settle(offsets: readonly PartitionOffset[], error?: Error): boolean {
    const at = this.#waiting.findIndex((one) => one.offsets.length === offsets.length && within(one.offsets, offsets));
    if (at < 0) return false;
    const [one] = this.#waiting.splice(at, 1);
    if (error === undefined) one!.resolve();
    else one!.reject(error);
    return true;
  }

  /** No commit will be answered any more. */
  giveUp(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function within(some: readonly PartitionOffset[], all: readonly PartitionOffset[]): boolean {
  return some.every((own) =>
    all.some((one) => one.topic === own.topic && one.partition === own.partition && one.offset === own.offset)
  );
}
