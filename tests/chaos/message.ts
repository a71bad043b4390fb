/**
 * What a message of the chaos test says: who it is, how it is to be handled, and a check value.
 *
 * @module
 */

import { hash } from "../support/random.ts";

/** The two source topics, as messages name them. */
export const SOURCES = ["one", "two"] as const;
export type SourceName = typeof SOURCES[number];

/**
 * How a message is to be handled: a `good` one has an effect; a `flaky` one has it when the handler is tried again; a
 * `poison` one can't be handled and becomes a dead letter.
 */
export type Kind = "good" | "flaky" | "poison";

/** Messages of a partition share this many keys: order holds by key. */
const KEYS = 7;

/** A message: number `n` of its partition, counted from 0 without gaps. */
export interface Id {
  readonly source: SourceName;
  readonly partition: number;
  readonly n: number;
}

/** The kind of a message, which the seed decides: one in a hundred is poison, one in a hundred flaky. */
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

/** The whole value of a message. */
export function valueOf(seed: number, id: Id): string {
  const told = `${idText(id)} ${kindOf(seed, id)}`;
  return `${told} ${check(seed, told)}`;
}

/** The message that a value is of; `undefined` if its check value is wrong: no such message was ever sent. */
export function read(seed: number, value: string): Id & { readonly kind: Kind } | undefined {
  const [id, kind, sum] = value.split(" ") as [string, Kind, string];
  const [source, partition, n] = (id ?? "").split("/") as [SourceName, string, string];
  if (sum !== check(seed, `${id} ${kind}`)) return undefined;
  return { source, partition: Number(partition), n: Number(n), kind };
}

function check(seed: number, told: string): string {
  return hash(`${seed}/check/${told}`).toString(16).padStart(8, "0");
}
