/**
 * Kafka topics as people see them.
 *
 * @module
 */

import { closestName } from "../options/problems.ts";
import { bootstrapServersOf } from "../kafka/client_factories.ts";
import type { Codec } from "../codecs/codec.ts";
import { bytes } from "../codecs/bytes.ts";
import { text } from "../codecs/text.ts";
import {
  type Batch,
  type BatchSink,
  type BatchSource,
  type DeadLetterSink,
  type Delivery,
  feeds,
  openDeadLetters,
  openSink,
  openSource,
  type RawMessage,
  type SinkWriter,
  type SourceReader,
} from "../stream/protocol.ts";
import { type Conf, inTheirCase, isProperty, masked, mergedConf, redact } from "./conf/conf.ts";
import { Decoder, headersOf } from "./read/decoder.ts";
import { DryWriter } from "./write/dry_writer.ts";
import { KafkaError } from "../kafka/kafka_error.ts";
import type { Lag } from "./read/lag.ts";
import { lettersConf, LetterSink } from "./write/letter_sink.ts";
import type { Message } from "./read/message.ts";
import type { DeliveryReport, HeadersInput, TopicInput } from "./write/topic_record.ts";
import { Notices } from "../notices/notices.ts";
import { type Offsets, parseOffsets } from "./read/offsets.ts";
import { partitionText } from "../kafka/partition_map.ts";
import { GroupLag } from "./read/group_lag.ts";
import type { ReadBatch } from "./read/read_batch.ts";
import { type TopicNameInput, TopicNames } from "./read/topic_names.ts";
import { TopicReader } from "./read/topic_reader.ts";
import { TopicWriter } from "./write/topic_writer.ts";

/**
 * How a `Topic` reads and writes.
 *
 * @typeParam K what a key is
 * @typeParam V what a value is
 */
export interface TopicOptions<K = string, V = string> {
  /**
   * The codec of keys.
   * @default {text}
   */
  readonly key?: Codec<K>;
  /**
   * The codec of values.
   * @default {text}
   */
  readonly value?: Codec<V>;
  /**
   * Where reading starts in each partition, the first time it is assigned: `"beginning"`, `"end"`, a number, or one
   * for each partition. When left out: where the group has got to, else as `auto.offset.reset` says.
   */
  readonly offset?: Offsets;
  /**
   * `"end"`: reading ends at the end offsets seen when the partitions are assigned. For scripts, tests and drains. A
   * member of a group that has no partition waits for one, and ends when the group has committed all that was there when
   * it began. A topic that does not exist is waited for 30 s; see `TopicOptions.connectTimeoutMs`.
   */
  readonly until?: "end";
  /**
   * What reading does while a topic does not exist: `"wait"` for it, which is said on stderr; or `"fail"` with a
   * `KafkaError` that names it, after 3 s.
   * @default {"wait"}
   */
  readonly whenMissing?: "wait" | "fail";
  /**
   * How long reading waits for the first answer of a broker and, with `until: "end"`, for topics that do not exist; in
   * milliseconds, from 1 to 2,147,483,647. Then it fails with a `KafkaError`. When left out, brokers are waited for
   * without a limit, and topics by `until: "end"` for 30 s.
   * @default {no limit}
   */
  readonly connectTimeoutMs?: number;
  /**
   * `"auto"`: what was handled is committed in the background, when partitions move, and on close. `"manual"`: only
   * `Topic.commit` commits. Without `group.id` nothing is committed.
   * @default {"manual" if the property `enable.auto.commit` is false, otherwise "auto"}
   */
  readonly commit?: "auto" | "manual";
  /**
   * Writes nothing: what would be sent is said on stdout instead, and counts as delivered. Reading is as ever, and so
   * are the offsets it stores.
   * @default {false}
   */
  readonly dry?: boolean;
  /** The `Slipstream` whose defaults it takes; when left out, those of the default app. @default {the default app} */
  readonly app?: object;
}

const DEFAULTS = { key: text, value: text, whenMissing: "wait", dry: false } as const satisfies TopicOptions;

/** Options of `Topic.send`. */
export interface SendOptions {
  /** Headers. */
  readonly headers?: HeadersInput;
  /** The partition, from 0; by the key when left out. */
  readonly partition?: number;
  /** The time in milliseconds since 1970; now when left out. */
  readonly timestamp?: number;
}

