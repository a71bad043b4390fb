/**
 * The reading half of a topic: a consumer that is pulled.
 *
 * @module
 */

import { type KafkaJavascript, loadKafkaJavascript } from "../librdkafka/kafka_javascript.ts";
import type { NativeMessage } from "../librdkafka/message_reader.ts";
import { ByPartition, isSamePlace, partitionSet, type Place, placeText } from "./by_partition.ts";
import { confFor } from "./conf.ts";
import { Commits } from "./commits.ts";
import { connected, disconnected } from "./connection.ts";
import { Ends } from "./ends.ts";
import { IdlePolling } from "./idle_polling.ts";
import { KafkaError } from "./kafka_error.ts";
import { Latch } from "./latch.ts";
import type { Notices } from "./notices.ts";
import { BEGINNING, END } from "./offsets.ts";
import { Pace } from "./pace.ts";
import { type PartitionOffset, Progress } from "./progress.ts";
import { Queries, QUERY_MS, type Watermarks } from "./queries.ts";
import { Starts } from "./starts.ts";
import type { TopicNames } from "./topic_names.ts";

/** The npm package's consumer, with what its types leave out. */
type Consumer = InstanceType<KafkaJavascript["KafkaConsumer"]> & {
  rebalanceProtocol(): string;
  assignmentLost(): boolean;
  incrementalAssign(partitions: unknown[]): void;
  incrementalUnassign(partitions: unknown[]): void;
  setDefaultIsTimeoutOnlyForFirstMessage(only: boolean): void;
};
type Partition = Place & { readonly offset?: number };

/** How a {@linkcode TopicReader} reads. */
export interface TopicReaderOptions {
  /** Where to start in a partition (of each topic) that is assigned; `undefined` for what was committed, or auto.offset.reset. */
  readonly startAt: (partition: number) => number | undefined;
  /** Whether to end at the end offsets seen when a partition is assigned. */
  readonly untilEnd: boolean;
  /** Whether offsets are stored, and committed in the background. */
  readonly autoCommit: boolean;
}

/** Without fetch.queue.backoff.ms, a client that has filled its queue idles for a second: 105,000 messages/s at most. */
const DEFAULTS = { "fetch.queue.backoff.ms": 5, "auto.commit.interval.ms": 1000 } as const;
/** The group of readers without one: librdkafka wants a name to assign partitions, and nothing joins or commits. */
const NO_GROUP = "slipstream-without-group";
const CONSUME_MS = 500;
/** librdkafka's own default. */
const REFRESH_MS = 300_000;
/** After so long without a pull, the reader pauses its partitions (sooner, when max.poll.interval.ms is short). */
const PAUSE_MS = 10_000;
/** How long a partition that moves to another member waits for messages that are being handled. */
const REVOKE_MS = 5000;

/** After so long a topic that does not exist is worth a word. */
const UNKNOWN_MS = 3000;

const ASSIGN_PARTITIONS = -175;
const STATE = -172;
/** There was nothing to commit. */
const NO_OFFSET = -168;
const UNKNOWN_TOPIC = 3;
const REBALANCE_IN_PROGRESS = 27;
const MAX_POLL_EXCEEDED = -147;

/** Reads a topic, or several, from its first {@linkcode TopicReader.next} to its {@linkcode TopicReader.close}. */
export class TopicReader {
  readonly #names: TopicNames;
  readonly #where: string;
  readonly #conf: Readonly<Record<string, unknown>>;
  readonly #options: TopicReaderOptions;
  readonly #notices: Notices;
  readonly #queries: Queries;
  readonly #grouped: boolean;
  readonly #pace = new Pace();
  readonly #resetTo: number;
  /** What is handled, and in whose hands the rest is. */
  readonly progress: Progress;
  readonly #stopped = new Latch();
  readonly #starts: Starts;
  /** What ends a reader that reads until the end; without it, nothing does. */
  readonly #ends: Ends | undefined;
  /** Fires when the reader is resumed. */
  readonly #flowing = new Latch();
  #userPaused = false;
  readonly #commits = new Commits();
  #consumer: Consumer | undefined;
  #opening: Promise<Consumer> | undefined;
  #closing: Promise<void> | undefined;
  #stopping = false;
  #failure: unknown;
  #held: NativeMessage[] = [];
  #assigned: Partition[] = [];
  /** Partitions that are on their way to another member: nothing more of them is handed out. */
  #revoking: ByPartition<true> | undefined;
  #rebalancing: Promise<void> = Promise.resolve();
  readonly #idle: IdlePolling;
  #following: ReturnType<typeof setTimeout> | undefined;
  #pausedByUs = false;
  #justAsking = false;
  #unknownSince: number | undefined;

