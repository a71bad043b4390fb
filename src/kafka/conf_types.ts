/**
 * The npm client's types of librdkafka's properties.
 *
 * @module
 */

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "../addon/load_kafka_javascript.ts";
