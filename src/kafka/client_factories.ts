/**
 * Which Kafka client a configuration uses: the npm client, or one that is registered for its `bootstrap.servers`.
 *
 * @module
 */

import type { ClientFactory } from "./port.ts";

const registered = new Map<string, ClientFactory>();

let npmClientFactory: ClientFactory | undefined;

/** Loads the npm client, and the part of this module that opens librdkafka. */
async function loadNpmClientFactory(): Promise<ClientFactory> {
  return npmClientFactory ??= (await import("./npm_client_factory.ts")).npmClientFactory;
}

/**
 * The npm client. It is loaded when the first client is made, so a program that imports Topic and connects none loads
 * neither the package, nor Node's module system, nor the table of librdkafka's functions: 12 ms and 7 MB.
 */
const lazyNpmClientFactory: ClientFactory = {
  consumer: async (conf, events) => (await loadNpmClientFactory()).consumer(conf, events),
  producer: async (conf, events) => (await loadNpmClientFactory()).producer(conf, events),
  // Codes come from clients, so the npm client is loaded by then.
  errorText: (code) => npmClientFactory?.errorText(code) ?? `librdkafka's error ${code}`,
};

/** The factory that is registered for the configuration's `bootstrap.servers`; otherwise the npm client's. */
export function clientFactoryFor(conf: Readonly<Record<string, unknown>>): ClientFactory {
  return registered.get(String(bootstrapServersOf(conf))) ?? lazyNpmClientFactory;
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
