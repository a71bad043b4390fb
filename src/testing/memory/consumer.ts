/**
 * A consumer of a cluster in memory.
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
import { Assignment } from "./assignment.ts";
import { MemoryClient } from "./client.ts";
import { type Cluster, codedError, errorText } from "./cluster.ts";
import type { GroupCoordinator, GroupMember } from "./group.ts";

type Assigned = readonly (TopicPartition & { readonly offset?: number })[];

interface ConsumeRequest {
  readonly max: number;
  resolve(messages: FetchedMessage[]): void;
  reject(error: Error): void;
  isDue: boolean;
  forget(): void;
}

interface Rebalance {
  readonly partitions: readonly TopicPartition[];
  readonly kind: "assign" | "revoke" | "lose";
}

const NO_OFFSET = -1001;
/** How long a closing consumer waits for its partitions to be given back. */
const ANSWER_MS = 10_000;
/** How long it waits for its last commit. */
const LAST_COMMIT_MS = 1000;

/** A consumer: rebalances and answers of commits come while it is polled, before the messages after them. */
export class MemoryConsumer extends MemoryClient implements PortConsumer, GroupMember {
  readonly isEager: boolean;
  readonly #events: ConsumerEvents;
  readonly #coordinator: GroupCoordinator;
  readonly #assignment: Assignment;
  readonly #commitsInBackground: boolean;
  readonly #requests: ConsumeRequest[] = [];
  readonly #rebalances: Rebalance[] = [];
  readonly #answers: (() => void)[] = [];
  readonly #errors: number[] = [];
  /** Rejects the commits that are not answered yet. */
  readonly #commitAnswers = new Set<(error: Error) => void>();
  /** The rebalance that was told and is not answered. */
  #owed: Rebalance | undefined;
  #answered: (() => void) | undefined;
  #topics: readonly string[] = [];
  #generation = -1;
  #scheduled = false;
  #commitTimer: (() => void) | undefined;
  #pollTimer: (() => void) | undefined;

