/**
 * Which Kafka client a configuration uses: the npm client, or one that is registered for its `bootstrap.servers`.
 *
 * @module
 */

import { err2str } from "../ffi/native_error.ts";
import type { ClientFactory } from "./port.ts";

const registered = new Map<string, ClientFactory>();

/**
 * The npm client. The package is loaded when the first client is made, so a program that imports Topic and connects none
 * loads neither the package nor Node's module system, which costs 10 ms and 5 MB.
 */
const npmClientFactory: ClientFactory = {
  consumer: async (conf, events) => (await loadNpmClientFactory()).consumer(conf, events),
  producer: async (conf, events) => (await loadNpmClientFactory()).producer(conf, events),
  errorText: err2str,
};

async function loadNpmClientFactory(): Promise<Pick<ClientFactory, "consumer" | "producer">> {
  return (await import("./npm_client_factory.ts")).npmClientFactory;
}

/** The factory that is registered for the configuration's `bootstrap.servers`; otherwise the npm client's. */
export function clientFactoryFor(conf: Readonly<Record<string, unknown>>): ClientFactory {
  return registered.get(String(bootstrapServersOf(conf))) ?? npmClientFactory;
}

/** The configuration's `bootstrap.servers`, or `metadata.broker.list`, librdkafka's other name for it. */
export function bootstrapServersOf(conf: Readonly<Record<string, unknown>>): unknown {
  return conf["bootstrap.servers"] ?? conf["metadata.broker.list"];
}

/**
 * Registers a client for a value of `bootstrap.servers`, such as a cluster in memory.
 *
 * @returns a function that removes the registration
 * @throws {Error} If a client is registered for the value already.
 */
export function registerClientFactory(bootstrapServers: string, factory: ClientFactory): () => void {
  if (registered.has(bootstrapServers)) {
    throw new Error(`A Kafka client is registered already for bootstrap.servers ${JSON.stringify(bootstrapServers)}`);
  }
  registered.set(bootstrapServers, factory);
  return () => void registered.delete(bootstrapServers);
}
