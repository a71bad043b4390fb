/**
 * Kafka topics as users see them.
 *
 * @module
 */

import { bytes } from "../codecs/bytes.ts";
import type { Codec } from "../codecs/codec.ts";
import { bootstrapServersOf } from "../kafka/client_factories.ts";
import { KafkaError } from "../kafka/kafka_error.ts";
import { Notices } from "../notices/notices.ts";
import { assertNoProblems } from "../options/problems.ts";
import {
  type BatchSink,
  type BatchSource,
  type DeadLetterSink,
  feeds,
  openDeadLetters,
  openSink,
  openSource,
  type RawMessage,
  type SinkWriter,
  type SourceReader,
} from "../protocol/protocol.ts";
import { type Conf, mergedConf, wordsInLibraryCase } from "./conf/conf.ts";
import { masked, redact } from "./conf/secrets.ts";
import { Decoder } from "./read/decoder.ts";
import { GroupLag } from "./read/group_lag.ts";
import type { Lag } from "./read/lag.ts";
import type { Message } from "./read/message.ts";
import { type Offsets, parseOffsets } from "./read/offsets.ts";
import { type TopicNameInput, TopicNames } from "./read/topic_names.ts";
import { TopicReader } from "./read/topic_reader.ts";
import { iterateMessages, readableMessages } from "./single_messages.ts";
import { type CheckedTopicOptions, checkTopicOptions, type NameIfText, type TopicOptions } from "./topic_options.ts";
import { sourceReader } from "./topic_source.ts";
import { deadLetterConf, DeadLetterWriter } from "./write/dead_letter_writer.ts";
import { DryWriter } from "./write/dry_writer.ts";
import type { DeliveryReport, SendOptions, TopicInput } from "./write/topic_record.ts";
import { topicWritable } from "./write/topic_writable.ts";
import { TopicWriter } from "./write/topic_writer.ts";

/**
 * A Kafka topic: a source of messages, and a sink for records.
 *
 * - **Order**: the messages of a partition are read in the order of their offsets; records are written in the order of
 *   the calls.
 * - **Delivery when reading**: at least once, with a `group.id`. Offsets of handled messages are committed once a second,
 *   before a partition moves to another member, and when reading ends. After a crash, messages that were handled and not
 *   yet committed are read again. `handle()` counts a message as handled when its sinks have delivered what came of it;
 *   `for await` and `Topic.readable` do when the next message is requested.
 * - **Delivery when writing**: `Topic.send` resolves when all in-sync replicas have the record (`acks=all`). The producer
 *   is idempotent, so its retries neither duplicate nor reorder records. `acks` and `enable.idempotence` change that.
 * - **Refused records**: a broker refuses a whole request when one of its records is invalid. The Topic sends the other
 *   records again by itself, and nothing else meanwhile, so only invalid records fail. For each key, the record
 *   sent last is also the last one in the partition. To guarantee this, the Topic may write a record twice. Records without a key may change places.
 * - **Backpressure**: fetching pauses while messages are handled slowly, and the member stays in its group. Writing waits
 *   while 100,000 records (`queue.buffering.max.messages`) are not acknowledged.
 * - **Latency**: a record waits up to 1 ms (`linger.ms`) for others to share its request.
 * - **Sharing**: handlers, `Topic.send` and `Topic.writable` may write through one Topic at the same time, over one
 *   connection. None of them ends or fails another. Only one of them can read a Topic at a time.
 * - **Outages**: while no broker is reachable, reading and writing wait, and one notice is reported (see `onNotice`).
 *   A record fails after `message.timeout.ms` (5 minutes) without a broker; when a broker answers, the time
 *   starts again. `Topic.close` waits for 30 s at most.
 *
 * Nothing is opened before the first use. Needs `--allow-ffi`; librdkafka's sockets need no `--allow-net`.
 *
 * @typeParam K the type of keys
 * @typeParam V the type of values
 *
 * @example Write and read
 * ```ts
 * import { Topic } from "@slipstream/slipstream";
 * import { LocalBroker } from "@slipstream/slipstream/testing";
 *
 * await using broker = await LocalBroker.start();
 * await using emoji = new Topic("emoji", { "bootstrap.servers": broker.bootstrapServers }, {
 *   offset: "beginning",
 *   until: "end",
 * });
 * await emoji.send("trophy", "🏆");
 * for await (const message of emoji) console.assert(message.value === "🏆");
 * ```
 *
 * @example Values other than strings
 * ```ts
 * import { json, Topic } from "@slipstream/slipstream";
 *
 * const orders = new Topic("orders", { "bootstrap.servers": "localhost:9092" }, { value: json<{ id: number }>() });
 * console.assert(orders.name === "orders");
 * ```
 */
