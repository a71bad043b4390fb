/**
 * The reading half of a topic: a consumer that is pulled.
 *
 * @module
 */

import {
  ErrorCode,
  type PortConsumer,
  type TopicPartition,
  type TopicPartitionOffset,
  type Watermarks,
} from "../../kafka/port.ts";
import { bootstrapServersOf, clientFactoryFor } from "../../kafka/client_factories.ts";
import type { Position } from "../../stream/protocol.ts";
import { Assignment } from "./assignment.ts";
import { isSamePartition, PartitionMap } from "../../kafka/partition_map.ts";
import { Commits } from "./commits.ts";
import { confFor } from "../conf/conf.ts";
import { Connection } from "../../kafka/connection.ts";
import { Ends } from "./ends.ts";
import { Fetcher } from "./fetcher.ts";
import { Flow } from "./flow.ts";
import { IdlePolling } from "./idle_polling.ts";
import { KafkaError } from "../../kafka/kafka_error.ts";
import { KnownPartitions } from "./known_partitions.ts";
import { ResettableSignal } from "../../async/resettable_signal.ts";
import type { Notices } from "../../notices/notices.ts";
import { type OffsetReset, offsetResetOf, offsetResetText } from "./offset_resets.ts";
import { BEGINNING, END } from "./offsets.ts";
import { Progress } from "./progress.ts";
import { answered, Queries, QUERY_MS } from "./queries.ts";
import { Outage } from "./outage.ts";
import type { ReadBatch } from "./read_batch.ts";
import { Starts } from "./starts.ts";
import type { TopicNames } from "./topic_names.ts";
import { settlesWithin } from "../../async/settles_within.ts";

/** How a `TopicReader` reads. */
export interface TopicReaderOptions {
  /** Where to start in a partition (of each topic) that is assigned; `undefined` for what was committed, or auto.offset.reset. */
  readonly startAt: (partition: number) => number | undefined;
  /** Whether to end at the end offsets seen when a partition is assigned. */
  readonly untilEnd: boolean;
  /** How long the first answer of a broker is waited for, in milliseconds; for ever when left out. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long topics that do not exist are waited for, in milliseconds; for ever when left out. */
  readonly missingMs?: number | undefined;
  /** Whether offsets are stored, and committed in the background. */
  readonly autoCommit: boolean;
}

/** Without fetch.queue.backoff.ms, a client that has filled its queue idles for a second: 105,000 messages/s at most. */
const DEFAULTS = { "fetch.queue.backoff.ms": 5, "auto.commit.interval.ms": 1000 } as const;
/** The group of readers without one: librdkafka wants a name to assign partitions, and nothing joins or commits. */
const NO_GROUP = "slipstream-without-group";
/** How often a commit looks whether it is to poll for its answer itself. */
const LOOK_MS = 20;
/** How long a close waits for its group, in milliseconds. */
const CLOSE_MS = 5000;
/** After so long without a pull, the reader pauses its partitions (sooner, when max.poll.interval.ms is short). */
const PAUSE_MS = 10_000;

/** A connection is broken, can't be made, or none is left. */
const BROKEN: ReadonlySet<number> = new Set([ErrorCode.TRANSPORT, ErrorCode.RESOLVE, ErrorCode.ALL_BROKERS_DOWN]);
/** How long a broker is asked whether it is there. */
const ASK_MS = 3000;

/**
 * Reads a topic, or several, from its first `TopicReader.next` to its `TopicReader.close`. A stop
 * ends every wait in it at once.
 */
export class TopicReader {
  readonly #names: TopicNames;
  readonly #where: string;
  readonly #conf: Readonly<Record<string, unknown>>;
  readonly #notices: Notices;
  readonly #queries: Queries;
  readonly #isGrouped: boolean;
  readonly #progress: Progress;
  readonly #stopped = new ResettableSignal();
  readonly #starts: Starts;
  /** What ends a reader that reads until the end; without it, nothing does. */
  readonly #ends: Ends | undefined;
  readonly #assignment: Assignment;
  readonly #commits: Commits;
  readonly #fetcher: Fetcher;
  readonly #flow: Flow;
  readonly #idle: IdlePolling;
  #consumer: PortConsumer | undefined;
  #opening: Promise<PortConsumer> | undefined;
  #closing: Promise<void> | undefined;
  #failure: unknown;
  readonly #connectTimeoutMs: number | undefined;
  #isJustAsking = false;
  #isConnected = false;

