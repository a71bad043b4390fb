/**
 * The npm client, `@confluentinc/kafka-javascript` over librdkafka, behind the port. What has to reach under the
 * package's types does so in this file and its neighbours `npm_*.ts`, and nowhere else.
 *
 * @module
 */

import { loadKafkaJavascript } from "../addon/load_kafka_javascript.ts";
import { err2str } from "../ffi/native_error.ts";
import type { ClientFactory } from "./port.ts";
import { coded } from "./npm_client.ts";
import { NpmConsumer } from "./npm_consumer.ts";
import { NpmProducer } from "./npm_producer.ts";

/** Clients of librdkafka. The first one that is made opens the library. */
export const npmClientFactory: ClientFactory = {
  async consumer(conf, events) {
    const package_ = await loadKafkaJavascript();
    return made(() => new NpmConsumer(package_, conf, events));
  },
  async producer(conf, events) {
    const package_ = await loadKafkaJavascript();
    return made(() => new NpmProducer(package_, conf, events));
  },
  errorText: err2str,
};

/** librdkafka refuses a configuration when a client is made. */
function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw coded(error);
  }
}