  constructor(cluster: Cluster, conf: Readonly<Record<string, unknown>>, events: ConsumerEvents) {
    super(cluster, conf, events);
    this.#events = events;
    this.isEager = conf["partition.assignment.strategy"] !== "cooperative-sticky";
    this.#coordinator = cluster.group(String(conf["group.id"]));
    this.#commitsInBackground = String(conf["enable.auto.commit"] ?? true) !== "false";
    this.#assignment = new Assignment(
      cluster,
      this.#coordinator,
      conf,
      (severity, line) => this.log(severity, line),
    );
  }

  /** The group it reads for. */
  get coordinator(): GroupCoordinator {
    return this.#coordinator;
  }

  /** What is assigned to it now. */
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
    return this.#owed?.kind === "lose";
  }

  subscribe(topics: readonly string[]): void {
    this.#check();
    this.#topics = [...topics];
    const known = this.cluster.topics.matching(topics);
    if (topics.some((topic) => !topic.startsWith("^") && !known.includes(topic))) {
      this.#errors.push(ErrorCode.UNKNOWN_TOPIC_OR_PART);
    }
    this.#coordinator.join(this);
    this.#watchPolls();
  }

  tellAssign(partitions: readonly TopicPartition[], generation: number): void {
    this.#generation = generation;
    this.#tell({ partitions, kind: "assign" });
  }

  tellRevoke(partitions: readonly TopicPartition[], lost: boolean): void {
    if (!lost) return this.#tell({ partitions, kind: "revoke" });
    this.#generation = -1;
    // What it has not heard of yet is void.
    this.#rebalances.length = 0;
    this.#tell({ partitions: this.#assignment.partitions, kind: "lose" });
  }

  #tell(rebalance: Rebalance): void {
    this.#rebalances.push(rebalance);
    this.wake();
  }

  /** A member that does not poll for too long leaves the group, as librdkafka has it. */
  #watchPolls(): void {
    const mostMs = Number(this.conf["max.poll.interval.ms"] ?? Infinity);
    if (mostMs === Infinity || this.#topics.length === 0) return;
    this.#pollTimer?.();
    this.#pollTimer = this.after(mostMs, () => {
      if (this.#requests.length > 0) return this.#watchPolls();
      this.#errors.push(ErrorCode.MAX_POLL_EXCEEDED);
      this.#coordinator.lose(this);
    });
  }

  assign(partitions: Assigned): void {
    this.#check();
    this.#assignment.replace(partitions);
    this.#answer();
  }

  incrementalAssign(partitions: Assigned): void {
    this.#check();
    this.#assignment.add(partitions);
    this.#answer();
  }

  unassign(): void {
    this.#giveBack(this.#assignment.partitions);
  }

  incrementalUnassign(partitions: readonly TopicPartition[]): void {
    this.#giveBack(partitions);
  }

  /** What was stored of partitions is committed before another member gets them. */
  #giveBack(partitions: readonly TopicPartition[]): void {
    const isLost = this.isAssignmentLost;
    const offsets = this.#assignment.uncommitted(partitions);
    this.#assignment.remove(partitions);
    // A closing one does not wait for brokers that are down.
    const isInVain = isLost || (this.isDisconnecting && !this.cluster.isUp);
    if (isInVain || !this.#commitsInBackground || offsets.length === 0) return this.#answer();
    this.#commitStored(offsets).finally(() => this.#answer());
  }

  #answer(): void {
    const owed = this.#owed;
    this.#owed = undefined;
    this.#answered?.();
    if (owed?.kind === "revoke") this.#coordinator.answered(this);
    // A member that lost everything joins again.
    if (owed?.kind === "lose" && !this.isDisconnecting) this.#coordinator.join(this);
    this.wake();
  }

  // Messages

  consume(max: number, timeoutMs: number): Promise<FetchedMessage[]> {
    return new Promise((resolve, reject) => {
      if (this.isCrashed) return;
      if (!this.isConnected || this.isDisconnecting) return reject(codedError(ErrorCode.STATE));
      const request: ConsumeRequest = { max, resolve, reject, isDue: timeoutMs <= 0, forget: () => {} };
      this.#requests.push(request);
      this.#watchPolls();
      this.wake();
      if (timeoutMs <= 0) return;
      // Only who waits needs a timer.
      queueMicrotask(() => {
        if (!this.#requests.includes(request)) return;
        request.forget = this.after(timeoutMs, () => {
          request.isDue = true;
          this.#serve();
        });
      });
    });
  }

  /** Looks for what there is; several calls make one look. */
  wake(): void {
    if (this.#scheduled || this.#requests.length === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#serve();
    });
  }

  #serve(): void {
    for (let request; (request = this.#requests[0]) !== undefined && !this.isCrashed && !this.isDisconnecting;) {
      this.#serveEvents();
      if (this.isDisconnecting || this.#requests[0] !== request) return;
      const messages: FetchedMessage[] = [], ends: TopicPartitionOffset[] = [];
      let error = this.#errors.shift();
      if (error === undefined && this.cluster.isUp) error = this.#assignment.take(request.max, messages, ends);
      for (const end of ends) this.#events.onEnd(end);
      if (error === undefined && messages.length === 0 && !request.isDue) return;
      this.#requests.shift();
      request.forget();
      if (error !== undefined) request.reject(codedError(error));
      else request.resolve(messages);
    }
  }

  #serveEvents(): void {
    for (const answer of this.#answers.splice(0)) answer();
    while (this.#owed === undefined && !this.isDisconnecting) {
      const rebalance = this.#rebalances.shift();
      if (rebalance === undefined) return;
      this.#owed = rebalance;
      if (rebalance.kind === "assign") this.#events.onAssign(rebalance.partitions);
      else this.#events.onRevoke(rebalance.partitions);
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#check();
    this.#assignment.pause(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#check();
    this.#assignment.pause(partitions, false);
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
    if (!this.#commitsInBackground || this.#commitTimer !== undefined) return;
    this.#commitTimer = this.after(Number(this.conf["auto.commit.interval.ms"] ?? 5000), () => {
      this.#commitTimer = undefined;
      void this.#commitStored(this.#assignment.uncommitted());
    });
  }

  /** Commits in the background; a poll tells of the answer. */
  async #commitStored(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    const tell = (code: number, answered = offsets) => {
      this.#answers.push(() => this.#events.onCommitted(code, answered));
      this.wake();
    };
    try {
      const answered = await this.#commit(offsets);
      this.#assignment.committed(answered.filter(({ error }) => error === undefined));
      const refused = answered.filter(({ error }) => error !== undefined);
      tell(refused.length === answered.length ? refused[0]!.error!.code : 0, answered);
    } catch (error) {
      tell((error as { code: number }).code);
    }
  }

  commit(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    const asked = offsets.map((offset) => ({ ...offset }));
    return new Promise((resolve, reject) => {
      if (this.isDisconnecting) return reject(codedError(ErrorCode.STATE));
      this.#commitAnswers.add(reject);
      const answer = (settle: () => void) => {
        this.#answers.push(() => {
          this.#commitAnswers.delete(reject);
          settle();
        });
        this.wake();
      };
      this.#commit(asked).then((answered) => {
        const refused = answered.filter(({ error }) => error !== undefined);
        if (refused.length < answered.length) answer(() => resolve(answered));
        else answer(() => reject(codedError(refused[0]!.error!.code)));
      }, (error) => answer(() => reject(error)));
    });
  }

  #commit(offsets: readonly TopicPartitionOffset[]): Promise<TopicPartitionOffset[]> {
    const member = this.#topics.length > 0 ? this : undefined, generation = this.#generation;
    const timeoutMs = this.isDisconnecting ? LAST_COMMIT_MS : Infinity;
    return this.request("commit", timeoutMs, () => {
      const name = String(this.conf["group.id"]), { commit } = this.cluster.faults;
      const answered = offsets.map((offset) => {
        const code = commit?.(offset, name) ||
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

  #check(): void {
    if (!this.isConnected || this.isDisconnecting) throw codedError(ErrorCode.STATE);
  }

  protected override async leave(): Promise<void> {
    for (const { resolve, forget } of this.#requests.splice(0)) {
      forget();
      resolve([]);
    }
    this.#rebalances.length = 0;
    if (this.#topics.length > 0 && this.#owed?.kind !== "lose" && this.#assignment.partitions.length > 0) {
      await this.#giveAllBack();
    }
    const left = this.#assignment.uncommitted();
    if (this.#commitsInBackground && left.length > 0 && this.cluster.isUp) await this.#commit(left).catch(() => {});
    this.#assignment.replace([]);
    this.#coordinator.leave(this);
    for (const reject of this.#commitAnswers) reject(codedError(ErrorCode.DESTROY));
  }

  /** Asks for the partitions, and waits for the answer, but not for ever. */
  async #giveAllBack(): Promise<void> {
    await new Promise<void>((resolve) => {
      const forget = this.after(ANSWER_MS, resolve);
      this.#answered = () => {
        forget();
        resolve();
      };
      if (this.#owed?.kind === "revoke") return;
      this.#owed = { partitions: this.#assignment.partitions, kind: "revoke" };
      this.#events.onRevoke(this.#owed.partitions);
    });
  }

  override crash(): void {
    super.crash();
    this.#requests.length = this.#rebalances.length = this.#answers.length = 0;
  }
}
