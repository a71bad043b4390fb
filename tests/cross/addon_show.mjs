/** Turns results of an addon into text. Equal results have the same text on Node and on Deno. */

import { Buffer } from "node:buffer";

/** The text of a value. The order of an object's keys matters. */
export function show(value) {
  if (typeof value === "symbol" || typeof value === "function") return "function";
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return `${value.constructor.name}(${JSON.stringify(Buffer.from(value).toString())})`;
  if (value instanceof Error) {
    // In this module's addon the errors of partitions have a code that is not a property; in the native addon they have none.
    const code = Object.keys(value).includes("code") ? value.code : undefined;
    return `Error(${value.message}, ${code})`;
  }
  if (Array.isArray(value)) return `[${value.map(show)}]`;
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? JSON.stringify(value) : `${value}`;
  }
  return `{${Object.keys(value).map((name) => `${name}: ${show(value[name])}`)}}`;
}

/** The text of what a call returns or throws. */
export function returned(call) {
  try {
    return show(call());
  } catch (error) {
    return `throws ${show(error)}`;
  }
}

/** The text of what a call returns, and of what its callback gets. */
export function called(call) {
  return new Promise((resolve) => {
    let first = "called back before it returned";
    first = returned(() => call((...given) => resolve(`${first}, then ${show(given)}`)));
    if (first.startsWith("throws")) resolve(first);
  });
}

/** Makes a call that must succeed. */
export function done(call) {
  return new Promise((resolve, reject) =>
    call((error, result) => error ? reject(new Error(show(error))) : resolve(result))
  );
}

/** A connected client that has received its cluster's metadata. */
export async function connected(addon, kind, conf, callbacks) {
  const client = new addon[kind]({ "log_level": 0, ...conf }, {
    ...kind === "KafkaConsumer" && { "auto.offset.reset": "earliest" },
  });
  if (callbacks !== undefined) client.configureCallbacks(true, callbacks);
  await connect(client);
  return client;
}

/** Connects a client, and waits until it has received its cluster's metadata. */
export async function connect(client) {
  await done((callback) => client.connect(callback));
  await done((callback) => client.getMetadata({ topic: "t", allTopics: false, timeout: 10_000 }, callback));
}
