/**
 * The types of librdkafka's properties, from the npm client.
 *
 * @module
 */

export type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "../addon/load_kafka_javascript.ts";
