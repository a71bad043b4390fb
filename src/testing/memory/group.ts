/**
 * The coordinator of a consumer group in memory.
 *
 * @module
 */

import { ErrorCode, type TopicPartition, type TopicPartitionOffset } from "../../kafka/port.ts";
import type { TopicLogs } from "./log.ts";

/** A member, as the coordinator sees it. */
export interface GroupMember {
  readonly topics: readonly string[];
  readonly isCooperative: boolean;
  /** The group gives partitions. */
  tellAssign(partitions: readonly TopicPartition[], generation: number): void;
  /** The group takes partitions; `GroupCoordinator.answered` says that they are given back. */
  tellRevoke(partitions: readonly TopicPartition[], lost: boolean): void;
}

interface Membership {
  owned: readonly TopicPartition[];
  /** What it is asked to give back, until it has. */
  revoking: readonly TopicPartition[] | undefined;
}

/** Shares partitions out among members, and keeps the offsets they commit. */
export class GroupCoordinator {
  readonly #topics: TopicLogs;
  readonly #members = new Map<GroupMember, Membership>();
  readonly #committed = new Map<string, TopicPartitionOffset>();
  #generation = 0;
  /** Rebalances that were forced: each moves partitions on by a member. */
  #turn = 0;
  #scheduled = false;

  constructor(topics: TopicLogs) {
    this.#topics = topics;
  }

  /** The members, in the order in which they joined. */
  get members(): GroupMember[] {
    return [...this.#members.keys()];
  }

  /** Whether no member owes an answer and none waits for its partitions. */
  get isStable(): boolean {
    return !this.#scheduled && [...this.#members.values()].every(({ revoking }) => revoking === undefined);
  }

  /** How often partitions were shared out. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds a member; the group rebalances. */
  join(member: GroupMember): void {
    if (this.#members.has(member)) return;
    this.#members.set(member, { owned: [], revoking: undefined });
    this.#schedule();
  }

  /** Takes a member out, which has given its partitions back or is gone; the group rebalances. */
  leave(member: GroupMember): void {
    if (this.#members.delete(member)) this.#schedule();
  }

  /** Shares partitions out anew, and to others where there are several members. */
  rebalance(): void {
    this.#turn++;
    this.#schedule();
  }

  /** The partitions of topics have changed. */
  topicsChanged(): void {
    if (this.#members.size > 0) this.#schedule();
  }

  /** Takes everything from a member without asking it, as when it was not heard of for too long. It may join again. */
  lose(member: GroupMember): void {
    const membership = this.#members.get(member);
    if (membership === undefined) return;
    this.#members.delete(member);
    member.tellRevoke(membership.owned, true);
    this.#schedule();
  }

  /** A member has given back what it was asked for. */
  answered(member: GroupMember): void {
    const membership = this.#members.get(member);
    if (membership?.revoking === undefined) return;
    membership.owned = without(membership.owned, membership.revoking);
    membership.revoking = undefined;
    this.#serve();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Members that join together are one rebalance.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#begin();
    });
  }

  #begin(): void {
    const targets = this.#targets();
    for (const [member, membership] of this.#members) {
      if (membership.revoking !== undefined) continue;
      const { owned } = membership;
      const gone = member.isCooperative ? without(owned, targets.get(member)!) : owned;
      if (gone.length === 0) continue;
      membership.revoking = gone;
      member.tellRevoke(gone, false);
    }
    this.#tellNothing();
    this.#serve();
  }

  /** While some give partitions back, librdkafka tells cooperative members of no partition, and then of theirs. */
  #tellNothing(): void {
    const members = [...this.#members];
    if (members.every(([, { revoking }]) => revoking === undefined)) return;
    for (const [member, { revoking }] of members) {
      if (member.isCooperative && revoking === undefined) member.tellAssign([], this.#generation);
    }
  }

  /** Gives partitions out when nobody has to give any back. */
  #serve(): void {
    if (this.#scheduled) return;
    for (const { revoking } of this.#members.values()) if (revoking !== undefined) return;
    const targets = this.#targets();
    for (const [member, { owned }] of this.#members) {
      // The members have changed meanwhile.
      if (without(owned, targets.get(member)!).length > 0) return this.#begin();
    }
    this.#generation++;
    for (const [member, membership] of this.#members) {
      const target = targets.get(member)!;
      const added = without(target, membership.owned);
      membership.owned = target;
      member.tellAssign(added, this.#generation);
    }
  }

  #targets(): Map<GroupMember, TopicPartition[]> {
    const targets = new Map<GroupMember, TopicPartition[]>();
    const wanted = new Map<string, GroupMember[]>();
    for (const member of this.#members.keys()) {
      targets.set(member, []);
      for (const topic of this.#topics.matching(member.topics)) {
        const members = wanted.get(topic);
        if (members === undefined) wanted.set(topic, [member]);
        else members.push(member);
      }
    }
    let next = this.#turn;
    for (const topic of [...wanted.keys()].sort()) {
      const members = wanted.get(topic)!;
      for (const { partition } of this.#topics.of(topic)) {
        targets.get(members[next++ % members.length]!)!.push({ topic, partition });
      }
    }
    return targets;
  }

  /** Takes offsets of a member, or of a consumer that is none; the code that refuses them all, or 0. */
  commit(offsets: readonly TopicPartitionOffset[], member?: GroupMember, generation?: number): number {
    if (member !== undefined && !this.#members.has(member)) return ErrorCode.UNKNOWN_MEMBER_ID;
    if (member !== undefined && generation !== this.#generation && this.isStable) return ErrorCode.ILLEGAL_GENERATION;
    for (const { topic, partition, offset, leaderEpoch } of offsets) {
      const epoch = leaderEpoch === undefined ? {} : { leaderEpoch };
      this.#committed.set(keyOf({ topic, partition }), { topic, partition, offset, ...epoch });
    }
    return 0;
  }

  /** The committed offset of a partition, if there is one. */
  committed(partition: TopicPartition): TopicPartitionOffset | undefined {
    return this.#committed.get(keyOf(partition));
  }
}

/** A partition as a key of a Map. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function without(all: readonly TopicPartition[], some: readonly TopicPartition[]): TopicPartition[] {
  if (some.length === 0) return [...all];
  const keys = new Set(some.map(keyOf));
  return all.filter((one) => !keys.has(keyOf(one)));
}
