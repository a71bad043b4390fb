/**
 * Streams on Deno: sources are async iterables, sinks are callables, a handler sits between, and `stream()` runs it all.
 *
 * - `handle()` binds a handler to sources and sinks, `stream()` runs what is bound, and `Slipstream` is an app of its own.
 * - `Topic` is a Kafka topic, through librdkafka, as a source and a sink.
 * - `Cache` is state on Deno KV, as a sink and a source of its changes.
 * - `timer()` and `cron()` are sources of ticks, `sse()` answers a request with the updates of a Cache.
 *
 * Tests need `./testing`; authors of sources and sinks need `./protocol`.
 *
 * @example
 * ```ts
 * import { handle, stream } from "@slipstream/slipstream";
 *
 * const lines: string[] = [];
 * handle(["fish", "trophy"].values(), { sink: (line: string) => lines.push(line) }, (word) => `a ${word}`);
 * await stream();
 * console.assert(lines.join() === "a fish,a trophy");
 * ```
 *
 * @module
 */

// Handlers, and running them.
export {
  type AnySource,
  handle,
  type Messages,
  onExit,
  pause,
  resume,
  Slipstream,
  stream,
  type StreamOptions,
  type StreamParameters,
} from "./src/stream/slipstream.ts";
export type { ErrorPolicy, HandleOptions } from "./src/stream/handle_options.ts";
export type { RetryOptions } from "./src/stream/retry.ts";
export type { Binding } from "./src/stream/binding.ts";
export type { Handler, HandlerOutput, Yields } from "./src/stream/handler.ts";
export type { MessageOf, Source } from "./src/stream/sources.ts";
export type { AcceptedBy, AnySink, Sink } from "./src/stream/sinks.ts";
export type { Pipe, PipeStage, StreamStage } from "./src/stream/pipe.ts";
export { HandlerError, type HandlerErrorOptions } from "./src/stream/handler_error.ts";
export { transform } from "./src/stream/transform.ts";

// Kafka.
export { type Lag, type SendOptions, Topic, type TopicOptions } from "./src/topic/topic.ts";
export type { TopicNameInput } from "./src/topic/read/topic_names.ts";
export type { Offset, Offsets } from "./src/topic/read/offsets.ts";
export type { Message, MessageHeader } from "./src/topic/read/message.ts";
export type { DeliveryReport, HeadersInput, TopicInput, TopicRecord } from "./src/topic/write/topic_record.ts";
export {
  type AnyCase,
  type Conf,
  conf,
  type ConfValue,
  type DottedConf,
  type NpmConf,
  type SnakeCaseConf,
} from "./src/topic/conf/conf.ts";
export { SNAKE_CASE } from "./src/topic/conf/snake_case.ts";
export { KafkaError, type KafkaErrorOptions } from "./src/kafka/kafka_error.ts";
export { LibraryError, type OldLibrary } from "./src/ffi/library_error.ts";
export { type Codec } from "./src/codecs/codec.ts";
export { bytes } from "./src/codecs/bytes.ts";
export { json } from "./src/codecs/json.ts";
export { text } from "./src/codecs/text.ts";

// State.
export { Cache } from "./src/cache/cache.ts";
export type { CacheInput } from "./src/cache/cache_input.ts";
export type { CacheChange, CacheUpdate, ChangesOptions, UpdatesOptions } from "./src/cache/cache_change.ts";
export type { CacheLogOptions, CacheOptions } from "./src/cache/cache_options.ts";
export type { CacheKey, FirstParts, KeyInput, KeyPart, KeyParts, KeyPrefix, KeyRead } from "./src/cache/cache_key.ts";
export type { CacheListOptions, CacheRange } from "./src/cache/cache_range.ts";
export type { CacheTransaction, SetOptions, TransactionOptions } from "./src/cache/cache_transaction.ts";
export { CacheError, type CacheErrorCode } from "./src/cache/cache_error.ts";

// Time, and the browser.
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
