/** Answers of a binding as text, the same on Node and on Deno for the same answer. */

import { Buffer } from "node:buffer";

/** A value as text; keys count with their order. */
export function show(value) {
  if (typeof value === "symbol" || typeof value === "function") return "function";
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.constructor.name}(${JSON.stringify(Buffer.from(value).toString())})`;
  if (value instanceof Error) {
    // The errors of partitions have a code here that nobody sees who lists their properties; the addon's have none.
    const code = Object.keys(value).includes("code") ? value.code : undefined;
    return `Error(${value.message}, ${code})`;
  }
  if (Array.isArray(value)) return `[${value.map(show)}]`;
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? JSON.stringify(value) : `${value}`;
  }
  return `{${Object.keys(value).map((name) => `${name}: ${show(value[name])}`)}}`;
}

/** What a call returns or throws. */
export function returned(call) {
  try {
    return show(call());
  } catch (error) {
    return `throws ${show(error)}`;
  }
}

/** What a call returns, and then what its callback gets. */
export function called(call) {
  return new Promise((resolve) => {
    let first = "called back before it returned";
    first = returned(() => call((...given) => resolve(`${first}, then ${show(given)}`)));
    if (first.startsWith("throws")) resolve(first);
  });
}

/** Calls something that must succeed. */
export function done(call) {
  return new Promise((resolve, reject) =>
    call((error, result) => error ? reject(new Error(show(error))) : resolve(result))
  );
}

/** A connected client that has heard of its cluster. */
export async function connected(binding, kind, conf, callbacks) {
  const client = new binding[kind]({ "log_level": 0, ...conf }, {
    ...kind === "KafkaConsumer" && { "auto.offset.reset": "earliest" },
  });
  if (callbacks !== undefined) client.configureCallbacks(true, callbacks);
  await connect(client);
  return client;
}

/** Connects a client, which then has heard of its cluster. */
export async function connect(client) {
  await done((callback) => client.connect(callback));
  await done((callback) => client.getMetadata({ topic: "t", allTopics: false, timeout: 10_000 }, callback));
}