  constructor(
    names: TopicNames,
    conf: Readonly<Record<string, unknown>>,
    options: TopicReaderOptions,
    notices: Notices,
  ) {
    this.#names = names;
    this.#where = names.where;
    this.#queries = new Queries(names, this.#stopped);
    this.#starts = new Starts(names.where, options.startAt, {
      watermarks: (place) => this.watermarks(place),
      committed: async (place) => (await this.#queries.committed(this.#consumer!, [place]))[0]?.offset ?? -1,
    });
    if (options.untilEnd) this.#ends = new Ends();
    this.#options = options;
    this.#notices = notices;
    this.#grouped = conf["group.id"] !== undefined;
    const commits = this.#grouped && options.autoCommit;
    this.#resetTo = ["earliest", "beginning", "smallest"].includes(String(conf["auto.offset.reset"])) ? BEGINNING : END;
    this.#conf = {
      ...DEFAULTS,
      "group.id": NO_GROUP,
      ...confFor("C", conf),
      "enable.auto.commit": commits,
      "enable.auto.offset.store": false,
      ...(options.untilEnd ? { "enable.partition.eof": true } : {}),
    };
    const pauseMs = Math.min(PAUSE_MS, Number(conf["max.poll.interval.ms"] ?? Infinity) / 4);
    this.#idle = new IdlePolling(pauseMs, {
      poll: () => this.#serve(this.#consumer!),
      pause: () => this.#pauseOurs(),
    });
    this.progress = new Progress((offsets) => this.#store(offsets), commits);
  }

  // Pulling

  /**
   * The next messages, at most 1,000 of them; `undefined` when the reader has ended or was stopped.
   *
   * @throws {KafkaError} If Kafka refuses to go on.
   */
  async next(): Promise<NativeMessage[] | undefined> {
    this.#pace.asked();
    try {
      await this.#idle.interrupt();
      const messages = await this.#next();
      if (messages !== undefined) this.#pace.handed(messages.length);
      return messages;
    } finally {
      if (this.#consumer !== undefined) this.#idle.resume();
    }
  }

  async #next(): Promise<NativeMessage[] | undefined> {
    const consumer = await this.#stopped.race(this.#open());
    while (consumer && !this.#stopping) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#resumeOurs();
      if (this.#userPaused) {
        // What slips in is kept until the reader is resumed; events are served meanwhile.
        await this.#serve(consumer);
        continue;
      }
      const messages = this.#held.length > 0 ? this.#held.splice(0) : await this.#awaited(consumer);
      if (this.#userPaused) {
        this.#held.push(...messages ?? []);
        continue;
      }
      const wanted = this.#wanted(messages ?? []);
      if (wanted.length > 0) return wanted;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ends?.allReached && this.#held.length === 0) return undefined;
    }
    return undefined;
  }

  async #awaited(consumer: Consumer): Promise<NativeMessage[] | undefined> {
    const consumed = this.#consume(consumer, this.#pace.size, CONSUME_MS);
    return await (this.#ends === undefined ? consumed : this.#ends.finished.race(consumed));
  }

  /** Messages of partitions that are still ours, and not beyond the end. */
  #wanted(messages: NativeMessage[]): NativeMessage[] {
    const ends = this.#ends;
    if (ends === undefined && this.#revoking === undefined) return messages;
    // Messages of a partition come in runs: a look into the maps for each would cost more than all else here.
    let run: Place | undefined, isLeaving = false, end = Infinity;
    return messages.filter((message) => {
      if (run === undefined || !isSamePlace(message, run)) {
        run = message;
        isLeaving = this.#revoking?.has(message) ?? false;
        end = ends?.of(message) ?? Infinity;
      }
      if (isLeaving) return false;
      if (message.offset + 1 >= end) ends!.at(message, message.offset + 1);
      return message.offset < end;
    });
  }

  /** Asks for messages; meanwhile events are served. `undefined` when the reader was stopped first. */
  async #consume(consumer: Consumer, max: number, timeoutMs: number): Promise<NativeMessage[] | undefined> {
    consumer.setDefaultConsumeTimeout(timeoutMs);
    const answer = new Promise<NativeMessage[]>((resolve) => {
      consumer.consume(max, (error, messages) => {
        if (error) this.#onConsumeError(error);
        resolve((messages ?? []) as unknown as NativeMessage[]);
      });
    });
    return await this.#stopped.race(answer);
  }

  #onConsumeError(error: unknown): void {
    const code = KafkaError.codeOf(error);
    if (this.#stopping || code === STATE) return;
    if (code === UNKNOWN_TOPIC) {
      this.#onUnknown();
    } else if (code === MAX_POLL_EXCEEDED) {
      this.#notices.once("poll", `${this.#where}: left the group, since max.poll.interval.ms went by; joining again`);
    } else {
      const failure = KafkaError.from(`${this.#where}: can't read on`, error);
      if (failure.retriable) this.#notices.once(`code ${code}`, `${failure.message}; still trying`);
      else this.#failure ??= failure;
    }
  }

  /** A topic that is made in a moment is not worth a word. */
  #onUnknown(): void {
    this.#unknownSince ??= performance.now();
    if (performance.now() - this.#unknownSince < UNKNOWN_MS) return;
    this.#notices.once("unknown", `${this.#missing()} does not exist yet; waiting for it`);
  }

  #missing(): string {
    return this.#names.single === undefined ? `A topic of ${this.#where}` : this.#where;
  }

  // Backpressure: nobody pulls, and the group must not take the reader for dead

  /** Serves events; a message that comes along is kept for the next pull. */
  async #serve(consumer: Consumer): Promise<void> {
    const messages = await this.#consume(consumer, 1, 20);
    if (messages !== undefined) this.#held.push(...messages);
  }

  #pauseOurs(): void {
    if (this.#pausedByUs) return;
    this.#consumer!.pause(this.#pausable() as never);
    this.#pausedByUs = true;
  }

  #resumeOurs(): void {
    if (!this.#pausedByUs) return;
    this.#pausedByUs = false;
    this.#consumer!.resume(this.#pausable() as never);
  }

  #pausable(): Partition[] {
    return this.#userPaused ? [] : this.#assigned;
  }

  /** Stops the flow of messages, at once, also of partitions that are assigned later; the membership stays. */
  pause(): void {
    this.#userPaused = true;
    this.#flowing.reset();
    this.#consumer?.pause([...this.#assigned] as never);
  }

  resume(): void {
    this.#userPaused = false;
    this.#pausedByUs = false;
    this.#consumer?.resume([...this.#assigned] as never);
    this.#flowing.fire();
  }

  /** Whether {@linkcode TopicReader.pause} holds up the flow. */
  get paused(): boolean {
    return this.#userPaused;
  }

  /** Resolves when the reader is resumed or stopped. */
  async resumed(): Promise<void> {
    while (this.#userPaused && !this.#stopping) {
      await this.#stopped.race(this.#flowing.race(new Promise<never>(() => {})));
    }
  }

  // Connection and assignment

  #open(): Promise<Consumer> {
    return this.#opening ??= this.#connect();
  }

  async #connect(): Promise<Consumer> {
    const { KafkaConsumer } = await loadKafkaJavascript();
    const consumer = new KafkaConsumer(
      {
        ...this.#conf,
        rebalance_cb: (error: unknown, partitions: Partition[]) => this.#onRebalance(error, partitions),
        offset_commit_cb: (error: unknown, offsets: PartitionOffset[]) => this.#onCommitted(error, offsets),
      } as never,
      // A topic configuration, even an empty one, would replace the topic's properties among the global ones.
      null as never,
    ) as Consumer;
    this.#consumer = consumer;
    consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
    // It is told before the messages that came with it are handed over.
    consumer.on("partition.eof", (end) => setTimeout(() => this.#ends?.at(end, end.offset), 0));
    await connected(
      consumer,
      this.#where,
      this.#conf["bootstrap.servers"] ?? this.#conf["metadata.broker.list"],
      this.#notices,
    );
    if (this.#justAsking) return consumer;
    // Storing offsets wants a subscription; without a group there is nothing to store.
    if (this.#grouped) consumer.subscribe([...this.#names.subscription]);
    else this.#rebalancing = this.#assignAll(consumer).catch((error) => this.#fail(error));
    return consumer;
  }

  async #assignAll(consumer: Consumer): Promise<void> {
    for (;;) {
      const places = await this.#queries.places(consumer);
      if (this.#stopping) return;
      // An expression that nothing matches at the time is read to its end.
      const found = places.length > 0 || (this.#names.isPattern && this.#options.untilEnd);
      if (found && (this.#names.isPattern || this.#names.subscription.every((name) => includes(places, name)))) {
        await this.#assign(places, false);
        return this.#follow(consumer);
      }
      this.#onUnknown();
      await this.#queries.later();
    }
  }

  /** Without a group nobody tells of partitions, or topics, that are added: looks for them now and then. */
  #follow(consumer: Consumer): void {
    const everyMs = Number(this.#conf["topic.metadata.refresh.interval.ms"] ?? REFRESH_MS);
    if (this.#options.untilEnd || this.#stopping || everyMs <= 0) return;
    this.#following = setTimeout(async () => {
      // A broker that can't answer now will the next time.
      const places = await this.#queries.places(consumer).catch(() => []);
      const known = partitionSet(this.#assigned);
      const added = places.filter((place) => !known.has(place));
      // Whatever is in them came after this reader did.
      for (const place of added) this.#starts.set(place, BEGINNING);
      if (added.length > 0) {
        this.#rebalancing = this.#rebalancing.then(() => this.#assign(added, true)).catch((error) => this.#fail(error));
      }
      this.#follow(consumer);
    }, everyMs);
  }

  #fail(error: unknown): void {
    if (!this.#stopping) this.#failure ??= error;
  }

  #onRebalance(error: unknown, partitions: Partition[]): void {
    const code = KafkaError.codeOf(error);
    const cooperative = this.#consumer!.rebalanceProtocol() === "COOPERATIVE";
    this.#rebalancing = this.#rebalancing.then(() =>
      code === ASSIGN_PARTITIONS ? this.#assign(partitions, cooperative) : this.#revoke(partitions, cooperative)
    ).catch((failure) => this.#fail(failure));
  }

  async #assign(partitions: readonly Partition[], cooperative: boolean): Promise<void> {
    const placed = await Promise.all(partitions.map((partition) => this.#placed(partition)));
    const consumer = this.#consumer!;
    if (this.#stopping || !consumer.isConnected()) return;
    if (cooperative) consumer.incrementalAssign(placed as never);
    else consumer.assign(placed as never);
    this.#assigned = cooperative ? [...this.#assigned, ...partitions] : [...partitions];
    this.#ends?.assign(this.#assigned);
    if (partitions.length > 0) this.#notices.over("unknown", `${this.#missing()} exists now`);
    if (this.#pausedByUs || this.#userPaused) consumer.pause(partitions as never);
  }

  /** A partition with the offset to start at. */
  async #placed({ topic, partition }: Partition): Promise<Partition> {
    const place = { topic, partition };
    const offset = await this.#starts.of(place);
    if (this.#ends?.knows(place) === false) this.#ends.set(place, (await this.watermarks(place)).highOffset);
    if (offset !== undefined) return { ...place, offset };
    // Without a group there is nothing to ask a coordinator for, and a new cluster may not have one yet.
    return this.#grouped ? place : { ...place, offset: this.#resetTo };
  }

  async #revoke(partitions: readonly Partition[], cooperative: boolean): Promise<void> {
    const consumer = this.#consumer!;
    const gone = partitionSet(partitions);
    const lost = consumer.assignmentLost();
    this.#held = this.#held.filter((message) => !gone.has(message));
    this.#revoking = gone;
    // What is being handled gets its time, or the next owner would do it again.
    if (!lost && !this.#stopping) await this.#stopped.race(this.progress.settled(REVOKE_MS));
    if (!lost) this.progress.flush();
    this.#revoking = undefined;
    for (const place of partitions) if (this.progress.next(place) !== undefined) this.#starts.begun(place);
    this.progress.forget(partitions);
    this.#assigned = this.#assigned.filter((place) => !gone.has(place));
    this.#ends?.assign(this.#assigned, partitions);
    try {
      if (cooperative) consumer.incrementalUnassign(partitions as never);
      else consumer.unassign();
    } catch (error) {
      if (!this.#stopping) throw error;
    }
  }

  // Offsets

  #store(offsets: readonly PartitionOffset[]): void {
    try {
      this.#consumer?.offsetsStore(offsets as never);
    } catch (error) {
      // The partition has moved on; its new owner starts at what was committed.
      if (KafkaError.codeOf(error) !== STATE && this.#consumer?.isConnected()) throw error;
    }
  }

  /** Commits offsets (the next ones to be read), and resolves when the broker has them. */
  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    const consumer = await this.#open();
    if (offsets.length === 0) return;
    consumer.commit(offsets as never);
    const committed = this.#commits.wait(offsets);
    let over = false;
    committed.finally(() => over = true).catch(() => {});
    // The answer comes with the events, and nobody may be pulling.
    while (!over && !this.#stopping) {
      if (this.#idle.pulled) {
        await Promise.race([
          committed.catch(() => {}),
          new Promise((resolve) => setTimeout(resolve, 20)),
        ]);
      } else await this.#idle.poll();
    }
    await committed;
  }

  #onCommitted(error: unknown, offsets: readonly PartitionOffset[]): void {
    const code = KafkaError.codeOf(error);
    if (!error || code === 0 || code === NO_OFFSET) return void this.#commits.settle(offsets);
    const failure = KafkaError.from(`${this.#where}: offsets were not committed`, error);
    const told = this.#commits.settle(offsets, failure);
    // While the group rebalances, the next background commit does it.
    if (!told && code !== REBALANCE_IN_PROGRESS) {
      this.#notices.once("commit", `${failure.message}; the messages may be read again`);
    }
  }

  /** Reads on at another offset, in every partition that is named and assigned. */
  async seek(offsetOf: (partition: number) => number | undefined): Promise<void> {
    const consumer = await this.#open();
    await this.#rebalancing;
    const targets = this.#assigned.flatMap(({ topic, partition }) => {
      const offset = offsetOf(partition);
      return offset === undefined ? [] : [{ topic, partition, offset }];
    });
    for (const target of targets) await this.#starts.check(target, target.offset);
    for (const target of targets) {
      this.progress.forget([target]);
      this.#ends?.reopen(target);
      await new Promise<void>((resolve, reject) =>
        consumer.seek(
          target as never,
          QUERY_MS,
          (error) =>
            error
              ? reject(KafkaError.from(`${this.#where}: can't seek ${placeText(target)} to ${target.offset}`, error))
              : resolve(),
        )
      );
      // What slipped in before the seek is from the old place.
      this.#starts.set(target, target.offset);
      const { topic, partition } = target;
      this.#held = this.#held.filter((message) => message.partition !== partition || message.topic !== topic);
    }
  }

  /** The lowest offset there is and the next one to be written. */
  watermarks(place: Place): Promise<Watermarks> {
    return this.#queries.watermarks(this.#consumer!, place);
  }

  /** The next offset to be handled in each assigned partition; what was committed where nothing was handled yet. */
  async positions(justAsking = false): Promise<PartitionOffset[]> {
    this.#justAsking = justAsking;
    const consumer = await this.#open();
    await this.#rebalancing;
    const partitions: readonly Place[] = this.#assigned.length > 0
      ? this.#assigned
      : await this.#queries.places(consumer);
    const unknown = partitions.filter((place) => this.progress.next(place) === undefined);
    const committed = unknown.length === 0 || !this.#grouped ? [] : await this.#queries.committed(consumer, unknown);
    const offsets = new ByPartition<number>();
    for (const one of committed) if (one.offset !== undefined) offsets.set(one, one.offset);
    return partitions.map(({ topic, partition }) => {
      const place = { topic, partition };
      return { ...place, offset: this.progress.next(place) ?? offsets.get(place) ?? -1 };
    });
  }

  // The end

  /** Ends {@linkcode TopicReader.next} at once. */
  stop(): void {
    this.#stopping = true;
    this.#idle.stop();
    clearTimeout(this.#following);
    this.#stopped.fire();
  }

  /** Stores what was handled, leaves the group, and frees everything. Idempotent. */
  close(): Promise<void> {
    this.stop();
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const consumer = this.#consumer;
    if (consumer === undefined && this.#opening === undefined) return;
    if (consumer?.isConnected()) this.progress.flush();
    this.#commits.giveUp(new KafkaError(`${this.#where}: closed before the broker had confirmed the commit`));
    if (consumer !== undefined) await disconnected(consumer);
    await this.#opening?.catch(() => {});
    await this.#rebalancing;
    this.#consumer = undefined;
  }
}

function includes(places: readonly Place[], topic: string): boolean {
  return places.some((place) => place.topic === topic);
}
