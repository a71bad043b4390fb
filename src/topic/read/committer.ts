/**
 * Committing offsets for a reader.
 *
 * @module
 */

import { ErrorCode, type PortConsumer, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { Position } from "../../protocol/protocol.ts";
import { partitionText } from "../../kafka/partition_map.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** How a group refuses commits while it rebalances. A member that stays in it may commit again once it has rejoined. */
const REFUSED_BY_REBALANCE: ReadonlySet<number> = new Set([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.STALE_MEMBER_EPOCH,
]);
/** How long the commit before leaving may take in all, in milliseconds. */
const FINAL_COMMIT_MS = 3000;
const RETRY_MS = 50;

/** Commits offsets for a reader, and reports commits in the background that were refused. */
export class Committer {
  readonly #where: string;
  readonly #stopped: ResettableSignal;
  readonly #notices: Notices;

  /**
   * @param where the topic, as errors name it
   * @param stopped ends all waits for answers
   */
  constructor(where: string, stopped: ResettableSignal, notices: Notices) {
    this.#where = where;
    this.#stopped = stopped;
    this.#notices = notices;
  }

  /**
   * Commits positions. Resolves when the broker has all of them; the consumer has to be polled meanwhile. Concurrent calls
   * each get the answer to their own request.
   *
   * @throws {KafkaError} If the broker refuses all positions, or those of some partitions, which the error names; or if the
   * reader is stopped first.
   */
  async commit(consumer: PortConsumer, positions: readonly Position[]): Promise<void> {
    let answer: readonly TopicPartitionOffset[];
    try {
      answer = await this.#stopped.raceOrReject(
        consumer.commit(positions),
        () => new KafkaError(`${this.#where}: closed before the broker had confirmed the commit`),
      );
    } catch (error) {
      if (KafkaError.codeOf(error) === ErrorCode.NO_OFFSET) return;
      throw KafkaError.from(`${this.#where}: ${offsetsOf(positions)} not committed`, error);
    }
    const refusal = this.#refusal(answer);
    if (refusal !== undefined) throw refusal;
  }

  /**
   * Commits before the reader leaves its group.
   *
   * A group that rebalances refuses the commit, and librdkafka tries its own final commit only once. So this commits again
   * until the member has rejoined, for 3 s at most. It never rejects: librdkafka tries once more to commit the rest when it
   * leaves, and reports the outcome to `Committer.onCommitted`.
   *
   * @param positions returns the positions of the partitions that are still assigned
   * @param poll polls the consumer for events
   */
  async commitBeforeLeaving(
    consumer: PortConsumer,
    positions: () => readonly Position[],
    poll: () => Promise<void>,
  ): Promise<void> {
    const deadline = performance.now() + FINAL_COMMIT_MS;
    for (let wanted; (wanted = positions()).length > 0 && performance.now() < deadline;) {
      let code: number | undefined, isAnswered = false;
      const committed = consumer.commit(wanted).then(
        (answer) => code = answer.find(({ error }) => error !== undefined)?.error?.code,
        (error) => code = KafkaError.codeOf(error) ?? 0,
      ).finally(() => isAnswered = true);
      while (!isAnswered && consumer.isConnected && performance.now() < deadline) {
        await settlesWithin(Promise.race([committed, poll()]), RETRY_MS);
      }
      if (!isAnswered || code === undefined || !REFUSED_BY_REBALANCE.has(code)) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      await poll();
    }
  }

  /** Handles the answer to a commit in the background: logs one line if it was refused. */
  onCommitted(code: number, offsets: readonly TopicPartitionOffset[], errorText: (code: number) => string): void {
    if (code === ErrorCode.NO_OFFSET) return;
    const refusal = code === 0
      ? this.#refusal(offsets)
      : new KafkaError(`${this.#where}: offsets were not committed: ${errorText(code)}`, { code });
    if (refusal === undefined) {
      return this.#notices.clear("commit-refused", `${this.#where}: offsets are committed again`);
    }
    // After a rebalance, the next commit in the background, or the one before leaving, commits these offsets.
    if (REFUSED_BY_REBALANCE.has(refusal.code ?? 0)) return;
    this.#notices.raise("commit-refused", `${refusal.message}; the messages may be read again`);
  }

  /** The error for the partitions that an answer refuses; `undefined` if it refuses none. */
  #refusal(answer: readonly TopicPartitionOffset[]): KafkaError | undefined {
    const refused = answer.filter(({ error }) => error !== undefined);
    if (refused.length === 0) return undefined;
    const { code, message } = refused[0]!.error!;
    return new KafkaError(`${this.#where}: ${offsetsOf(refused)} not committed: ${message}`, { code });
  }
}

/** Names up to five partitions: `the offset of emoji[0] was`, `the offsets of emoji[0], emoji[1] were`. */
function offsetsOf(partitions: readonly Position[]): string {
  const names = partitions.slice(0, 5).map(partitionText).join(", ");
  const more = partitions.length > 5 ? ` and ${partitions.length - 5} more` : "";
  return partitions.length === 1 ? `the offset of ${names} was` : `the offsets of ${names}${more} were`;
}
