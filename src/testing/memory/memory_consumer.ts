/**
 * A consumer of a `MemoryKafka`.
 *
 * @module
 */

import {
  type ConsumerEvents,
  ErrorCode,
  type FetchedMessage,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "../../kafka/port.ts";
import type { GroupCoordinator, GroupMember } from "./group_coordinator.ts";
import { MemoryAssignment } from "./memory_assignment.ts";
import { MemoryClient } from "./memory_client.ts";
import type { MemoryCluster } from "./memory_cluster.ts";
import { codedError, errorText } from "./memory_errors.ts";

type Assigned = readonly (TopicPartition & { readonly offset?: number })[];

/** A call of `consume()` that has not returned. */
interface Poll {
  readonly max: number;
  resolve(messages: FetchedMessage[]): void;
  reject(error: Error): void;
  /** Whether its time is up, so that it returns even without messages. */
  isDue: boolean;
  cancelTimeout(): void;
}

/** A change of the assignment by the group. After `"lose"`, another member may have the partitions already. */
interface Rebalance {
  readonly partitions: readonly TopicPartition[];
  readonly kind: "assign" | "revoke" | "lose";
}

/** The offset of a partition without a committed one. */
const NO_OFFSET = -1001;
/** How long `disconnect()` waits until the program has given the partitions back, in milliseconds. */
const REVOKE_MS = 10_000;
/** How long `disconnect()` waits for the last commit, in milliseconds. */
const LAST_COMMIT_MS = 1000;

/**
 * A consumer. Reports rebalances and the answers of commits while it is polled, before the messages that follow them.
 *
 * As in librdkafka, one rebalance is open at a time: from `onAssign()` or `onRevoke()` until the program assigns or
 * unassigns. The next ones wait.
 */
export class MemoryConsumer extends MemoryClient implements PortConsumer, GroupMember {
  readonly isEager: boolean;
  readonly #events: ConsumerEvents;
  readonly #coordinator: GroupCoordinator;
  readonly #assignment: MemoryAssignment;
  readonly #commitsInBackground: boolean;
  readonly #polls: Poll[] = [];
  readonly #rebalances: Rebalance[] = [];
  /** Answers of commits, to be reported by the next poll. */
  readonly #commitAnswers: (() => void)[] = [];
  /** Errors that the next polls throw, by their codes. */
  readonly #errors: number[] = [];
  /** Rejects each call of `commit()` that has not returned. */
  readonly #pendingCommits = new Set<(error: Error) => void>();
  #openRebalance: Rebalance | undefined;
  #onRebalanceEnd: (() => void) | undefined;
  #topics: readonly string[] = [];
  #generation = -1;
  /** Whether polls are served in the next microtask. */
  #isScheduled = false;
  #cancelCommitTimer: (() => void) | undefined;
  #cancelPollTimer: (() => void) | undefined;

  constructor(cluster: MemoryCluster, conf: Readonly<Record<string, unknown>>, events: ConsumerEvents) {
    super(cluster, conf, events);
    this.#events = events;
    this.isEager = conf["partition.assignment.strategy"] !== "cooperative-sticky";
    this.#coordinator = cluster.coordinator(String(conf["group.id"]));
    this.#commitsInBackground = String(conf["enable.auto.commit"] ?? true) !== "false";
    this.#assignment = new MemoryAssignment(
      cluster,
      this.#coordinator,
      conf,
      (severity, line) => this.log(severity, line),
    );
  }

  /** The coordinator of its group. */
  get coordinator(): GroupCoordinator {
    return this.#coordinator;
  }

  override get assigned(): TopicPartition[] {
    return this.#assignment.partitions;
  }

  // The group

  get topics(): readonly string[] {
    return this.#topics;
  }

  get isCooperative(): boolean {
    return !this.isEager && this.#topics.length > 0;
  }

  get isAssignmentLost(): boolean {
    return this.#openRebalance?.kind === "lose";
  }

  subscribe(topics: readonly string[]): void {
    this.#checkConnected();
    this.#topics = [...topics];
    const known = this.cluster.topics.matching(topics);
    if (topics.some((topic) => !topic.startsWith("^") && !known.includes(topic))) {
      this.#errors.push(ErrorCode.UNKNOWN_TOPIC_OR_PART);
    }
    this.#coordinator.join(this);
    this.#watchPolls();
  }

  onAssigned(partitions: readonly TopicPartition[], generation: number): void {
    this.#generation = generation;
    this.#queueRebalance({ partitions, kind: "assign" });
  }

  onRevoked(partitions: readonly TopicPartition[], isLost: boolean): void {
    if (!isLost) return this.#queueRebalance({ partitions, kind: "revoke" });
    this.#generation = -1;
    // Rebalances that the program has not seen yet no longer hold.
    this.#rebalances.length = 0;
    this.#queueRebalance({ partitions: this.#assignment.partitions, kind: "lose" });
  }

  #queueRebalance(rebalance: Rebalance): void {
    this.#rebalances.push(rebalance);
    this.wake();
  }

  /** Leaves the group when there was no poll for `max.poll.interval.ms`, as librdkafka does. */
  #watchPolls(): void {
    const maxMs = Number(this.conf["max.poll.interval.ms"] ?? Infinity);
    if (maxMs === Infinity || this.#topics.length === 0) return;
    this.#cancelPollTimer?.();
    this.#cancelPollTimer = this.after(maxMs, () => {
      if (this.#polls.length > 0) return this.#watchPolls();
      this.#errors.push(ErrorCode.MAX_POLL_EXCEEDED);
      this.#coordinator.expel(this);
    });
  }

  assign(partitions: Assigned): void {
    this.#checkConnected();
    this.#assignment.replace(partitions);
    this.#endRebalance();
  }

  incrementalAssign(partitions: Assigned): void {
    this.#checkConnected();
    this.#assignment.add(partitions);
    this.#endRebalance();
  }

  unassign(): void {
    this.#giveBack(this.#assignment.partitions);
  }

  incrementalUnassign(partitions: readonly TopicPartition[]): void {
    this.#giveBack(partitions);
  }

  /** Unassigns partitions. Their stored offsets are committed first, before another member receives the partitions. */
  #giveBack(partitions: readonly TopicPartition[]): void {
    const offsets = this.#assignment.uncommitted(partitions);
    this.#assignment.remove(partitions);
    // While it disconnects, a consumer does not wait for brokers that are down.
    const isFutile = this.isAssignmentLost || (this.isDisconnecting && !this.cluster.isUp);
    if (isFutile || !this.#commitsInBackground || offsets.length === 0) return this.#endRebalance();
    this.#commitStored(offsets).finally(() => this.#endRebalance());
  }

  #endRebalance(): void {
    const ended = this.#openRebalance;
    this.#openRebalance = undefined;
    this.#onRebalanceEnd?.();
    if (ended?.kind === "revoke") this.#coordinator.revoked(this);
    // A member that has lost its partitions is no member any more, and joins again.
    if (ended?.kind === "lose" && !this.isDisconnecting) this.#coordinator.join(this);
    this.wake();
  }

  // Messages

  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]> {
    return new Promise((resolve, reject) => {
      if (this.isCrashed) return;
      if (!this.isConnected || this.isDisconnecting) return reject(codedError(ErrorCode.STATE));
      const poll: Poll = { max, resolve, reject, isDue: timeoutMs <= 0, cancelTimeout: () => {} };
      this.#polls.push(poll);
      this.#watchPolls();
      this.wake();
      if (timeoutMs <= 0) return;
      // A poll that returns at once needs no timer.
      queueMicrotask(() => {
        if (!this.#polls.includes(poll)) return;
        poll.cancelTimeout = this.after(timeoutMs, () => {
          poll.isDue = true;
          this.#servePolls();
        });
      });
    });
  }

  /** Serves the polls in the next microtask. */
  wake(): void {
    if (this.#isScheduled || this.#polls.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#servePolls();
    });
  }

  #servePolls(): void {
    for (let poll; (poll = this.#polls[0]) !== undefined && !this.isCrashed && !this.isDisconnecting;) {
      this.#reportEvents();
      if (this.isDisconnecting || this.#polls[0] !== poll) return;
      const messages: FetchedMessage[] = [], ends: TopicPartitionOffset[] = [];
      let error = this.#errors.shift();
      if (error === undefined && this.cluster.isUp) error = this.#assignment.read(poll.max, messages, ends);
      for (const end of ends) this.#events.onEnd(end);
      if (error === undefined && messages.length === 0 && !poll.isDue) return;
      this.#polls.shift();
      poll.cancelTimeout();
      if (error !== undefined) poll.reject(codedError(error));
      else poll.resolve(messages);
    }
  }

  #reportEvents(): void {
    for (const answer of this.#commitAnswers.splice(0)) answer();
    while (this.#openRebalance === undefined && !this.isDisconnecting) {
      const rebalance = this.#rebalances.shift();
      if (rebalance === undefined) return;
      this.#openRebalance = rebalance;
      if (rebalance.kind === "assign") this.#events.onAssign(rebalance.partitions);
      else this.#events.onRevoke(rebalance.partitions);
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#checkConnected();
    this.#assignment.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#checkConnected();
    this.#assignment.resume(partitions);
    this.wake();
  }

  async seek({ topic, partition, offset }: TopicPartitionOffset, timeoutMs: number): Promise<void> {
    await this.request("seek", timeoutMs, () => {
      if (!this.#assignment.seek({ topic, partition }, offset)) throw codedError(ErrorCode.STATE);
    });
    this.wake();
  }

  // Offsets

  storeOffsets(offsets: readonly TopicPartitionOffset[]): void {
    if (this.isCrashed) return;
    if (!this.isConnected || this.isDisconnecting || this.#topics.length === 0) throw codedError(ErrorCode.STATE);
    const stored = offsets.filter((offset) => this.#assignment.store(offset));
    if (stored.length === 0 && offsets.length > 0) throw codedError(ErrorCode.STATE);
    if (!this.#commitsInBackground || this.#cancelCommitTimer !== undefined) return;
    this.#cancelCommitTimer = this.after(Number(this.conf["auto.commit.interval.ms"] ?? 5000), () => {
      this.#cancelCommitTimer = undefined;
      void this.#commitStored(this.#assignment.uncommitted());
    });
  }

  /** Commits stored offsets. A later poll reports the answer. */
  async #commitStored(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    const report = (code: number, answered = offsets) => {
      this.#commitAnswers.push(() => this.#events.onCommitted(code, answered));
      this.wake();
    };
    try {
      const answered = await this.#commit(offsets);
      this.#assignment.committed(answered.filter(({ error }) => error === undefined));
      const refused = answered.filter(({ error }) => error !== undefined);
      report(refused.length === answered.length ? refused[0]!.error!.code : 0, answered);
    } catch (error) {
      report((error as { code: number }).code);
    }
  }

  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    const copies = offsets.map((offset) => ({ ...offset }));
    return new Promise((resolve, reject) => {
      if (this.isDisconnecting) return reject(codedError(ErrorCode.STATE));
      this.#pendingCommits.add(reject);
      const answer = (settle: () => void) => {
        this.#commitAnswers.push(() => {
          this.#pendingCommits.delete(reject);
          settle();
        });
        this.wake();
      };
      this.#commit(copies).then((answered) => {
        const refused = answered.filter(({ error }) => error !== undefined);
        if (refused.length < answered.length) answer(() => resolve(answered));
        else answer(() => reject(codedError(refused[0]!.error!.code)));
      }, (error) => answer(() => reject(error)));
    });
  }

  /** Sends a commit. The answer has an `error` for each offset that the broker refuses. */
  #commit(offsets: readonly TopicPartitionOffset[]): Promise<TopicPartitionOffset[]> {
    const member = this.#topics.length > 0 ? this : undefined, generation = this.#generation;
    const timeoutMs = this.isDisconnecting ? LAST_COMMIT_MS : Infinity;
    return this.request("commit", timeoutMs, () => {
      const group = String(this.conf["group.id"]), { commit } = this.cluster.faults;
      const answered = offsets.map((offset) => {
        const code = commit?.(offset, group) ||
          (this.cluster.topics.partition(offset) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PART : 0);
        return code === 0 ? offset : { ...offset, error: { code, message: errorText(code) } };
      });
      const code = this.#coordinator.commit(answered.filter(({ error }) => error === undefined), member, generation);
      if (code !== 0) throw codedError(code);
      return answered;
    });
  }

  committed(partitions: readonly TopicPartition[], timeoutMs: number): Promise<TopicPartitionOffset[]> {
    return this.request(
      "committed",
      timeoutMs,
      () =>
        partitions.map(({ topic, partition }) =>
          this.#coordinator.committed({ topic, partition }) ?? { topic, partition, offset: NO_OFFSET }
        ),
    );
  }

  watermarks(partition: TopicPartition, timeoutMs: number): Promise<Watermarks> {
    return this.request("watermarks", timeoutMs, () => {
      const log = this.cluster.topics.partition(partition);
      if (log === undefined) throw codedError(ErrorCode.UNKNOWN_TOPIC_OR_PART);
      return log.watermarks;
    });
  }

  partitions(topic: string | undefined, timeoutMs: number): Promise<TopicPartition[]> {
    return this.request("metadata", timeoutMs, () => {
      const names = topic === undefined ? this.cluster.topics.names : [topic];
      return names.flatMap((name) =>
        this.cluster.topics.of(name).map(({ topic, partition }) => ({ topic, partition }))
      );
    });
  }

  // The end

  #checkConnected(): void {
    if (!this.isConnected || this.isDisconnecting) throw codedError(ErrorCode.STATE);
  }

  protected override async leave(): Promise<void> {
    for (const { resolve, cancelTimeout } of this.#polls.splice(0)) {
      cancelTimeout();
      resolve([]);
    }
    this.#rebalances.length = 0;
    if (this.#topics.length > 0 && !this.isAssignmentLost && this.#assignment.partitions.length > 0) {
      await this.#giveAllBack();
    }
    const uncommitted = this.#assignment.uncommitted();
    if (this.#commitsInBackground && uncommitted.length > 0 && this.cluster.isUp) {
      await this.#commit(uncommitted).catch(() => {});
    }
    this.#assignment.replace([]);
    this.#coordinator.leave(this);
    for (const reject of this.#pendingCommits) reject(codedError(ErrorCode.DESTROY));
  }

  /** Revokes all partitions, and waits until the program has unassigned them. */
  async #giveAllBack(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancelTimeout = this.after(REVOKE_MS, resolve);
      this.#onRebalanceEnd = () => {
        cancelTimeout();
        resolve();
      };
      if (this.#openRebalance?.kind === "revoke") return;
      this.#openRebalance = { partitions: this.#assignment.partitions, kind: "revoke" };
      this.#events.onRevoke(this.#openRebalance.partitions);
    });
  }

  override crash(): void {
    super.crash();
    this.#polls.length = this.#rebalances.length = this.#commitAnswers.length = 0;
  }
}
