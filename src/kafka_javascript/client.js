/**
 * The exports of the npm package, by name. `mod.ts` gives them the package's types.
 *
 * @module
 */

import { loadKafkaJavascript } from "../addon/load_kafka_javascript.ts";

const client = await loadKafkaJavascript();
export default client;

// The package is CommonJS: an import of it finds only the names `KafkaJS` and `RdKafka`.
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
