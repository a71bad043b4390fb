/**
 * What a topic is configured with: the defaults of all, its own on top, checked before anything is done.
 *
 * @module
 */

import type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "../../kafka/conf_types.ts";
import { assertNoProblems, closestName } from "../../options/problems.ts";
import { contradictions } from "./contradictions.ts";
import { PROPERTIES, type Property } from "./properties.ts";
import { serverProblem, serversText } from "./servers.ts";
import { dotted, INSTEAD, type SNAKE_CASE } from "./snake_case.ts";

/** A value of a property. */
export type ConfValue = string | number | boolean;

/** The npm client's types of all properties, and of its callbacks. */
export type NpmConf = ConsumerGlobalConfig & ConsumerTopicConfig & ProducerGlobalConfig & ProducerTopicConfig;

/** Properties by their dotted names, with the npm client's types. `bootstrap.servers` may be a list. */
export type DottedConf = {
  readonly [Name in keyof NpmConf as Name extends `${string}_cb` ? never : Name]?:
    | Extract<NpmConf[Name], ConfValue>
    | (Name extends "bootstrap.servers" | "metadata.broker.list" ? readonly string[] : never)
    | (Name extends "acks" | "request.required.acks" ? "all" : never);
};

/** The Python clients' names, with the types of the properties that they stand for. */
export type SnakeCaseConf = {
  readonly [Name in keyof typeof SNAKE_CASE]?: (typeof SNAKE_CASE)[Name] extends keyof DottedConf
    ? AnyCase<DottedConf[(typeof SNAKE_CASE)[Name]]>
    : ConfValue;
};

/** Words may be in capitals, as in Python: `"SASL_SSL"`. */
export type AnyCase<T> = T extends string ? T | Uppercase<T> : T;

/**
 * Properties of librdkafka by their dotted names, such as `"bootstrap.servers"`, with the types that the npm client
 * gives them. All of them: https://github.com/confluentinc/librdkafka/blob/v2.15.1/CONFIGURATION.md
 *
 * The Python clients' names (`bootstrap_servers`, `sasl_plain_username`) mean the same; what is returned and printed
 * has the dotted ones. A property given in two spellings is an error.
 */
export type Conf = DottedConf & SnakeCaseConf;

type AnyConf = Readonly<Record<string, unknown>>;

const SERVERS: readonly string[] = ["bootstrap.servers", "metadata.broker.list"];

/** Words that librdkafka takes for values, which its list of properties does not have. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  "request.required.acks": ["all"],
  "partitioner": ["random", "consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"],
  "sasl.mechanisms": ["GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
  "group.protocol.type": ["consumer"],
};
/** The words of a list. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  "partition.assignment.strategy": ["range", "roundrobin", "cooperative-sticky"],
};
/** Bounds that librdkafka has and its list of properties has not. */
const BOUNDS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  "fetch.min.bytes": { min: 1, max: 100_000_000 },
};

/** Options of Topic, which are taken for properties now and then. */
const OPTIONS: readonly string[] = ["key", "value", "offset", "until", "commit", "dry", "app"];

/** Why a property can't be given here. */
const REFUSED: Readonly<Record<string, string>> = {
  "builtin.features": "it says what librdkafka was built with",
  "transactional.id": "a Topic writes without transactions: use the Producer of /kafka-javascript",
  "ssl_key": "give ssl.key.pem or ssl.key.location",
  "ssl_certificate": "give ssl.certificate.pem or ssl.certificate.location",
  "ssl_ca": "give ssl.ca.pem or ssl.ca.location",
  "offset.store.method": "offsets are stored at the broker: leave it out",
  "offset.store.path": "offsets are stored at the broker: leave it out",
};

/** What is printed for a secret. */
const MASK = "********";
const SECRET = /password|passphrase|secret|\.key\.pem$|^sasl\.oauthbearer\.config$/;

/** The defaults of each app; those of the default app under itself. */
const defaults = new WeakMap<object, AnyConf>();
const DEFAULT_APP = {};

/**
 * Merges properties into the defaults of every `Topic` made later, and returns the defaults, secrets masked.
 * Topics made earlier keep what they had.
 *
 * @param app whose defaults: a `Slipstream` has its own, for topics that are made with it as `app`, and shares none
 * with others. When left out, the default app.
 * @throws {TypeError} If a name or value is wrong; names all that are, and nothing is changed.
 *
 * @example
 * ```ts
 * import { conf } from "@slipstream/slipstream";
 *
 * conf({ "bootstrap.servers": "localhost:29091", "group.id": "demo" });
 * console.assert(conf()["group.id"] === "demo");
 * ```
 */
export function conf(properties: Conf = {}, app: object = DEFAULT_APP): Conf {
  checkApp(app, "conf()");
  const { named, found } = check(properties, "conf()");
  assertNoProblems("conf()", found);
  const merged = { ...defaults.get(app), ...named };
  defaults.set(app, merged);
  return masked(merged);
}

/** The defaults of an app with a topic's own properties on top, checked. */
export function mergedConf(own: Conf, where: string, app: object = DEFAULT_APP): AnyConf {
  checkApp(app, where);
  const { named, found } = check(own, where);
  const merged = { ...defaults.get(app), ...named };
  const together = contradictions(inTheirCase(merged));
  // Misspelled is not missing.
  const said = found.some((problem) => problem.includes('"bootstrap.servers"'));
  assertNoProblems(where, [
    ...found,
    ...together.filter((problem) => !said || !problem.startsWith("bootstrap.servers ")),
  ]);
  return merged;
}

