/**
 * The messages of the chaos test. A value holds the message's id, its kind and a checksum.
 *
 * @module
 */

import { hash } from "../support/random.ts";

/** The two source topics, as messages name them. */
export const SOURCES = ["one", "two"] as const;
export type SourceName = typeof SOURCES[number];

/**
 * What the handler does with a message: a `good` one has an effect; a `flaky` one fails first and has its effect when it is
 * retried; a `poison` one always fails and becomes a dead letter.
 */
export type Kind = "good" | "flaky" | "poison";

/** The number of keys in a partition. The order is checked for each key. */
const KEYS = 7;

/** A message: number `n` of its partition, counted from 0 without gaps. */
export interface Id {
  readonly source: SourceName;
  readonly partition: number;
  readonly n: number;
}

/** The kind of a message, drawn from the seed: one in a hundred is poison, and one in a hundred flaky. */
export function kindOf(seed: number, { source, partition, n }: Id): Kind {
  const drawn = hash(`${seed}/kind/${source}/${partition}/${n}`) % 100;
  return drawn === 0 ? "poison" : drawn === 1 ? "flaky" : "good";
}

/** The key of a message. */
export function keyOf({ source, partition, n }: Id): string {
  return `${source}/${partition}/k${n % KEYS}`;
}

/** The message before this one that has the same key; `undefined` for the first. */
export function beforeInKey({ source, partition, n }: Id): Id | undefined {
  return n < KEYS ? undefined : { source, partition, n: n - KEYS };
}

/** The id as text: `one/3/17`. */
export function idText({ source, partition, n }: Id): string {
  return `${source}/${partition}/${n}`;
}

/** The value of a message. */
export function valueOf(seed: number, id: Id): string {
  const text = `${idText(id)} ${kindOf(seed, id)}`;
  return `${text} ${checksum(seed, text)}`;
}

/** Parses a value. Returns `undefined` if the checksum is wrong: such a message was never sent. */
export function parseValue(seed: number, value: string): Id & { readonly kind: Kind } | undefined {
  const [id, kind, sum] = value.split(" ") as [string, Kind, string];
  const [source, partition, n] = (id ?? "").split("/") as [SourceName, string, string];
  if (sum !== checksum(seed, `${id} ${kind}`)) return undefined;
  return { source, partition: Number(partition), n: Number(n), kind };
}

function checksum(seed: number, text: string): string {
  return hash(`${seed}/check/${text}`).toString(16).padStart(8, "0");
}
