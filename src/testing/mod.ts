/**
 * What tests of streams need: Kafka in the test's own process.
 *
 * @module
 */

export { LocalBroker, type LocalBrokerOptions } from "./local_broker.ts";
