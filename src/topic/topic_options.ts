/**
 * The options of `Topic`, and their checks.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import type { Codec } from "../codecs/codec.ts";
import { text } from "../codecs/text.ts";
import { describeValue } from "../options/describe_value.ts";
import { isOptionsObject } from "../options/problems.ts";
import { closestName } from "../options/closest_name.ts";

import { isProperty } from "./conf/property_names.ts";
import { type Offsets, parseOffsets } from "./read/offsets.ts";

/** How a `Topic` reads and writes, except for its codecs. */
export interface TopicSettings {
  /**
   * The offset at which a reader starts in each partition: `"beginning"`, `"end"`, a number, or an object that gives one of
   * these by partition number. It takes precedence over the committed offset of the group.
   *
   * Each reader applies it once for each partition: each run of `stream()`, each loop, and each member of a group. So with
   * `"beginning"`, a restarted program, or a member that gets the partition in a rebalance, reads the whole partition again,
   * whatever the group has committed. The reader uses the committed offset only after it has handled a message of the
   * partition and the group has committed an offset.
   *
   * With `"end"`, a partition that is created after the reader began is read from its beginning, unless the group has
   * committed an offset in it. Reading fails with a `RangeError` if a partition does not have the offset.
   *
   * When left out, reading starts at the committed offset of the group, and without one where `auto.offset.reset` says, which
   * is the end by default.
   */
  readonly offset?: Offsets;
  /**
   * `"end"`: reading ends when every assigned partition is read up to its end offset. The end offset is looked up when the
   * partition is first assigned to this reader; later records are not read. When left out, reading goes on until it is
   * stopped.
   *
   * In a group, a member without partitions looks up the end offsets of all partitions once, when all topics exist. It ends
   * when the group has committed these offsets, which it checks once a second. If no member commits them, it does not end.
   */
  readonly until?: "end";
  /**
   * What a reader does while a topic does not exist. `"wait"`: it reports the notice `topic-missing` and waits; with
   * `until: "end"` it fails with a `KafkaError` after `connectTimeoutMs`, or after 30 s if that is not set. `"fail"`: it
   * fails with a `KafkaError` after 3 s.
   * @default {"wait"}
   */
  readonly whenMissing?: "wait" | "fail";
  /**
   * How long reading waits for the first answer of a broker before it fails with a `KafkaError`; in milliseconds, from 1
   * to 2,147,483,647. With `until: "end"` it is also how long reading waits for a topic that does not exist, which is 30 s
   * by default.
   * @default {no limit}
   */
  readonly connectTimeoutMs?: number;
  /**
   * Who commits the offsets of handled messages:
   *
   * - `"auto"`: the Topic, once a second (`auto.commit.interval.ms`), before a partition moves to another member, and
   *   when reading ends;
   * - `"manual"`: only `Topic.commit`.
   *
   * Without `group.id` nothing is committed.
   * @default {"auto", or "manual" if enable.auto.commit is false}
   */
  readonly commit?: "auto" | "manual";
  /**
   * Prints each record on stdout instead of sending it; it counts as delivered, at partition −1 and offset −1. Reading
   * and committing are not changed.
   * @default {false}
   */
  readonly dry?: boolean;
  /**
   * The `Slipstream` whose `conf()` defaults apply.
   * @default {the default app}
   */
  readonly app?: object;
}

/**
 * The codecs of a `Topic`, which turn keys and values into bytes and back. They are required for types other than
 * `string`, since the default, `text`, reads and writes strings.
 *
 * @typeParam K the type of keys
 * @typeParam V the type of values
 */
export type TopicCodecs<K = string, V = string> =
  & {
    /**
     * The codec of keys.
     * @default {text}
     */
    readonly key?: Codec<K>;
    /**
     * The codec of values.
     * @default {text}
     */
    readonly value?: Codec<V>;
  }
  & IfText<K, unknown, { readonly key: Codec<K> }>
  & IfText<V, unknown, { readonly value: Codec<V> }>;

/**
 * How a `Topic` reads and writes: its settings, and its codecs.
 *
 * @typeParam K the type of keys
 * @typeParam V the type of values
 */
export type TopicOptions<K = string, V = string> = TopicSettings & TopicCodecs<K, V>;

/** `Yes` for the types that need no codec: `string`, which the codec `text` reads and writes, and `any`; else `No`. */
export type IfText<T, Yes, No> = [string, T] extends [T, string] ? Yes : No;

/**
 * The type of a Topic's name where no codecs are given: `Name` if the types need none, else a text that no name is, which
 * the compile error shows.
 */
export type NameIfText<K, V, Name> = IfText<
  V,
  IfText<K, Name, "the codec of keys is missing: give the option key, such as { key: bytes }">,
  "the codec of values is missing: give the option value, such as { value: json() }"
>;