function checkApp(app: unknown, where: string): void {
  if (typeof app !== "object" || app === null) {
    throw new TypeError(`${where}: app must be a Slipstream: ${String(app)}`);
  }
}

/** Words as librdkafka's lists have them; Python writes some in capitals. */
export function inTheirCase(values: AnyConf): AnyConf {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, inItsCase(name, value)]),
  );
}

/** A configuration that can be shown: secrets masked, so that no way of printing gives them away. */
export function masked(values: AnyConf): Conf {
  return Object.freeze(
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, SECRET.test(name) ? MASK : value])),
  ) as Conf;
}

/** A text without the secrets of a configuration. */
export function redact(text: string, values: AnyConf): string {
  return Object.entries(values).reduce(
    (clean, [name, value]) =>
      SECRET.test(name) && typeof value === "string" && value !== "" ? clean.replaceAll(value, MASK) : clean,
    text,
  );
}

/** What of a configuration concerns a consumer, or a producer. */
export function confFor(scope: "C" | "P", values: AnyConf): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => {
      const property = PROPERTIES.get(name)!;
      return property.scope === "*" || property.scope === scope;
    }),
  );
}

/** Whether a name means a property, in any spelling. */
export function isProperty(spelling: string): boolean {
  return PROPERTIES.has(dotted(spelling, (name) => PROPERTIES.has(name))) || Object.hasOwn(INSTEAD, spelling);
}

function withoutUndefined(values: AnyConf): AnyConf {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** The properties by their dotted names, and what is wrong with them. */
function check(values: AnyConf, where: string): { readonly named: AnyConf; readonly found: readonly string[] } {
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new TypeError(`${where}: properties must be an object such as { "bootstrap.servers": "localhost:9092" }`);
  }
  const found: string[] = [];
  const spellings = new Map<string, string>();
  const named: Record<string, unknown> = {};
  for (const [spelling, given] of Object.entries(withoutUndefined(values))) {
    const name = dotted(spelling, (name) => PROPERTIES.has(name));
    const value = SERVERS.includes(name) ? serversText(given) : given;
    const other = spellings.get(name);
    if (other !== undefined) found.push(`${other} and ${spelling} are one property: give one of them`);
    spellings.set(name, spelling);
    named[name] = value;
    found.push(...problems(name, inItsCase(name, value)));
  }
  return { named, found };
}

function inItsCase(name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  return wordsOf(name)?.find((word) => word.toLowerCase() === value.toLowerCase()) ?? value;
}

/** The words that a property may be, if there are any; for others besides numbers. */
function wordsOf(name: string): readonly string[] | undefined {
  const property = PROPERTIES.get(name);
  return WORDS[property?.aliasOf ?? name] ?? (property?.type === "enum" ? property.values : undefined);
}

function problems(name: string, value: unknown): string[] {
  const property = PROPERTIES.get(name);
  if (property === undefined) {
    if (Object.hasOwn(INSTEAD, name)) return [`${name} has no counterpart here: ${INSTEAD[name]}`];
    if (OPTIONS.includes(name)) return [`${name} is no property: give it in the third argument, as an option of Topic`];
    return [
      `there is no property ${JSON.stringify(name)}: did you mean ${
        JSON.stringify(closestName(name, [...PROPERTIES.keys()]))
      }?`,
    ];
  }
  if (Object.hasOwn(REFUSED, name) && value !== "broker") return [`${name} can't be set: ${REFUSED[name]}`];
  if (property.type === "api") return [`${name} can't be set: it stands for a function or an address of C`];
  if (SERVERS.includes(name)) {
    const problem = serverProblem(value);
    if (problem !== undefined) return [`${name} ${problem}`];
  }
  const wrong = wrongValue(name, property, value);
  if (wrong === undefined) return [];
  return [`${name} must be ${wrong}: ${SECRET.test(name) ? MASK : shown(value)}`];
}

function shown(value: unknown): string {
  return typeof value === "function" ? "a function" : JSON.stringify(value) ?? String(value);
}

/** What the value should have been; `undefined` if it is right. */
function wrongValue(name: string, property: Property, value: unknown): string | undefined {
  const { type } = property, { min, max } = BOUNDS[name] ?? property;
  if (!["string", "number", "boolean"].includes(typeof value)) return "a string, a number or a boolean";
  const words = wordsOf(name);
  if (words !== undefined && words.includes(String(value))) return undefined;
  const list = LISTS[name] ?? (type === "flags" ? property.values : undefined);
  if (list !== undefined) {
    const all = String(value).split(",").map((word) => word.trim());
    return all.every((word) => list.includes(word)) ? undefined : `a list of ${list.join(", ")}`;
  }
  if (name === "group.id" && value === "") return "a name; leave it out to read without a group";
  if (name === "broker.version.fallback" && !/^\d+(\.\d+)+$/.test(String(value))) return 'a version such as "0.10.0"';
  if (type === "boolean") return ["true", "false"].includes(String(value)) ? undefined : "true or false";
  if (min !== undefined || max !== undefined || type === "integer" || type === "float") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const right = typeof number === "number" && (type === "float" ? Number.isFinite(number) : Number.isInteger(number));
    if (!right) {
      return `${type === "float" ? "a number" : "a whole number"}${
        words === undefined ? "" : ` or ${words.join(", ")}`
      }`;
    }
    if (number < (min ?? -Infinity) || number > (max ?? Infinity)) return `from ${min} to ${max}`;
    return undefined;
  }
  return words === undefined ? undefined : `one of ${words.join(", ")}`;
}
