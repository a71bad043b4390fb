/**
 * What becomes of commits.
 *
 * @module
 */

import { ErrorCode, type PortConsumer, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { Position } from "../../stream/protocol.ts";
import { partitionText } from "../../kafka/partition_map.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import type { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** A group that rebalances refuses commits so; a member that stays in it may commit again when it has joined again. */
const WHILE_REBALANCING: ReadonlySet<number> = new Set([
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.STALE_MEMBER_EPOCH,
]);
/** How long the last commit may take, in milliseconds, and how long it waits before it tries again. */
const LAST_MS = 3000, AGAIN_MS = 50;

/** Commits for a reader, and hears of the commits in the background. */
export class Commits {
  readonly #where: string;
  readonly #stopped: ResettableSignal;
  readonly #notices: Notices;

  /** @param stopped ends all waits for answers */
  constructor(where: string, stopped: ResettableSignal, notices: Notices) {
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
  async commit(consumer: PortConsumer, positions: readonly Position[]): Promise<void> {
    let answered: readonly TopicPartitionOffset[];
    try {
      answered = await this.#stopped.raceOrReject(
        consumer.commit(positions),
        () => new KafkaError(`${this.#where}: closed before the broker had confirmed the commit`),
      );
    } catch (error) {
      if (KafkaError.codeOf(error) === ErrorCode.NO_OFFSET) return;
      throw KafkaError.from(`${this.#where}: ${offsetsOf(positions)} not committed`, error);
    }
    const refused = this.#refusal(answered);
    if (refused !== undefined) throw refused;
  }

  /**
   * Commits before the group is left. A commit that meets a rebalance is refused, and librdkafka makes its own last one
   * but once: this one is made again, until the member has joined again, for a few seconds at most. Never rejects: what
   * is not committed librdkafka tries once more when it leaves, and `Commits.onCommitted` hears of it.
   *
   * @param positions how far partitions that are still assigned are handled
   * @param poll serves the consumer's events
   */
  async last(
    consumer: PortConsumer,
    positions: () => readonly Position[],
    poll: () => Promise<void>,
  ): Promise<void> {
    const deadline = performance.now() + LAST_MS;
    for (let wanted; (wanted = positions()).length > 0 && performance.now() < deadline;) {
      let code: number | undefined, isOver = false;
      const committed = consumer.commit(wanted).then(
        (answered) => code = answered.find(({ error }) => error !== undefined)?.error?.code,
        (error) => code = KafkaError.codeOf(error) ?? 0,
      ).finally(() => isOver = true);
      while (!isOver && consumer.isConnected && performance.now() < deadline) {
        await settlesWithin(Promise.race([committed, poll()]), AGAIN_MS);
      }
      if (!isOver || code === undefined || !WHILE_REBALANCING.has(code)) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      await poll();
    }
  }

  /** A commit in the background was answered. */
  onCommitted(code: number, offsets: readonly TopicPartitionOffset[], errorText: (code: number) => string): void {
    if (code === ErrorCode.NO_OFFSET) return;
    const failure = code === 0
      ? this.#refusal(offsets)
      : new KafkaError(`${this.#where}: offsets were not committed: ${errorText(code)}`, { code });
    // While the group rebalances, the next background commit does it, or the last one.
    if (failure === undefined || WHILE_REBALANCING.has(failure.code ?? 0)) return;
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