/** Options that are complete and have been checked. */
export interface CheckedTopicOptions<K, V> {
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** Returns where reading starts in a partition; `undefined` where the options don't say. */
  readonly startAt: (partition: number) => number | undefined;
  readonly untilEnd: boolean;
  readonly connectTimeoutMs: number | undefined;
  /** How long reading waits for a topic that does not exist, in milliseconds; `undefined` for no limit. */
  readonly missingMs: number | undefined;
  /** `undefined`: as `enable.auto.commit` says. */
  readonly commit: "auto" | "manual" | undefined;
  readonly dry: boolean;
  readonly app: object | undefined;
}

const DEFAULTS = { key: text, value: text, whenMissing: "wait", dry: false } as const satisfies TopicOptions;

/** The names of all options: a record, so that the compiler finds one that is missing. */
const OPTIONS = Object.keys(
  {
    key: 0,
    value: 0,
    offset: 0,
    until: 0,
    whenMissing: 0,
    connectTimeoutMs: 0,
    commit: 0,
    dry: 0,
    app: 0,
  } satisfies Record<keyof TopicOptions, 0>,
);

/** How long reading until the end waits for a topic that does not exist, in milliseconds. */
const DRAIN_MISSING_MS = 30_000;
/** How long `whenMissing: "fail"` waits, in milliseconds: brokers learn one after the other of a topic that is created. */
const FAIL_MISSING_MS = 3000;

/**
 * Completes and checks options.
 *
 * @param problems receives what is wrong with them
 */
export function checkTopicOptions<K, V>(options: unknown, problems: string[]): CheckedTopicOptions<K, V> {
  const isObject = isOptionsObject(options);
  if (!isObject) {
    problems.push(`options must be an object such as { offset: "beginning" }: got ${describeValue(options)}`);
  }
  const given = (isObject ? options : {}) as Record<keyof TopicOptions, unknown>;
  for (const name of Object.keys(given)) if (!OPTIONS.includes(name)) problems.push(unknownOption(name));

  const { key = DEFAULTS.key, value = DEFAULTS.value, whenMissing = DEFAULTS.whenMissing, dry = DEFAULTS.dry } = given;
  const { offset, until, connectTimeoutMs, commit, app } = given;
  const check = (holds: boolean, problem: () => string) => {
    if (!holds) problems.push(problem());
  };
  for (const [name, codec] of Object.entries({ key, value })) {
    check(isCodec(codec), () => `${name}: a codec must have encode and decode: got ${describeValue(codec)}`);
  }
  check(until === undefined || until === "end", () => `until must be "end": ${String(until)}`);
  check(
    whenMissing === "wait" || whenMissing === "fail",
    () => `whenMissing must be "wait" or "fail": ${String(whenMissing)}`,
  );
  check(
    connectTimeoutMs === undefined ||
      typeof connectTimeoutMs === "number" && connectTimeoutMs >= 1 && connectTimeoutMs <= LONGEST_TIMER_MS,
    () => `connectTimeoutMs must be milliseconds from 1 to ${LONGEST_TIMER_MS}: ${String(connectTimeoutMs)}`,
  );
  check(
    commit === undefined || commit === "auto" || commit === "manual",
    () => `commit must be "auto" or "manual": ${String(commit)}`,
  );
  check(typeof dry === "boolean", () => `dry must be true or false: ${String(dry)}`);
  check(
    app === undefined || typeof app === "object" && app !== null,
    () => `app must be a Slipstream: ${String(app)}`,
  );
  return {
    key: key as Codec<K>,
    value: value as Codec<V>,
    startAt: startAt(offset as Offsets | undefined, problems),
    untilEnd: until === "end",
    connectTimeoutMs: connectTimeoutMs as number | undefined,
    missingMs: whenMissing === "fail"
      ? FAIL_MISSING_MS
      : until === "end"
      ? connectTimeoutMs as number | undefined ?? DRAIN_MISSING_MS
      : undefined,
    commit: commit as CheckedTopicOptions<K, V>["commit"],
    dry: dry as boolean,
    app: app as object | undefined,
  };
}

function unknownOption(name: string): string {
  const remedy = isProperty(name)
    ? "it is a property, for the second argument"
    : `did you mean ${JSON.stringify(closestName(name, OPTIONS))}? There are ${OPTIONS.join(", ")}`;
  return `there is no option ${JSON.stringify(name)}: ${remedy}`;
}

function isCodec(codec: unknown): boolean {
  const { encode, decode } = (codec ?? {}) as { encode?: unknown; decode?: unknown };
  return typeof encode === "function" && typeof decode === "function";
}

function startAt(offset: Offsets | undefined, problems: string[]): (partition: number) => number | undefined {
  const nowhere = () => undefined;
  if (offset === undefined) return nowhere;
  try {
    return parseOffsets(offset);
  } catch (error) {
    problems.push((error as Error).message);
    return nowhere;
  }
}
