/**
 * The values that the npm package exports, by name. Its types are the package's own: see `mod.ts`.
 *
 * @module
 */

import { loadKafkaJavascript } from "../addon/load_kafka_javascript.ts";

const client = await loadKafkaJavascript();
export default client;

// The package is CommonJS: of its names, an import would find `KafkaJS` and `RdKafka` only.
export const {
  AclOperationTypes,
  AdminClient,
  CODES,
  Consumer,
  ConsumerGroupStates,
  ConsumerGroupTypes,
  createReadStream,
  createWriteStream,
  features,
  HighLevelProducer,
  IsolationLevel,
  KafkaConsumer,
  KafkaJS,
  librdkafkaVersion,
  OffsetSpec,
  Producer,
  RdKafka,
  Topic,
} = client;
