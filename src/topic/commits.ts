/**
 * What becomes of commits.
 *
 * @module
 */

import type { KafkaConsumer, TopicPartitionOffset } from "../kafka/client.ts";
import type { Position } from "../stream/protocol.ts";
import { partitionText } from "./by_partition.ts";
import { KafkaError } from "./kafka_error.ts";
import type { Latch } from "./latch.ts";
import type { Notices } from "./notices.ts";

/** There was nothing to commit. */
const NO_OFFSET = -168;
const REBALANCE_IN_PROGRESS = 27;

/** Commits for a reader, and hears of the commits in the background. */
export class Commits {
  readonly #where: string;
  readonly #stopped: Latch;
  readonly #notices: Notices;

  /** @param stopped ends all waits for answers */
  constructor(where: string, stopped: Latch, notices: Notices) {
    this.#where = where;
    this.#stopped = stopped;
    this.#notices = notices;
  }

  /**
   * Commits positions; resolves when the broker has all of them, while somebody polls. Each call gets the answer of its
   * own request.
   *
   * @throws {KafkaError} If the broker refuses them, or those of some partitions, which the error names; or the reader is
   * stopped first.
   */
  async commit(consumer: KafkaConsumer, positions: readonly Position[]): Promise<void> {
    let answered: readonly TopicPartitionOffset[];
    try {
      answered = await this.#stopped.cut(
        consumer.commit(positions),
        () => new KafkaError(`${this.#where}: closed before the broker had confirmed the commit`),
      );
    } catch (error) {
      if (KafkaError.codeOf(error) === NO_OFFSET) return;
      throw KafkaError.from(`${this.#where}: ${offsetsOf(positions)} not committed`, error);
    }
    const refused = this.#refusal(answered);
    if (refused !== undefined) throw refused;
  }

  /** A commit in the background was answered. */
  onCommitted(code: number, offsets: readonly TopicPartitionOffset[], errorText: (code: number) => string): void {
    if (code === NO_OFFSET) return;
    const failure = code === 0
      ? this.#refusal(offsets)
      : new KafkaError(`${this.#where}: offsets were not committed: ${errorText(code)}`, { code });
    // While the group rebalances, the next background commit does it.
    if (failure === undefined || failure.code === REBALANCE_IN_PROGRESS) return;
    this.#notices.once("commit", `${failure.message}; the messages may be read again`);
  }

  /** Why partitions were refused in an answer, if some were. */
  #refusal(answered: readonly TopicPartitionOffset[]): KafkaError | undefined {
    const refused = answered.filter(({ error }) => error !== undefined);
    if (refused.length === 0) return undefined;
    const { code, message } = refused[0]!.error!;
    return new KafkaError(`${this.#where}: ${offsetsOf(refused)} not committed: ${message}`, { code });
  }
}

/** Names partitions, not all of many: `the offset of emoji[0] was`. */
function offsetsOf(partitions: readonly Position[]): string {
  const names = partitions.slice(0, 5).map(partitionText).join(", ");
  const more = partitions.length > 5 ? ` and ${partitions.length - 5} more` : "";
  return partitions.length === 1 ? `the offset of ${names} was` : `the offsets of ${names}${more} were`;
}
