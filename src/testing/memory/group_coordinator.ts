/**
 * The coordinator of a consumer group in a `MemoryKafka`.
 *
 * @module
 */

import { PartitionMap, partitionSet } from "../../kafka/partition_map.ts";
import { ErrorCode, type TopicPartition, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { TopicLogs } from "./topic_logs.ts";

/** A member of a group, as the coordinator sees it. */
export interface GroupMember {
  /** The topics that the member subscribes to: names, and expressions that begin with `^`. */
  readonly topics: readonly string[];
  readonly isCooperative: boolean;
  /** Receives partitions from the group. */
  onAssigned(partitions: readonly TopicPartition[], generation: number): void;
  /**
   * Has to give partitions back, and then calls `GroupCoordinator.revoked`. If they are lost, the member has left the
   * group already, and calls nothing.
   */
  onRevoked(partitions: readonly TopicPartition[], isLost: boolean): void;
}

interface Membership {
  owned: readonly TopicPartition[];
  /** The partitions that the member has to give back; `undefined` if there are none. */
  revoking: readonly TopicPartition[] | undefined;
}

/**
 * Distributes the partitions of a group's topics over its members, and keeps the offsets that they commit.
 *
 * A rebalance has two steps: members first give back the partitions that they lose, and when none of them owes any, all
 * receive theirs. A change of the members or topics meanwhile begins the rebalance again.
 */
export class GroupCoordinator {
  readonly #topics: TopicLogs;
  readonly #members = new Map<GroupMember, Membership>();
  readonly #committed = new PartitionMap<TopicPartitionOffset>();
  #generation = 0;
  /** How many rebalances a test has forced. Each moves every partition to the next member. */
  #forcedRebalances = 0;
  /** Whether a rebalance begins in the next microtask. */
  #isScheduled = false;

  constructor(topics: TopicLogs) {
    this.#topics = topics;
  }

  /** The members, in the order in which they joined. */
  get members(): GroupMember[] {
    return [...this.#members.keys()];
  }

  /** Whether no rebalance is going on. */
  get isStable(): boolean {
    return !this.#isScheduled && !this.#isRevoking;
  }

  /** Whether a member has partitions to give back. */
  get #isRevoking(): boolean {
    for (const { revoking } of this.#members.values()) if (revoking !== undefined) return true;
    return false;
  }

  /** How many rebalances have ended. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds a member; the group rebalances. */
  join(member: GroupMember): void {
    if (this.#members.has(member)) return;
    this.#members.set(member, { owned: [], revoking: undefined });
    this.#schedule();
  }

  /** Removes a member that has given its partitions back or is gone; the group rebalances. */
  leave(member: GroupMember): void {
    if (this.#members.delete(member)) this.#schedule();
  }

  /** Rebalances, and moves every partition to the next member if there are several. */
  rebalance(): void {
    this.#forcedRebalances++;
    this.#schedule();
  }

  /** Rebalances because topics have new partitions. */
  topicsChanged(): void {
    if (this.#members.size > 0) this.#schedule();
  }

  /** Removes a member that has not sent a heartbeat or polled for too long. It loses its partitions, and may join again. */
  expel(member: GroupMember): void {
    const membership = this.#members.get(member);
    if (membership === undefined) return;
    this.#members.delete(member);
    member.onRevoked(membership.owned, true);
    this.#schedule();
  }

  /** A member has given back the partitions that `GroupMember.onRevoked` named. */
  revoked(member: GroupMember): void {
    const membership = this.#members.get(member);
    if (membership?.revoking === undefined) return;
    membership.owned = without(membership.owned, membership.revoking);
    membership.revoking = undefined;
    this.#assign();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Members that join together make one rebalance.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#revoke();
    });
  }

  /** The first step of a rebalance: eager members give everything back, cooperative ones what goes to others. */
  #revoke(): void {
    const targets = this.#targets();
    for (const [member, membership] of this.#members) {
      if (membership.revoking !== undefined) continue;
      const { owned } = membership;
      const revoked = member.isCooperative ? without(owned, targets.get(member)!) : owned;
      if (revoked.length === 0) continue;
      membership.revoking = revoked;
      member.onRevoked(revoked, false);
    }
    this.#assignNothing();
    this.#assign();
  }

  /** As librdkafka does, assigns no partitions to the cooperative members that keep theirs, while others give some back. */
  #assignNothing(): void {
    if (!this.#isRevoking) return;
    for (const [member, { revoking }] of [...this.#members]) {
      if (member.isCooperative && revoking === undefined) member.onAssigned([], this.#generation);
    }
  }

  /** The second step of a rebalance, when no member has partitions to give back. */
  #assign(): void {
    if (this.#isScheduled || this.#isRevoking) return;
    const targets = this.#targets();
    for (const [member, { owned }] of this.#members) {
      // The members or topics have changed since the first step.
      if (without(owned, targets.get(member)!).length > 0) return this.#revoke();
    }
    this.#generation++;
    for (const [member, membership] of this.#members) {
      const target = targets.get(member)!;
      const added = without(target, membership.owned);
      membership.owned = target;
      member.onAssigned(added, this.#generation);
    }
  }

  /** The partitions that each member is to have: those of a topic go round the members that subscribe to it. */
  #targets(): Map<GroupMember, TopicPartition[]> {
    const targets = new Map<GroupMember, TopicPartition[]>();
    const subscribers = new Map<string, GroupMember[]>();
    for (const member of this.#members.keys()) {
      targets.set(member, []);
      for (const topic of this.#topics.matching(member.topics)) {
        const members = subscribers.get(topic);
        if (members === undefined) subscribers.set(topic, [member]);
        else members.push(member);
      }
    }
    let next = this.#forcedRebalances;
    for (const topic of [...subscribers.keys()].sort()) {
      const members = subscribers.get(topic)!;
      for (const { partition } of this.#topics.of(topic)) {
        targets.get(members[next++ % members.length]!)!.push({ topic, partition });
      }
    }
    return targets;
  }

  /**
   * Commits offsets.
   *
   * @param member the member that commits; absent for a consumer that assigns its partitions itself
   * @returns the code with which all of them are refused, or 0
   */
  commit(offsets: readonly TopicPartitionOffset[], member?: GroupMember, generation?: number): number {
    if (member !== undefined && !this.#members.has(member)) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (member !== undefined && generation !== this.#generation && this.isStable) return ErrorCode.ILLEGAL_GENERATION;
    for (const { topic, partition, offset, leaderEpoch } of offsets) {
      const epoch = leaderEpoch === undefined ? {} : { leaderEpoch };
      this.#committed.set({ topic, partition }, { topic, partition, offset, ...epoch });
    }
    return 0;
  }

  /** Returns the committed offset of a partition, if there is one. */
  committed(partition: TopicPartition): TopicPartitionOffset | undefined {
    return this.#committed.get(partition);
  }
}

function without(all: readonly TopicPartition[], some: readonly TopicPartition[]): TopicPartition[] {
  if (some.length === 0) return [...all];
  const set = partitionSet(some);
  return all.filter((one) => !set.has(one));
}
