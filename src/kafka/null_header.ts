/**
 * Kafka's null as a header's value, as clients take it and hand it out.
 *
 * @module
 */

export { NULL_HEADER } from "../ffi/null_header.ts";
