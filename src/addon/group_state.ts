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
   * librdkafka has refused the answer, as it did not know yet that the consumer closes. Once it knows, it takes any answer:
   * the consumer gives it, and does not deliver the rebalance to the program again.
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

  /** Whether librdkafka has refused the program's answer, so that the consumer has to give another one later. */
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
   * - A revocation of a static member while it closes. A static member keeps its membership when it closes. If it gave its
   *   partitions back before librdkafka knows that it closes, it would give up its membership, too.
   * - A rebalance while leaving, if one was answered before. It may need an answer or not:
   *   1. librdkafka assigns partitions, and the program declines them.
   *   2. librdkafka revokes the partitions, before it has read that answer.
   *   3. If librdkafka takes the answer for both, the group ends. Another answer would arrive at a group that has ended:
   *      librdkafka 2.15.1 drops it without a reply (`rd_kafka_cgrp_op_serve`), and the call would never return.
   *   4. If not, the group does not end. Then the postponed revocation is delivered after a while.
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
   * The program answers. Returns whether to pass the answer on to librdkafka: while leaving, only if a rebalance waits for
   * an answer. Such a group can't end, so librdkafka is sure to reply; see `receive`.
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
   * librdkafka has refused an answer. Returns whether to hide its error from the program: `true` unless the consumer is
   * joined.
   *
   * @param rebalance The rebalance that was answered; `undefined` if the program gave partitions back without one.
   */
  refuse(rebalance: Rebalance | undefined): boolean {
    if (this.#phase.kind === "joined") return false;
    this.#delivered = rebalance === undefined ? ANSWERED : { kind: "refused", rebalance };
    return true;
  }
}