/** A reader of single messages stores their offsets at least this often, in milliseconds. */
const STORE_MS = 100;
/** How long a topic that does not exist is waited for by who reads until the end, in milliseconds. */
const DRAIN_MS = 30_000;
/** A topic that is being made is not known to all brokers at once. */
const FAIL_MS = 3000;
const LONGEST_MS = 2 ** 31 - 1;

/**
 * A Kafka topic: a source to be read, a sink to be written to.
 *
 * - **Order**: messages of a partition are read in order, and written in the order of the calls.
 * - **Delivery**: with `group.id`, at least once. `for await` and `Topic.readable` count a message as handled
 *   when the next one is asked for; `handle()` when its sinks have settled. Offsets are committed in the background
 *   once a second, when partitions move to another member, and on close.
 * - **Refusals**: what a broker refuses only because another record of its request can't be written is sent again by itself;
 *   only what fails alone is not delivered. Meanwhile nothing else is sent. Of each key the last record that was sent stays
 *   the last one: to keep it so, a record that was written too early may be written twice. Records without a key may
 *   change places.
 * - **Durability**: a send resolves when all in-sync replicas have the message (`acks=all`, idempotent), unless the
 *   configuration says otherwise.
 * - **Backpressure**: who reads slowly holds up the partitions and stays in the group; who writes fast waits while
 *   100,000 messages (`queue.buffering.max.messages`) are on their way.
 * - **Latency**: a record waits 1 ms for others to go along, unless `linger.ms` says otherwise.
 * - **Sharing**: runs, `send()` and `Topic.writable` may write at once, in the order of the calls; none of them
 *   ends or fails another. The connection is kept while one of them uses it.
 * - **Outages**: a broker that is not there is waited for, and said once on stderr; `Topic.close` still
 *   works at once. What is to be written is given up after `message.timeout.ms` (5 minutes) without a broker; what a broker
 *   has been found for has that time again.
 *
 * Needs `--allow-ffi`; librdkafka's sockets do not ask for `--allow-net`. Nothing is opened before the first use.
 *
 * @typeParam K what a key is
 * @typeParam V what a value is
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
 */
