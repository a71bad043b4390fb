/**
 * The states of a consumer in its group, and every transition between them. Nothing here calls librdkafka.
 *
 * A consumer goes through four phases, always in this order:
 *
 * ```
 * left ──connect()──▶ joined ──disconnect()──▶ closing ──rd_kafka_consumer_close_queue()──▶ leaving
 *   ▲                                                                                         │
 *   └───────────────────────────── rd_kafka_consumer_closed() ────────────────────────────────┘
 * ```
 *
 * - **joined**: librdkafka runs the group protocol (JoinGroup, SyncGroup, Heartbeat, or ConsumerGroupHeartbeat).
 * - **closing**: the program has called `disconnect()`, and librdkafka does not know of it yet. The rebalance that was
 *   delivered last still waits for its answer. New assignments are declined.
 * - **leaving**: librdkafka revokes the assignment, commits and sends LeaveGroup.
 * - **left**: librdkafka has closed the consumer, or there is no connection.
 *
 * Across the phases one rebalance at most is *delivered* to the program and waits for its *answer*: `assign()`,
 * `unassign()` or an incremental one of both. librdkafka stays in the rebalance until the answer comes. Another rebalance
 * can be *postponed*: received from librdkafka, and not delivered yet.
 *
 * @module
 */

import { ErrorCode } from "../ffi/error_codes.ts";
import type { PartitionResult } from "../ffi/topic_partitions.ts";

/** An assignment (`ASSIGN_PARTITIONS`), a revocation (`REVOKE_PARTITIONS`) or a failed rebalance (any other code). */
export interface Rebalance {
  readonly code: number;
  readonly partitions: readonly PartitionResult[];
}

/** A rebalance that is not delivered yet. */
interface PostponedRebalance extends Rebalance {
  /** When librdkafka reported it, by `performance.now()`. */
  readonly at: number;
}

/** The phase, with what is known in it alone. */
type Phase =
  | { readonly kind: "left" }
  | { readonly kind: "joined" }
  | { readonly kind: "closing" }
  | {
    readonly kind: "leaving";
    /** The last answer of `rd_kafka_rebalance_protocol`. */
    readonly protocol: string;
    /** A rebalance has been answered in this phase. */
    hasAnswered: boolean;
  };

/** What has become of the rebalance that was delivered last. */
type Delivered =
  /** There is none, or it is answered. */
  | { readonly kind: "answered" }
  | { readonly kind: "unanswered"; readonly rebalance: Rebalance }
  /**
   * librdkafka has refused the answer, as it did not know that the consumer closes. Any answer will do once it knows, so
   * the program is not asked again.
   */
  | { readonly kind: "refused"; readonly rebalance: Rebalance };

const ANSWERED: Delivered = { kind: "answered" };

/** Where one consumer is in its group. */
export class GroupState {
  #phase: Phase = { kind: "left" };
  #delivered: Delivered = ANSWERED;
  #postponed: PostponedRebalance | undefined;
  readonly #isStatic: boolean;

  /** @param isStatic Whether the consumer is a static member: it has a `group.instance.id`. */
  constructor(isStatic: boolean) {
    this.#isStatic = isStatic;
  }

  get phase(): Phase["kind"] {
    return this.#phase.kind;
  }

  /** The rebalance protocol that was in use when the consumer began to leave; `undefined` in any other phase. */
  get protocolWhenLeaving(): string | undefined {
    return this.#phase.kind === "leaving" ? this.#phase.protocol : undefined;
  }

  /** The rebalance that waits for an answer, also when librdkafka has refused the first one. */
  get unanswered(): Rebalance | undefined {
    return this.#delivered.kind === "answered" ? undefined : this.#delivered.rebalance;
  }

  /** Whether the program's answer was refused, so that only librdkafka's progress can help. */
  get isAnswerRefused(): boolean {
    return this.#delivered.kind === "refused";
  }

  /** The rebalance that is not delivered yet. */
  get postponed(): PostponedRebalance | undefined {
    return this.#postponed;
  }

  // Transitions of the phase

  /** left → joined */
  join(): void {
    this.#phase = { kind: "joined" };
  }

  /** joined → closing */
  close(): void {
    this.#phase = { kind: "closing" };
  }

  /** closing → leaving */
  leave(protocol: string): void {
    this.#phase = { kind: "leaving", protocol, hasAnswered: false };
  }

  /** leaving → left; rebalances that wait for something are dropped. */
  end(): void {
    this.#phase = { kind: "left" };
    this.#delivered = ANSWERED;
    this.#postponed = undefined;
  }

  // Transitions of rebalances

  /**
   * Decides about a rebalance that librdkafka reports: `true` to deliver it now, `false` when it is postponed.
   *
   * Two kinds are postponed:
   *
   * - A revocation of a static member while it closes. If the member gave its partitions back before librdkafka knows
   *   that it closes, it would also give up its membership, which a static member keeps.
   * - A rebalance while leaving, after an answer. The events: librdkafka assigns partitions; the program declines them;
   *   before it reads the answer, librdkafka revokes them again. The answer may have settled that revocation as well, and
   *   the group ends: a second answer would be a question to a group that is gone, which librdkafka 2.15.1 drops
   *   (`rd_kafka_cgrp_op_serve`), and the caller would wait for ever. Or the revocation still waits, and then the group
   *   does not end without an answer.
   */
  receive(rebalance: Rebalance): boolean {
    const phase = this.#phase;
    const isPostponed = phase.kind === "leaving"
      ? phase.hasAnswered
      : phase.kind === "closing" && this.#isStatic && rebalance.code === ErrorCode.REVOKE_PARTITIONS;
    if (isPostponed) this.#postponed = { ...rebalance, at: performance.now() };
    return !isPostponed;
  }

  /** A rebalance is delivered to the program: from now on it waits for its answer. */
  deliver(rebalance: Rebalance): void {
    if (this.#phase.kind === "leaving") this.#postponed = undefined;
    this.#delivered = { kind: "unanswered", rebalance };
  }

  /**
   * The delivered rebalance is answered. Returns whether librdkafka may be given the answer: while leaving, only if a
   * rebalance waits for one. A group that waits for an answer does not end, and librdkafka drops, without a reply, what
   * is asked of a group that has just ended.
   */
  answer(): boolean {
    const hadRebalance = this.#delivered.kind !== "answered", phase = this.#phase;
    this.#delivered = ANSWERED;
    if (phase.kind === "left") return false;
    if (phase.kind !== "leaving") return true;
    if (hadRebalance) phase.hasAnswered = true;
    return hadRebalance;
  }

  /**
   * librdkafka has refused the answer to a rebalance (`undefined` if the program answered none). Returns whether the
   * program is to be spared the error: so it is while the consumer closes or leaves.
   */
  refuse(rebalance: Rebalance | undefined): boolean {
    if (this.#phase.kind === "joined") return false;
    this.#delivered = rebalance === undefined ? ANSWERED : { kind: "refused", rebalance };
    return true;
  }
}
