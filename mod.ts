/**
 * Streams on Deno: sources are async iterables, sinks are callables, a handler sits between, and {@linkcode stream}
 * runs it all. {@linkcode Topic} is Kafka, through librdkafka, behind Web Streams.
 *
 * @module
 */

export { type Codec } from "./src/codecs/codec.ts";
export { bytes } from "./src/codecs/bytes.ts";
export { json } from "./src/codecs/json.ts";
export { text } from "./src/codecs/text.ts";
export {
  type AnyCase,
  type Conf,
  conf,
  type ConfValue,
  type DottedConf,
  type NpmConf,
  type SnakeCaseConf,
} from "./src/topic/conf.ts";
export { KafkaError, type KafkaErrorOptions } from "./src/topic/kafka_error.ts";
export type {
  DeliveryReport,
  HeadersInput,
  Message,
  MessageHeader,
  TopicInput,
  TopicRecord,
} from "./src/topic/message.ts";
export { SNAKE_CASE } from "./src/topic/snake_case.ts";
export type { Offset, Offsets } from "./src/topic/offsets.ts";
export type { TopicNameInput } from "./src/topic/topic_names.ts";
export { type Lag, type SendOptions, Topic, type TopicOptions } from "./src/topic/topic.ts";
export { Cache, type CacheInput, type CacheUpdate, type UpdatesOptions } from "./src/cache/cache.ts";
export type { CacheLogOptions, CacheOptions } from "./src/cache/cache_options.ts";
export { CacheError, type CacheErrorCode } from "./src/cache/cache_error.ts";
export type { CacheKey, KeyPart } from "./src/cache/key.ts";
export type { CacheListOptions, CacheRange } from "./src/cache/scan.ts";
export type { CacheTransaction, SetOptions, TransactionOptions } from "./src/cache/transaction.ts";
export { type ResumableSource, sse, type SseOptions, type SseSource } from "./src/endpoint/sse.ts";
export { LibraryError, type OldLibrary } from "./src/librdkafka/library_error.ts";
export type { Binding } from "./src/stream/binding.ts";
export type { ErrorPolicy, HandleOptions } from "./src/stream/handle_options.ts";
export type { Handler, HandlerOutput, Yields } from "./src/stream/handler.ts";
export { HandlerError, type HandlerErrorOptions } from "./src/stream/handler_error.ts";
export {
  type Batch,
  type BatchSink,
  type BatchSource,
  type DeadLetterSink,
  type Delivery,
  feeds,
  openDeadLetters,
  openSink,
  openSource,
  type Position,
  type RawMessage,
  type SinkWriter,
  type SourceReader,
  type Unreadable,
} from "./src/stream/protocol.ts";
export type { Pipe, PipeStage, StreamStage } from "./src/stream/pipe.ts";
export type { RetryOptions } from "./src/stream/retry.ts";
export type { AcceptedBy, AnySink, Sink } from "./src/stream/sinks.ts";
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
export type { MessageOf, Source } from "./src/stream/sources.ts";
export { transform } from "./src/stream/transform.ts";
export { cron } from "./src/time/cron.ts";
export type { Tick } from "./src/time/tick.ts";
export { timer } from "./src/time/timer.ts";