  constructor(
    names: TopicNames,
    conf: Readonly<Record<string, unknown>>,
    options: TopicReaderOptions,
    notices: Notices,
  ) {
    this.#names = names;
    this.#connectTimeoutMs = options.connectTimeoutMs;
    this.#where = names.where;
    this.#notices = notices;
    this.#isGrouped = conf["group.id"] !== undefined;
    const commits = this.#isGrouped && options.autoCommit;
    this.#conf = {
      ...DEFAULTS,
      "group.id": NO_GROUP,
      ...confFor("C", conf),
      "enable.auto.commit": commits,
      "enable.auto.offset.store": false,
      // The end of a partition tells that nothing is left there, also where its last records are not handed out.
      "enable.partition.eof": true,
    };
    this.#queries = new Queries(names, this.#stopped, notices);
    this.#commits = new Commits(names.where, this.#stopped, notices);
    this.#progress = new Progress(commits ? (positions) => this.#store(positions) : undefined);
    const known = new KnownPartitions();
    this.#starts = new Starts(names.where, options.startAt, {
      watermarks: (partition) => this.watermarks(partition),
      committed: async (partition) =>
        this.#isGrouped ? (await this.#queries.committed(this.#consumer!, [partition]))[0]!.offset : -1,
      isNew: (partition) => known.isNew(partition),
    });
    if (options.untilEnd) this.#ends = new Ends();
    const reset = String(conf["auto.offset.reset"]);
    const resetTo = ["earliest", "beginning", "smallest"].includes(reset) ? BEGINNING : END;
    this.#fetcher = new Fetcher({
      ends: this.#ends,
      progress: this.#progress,
      stopped: this.#stopped,
      consumer: () => this.#consumer!,
      isOurs: (partition) => this.#assignment.isOurs(partition),
      onError: (error) => this.#onConsumeError(error),
    });
    this.#flow = new Flow(this.#stopped, () => this.#consumer, () => this.#assignment.partitions);
    this.#assignment = new Assignment({
      names,
      conf,
      queries: this.#queries,
      starts: this.#starts,
      known,
      // A partition that nobody has named is begun as any other.
      startsAtEnd: resetTo === END || options.startAt(Infinity) === END,
      ends: this.#ends,
      progress: this.#progress,
      notices,
      stopped: this.#stopped,
      // Without a group there is nothing to ask a coordinator for, and a new cluster may not have one yet.
      isGrouped: this.#isGrouped,
      resetTo: this.#isGrouped && reset === "error" ? undefined : resetTo,
      missingMs: options.missingMs,
      isPaused: () => this.#flow.isStill,
      onRevoke: (gone) => this.#fetcher.drop((partition) => gone.has(partition)),
      onFailure: (error) => this.#fail(error),
    });
    const pauseMs = Math.min(PAUSE_MS, Number(conf["max.poll.interval.ms"] ?? Infinity) / 4);
    this.#idle = new IdlePolling(pauseMs, { poll: () => this.#fetcher.serve(), pause: () => this.#flow.holdUp() });
  }

  // Pulling

  /**
   * The next messages, at most 1,000 of them and about 16 MiB; `undefined` when the reader has ended or was stopped.
   *
   * @throws {KafkaError} If Kafka refuses to go on.
   */
  async next(): Promise<ReadBatch | undefined> {
    this.#fetcher.asked();
    try {
      await this.#stopped.race(this.#idle.interrupt());
      return await this.#next();
    } finally {
      if (this.#consumer !== undefined) this.#idle.resume();
    }
  }

  async #next(): Promise<ReadBatch | undefined> {
    const consumer = await this.#stopped.race(this.#open());
    while (consumer !== undefined && !this.#stopped.fired) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#flow.letGo();
      if (this.#flow.isPaused) {
        // What slips in is kept until the reader is resumed; events are served meanwhile.
        await this.#fetcher.serve();
        continue;
      }
      await this.#fetcher.fetch();
      if (this.#flow.isPaused || this.#stopped.fired) continue;
      const batch = this.#fetcher.handOut(this.#assignment.revoking);
      if (batch !== undefined) return batch;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ends?.allReached && this.#fetcher.isEmpty) return undefined;
    }
    return undefined;
  }

  #onConsumeError(error: unknown): void {
    const code = KafkaError.codeOf(error);
    if (this.#stopped.fired || code === ErrorCode.STATE) return;
    if (code === ErrorCode.UNKNOWN_TOPIC_OR_PART) {
      this.#assignment.onUnknown();
    } else if (code === ErrorCode.MAX_POLL_EXCEEDED) {
      this.#notices.once("poll", `${this.#where}: left the group, since max.poll.interval.ms went by; joining again`);
    } else {
      const failure = KafkaError.from(`${this.#where}: can't read on`, error);
      if (failure.retriable) this.#notices.once(`code ${code}`, `${failure.message}; still trying`);
      else this.#fail(failure);
    }
  }

  async #onReset(reset: OffsetReset): Promise<void> {
    try {
      const text = offsetResetText(reset, await this.watermarks(reset));
      this.#notices.once(text, `${this.#where}: ${text}`);
    } catch {
      // No broker says what is there, or the reader is stopped.
    }
  }

  #fail(error: unknown): void {
    if (!this.#stopped.fired) this.#failure ??= error;
  }

  /** Stops the flow of messages, at once, also of partitions that are assigned later; the membership stays. */
  pause(): void {
    this.#flow.pause();
  }

  /** Lets messages flow again. */
  resume(): void {
    this.#flow.resume();
  }

  /** Whether `TopicReader.pause` holds up the flow. */
  get paused(): boolean {
    return this.#flow.isPaused;
  }

  /** Resolves when the reader is resumed or stopped. */
  resumed(): Promise<void> {
    return this.#flow.resumed();
  }

  // Connection

  #open(): Promise<PortConsumer> {
    return this.#opening ??= this.#connect();
  }

  /**
   * The consumer, once it is connected.
   *
   * @throws {KafkaError} If no broker answers in time, or the reader is stopped first.
   */
  async #opened(doing: string): Promise<PortConsumer> {
    const opening = this.#stopped.raceOrReject(
      this.#open(),
      () => new KafkaError(`${this.#where}: closed before it could ${doing}`),
    );
    return await answered(opening, () => {
      const text = `${this.#where}: can't ${doing}: no broker answers at ${this.#servers} within ${QUERY_MS / 1000} s`;
      return new KafkaError(text, { code: ErrorCode.TIMED_OUT });
    });
  }

  get #servers(): unknown {
    return bootstrapServersOf(this.#conf);
  }

  async #connect(): Promise<PortConsumer> {
    const clients = clientFactoryFor(this.#conf);
    const connection = new Connection(this.#where, this.#servers, this.#notices);
    const outage = new Outage({
      where: this.#where,
      servers: this.#servers,
      notices: this.#notices,
      stopped: this.#stopped,
      ask: () => this.#consumer!.partitions(this.#names.isPattern ? undefined : this.#names.subscription[0], ASK_MS),
    });
    const consumer = await connection.make(clients.consumer(this.#conf, {
      onError: (code, message, isFatal) => {
        connection.onError(code, message);
        if (BROKEN.has(code) && this.#isConnected) void outage.onBroken();
        if (isFatal) this.#fail(new KafkaError(`${this.#where}: can't read on: ${message}`, { code, fatal: true }));
      },
      onLog: (severity, message) => {
        connection.onLog(severity, message);
        const reset = offsetResetOf(message);
        if (reset !== undefined) void this.#onReset(reset);
      },
      onAssign: (partitions) => this.#assignment.onAssign(partitions),
      onRevoke: (partitions) => this.#assignment.onRevoke(partitions),
      onCommitted: (code, offsets) => {
        if (code === 0) this.#progress.committed(offsets.filter(({ error }) => error === undefined));
        this.#commits.onCommitted(code, offsets, clients.errorText);
      },
      onEnd: (end) => this.#fetcher.onEnd(end),
    }));
    this.#consumer = consumer;
    if (this.#closing !== undefined) {
      await consumer.disconnect();
      throw new KafkaError(`${this.#where}: closed before it was connected`);
    }
    await this.#within(consumer, connection.open(consumer));
    this.#isConnected = true;
    // Storing offsets wants a subscription; without a group there is nothing to store.
    if (!this.#isJustAsking && !this.#stopped.fired) this.#assignment.start(consumer, this.#isGrouped);
    return consumer;
  }

  /** Gives a connection up that takes too long. */
  async #within(consumer: PortConsumer, opening: Promise<void>): Promise<void> {
    const ms = this.#connectTimeoutMs;
    if (ms === undefined || await settlesWithin(opening, ms)) return await opening;
    void consumer.disconnect();
    await opening.catch(() => {});
    const late = `${this.#where}: no broker answers at ${this.#servers} within ${ms} ms, which is connectTimeoutMs`;
    throw new KafkaError(late, { code: ErrorCode.TIMED_OUT, fatal: true });
  }

  // Offsets

  #store(offsets: readonly Position[]): void {
    try {
      this.#consumer?.storeOffsets(offsets);
    } catch (error) {
      // The partition has moved on; its new owner starts at what was committed.
      if (KafkaError.codeOf(error) !== ErrorCode.STATE && this.#consumer?.isConnected) throw error;
    }
  }

  /** Stores how far messages are handled. */
  store(): void {
    this.#progress.store();
  }

  /** Stores no offsets any more: what is handled and not stored is read again. */
  giveUp(): void {
    this.#progress.giveUp();
  }

  /** How far the assigned partitions are handled, of which something is. */
  get handled(): readonly Position[] {
    return this.#progress.positions();
  }

  /**
   * Commits positions, and resolves when the broker has them.
   *
   * @throws {KafkaError} If the broker refuses them, or those of some partitions; or the reader is stopped first.
   */
  async commit(positions: readonly Position[]): Promise<void> {
    const consumer = await this.#opened("commit");
    if (positions.length === 0) return;
    let isOver = false;
    const committed = this.#commits.commit(consumer, positions).finally(() => isOver = true);
    committed.catch(() => {});
    // The answer comes with the events, and nobody may be pulling.
    while (!isOver && !this.#stopped.fired) {
      if (this.#idle.pulled) await this.#stopped.race(soonest(committed, LOOK_MS));
      else await this.#idle.poll();
    }
    await committed;
  }

  /**
   * Reads on at another offset, in every partition that is named and assigned.
   *
   * @throws {RangeError} If a partition has no such offset; then nothing is sought.
   * @throws {KafkaError} If the broker refuses, or the reader is stopped first.
   */
  async seek(offsetOf: (partition: number) => number | undefined): Promise<void> {
    const consumer = await this.#opened("seek");
    // No partition comes or goes meanwhile.
    await this.#assignment.inTurn(async () => {
      const said = this.#assignment.partitions.flatMap(({ topic, partition }) => {
        const offset = offsetOf(partition);
        return offset === undefined ? [] : [{ topic, partition, offset }];
      });
      const targets = await Promise.all(said.map((target) => this.#starts.resolved(target)));
      // Nothing is polled meanwhile: no partition is read on before all are sought in.
      await this.#fetcher.inTurn(async () => {
        for (const target of targets) await this.#seek(consumer, target);
      });
    });
  }

  async #seek(consumer: PortConsumer, target: TopicPartitionOffset): Promise<void> {
    await this.#queries.seek(consumer, target);
    // What was handed out or is held is from the old place. (Not before: a seek that fails leaves it as it is.)
    this.#progress.forget([target]);
    this.#ends?.reopen(target);
    this.#starts.set(target, target.offset);
    this.#fetcher.drop((partition) => isSamePartition(partition, target));
  }

  /** The lowest offset there is and the next one to be written. */
  watermarks(partition: TopicPartition): Promise<Watermarks> {
    return this.#queries.watermarks(this.#consumer!, partition);
  }

  /**
   * The next offset to be handled in each assigned partition; what was committed where nothing was handled yet, −1 where
   * nothing was.
   *
   * @throws {KafkaError} If a topic does not exist, the broker refuses or does not answer in time, or the reader is stopped.
   * @param isJustAsking joins no group, and reads nothing
   */
  async positions(isJustAsking = false): Promise<TopicPartitionOffset[]> {
    this.#isJustAsking = isJustAsking;
    const consumer = await this.#opened("ask for its positions");
    await this.#assignment.settled();
    const { partitions: assigned } = this.#assignment;
    const partitions = assigned.length > 0 ? assigned : await this.#queries.existing(consumer);
    const unknown = partitions.filter((partition) => this.#progress.position(partition) === undefined);
    const committed = unknown.length === 0 || !this.#isGrouped ? [] : await this.#queries.committed(consumer, unknown);
    const offsets = new PartitionMap<number>();
    for (const one of committed) offsets.set(one, one.offset);
    return partitions.map(({ topic, partition }) => {
      const place = { topic, partition };
      const handled = this.#progress.position(place)?.offset;
      const offset = handled ?? this.#starts.known(place) ?? offsets.get(place) ?? -1;
      return { ...place, offset: Math.max(-1, offset) };
    });
  }

  // The end

  /** Ends `TopicReader.next`, and every other wait, at once. */
  stop(): void {
    this.#stopped.fire();
    this.#idle.stop();
    this.#assignment.stop();
  }

  /**
   * Stores what was handled, leaves the group, and frees everything. Idempotent.
   *
   * Without a broker, librdkafka tries to leave for up to `session.timeout.ms`: then this resolves after a few seconds,
   * and the rest goes on in the background, which keeps no program from its end.
   */
  close(): Promise<void> {
    this.stop();
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    // One that is being made is disconnected when it is.
    if (this.#opening === undefined) return;
    const closed = Promise.all([this.#leave(), this.#opening.catch(() => {})]);
    if (!await settlesWithin(closed, CLOSE_MS)) {
      this.#notices.once(
        "close",
        `${this.#where}: leaving the group takes more than ${CLOSE_MS / 1000} s, and goes on in the background`,
      );
    }
    await this.#assignment.settled();
    this.#consumer = undefined;
  }

  async #leave(): Promise<void> {
    const consumer = this.#consumer;
    if (consumer?.isConnected) {
      this.#progress.store();
      await this.#commits.last(consumer, () => this.#progress.storable(), () => this.#fetcher.serveStopped());
    }
    await consumer?.disconnect();
  }
}

/** Resolves when a promise has settled, or the time is out. */
async function soonest(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([promise.catch(() => {}), new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
