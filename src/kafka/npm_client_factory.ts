/**
 * The npm client, `@confluentinc/kafka-javascript` over librdkafka, behind the port. Only this file and its neighbours
 * `npm_*.ts` use what the package's types leave out.
 *
 * Deno downloads the whole package, 16 MB, with packages that its install script needs and nothing loads (node-pre-gyp,
 * tar, node-fetch). The script would build the package's addon, which Deno can't load and this module replaces: Deno's
 * warning "Ignored build scripts" means no harm. The import is a literal, so `deno cache`, `deno compile` and lock files
 * include the package, although it is loaded late.
 *
 * @module
 */

import { loadKafkaJavascript } from "../addon/load_kafka_javascript.ts";
import { err2str } from "../ffi/native_error.ts";
import { NpmConsumer } from "./npm_consumer.ts";
import { codedError } from "./npm_errors.ts";
import { NpmProducer } from "./npm_producer.ts";
import type { ClientFactory } from "./port.ts";

/** Makes clients of the npm package. The first one opens librdkafka. */
export const npmClientFactory: ClientFactory = {
  async consumer(conf, events) {
    const package_ = await loadKafkaJavascript();
    return withCodedError(() => new NpmConsumer(package_, conf, events));
  },
  async producer(conf, events) {
    const package_ = await loadKafkaJavascript();
    return withCodedError(() => new NpmProducer(package_, conf, events));
  },
  errorText: err2str,
};

/** A constructor throws if librdkafka refuses the configuration. */
function withCodedError<T>(construct: () => T): T {
  try {
    return construct();
  } catch (error) {
    throw codedError(error);
  }
}
