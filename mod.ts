/**
 * Runs streams on Deno: a source hands over messages, a handler turns each message into values, and sinks take the values.
 *
 * A source is whatever can be iterated, such as a Kafka topic, a Web Stream, a timer or an array. A sink is a function, a
 * Web Stream, a Kafka topic, or a `Cache`, which keeps state on Deno KV. A handler returns or yields what it emits.
 *
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const lines: string[] = [];
 * handle(["fish", "trophy"], { sink: (line: string) => lines.push(line) }, (word) => `a ${word}`);
 * await stream();
 * console.assert(lines.join() === "a fish,a trophy");
 * ```
 *
 * ## Where to begin
 *
 * - `handle()` binds a handler to sources and sinks; `HandleOptions` has what it can do: a pipe, retries, dead letters,
 *   concurrency. `stream()` runs what is bound, until the sources end or a signal comes. `Slipstream` is an app of its own.
 * - `Topic` is a Kafka topic, as a source and a sink, through librdkafka. `conf()` has defaults of all topics. `text`,
 *   `bytes` and `json()` are codecs.
 * - `Cache` is a map that outlives the program, as a sink and a source of its updates.
 * - `timer()` and `cron()` are sources of ticks. `sse()` answers a request with the updates of a Cache.
 * - `HandlerError`, `KafkaError`, `CacheError` and `LibraryError` say what failed, and what helps. `onNotice()` receives
 *   trouble that passes, such as an outage of the brokers.
 *
 * ## What is guaranteed
 *
 * Delivery is at least once, for a source that can begin again where it was, such as a Topic with `group.id`: the offset of
 * a message is stored after everything that the handlers made of it, and of all messages before it, has settled in the
 * sinks. After a crash, what was handled and not committed is handled again. A graceful shutdown, by SIGTERM or
 * `signal`, repeats no finished message unless it cuts a `retry` short. The messages of a partition are handled in order.
 *
 * ```ts
 * import { Cache, Slipstream, Topic } from "@slipstream/slipstream";
 * import { LocalBroker } from "@slipstream/slipstream/testing";
 *
 * await using broker = await LocalBroker.start();
 * await using orders = new Topic("orders", {
 *   "bootstrap.servers": broker.bootstrapServers,
 *   "group.id": "kitchen",
 *   "auto.offset.reset": "earliest",
 * }, { until: "end" });
 * await orders.sendBatch([["table 1", "fish"], ["table 2", "soup"]]);
 *
 * await using last = new Cache<string>(":memory:");
 * const app = new Slipstream();
 * app.handle(orders, { sink: last, onError: "skip" }, ({ key, value }) => [key!, value]);
 * await app.stream(); // ends at the end offsets, with everything settled and committed
 * console.assert(await last.get("table 2") === "soup");
 * ```
 *
 * ## Other entry points
 *
 * Tests need `./testing`: a Kafka in the process, scripted sources, a fake clock. Authors of sources and sinks need
 * `./protocol`. `./schema-registry` has codecs over a schema registry, `./kafka-javascript` the npm client of Kafka on Deno,
 * and `./setup` provides librdkafka: run it once a machine. Importing this module loads no native code.
 *
 * @module
 */

// Handlers, and what runs them.
export { handle, onExit, pause, resume, stream } from "./src/stream/default_app.ts";
export { Slipstream } from "./src/stream/slipstream.ts";
export type { StreamOptions, StreamParameters } from "./src/stream/stream_options.ts";
export type { ErrorPolicy, HandleOptions } from "./src/stream/handle_options.ts";
export type { RetryOptions } from "./src/stream/retry.ts";
export type { Binding } from "./src/stream/binding.ts";
export type { Handler, HandlerOutput, Yields } from "./src/stream/handler.ts";
export type { AnySource, MessageOf, Messages, Source } from "./src/stream/sources.ts";
export type { AcceptedBy, AnySink, Sink } from "./src/stream/sinks.ts";
export type { Pipe, PipeStage, StreamStage } from "./src/stream/pipe.ts";
export { HandlerError, type HandlerErrorOptions } from "./src/stream/handler_error.ts";
export { transform } from "./src/stream/transform.ts";

// Kafka.
export { Topic } from "./src/topic/topic.ts";
export type { Lag, PartitionLag } from "./src/topic/read/lag.ts";
export type { IfText, NameIfText, TopicCodecs, TopicOptions, TopicSettings } from "./src/topic/topic_options.ts";
export type { TopicNameInput } from "./src/topic/read/topic_names.ts";
export type { Offset, Offsets } from "./src/topic/read/offsets.ts";
export type { Message, MessageHeader } from "./src/topic/read/message.ts";
export type {
  DeliveryReport,
  HeadersInput,
  SendOptions,
  TopicInput,
  TopicRecord,
} from "./src/topic/write/topic_record.ts";
export {
  type AnyCase,
  type Conf,
  conf,
  type ConfValue,
  type DottedConf,
  type NpmConf,
  type SnakeCaseConf,
} from "./src/topic/conf/conf.ts";
export { SNAKE_CASE } from "./src/topic/conf/property_names.ts";
export { KafkaError, type KafkaErrorOptions } from "./src/kafka/kafka_error.ts";
export { LibraryError, type OldLibrary } from "./src/ffi/library_error.ts";
export { type Codec } from "./src/codecs/codec.ts";
export { bytes } from "./src/codecs/bytes.ts";
export { json } from "./src/codecs/json.ts";
export { SchemaError, type SchemaIssue, type SchemaResult, type StandardSchema } from "./src/codecs/standard_schema.ts";
export { text } from "./src/codecs/text.ts";

// Trouble that passes.
export { type Notice, type NoticeCode, type NoticeListener, onNotice } from "./src/notices/notice.ts";

// State.
export { Cache } from "./src/cache/cache.ts";
export type { CacheInput } from "./src/cache/cache_input.ts";
export type { CacheChange, CacheUpdate, ChangesOptions, UpdatesOptions } from "./src/cache/cache_change.ts";
export type { CacheLogOptions, CacheOptions } from "./src/cache/cache_options.ts";
export type { CacheKey, FirstParts, KeyInput, KeyPart, KeyParts, KeyPrefix, KeyRead } from "./src/cache/cache_key.ts";
export type { CacheListOptions, CacheRange } from "./src/cache/cache_range.ts";
export type { CacheTransaction, SetOptions, TransactionOptions } from "./src/cache/cache_transaction.ts";
export { CacheError, type CacheErrorCode } from "./src/cache/cache_error.ts";

// Time, and browsers.
export { timer } from "./src/time/timer.ts";
export { cron } from "./src/time/cron.ts";
export type { Tick } from "./src/time/tick.ts";
export {
  type ChangeSource,
  sse,
  type SseChange,
  type SseKeyPart,
  type SseOptions,
  type SsePrefix,
  type SseSource,
} from "./src/endpoint/sse.ts";
