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
} from "../librdkafka/kafka_javascript.ts";
