/**
 * Topic partitions as programs give them, read as the addon reads them: a topic is taken as text, and what is no number
 * counts as not given.
 *
 * @module
 */

import { int64Of, intOf, isObject } from "./arguments.ts";
import { OFFSET_INVALID, type PartitionInput } from "../ffi/topic_partitions.ts";

interface Given {
  readonly topic?: unknown;
  readonly partition?: unknown;
  readonly offset?: unknown;
  readonly leaderEpoch?: unknown;
  readonly metadata?: unknown;
}
/** A partition with an offset. */
type Place = PartitionInput & Required<Pick<PartitionInput, "partition" | "offset">>;

/**
 * Reads one partition, whose offset is 0 unless it is given.
 *
 * @throws {Error} If it names no partition of a topic. (In a list, that crashes the addon.)
 */
export function partitionOf(given: Given): Place {
  const topic = topicOf(given), partition = numberOf(given.partition, intOf, -1);
  const offset = numberOf(given.offset, int64Of, 0n);
  if (partition === -1 || topic === "") throw new Error("Invalid topic partition provided");
  const { metadata, leaderEpoch } = given;
  return {
    topic,
    partition,
    offset,
    ...(typeof metadata === "string" && { metadata }),
    ...(typeof leaderEpoch === "number" && { leaderEpoch: leaderEpoch | 0 }),
  };
}

/**
 * Reads a list, in which what is no object is left out.
 *
 * @throws {Error} As `partitionOf`.
 */
export function partitionsOf(given: readonly unknown[]): Place[] {
  return Array.from(given).filter(isObject).map(partitionOf);
}

/**
 * Reads what is to be assigned: an offset that is not given is not set, what has no topic is left out, and nothing else
 * counts.
 *
 * @throws {Error} If it is no array of objects.
 */
export function assignable(given: unknown): PartitionInput[] {
  if (!Array.isArray(given)) throw new Error("Need to specify an array of partitions");
  const elements = Array.from(given as unknown[]);
  if (!elements.every(isObject)) throw new Error("Must pass topic-partition objects");
  return elements.flatMap((element) => {
    const topic = topicOf(element);
    if (topic === "") return [];
    const number = numberOf(element.partition, int64Of, -1n);
    const partition = number < 0n ? -1 : Number(BigInt.asIntN(32, number));
    const offset = numberOf(element.offset, int64Of, BigInt(OFFSET_INVALID));
    return [{ topic, partition, offset }];
  });
}

function topicOf({ topic }: Given): string {
  return topic === undefined || topic === null ? "" : `${topic}`;
}

function numberOf<T>(value: unknown, convert: (value: number) => T, otherwise: T): T {
  return typeof value === "number" ? convert(value) : otherwise;
}
