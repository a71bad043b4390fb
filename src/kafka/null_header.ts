/**
 * Kafka's null as a header's value, as clients take it and hand it out.
 *
 * @module
 */

export { NULL_HEADER } from "../librdkafka/null_header.ts";
