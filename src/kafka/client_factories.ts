/**
 * Which clients a configuration asks for.
 *
 * @module
 */

import { err2str } from "../ffi/native_error.ts";
import type { ClientFactory } from "./port.ts";

const registered = new Map<string, ClientFactory>();

/**
 * The npm client. It is loaded with the first client that is made: a program that imports Topic and makes none loads
 * neither the package nor Node's module system.
 */
const npmClientFactory: ClientFactory = {
  consumer: async (conf, events) => (await import("./npm_client_factory.ts")).npmClientFactory.consumer(conf, events),
  producer: async (conf, events) => (await import("./npm_client_factory.ts")).npmClientFactory.producer(conf, events),
  errorText: err2str,
};

/**
 * The clients for a configuration: the npm client's, or those that are registered under its `bootstrap.servers`. Nothing
 * native is opened before one is made.
 */
export function clientFactoryFor(conf: Readonly<Record<string, unknown>>): ClientFactory {
  return registered.get(String(bootstrapServersOf(conf))) ?? npmClientFactory;
}

/** The addresses of brokers in a configuration, under either of librdkafka's two names; `undefined` when there are none. */
export function bootstrapServersOf(conf: Readonly<Record<string, unknown>>): unknown {
  return conf["bootstrap.servers"] ?? conf["metadata.broker.list"];
}

/**
 * Lets a value of `bootstrap.servers` mean these clients, such as those of a cluster in memory.
 *
 * @returns takes the registration back
 * @throws {Error} If the value is registered already.
 */
export function registerClientFactory(bootstrapServers: string, clients: ClientFactory): () => void {
  if (registered.has(bootstrapServers)) throw new Error(`Clients are registered for ${bootstrapServers} already`);
  registered.set(bootstrapServers, clients);
  return () => void registered.delete(bootstrapServers);
}