export class Topic<K = string, V = string>
  implements
    AsyncDisposable,
    AsyncIterable<Message<K, V>>,
    BatchSource<Message<K, V>>,
    BatchSink<TopicInput<K, V>>,
    DeadLetterSink {
  /** The topic's name; of several topics their names, or the expression that they match. */
  readonly name: string;
  /** What was given, and the defaults of `conf` when it was made; secrets are masked. */
  readonly conf: Conf;
  readonly #names: TopicNames;
  readonly #merged: Readonly<Record<string, unknown>>;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;
  readonly #decoder: Decoder<K, V>;
  readonly #untilEnd: boolean;
  readonly #autoCommit: boolean;
  readonly #connectTimeoutMs: number | undefined;
  /** How long topics that do not exist are waited for. */
  readonly #missingMs: number | undefined;
  readonly #notices: Notices;
  #startAt: (partition: number) => number | undefined;
  #reader: TopicReader | undefined;
  /** Asks for the lag while nobody reads. */
  #groupLag: GroupLag | undefined;
  #writer: Writer<K, V> | undefined;
  #letters: Writer<Uint8Array, Uint8Array> | undefined;
  readonly #dry: boolean;
  #readable: ReadableStream<Message<K, V>> | undefined;
  #writable: WritableStream<TopicInput<K, V>> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Makes a topic; nothing is opened before it is used.
   *
   * @param name the topic's name: 1 to 249 letters, digits, `.`, `_` and `-`. Or, to be read alone, several names, or an
   * expression that begins with `^`, as a RegExp or a string: POSIX's extended kind, as Kafka has it, without `\\d`, `(?…)`
   * and flags. A group finds topics that match every `topic.metadata.refresh.interval.ms` (5 minutes, unless it is
   * set); without `group.id` those are read that match at the start.
   * @param conf properties of librdkafka, on top of the defaults of `conf()`
   * @param options codecs, and how to read
   * @throws {TypeError} If the name, properties or options are wrong; all problems of the properties at once.
   * @throws {RangeError} If an offset is below −2, or a time is out of its range.
   */
  constructor(name: TopicNameInput, conf: Conf = {}, options: TopicOptions<K, V> = {}) {
    this.#names = new TopicNames(name);
    const { where } = this.#names;
    checkOptions(options, where);
    this.name = this.#names.text;
    const {
      key = DEFAULTS.key as Codec<unknown>,
      value = DEFAULTS.value as Codec<unknown>,
      offset,
      until,
      commit,
      dry = DEFAULTS.dry,
      app,
      connectTimeoutMs,
    } = options;
    const { whenMissing = DEFAULTS.whenMissing } = options;
    const merged = mergedConf(conf, where, app);
    this.#merged = inTheirCase(merged);
    this.conf = masked(merged);
    this.#key = key as Codec<K>;
    this.#value = value as Codec<V>;
    for (const codec of [this.#key, this.#value]) {
      if (typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
        throw new TypeError(`${where}: a codec must have encode and decode`);
      }
    }
    this.#decoder = new Decoder(this.#key, this.#value);
    this.#startAt = offset === undefined ? () => undefined : parseOffsets(offset);
    if (until !== undefined && until !== "end") throw new TypeError(`${where}: until must be "end": ${until}`);
    if (whenMissing !== "wait" && whenMissing !== "fail") {
      throw new TypeError(`${where}: whenMissing must be "wait" or "fail": ${whenMissing}`);
    }
    const ms = connectTimeoutMs ?? 1;
    if (typeof ms !== "number" || !(ms >= 1 && ms <= LONGEST_MS)) {
      throw new RangeError(
        `${where}: connectTimeoutMs must be milliseconds from 1 to 2147483647: ${String(connectTimeoutMs)}`,
      );
    }
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#missingMs = whenMissing === "fail" ? FAIL_MS : until === "end" ? connectTimeoutMs ?? DRAIN_MS : undefined;
    if (commit !== undefined && commit !== "auto" && commit !== "manual") {
      throw new TypeError(`${where}: commit must be "auto" or "manual": ${commit}`);
    }
    if (typeof dry !== "boolean") throw new TypeError(`${where}: dry must be true or false: ${dry}`);
    this.#dry = dry;
    this.#untilEnd = until === "end";
    this.#autoCommit =
      (commit ?? (String(this.#merged["enable.auto.commit"]) === "false" ? "manual" : "auto")) === "auto";
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
    return this.#reader = new TopicReader(
      this.#names,
      this.#merged,
      {
        startAt: (partition) => this.#startAt(partition),
        untilEnd: this.#untilEnd,
        autoCommit: this.#autoCommit,
        connectTimeoutMs: this.#connectTimeoutMs,
        missingTopicMs: this.#missingMs,
      },
      this.#notices,
    );
  }

  async #release(reader: TopicReader): Promise<void> {
    await reader.close();
    if (this.#reader === reader) this.#reader = undefined;
  }

  /** Starts reading, for `handle()`. */
  [openSource](): SourceReader<Message<K, V>> {
    const reader = this.#read();
    const batches = new ReadableStream<Batch<Message<K, V>>>({
      pull: async (controller) => {
        const batch = await reader.next();
        if (batch === undefined) return controller.close();
        controller.enqueue(await this.#batch(batch));
      },
      cancel: () => reader.stop(),
    }, { highWaterMark: 0 });
    return { batches, stop: () => reader.stop(), close: () => this.#release(reader) };
  }

  async #batch(batch: ReadBatch): Promise<Batch<Message<K, V>>> {
    const decoded = this.#decoder.all(batch.messages);
    const { messages, unreadable } = decoded instanceof Promise ? await decoded : decoded;
    return {
      messages,
      bytes: batch.bytes,
      ...(unreadable === undefined ? {} : { unreadable }),
      positions: (handled) => batch.positions(handled),
      done: (handled) => batch.done(handled),
      stale: (message, isAccepted) => batch.isStale(message, isAccepted),
      describe: (message) => `${partitionText(message)}@${message.offset}`,
      // Looked for, since it is seldom needed: an index would cost every message something.
      raw: ({ topic, partition, offset }) => {
        const own = batch.messages.find((one) =>
          one.offset === offset && one.partition === partition && one.topic === topic
        );
        return own && { key: own.key, value: own.value, headers: headersOf(own) };
      },
    };
  }

  /**
   * Reads message by message. A message counts as handled when the next one is asked for. The one at which the loop is
   * left, by `break` or by an error, does not count: it is read again.
   *
   * @throws {KafkaError} If the topic is being read already or is closed, or Kafka refuses to go on.
   * @throws {TypeError} If a codec can't decode a message; the message does not count as handled.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Message<K, V>, void, undefined> {
    let own: TopicReader | undefined;
    const messages = this.#messages((reader) => own = reader);
    const leave = messages.return.bind(messages);
    // A generator that waits for messages would hear of it with the next one: stop the reader, so that it ends.
    messages.return = (value) => {
      own?.stop();
      return leave(value);
    };
    return messages;
  }

  async *#messages(begun: (reader: TopicReader) => void): AsyncGenerator<Message<K, V>, void, undefined> {
    const reader = this.#read();
    begun(reader);
    try {
      for (let batch; (batch = await reader.next()) !== undefined;) {
        let storedAt = performance.now();
        try {
          for (const [index, one] of batch.messages.entries()) {
            if (reader.isPaused) await reader.resumed();
            // It was closed instead.
            if (reader.isPaused) return;
            if (batch.isStale(one)) continue;
            const decoded = this.#decoder.one(one);
            const message = decoded instanceof Promise ? await decoded : decoded;
            // A codec may take its time, and the Topic be sought in meanwhile.
            if (decoded instanceof Promise && batch.isStale(one)) continue;
            // A loop body that breaks and one that throws look the same from here: neither has handled its message.
            yield message;
            batch.handled = index + 1;
            if (performance.now() - storedAt >= STORE_MS) {
              reader.store();
              storedAt = performance.now();
            }
          }
          batch.handled = batch.messages.length;
        } finally {
          batch.done(batch.handled);
        }
      }
    } finally {
      await this.#release(reader);
    }
  }

  /**
   * The messages as a Web Stream, read when they are pulled. The same stream until it has ended or was cancelled.
   *
   * A message counts as handled when the next one is pulled: a pipe of k stages can hold k messages that count
   * already. When the pipe fails (or the stream is cancelled with a reason), what was pulled within the last 100 ms or so
   * does not count, and is read again. Who minds sets `commit: "manual"` and calls `Topic.commit`, or uses `handle()`.
   */
  get readable(): ReadableStream<Message<K, V>> {
    this.#checkOpen();
    return this.#readable ??= this.#newReadable();
  }

  #newReadable(): ReadableStream<Message<K, V>> {
    // Until it is pulled, whoever reads the Topic is somebody else.
    let own: TopicReader | undefined;
    const messages = this.#messages((reader) => own = reader);
    const ended = () => {
      if (this.#readable === readable) this.#readable = undefined;
    };
    const readable = new ReadableStream<Message<K, V>>({
      async pull(controller) {
        try {
          const { done, value } = await messages.next();
          if (!done) return controller.enqueue(value);
          ended();
          controller.close();
        } catch (error) {
          ended();
          throw error;
        }
      },
      // The generator may be waiting for messages: stop the reader, so that it ends.
      cancel: async (reason) => {
        ended();
        // What the pipe has pulled lately may be on its way through it, and lost with it.
        if (reason !== undefined) own?.stopStoring();
        own?.stop();
        await messages.return();
      },
    }, { highWaterMark: 0 });
    return readable;
  }

  /**
   * Reads on elsewhere, in all partitions or those named. Before reading, sets where it starts.
   *
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
   * Stops the flow of messages, in partitions that are assigned later as well; the reader stays in its group. Does
   * nothing when nobody reads. What `handle()` has pulled already is still handled: there, use the app's `pause(topic)`.
   */
  pause(): void {
    this.#checkOpen();
    this.#reader?.pause();
  }

  /** Lets messages flow again. */
  resume(): void {
    this.#checkOpen();
    this.#reader?.resume();
  }

  /**
   * Commits a message as handled, and all before it in its partition; without one, all that counts as handled.
   * Resolves when the broker has it.
   *
   * @throws {TypeError} If there is no `group.id` to commit for.
   * @throws {KafkaError} If nobody reads the topic, or the broker refuses.
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
    return this.#writer ??= this.#newWriter({ key: this.#key, value: this.#value });
  }

  #newWriter<A, B>(codecs: { key: Codec<A>; value: Codec<B> }, conf = this.#merged): Writer<A, B> {
    const { single } = this.#names;
    if (single === undefined) throw new TypeError(`${this.#where}: can only be read: write to a Topic of one name`);
    if (this.#dry) return new DryWriter(single, codecs);
    return new TopicWriter(single, conf, codecs, this.#notices);
  }

  /**
   * Sends a message, and resolves with where it was written. Calls that are not awaited still write in their order.
   *
   * @param key the key, or `null`
   * @param value the value; `null` for a tombstone
   * @throws {TypeError} If a codec can't encode the key or the value; nothing was written.
   * @throws {KafkaError} If it was not delivered; `records` holds it.
   */
  send(key: K | null, value: V | null, options?: SendOptions): Promise<DeliveryReport> {
    try {
      return this.#write().send(options === undefined ? { key, value } : { key, value, ...options });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Sends records in order, and resolves with where each was written.
   *
   * @throws {TypeError} If a codec can't encode one of them; nothing was written.
   * @throws {KafkaError} If some were not delivered; `records` holds them.
   */
  async sendBatch(records: readonly TopicInput<K, V>[]): Promise<DeliveryReport[]> {
    return await this.#write().sendBatch(records);
  }

  /** Starts writing, for `handle()`. */
  [openSink](): SinkWriter<TopicInput<K, V>> {
    return this.#write().open({ keepsLink: true });
  }

  /**
   * Starts writing dead letters, for `handle()`: bytes as they are, whatever the codecs. Whatever can be read can be
   * written: the client sets no limit of its own, and what the topic has no room for is written without the headers that
   * tell of the error, which then stand on stderr.
   */
  [openDeadLetters](): SinkWriter<RawMessage> {
    this.#checkOpen();
    this.#letters ??= this.#newWriter({ key: bytes, value: bytes }, lettersConf(this.#merged));
    return new LetterSink(
      this.#letters.open({ keepsLink: true }) as SinkWriter<RawMessage>,
      this.#where,
      this.#notices,
    );
  }

  /** Whether a source is a Topic that reads this one, on the same brokers. */
  [feeds](source: unknown): boolean {
    if (!(source instanceof Topic) || !source.#names.include(this.name)) return false;
    return bootstrapServersOf(source.#merged) === bootstrapServersOf(this.#merged);
  }

  /**
   * The topic as the end of a pipe: takes `[key, value]` or records. A write waits when there is no room; closing
   * resolves when everything is delivered. The stream errors when something can't be; the next one starts clean.
   */
  get writable(): WritableStream<TopicInput<K, V>> {
    this.#checkOpen();
    return this.#writable ??= this.#newWritable();
  }

  #newWritable(): WritableStream<TopicInput<K, V>> {
    // Each stream has a delivery of its own: what fails in one is none of the next one's.
    const writer = this.#write().open({ keepsLink: false });
    const ended = () => {
      if (this.#writable === writable) this.#writable = undefined;
    };
    let delivery: Delivery;
    const writable = new WritableStream<TopicInput<K, V>>({
      start: (controller) => {
        delivery = {
          undelivered(error) {
            ended();
            controller.error(error);
            void writer.close(error);
            throw error;
          },
        };
      },
      write: async (input) => {
        try {
          await writer.accept(input, delivery);
        } catch (error) {
          ended();
          void writer.close(error);
          throw error;
        }
      },
      close: async () => {
        ended();
        await writer.settle(delivery);
        await writer.close();
      },
      abort: async (reason) => {
        ended();
        await writer.close(reason ?? new KafkaError(`${this.#where}: the stream was aborted`));
      },
    });
    return writable;
  }

  // The end

  /**
   * Stops reading, delivers what is on its way, commits, and frees everything. Idempotent; at once when no broker
   * is there.
   *
   * @throws {KafkaError} If messages could not be delivered within 30 s: says how many.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const open = [this.#reader, this.#groupLag, this.#writer, this.#letters];
    const outcomes = await Promise.allSettled(open.map((one) => one?.close()));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  /** Closes the topic: what `await using` calls. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What `console.log(topic)` shows: no secrets. */
  [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect, options: Deno.InspectOptions): string {
    return `Topic ${inspect({ name: this.name, conf: this.conf }, options)}`;
  }
}

// A record, so that the compiler misses an option that is not in it.
const OPTIONS = Object.keys(
  {
    key: 0,
    value: 0,
    offset: 0,
    until: 0,
    whenMissing: 0,
    connectTimeoutMs: 0,
    commit: 0,
    dry: 0,
    app: 0,
  } satisfies Record<keyof TopicOptions, 0>,
);

/** Refuses options that there are not. */
function checkOptions(options: unknown, where: string): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${where}: options must be an object such as { offset: "beginning" }`);
  }
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new TypeError(`${where}: there is no option ${JSON.stringify(name)}: ${optionRemedy(name)}`);
  }
}

function optionRemedy(name: string): string {
  if (isProperty(name)) return "it is a property, for the second argument";
  return `did you mean ${JSON.stringify(closestName(name, OPTIONS))}? There are ${OPTIONS.join(", ")}`;
}

/** What writes, or says that it would. */
interface Writer<K, V> extends Pick<TopicWriter<K, V>, "send" | "sendBatch" | "close"> {
  open(options: { readonly keepsLink: boolean }): SinkWriter<TopicInput<K, V>>;
}
