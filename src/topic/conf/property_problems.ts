/**
 * Checks of single properties, against librdkafka's list.
 *
 * @module
 */

import { closestName } from "../../options/closest_name.ts";

import { PROPERTIES, type Property } from "./properties.ts";
import { REPLACEMENTS } from "./property_names.ts";
import { isSecret, MASK } from "./secrets.ts";
import { isServerList, serverListProblem } from "./server_list.ts";

/** The words that librdkafka accepts for these properties; its list of properties does not have them. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  "request.required.acks": ["all"],
  "partitioner": ["random", "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"],
  "sasl.mechanisms": ["GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
  "group.protocol.type": ["consumer"],
};
/** The words of which librdkafka accepts several, separated by commas. */
const WORD_LISTS: Readonly<Record<string, readonly string[]>> = {
  "partition.assignment.strategy": ["range", "roundrobin", "cooperative-sticky"],
};
/** Bounds that librdkafka checks; its list of properties has others. */
const BOUNDS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  "fetch.min.bytes": { min: 1, max: 100_000_000 },
};

/** The options of Topic that are mistaken for properties. */
const TOPIC_OPTIONS: readonly string[] = [
  ...["key", "value", "offset", "until", "whenMissing", "connectTimeoutMs", "commit", "dry", "app"],
];

/** Why librdkafka's property can't be set for a Topic. */
const REFUSED: Readonly<Record<string, string>> = {
  "builtin.features": "it says what librdkafka was built with",
  "transactional.id": "a Topic writes without transactions: use the Producer of /kafka-javascript",
  "ssl_key": "give ssl.key.pem or ssl.key.location",
  "ssl_certificate": "give ssl.certificate.pem or ssl.certificate.location",
  "ssl_ca": "give ssl.ca.pem or ssl.ca.location",
  "offset.store.method": "offsets are stored at the broker: leave it out",
  "offset.store.path": "offsets are stored at the broker: leave it out",
};

/** Returns what is wrong with a property, given its dotted name and its value; empty if nothing is. */
export function propertyProblems(name: string, value: unknown): string[] {
  const property = PROPERTIES.get(name);
  if (property === undefined) return [unknownProperty(name)];
  if (Object.hasOwn(REFUSED, name) && value !== "broker") return [`${name} can't be set: ${REFUSED[name]}`];
  if (property.type === "api") return [`${name} can't be set: it stands for a function or an address of C`];
  if (isServerList(name)) {
    const problem = serverListProblem(value);
    if (problem !== undefined) return [`${name} ${problem}`];
  }
  const expected = expectedInstead(name, property, value);
  if (expected === undefined) return [];
  return [`${name} must be ${expected}: ${isSecret(name) ? MASK : shown(value)}`];
}

/** Returns a value with a word spelt as librdkafka spells it: Python's clients write some words in capitals. */
export function inLibraryCase(name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  return wordsOf(name)?.find((word) => word.toLowerCase() === value.toLowerCase()) ?? value;
}

function unknownProperty(name: string): string {
  if (Object.hasOwn(REPLACEMENTS, name)) return `${name} has no counterpart here: ${REPLACEMENTS[name]}`;
  if (TOPIC_OPTIONS.includes(name)) {
    return `${name} is not a property: give it in the third argument, as an option of Topic`;
  }
  const near = JSON.stringify(closestName(name, [...PROPERTIES.keys()]));
  return `there is no property ${JSON.stringify(name)}: did you mean ${near}?`;
}

/** Returns the words that a property accepts, some of them beside numbers; `undefined` if it accepts any text. */
function wordsOf(name: string): readonly string[] | undefined {
  const property = PROPERTIES.get(name);
  return WORDS[property?.aliasOf ?? name] ?? (property?.type === "enum" ? property.values : undefined);
}

function shown(value: unknown): string {
  return typeof value === "function" ? "a function" : JSON.stringify(value) ?? String(value);
}

/** Returns what the value should have been; `undefined` if it is right. */
function expectedInstead(name: string, property: Property, value: unknown): string | undefined {
  const { type } = property, { min, max } = BOUNDS[name] ?? property;
  if (!["string", "number", "boolean"].includes(typeof value)) return "a string, a number or a boolean";
  const words = wordsOf(name);
  if (words !== undefined && words.includes(String(value))) return undefined;
  const list = WORD_LISTS[name] ?? (type === "flags" ? property.values : undefined);
  if (list !== undefined) {
    const all = String(value).split(",").map((word) => word.trim());
    return all.every((word) => list.includes(word)) ? undefined : `a list of ${list.join(", ")}`;
  }
  if (name === "group.id" && value === "") return "a name; leave it out to read without a group";
  if (name === "broker.version.fallback" && !/^\d+(\.\d+)+$/.test(String(value))) return 'a version such as "0.10.0"';
  if (type === "boolean") return ["true", "false"].includes(String(value)) ? undefined : "true or false";
  if (min !== undefined || max !== undefined || type === "integer" || type === "float") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const isNumber = typeof number === "number" &&
      (type === "float" ? Number.isFinite(number) : Number.isInteger(number));
    if (!isNumber) {
      const orWord = words === undefined ? "" : ` or ${words.join(", ")}`;
      return `${type === "float" ? "a number" : "a whole number"}${orWord}`;
    }
    if (number < (min ?? -Infinity) || number > (max ?? Infinity)) return `from ${min} to ${max}`;
    return undefined;
  }
  return words === undefined ? undefined : `one of ${words.join(", ")}`;
}
