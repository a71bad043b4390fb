/**
 * The properties of librdkafka that a Topic is configured with: those of `conf()`, overridden by its own.
 *
 * @module
 */

import type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  ProducerGlobalConfig,
  ProducerTopicConfig,
} from "../../kafka/conf_types.ts";
import { describeValue } from "../../options/describe_value.ts";
import { assertNoProblems, isOptionsObject } from "../../options/problems.ts";
import { contradictions } from "./contradictions.ts";
import { PROPERTIES } from "./properties.ts";
import { propertyName, type SNAKE_CASE } from "./property_names.ts";
import { inLibraryCase, propertyProblems } from "./property_problems.ts";
import { masked } from "./secrets.ts";
import { isServerList, joinedServers } from "./server_list.ts";

/** A value of a property. */
export type ConfValue = string | number | boolean;

/** The npm client's types of all properties, and of its callbacks. */
export type NpmConf = ConsumerGlobalConfig & ConsumerTopicConfig & ProducerGlobalConfig & ProducerTopicConfig;

/**
 * Properties by their dotted names, with the npm client's types. `bootstrap.servers` may be an array of addresses, and
 * `acks` the word `"all"`.
 */
export type DottedConf = {
  readonly [Name in keyof NpmConf as Name extends `${string}_cb` ? never : Name]?:
    | Extract<NpmConf[Name], ConfValue>
    | (Name extends "bootstrap.servers" | "metadata.broker.list" ? readonly string[] : never)
    | (Name extends "acks" | "request.required.acks" ? "all" : never);
};

/** Properties by the names that the Python clients give them, with the types of the properties. */
export type SnakeCaseConf = {
  readonly [Name in keyof typeof SNAKE_CASE]?: (typeof SNAKE_CASE)[Name] extends keyof DottedConf
    ? AnyCase<DottedConf[(typeof SNAKE_CASE)[Name]]>
    : ConfValue;
};

/** A word, which may also be written in capitals, as in Python: `"SASL_SSL"`. */
export type AnyCase<T> = T extends string ? T | Uppercase<T> : T;

/**
 * Properties of librdkafka by their dotted names, such as `"bootstrap.servers"`, with the types that the npm client
 * gives them. All of them: https://github.com/confluentinc/librdkafka/blob/v2.15.1/CONFIGURATION.md
 *
 * The names of the Python clients (`bootstrap_servers`, `sasl_plain_username`) are accepted too: see `SNAKE_CASE`. What is
 * returned and printed has the dotted names. It is an error to set one property in two spellings.
 */
export type Conf = DottedConf & SnakeCaseConf;

type Values = Readonly<Record<string, unknown>>;

/** The defaults of each app; those of the default app belong to `DEFAULT_APP`. */
const defaults = new WeakMap<object, Values>();
const DEFAULT_APP = {};

/**
 * Merges properties into the defaults of every `Topic` that is made later, and returns the defaults with their secrets
 * masked. Topics that exist keep the properties they have.
 *
 * @param properties the properties to add to the defaults
 * @param app the `Slipstream` whose defaults they are: Topics with this option `app` use them, and no others. When left
 * out, the default app.
 * @returns all defaults of the app
 * @throws {TypeError} If a name or a value is wrong; the error names all of them, and nothing is merged.
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
  const problems: string[] = [];
  if (typeof app !== "object" || app === null) problems.push(`app must be a Slipstream: ${String(app)}`);
  const named = byPropertyName(properties, problems);
  assertNoProblems("conf()", problems);
  const merged = { ...defaults.get(app), ...named };
  defaults.set(app, merged);
  return masked(merged);
}

/**
 * Returns the defaults of an app, overridden by the properties of one Topic.
 *
 * @param problems receives what is wrong with the Topic's own properties, and what contradicts in the result
 */
export function mergedConf(own: Conf, problems: string[], app: object = DEFAULT_APP): Values {
  const ownProblems: string[] = [];
  const merged = { ...defaults.get(app), ...byPropertyName(own, ownProblems) };
  // A misspelt bootstrap.servers is reported as such, and not also as missing.
  const isMisspelt = ownProblems.some((problem) => problem.includes('"bootstrap.servers"'));
  const contradicting = contradictions(wordsInLibraryCase(merged)).filter((problem) =>
    !isMisspelt || !problem.startsWith("bootstrap.servers ")
  );
  problems.push(...ownProblems, ...contradicting);
  return merged;
}

/** Returns properties with their words spelt as librdkafka spells them. */
export function wordsInLibraryCase(values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, inLibraryCase(name, value)]));
}

/** Returns the properties that concern a consumer (`"C"`) or a producer (`"P"`). */
export function confFor(scope: "C" | "P", values: Values): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => {
      const property = PROPERTIES.get(name)!;
      return property.scope === "*" || property.scope === scope;
    }),
  );
}

/**
 * Returns the properties by their dotted names, without those that are `undefined`.
 *
 * @param problems receives what is wrong with them
 */
function byPropertyName(values: Conf, problems: string[]): Values {
  if (!isOptionsObject(values)) {
    const got = describeValue(values);
    problems.push(`properties must be an object such as { "bootstrap.servers": "localhost:9092" }: got ${got}`);
    return {};
  }
  const spellings = new Map<string, string>();
  const named: Record<string, unknown> = {};
  for (const [spelling, given] of Object.entries(values)) {
    if (given === undefined) continue;
    const name = propertyName(spelling);
    const value = isServerList(name) ? joinedServers(given) : given;
    const other = spellings.get(name);
    if (other !== undefined) problems.push(`${other} and ${spelling} are one property: give one of them`);
    spellings.set(name, spelling);
    named[name] = value;
    problems.push(...propertyProblems(name, inLibraryCase(name, value)));
  }
  return named;
}
