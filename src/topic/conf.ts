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
} from "../kafka/conf_types.ts";
import { complain, nearest } from "../options/problems.ts";
import { PROPERTIES, type Property } from "./properties.ts";
import { dotted, INSTEAD, type SNAKE_CASE } from "./snake_case.ts";

/** A value of a property. */
export type ConfValue = string | number | boolean;

/** The npm client's types of all properties, and of its callbacks. */
export type NpmConf = ConsumerGlobalConfig & ConsumerTopicConfig & ProducerGlobalConfig & ProducerTopicConfig;

/** Properties by their dotted names, with the npm client's types. */
export type DottedConf = {
  readonly [Name in keyof NpmConf as Name extends `${string}_cb` ? never : Name]?: Extract<NpmConf[Name], ConfValue>;
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

/** What is printed for a secret. */
const MASK = "********";
const SECRET = /password|passphrase|secret|\.key\.pem$|^sasl\.oauthbearer\.config$/;

/** The defaults of each app; those of the default app under itself. */
const defaults = new WeakMap<object, AnyConf>();
const DEFAULT_APP = {};

/**
 * Merges properties into the defaults of every {@linkcode Topic} made later, and returns the defaults, secrets masked.
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
  complain("conf()", found);
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
  complain(where, [...found, ...together.filter((problem) => !said || !problem.startsWith("bootstrap.servers "))]);
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
    Object.entries(values).map(([name, value]) => [name, inItsCase(PROPERTIES.get(name), value)]),
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
  for (const [spelling, value] of Object.entries(withoutUndefined(values))) {
    const name = dotted(spelling, (name) => PROPERTIES.has(name));
    const other = spellings.get(name);
    if (other !== undefined) found.push(`${other} and ${spelling} are one property: give one of them`);
    spellings.set(name, spelling);
    named[name] = value;
    found.push(...problems(name, inItsCase(PROPERTIES.get(name), value)));
  }
  return { named, found };
}

function inItsCase(property: Property | undefined, value: unknown): unknown {
  if (property?.type !== "enum" || typeof value !== "string") return value;
  return property.values?.find((word) => word.toLowerCase() === value.toLowerCase()) ?? value;
}

function problems(name: string, value: unknown): string[] {
  const property = PROPERTIES.get(name);
  if (property === undefined) {
    if (Object.hasOwn(INSTEAD, name)) return [`${name} has no counterpart here: ${INSTEAD[name]}`];
    return [
      `there is no property ${JSON.stringify(name)}: did you mean ${
        JSON.stringify(nearest(name, [...PROPERTIES.keys()]))
      }?`,
    ];
  }
  const wrong = wrongValue(property, value);
  if (wrong === undefined) return [];
  return [`${name} must be ${wrong}: ${SECRET.test(name) ? MASK : shown(value)}`];
}

function shown(value: unknown): string {
  return typeof value === "function" ? "a function" : JSON.stringify(value) ?? String(value);
}

/** What the value should have been; `undefined` if it is right. */
function wrongValue({ type, min, max, values }: Property, value: unknown): string | undefined {
  if (!["string", "number", "boolean"].includes(typeof value)) return "a string, a number or a boolean";
  if (type === "boolean") return ["true", "false"].includes(String(value)) ? undefined : "true or false";
  if (min !== undefined || max !== undefined || type === "integer" || type === "float") {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const right = typeof number === "number" && (type === "float" ? Number.isFinite(number) : Number.isInteger(number));
    if (!right) return type === "float" ? "a number" : "a whole number";
    if (number < (min ?? -Infinity) || number > (max ?? Infinity)) return `from ${min} to ${max}`;
    return undefined;
  }
  if (values !== undefined && type === "enum") {
    return values.includes(String(value)) ? undefined : `one of ${values.join(", ")}`;
  }
  return undefined;
}

/** Properties that are right by themselves and contradict each other. */
function contradictions(values: AnyConf): string[] {
  const found: string[] = [];
  const is = (name: string, value: string) => String(values[name]) === value;
  const number = (name: string) => values[name] === undefined ? undefined : Number(values[name]);
  if (values["bootstrap.servers"] === undefined && values["metadata.broker.list"] === undefined) {
    found.push('bootstrap.servers is missing: set it here or in conf(), such as "localhost:29091"');
  }
  if (is("enable.auto.offset.store", "true")) {
    found.push("enable.auto.offset.store can't be true: it would commit messages that were not handled yet");
  }
  const session = number("session.timeout.ms") ?? 45_000, poll = number("max.poll.interval.ms") ?? 300_000;
  const heartbeat = number("heartbeat.interval.ms") ?? 3000;
  if (heartbeat >= session) {
    found.push(
      `heartbeat.interval.ms (${heartbeat}) must be below session.timeout.ms (${session}), a third of it at most is usual: else the group takes the reader for dead`,
    );
  }
  if (poll < session) {
    found.push(
      `max.poll.interval.ms (${poll}) must not be below session.timeout.ms (${session}): librdkafka checks the session more often`,
    );
  }
  if (is("enable.idempotence", "true")) {
    const acks = values.acks ?? values["request.required.acks"];
    if (acks !== undefined && !["-1", "all"].includes(String(acks))) {
      found.push(`acks (${acks}) contradicts enable.idempotence, which needs acks of all replicas: -1`);
    }
    const inFlight = number("max.in.flight") ?? number("max.in.flight.requests.per.connection") ?? 1;
    if (inFlight > 5) found.push(`max.in.flight (${inFlight}) contradicts enable.idempotence, which allows 5 at most`);
  }
  return found;
}