export class Topic<K = string, V = string>
  implements
    AsyncDisposable,
    AsyncIterable<Message<K, V>>,
    BatchSource<Message<K, V>>,
    BatchSink<TopicInput<K, V>>,
    DeadLetterSink {
  /** The name of the topic; several names joined by `", "`, or the expression that names match. */
  readonly name: string;
  /** The properties of librdkafka that this Topic was made with, defaults of `conf()` included; secrets are masked. */
  readonly conf: Conf;
  readonly #names: TopicNames;
  readonly #merged: Readonly<Record<string, unknown>>;
  readonly #options: CheckedTopicOptions<K, V>;
  readonly #decoder: Decoder<K, V>;
  readonly #autoCommit: boolean;
  readonly #notices: Notices;
  #startAt: (partition: number) => number | undefined;
  #reader: TopicReader | undefined;
  /** Asks for the lag while nobody reads. */
  #groupLag: GroupLag | undefined;
  #writer: Writer<K, V> | undefined;
  #deadLetters: Writer<Uint8Array, Uint8Array> | undefined;
  #readable: ReadableStream<Message<K, V>> | undefined;
  #writable: WritableStream<TopicInput<K, V>> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Makes a topic whose keys and values are strings, with default options. Nothing is opened before it is used.
   *
   * @param name the name of the topic, several names, or an expression: see below
   * @param conf properties of librdkafka, which override the defaults of `conf()`
   * @throws {TypeError} If the name or a property is wrong. One error lists all problems.
   */
  constructor(name: NameIfText<K, V, TopicNameInput>, conf?: Conf);
  /**
   * Makes a topic. Nothing is opened before it is used.
   *
   * @param name the name of the topic: 1 to 249 letters, digits, `.`, `_` and `-`. A Topic that is only read may have
   * several names, or an expression that begins with `^`, as a RegExp or a string. Brokers match expressions as POSIX's
   * extended ones, without `\d`, `(?…)` and flags. New topics that match are found every
   * `topic.metadata.refresh.interval.ms` (5 minutes by default); without a `group.id`, only those that exist at the start.
   * @param conf properties of librdkafka, which override the defaults of `conf()`
   * @param options the codecs, and how to read and write
   * @throws {TypeError} If the name, a property or an option is wrong. One error lists all problems.
   */
  constructor(name: TopicNameInput, conf: Conf, options: TopicOptions<K, V>);
  constructor(name: TopicNameInput, conf: Conf = {}, options: object = {}) {
    const problems: string[] = [];
    const names = checkedNames(name, problems);
    this.#options = checkTopicOptions<K, V>(options, problems);
    const merged = mergedConf(conf, problems, this.#options.app);
    assertNoProblems(names?.where ?? "new Topic()", problems);
    this.#names = names!;
    this.name = this.#names.text;
    this.#merged = wordsInLibraryCase(merged);
    this.conf = masked(merged);
    this.#decoder = new Decoder(this.#options.key, this.#options.value);
    this.#startAt = this.#options.startAt;
    const { commit = String(merged["enable.auto.commit"]) === "false" ? "manual" : "auto" } = this.#options;
    this.#autoCommit = commit === "auto";
    this.#notices = new Notices((text) => redact(text, this.#merged), this.name);
  }

  get #where(): string {
    return this.#names.where;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new KafkaError(`${this.#where} is closed: make a new one`);
  }

  // Reading

  #read(): TopicReader {
    this.#checkOpen();
    if (this.#reader !== undefined) {
      throw new KafkaError(`${this.#where} is being read already: make another Topic for a second reader`);
    }
    const { untilEnd, connectTimeoutMs, missingMs } = this.#options;
    return this.#reader = new TopicReader(
      this.#names,
      this.#merged,
      {
        startAt: (partition) => this.#startAt(partition),
        untilEnd,
        autoCommit: this.#autoCommit,
        connectTimeoutMs,
        missingTopicMs: missingMs,
      },
      this.#notices,
    );
  }

  async #release(reader: TopicReader): Promise<void> {
    await reader.close();
    if (this.#reader === reader) this.#reader = undefined;
  }

  /** Starts reading batches, for `handle()`. */
  [openSource](): SourceReader<Message<K, V>> {
    const reader = this.#read();
    return sourceReader(reader, this.#decoder, () => this.#release(reader));
  }

  /**
   * Reads message by message. A message counts as handled when the next one is requested. The message at which the loop
   * is left, by `break` or by an error, does not count, and is read again.
   *
   * @throws {KafkaError} If the Topic is being read already, or is closed; or if a broker refuses, e.g. for lack of
   * permission.
   * @throws {TypeError} If a codec can't decode a message. That message does not count as handled.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Message<K, V>, void, undefined> {
    return iterateMessages({
      decoder: this.#decoder,
      open: () => this.#read(),
      close: (reader) => this.#release(reader),
    });
  }

  /**
   * The messages as a Web Stream. The stream reads a message when one is pulled. The property returns the same stream until
   * it has ended or is cancelled, and a new one afterwards.
   *
   * **Delivery: not at least once.** A message counts as handled, and its offset may be committed, when the next message is
   * pulled, although stages of a pipe may still hold it. When the pipe fails, or the stream is cancelled with a reason, the
   * Topic stores no further offsets. It has stored those of all handled messages at the end of the last batch, and at least
   * every 100 ms while messages are pulled. So messages that the pipe held may be lost. Use `handle()`, or
   * `commit: "manual"` with `Topic.commit`, where none may be lost.
   *
   * @throws {KafkaError} If the Topic is closed.
   */
  get readable(): ReadableStream<Message<K, V>> {
    this.#checkOpen();
    if (this.#readable !== undefined) return this.#readable;
    const readable = readableMessages({
      decoder: this.#decoder,
      open: () => this.#read(),
      close: (reader) => this.#release(reader),
    }, () => {
      if (this.#readable === readable) this.#readable = undefined;
    });
    return this.#readable = readable;
  }

  /**
   * Continues reading at another offset, in all partitions or in those that are named. When nobody reads yet, sets where
   * reading will start.
   *
   * @param offset `"beginning"`, `"end"`, an offset, or one of these for each partition number
   * @throws {KafkaError} If the Topic is closed, or a broker refuses or does not answer.
   * @throws {TypeError} If it is not an offset.
   * @throws {RangeError} If an offset is below −2, or a partition has no such offset.
   */
  async seek(offset: Offsets): Promise<void> {
    this.#checkOpen();
    const offsetOf = parseOffsets(offset);
    if (this.#reader !== undefined) return await this.#reader.seek(offsetOf);
    const before = this.#startAt;
    this.#startAt = (partition) => offsetOf(partition) ?? before(partition);
  }

  /**
   * Pauses fetching, also in partitions that are assigned later. The member stays in its group. Does nothing when nobody
   * reads. `handle()` still handles what it has pulled: use `pause(topic)` there.
   *
   * @throws {KafkaError} If the Topic is closed.
   */
  pause(): void {
    this.#checkOpen();
    this.#reader?.pause();
  }

  /**
   * Continues fetching after `Topic.pause`.
   *
   * @throws {KafkaError} If the Topic is closed.
   */
  resume(): void {
    this.#checkOpen();
    this.#reader?.resume();
  }

  /**
   * Commits the offset behind a message, so that this message and all before it in its partition are not read again.
   * Without a message, commits all that counts as handled. Resolves when the broker has confirmed it.
   *
   * @param message a message of this Topic, or its topic, partition and offset
   * @throws {TypeError} If there is no `group.id` to commit for, or the message belongs to another topic.
   * @throws {KafkaError} If the Topic is closed or nobody reads it, or the broker refuses the commit.
   */
  async commit(message?: Pick<Message<unknown, unknown>, "topic" | "partition" | "offset">): Promise<void> {
    this.#checkOpen();
    if (this.#merged["group.id"] === undefined) {
      throw new TypeError(`${this.#where} has no group to commit for: set group.id`);
    }
    const reader = this.#reader;
    if (reader === undefined) throw new KafkaError(`${this.#where} is not being read: there is nothing to commit`);
    if (message === undefined) return await reader.commit(reader.positions);
    const { topic, partition, offset } = message;
    if (!this.#names.include(topic)) throw new TypeError(`${this.#where} can't commit a message of ${topic}`);
    await reader.commit([{ topic, partition, offset: offset + 1 }]);
  }

  /**
   * How many messages are not handled yet, by partition: by the reader of this Topic, or by its consumer group when this
   * Topic is not being read. Asking for it joins no group.
   *
   * @throws {KafkaError} If a topic does not exist, a broker refuses, no broker answers within 10 s, or the Topic is closed.
   *
   * @example The lag of a group
   * ```ts
   * import { Topic } from "@slipstream/slipstream";
   * import { LocalBroker } from "@slipstream/slipstream/testing";
   *
   * await using broker = await LocalBroker.start();
   * await using orders = new Topic("orders", { "bootstrap.servers": broker.bootstrapServers, "group.id": "billing" });
   * await orders.send("a", "1");
   * const { total, partitions } = await orders.lag();
   * console.assert(total === 1);
   * for (const { topic, partition, currentOffset = "-", endOffset, lag } of partitions) {
   *   console.log(`${topic}[${partition}] current ${currentOffset} end ${endOffset} lag ${lag}`);
   * }
   * ```
   */
  async lag(): Promise<Lag> {
    this.#checkOpen();
    const reader = this.#reader ?? (this.#groupLag ??= new GroupLag(this.#names, this.#merged, this.#notices));
    return await reader.lag();
  }

  // Writing

  #write(): Writer<K, V> {
    this.#checkOpen();
    return this.#writer ??= this.#newWriter(this.#options, this.#merged);
  }

  #newWriter<A, B>(codecs: { readonly key: Codec<A>; readonly value: Codec<B> }, conf: Values): Writer<A, B> {
    const { single } = this.#names;
    if (single === undefined) throw new TypeError(`${this.#where}: can only be read: write to a Topic of one name`);
    if (this.#options.dry) return new DryWriter(single, codecs);
    return new TopicWriter(single, conf, codecs, this.#notices);
  }

  /**
   * Sends a record. Records are written in the order of the calls, whether the calls are awaited or not.
   *
   * @param key the key, or `null`
   * @param value the value, or `null` for a tombstone
   * @param options headers, partition and timestamp
   * @returns the partition and offset that it was written to, once all in-sync replicas have it
   * @throws {TypeError} If a codec can't encode the key or the value, or the Topic has several names. Nothing is written.
   * @throws {RangeError} If the partition or the timestamp is out of its range. Nothing is written.
   * @throws {KafkaError} If the record is not delivered (`records` holds it), or the Topic is closed.
   */
  send(key: K | null, value: V | null, options?: SendOptions): Promise<DeliveryReport> {
    try {
      return this.#write().send(options === undefined ? { key, value } : { key, value, ...options });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Sends records in order. All are encoded before the first one is written.
   *
   * @param records pairs of key and value, or records
   * @returns the partitions and offsets that they were written to, in the order of the records
   * @throws {TypeError} If a codec can't encode one of them, or the Topic has several names. Nothing is written.
   * @throws {RangeError} If a partition or a timestamp is out of its range. Nothing is written.
   * @throws {KafkaError} If some are not delivered (`records` holds these), or the Topic is closed.
   */
  async sendBatch(records: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    return await this.#write().sendBatch(records);
  }

  /** Starts writing, for `handle()`. */
  [openSink](): SinkWriter<TopicInput<K, V>> {
    return this.#write().open({ keepsProducer: true });
  }

  /**
   * Starts writing dead letters, for `handle()`: keys and values as bytes, whatever the codecs. A message of any size
   * that could be read can be written: see `DeadLetterWriter`.
   */
  [openDeadLetters](): SinkWriter<RawMessage> {
    this.#checkOpen();
    this.#deadLetters ??= this.#newWriter({ key: bytes, value: bytes }, deadLetterConf(this.#merged));
    const writer = this.#deadLetters.open({ keepsProducer: true }) as SinkWriter<RawMessage>;
    return new DeadLetterWriter(writer, this.#where, this.#notices);
  }

  /** Whether a source is a Topic that reads this topic, on the same brokers. */
  [feeds](source: unknown): boolean {
    if (!(source instanceof Topic) || !source.#names.include(this.name)) return false;
    return bootstrapServersOf(source.#merged) === bootstrapServersOf(this.#merged);
  }

  /**
   * The topic as a Web Stream that takes pairs of key and value, or records. The property is the same stream until that
   * was closed, was aborted or has failed, and a new one afterwards.
   *
   * A write waits while the producer's queue is full. `close()` resolves when all records are delivered. The stream
   * fails when a record can't be delivered.
   *
   * @throws {KafkaError} If the Topic is closed.
   * @throws {TypeError} If the Topic has several names.
   */
  get writable(): WritableStream<TopicInput<K, V>> {
    this.#checkOpen();
    if (this.#writable !== undefined) return this.#writable;
    const writable = topicWritable(this.#write().open({ keepsProducer: false }), this.#where, () => {
      if (this.#writable === writable) this.#writable = undefined;
    });
    return this.#writable = writable;
  }

  // The end

  /**
   * Stops reading, commits what was handled, delivers the records that were accepted, and disconnects. Idempotent. Does
   * not wait for brokers that have never answered.
   *
   * @throws {KafkaError} If records are not delivered within 30 s; the error has their number.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const open = [this.#reader, this.#groupLag, this.#writer, this.#deadLetters];
    const outcomes = await Promise.allSettled(open.map((one) => one?.close()));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  /** Closes the topic, for `await using`: see `Topic.close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What `console.log(topic)` prints; secrets are masked. */
  [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect, options: Deno.InspectOptions): string {
    return `Topic ${inspect({ name: this.name, conf: this.conf }, options)}`;
  }
}

type Values = Readonly<Record<string, unknown>>;

/** A `TopicWriter` or a `DryWriter`. */
interface Writer<K, V> extends Pick<TopicWriter<K, V>, "send" | "sendBatch" | "close"> {
  open(options: { readonly keepsProducer: boolean }): SinkWriter<TopicInput<K, V>>;
}

/** Returns checked names, or `undefined` and one problem more. */
function checkedNames(name: TopicNameInput, problems: string[]): TopicNames | undefined {
  try {
    return new TopicNames(name);
  } catch (error) {
    problems.push((error as Error).message);
    return undefined;
  }
}
