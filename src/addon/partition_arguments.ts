/**
 * Converts topic partitions that the program passes, as the native addon does: a topic becomes text, and a field that
 * should be a number and is not counts as absent.
 *
 * @module
 */

import { isObject, requireArray, toInt32, toInt64 } from "./arguments.ts";
import { OFFSET_INVALID, type PartitionInput } from "../ffi/topic_partitions.ts";

/** A topic partition as the program passes it. */
interface PartitionArgument {
  readonly topic?: unknown;
  readonly partition?: unknown;
  readonly offset?: unknown;
  readonly leaderEpoch?: unknown;
  readonly metadata?: unknown;
}
/** A topic partition with an offset. */
type PartitionOffset = PartitionInput & Required<Pick<PartitionInput, "partition" | "offset">>;

/**
 * Converts one topic partition. An absent offset becomes 0.
 *
 * @throws {Error} If the topic or the partition is absent. (In a list of several, that crashes the native addon.)
 */
export function toPartition(argument: PartitionArgument): PartitionOffset {
  const topic = toTopic(argument), partition = toNumber(argument.partition, toInt32, -1);
  const offset = toNumber(argument.offset, toInt64, 0n);
  if (partition === -1 || topic === "") throw new Error("Invalid topic partition provided");
  const { metadata, leaderEpoch } = argument;
  return {
    topic,
    partition,
    offset,
    ...(typeof metadata === "string" && { metadata }),
    ...(typeof leaderEpoch === "number" && { leaderEpoch: leaderEpoch | 0 }),
  };
}

/**
 * Converts a list. Elements that are not objects are left out.
 *
 * @throws {Error} As `toPartition`.
 */
export function toPartitions(list: readonly unknown[]): PartitionOffset[] {
  return Array.from(list).filter(isObject).map(toPartition);
}

/**
 * Converts the list that `assign()` and its like take. An absent offset stays unset; elements without a topic are left
 * out; leader epoch and metadata are ignored.
 *
 * @throws {Error} If the argument is not an array of objects.
 */
export function toAssignment(argument: unknown): PartitionInput[] {
  requireArray(argument, "Need to specify an array of partitions");
  const elements = Array.from(argument);
  if (!elements.every(isObject)) throw new Error("Must pass topic-partition objects");
  return elements.flatMap((element) => {
    const topic = toTopic(element);
    if (topic === "") return [];
    const number = toNumber(element.partition, toInt64, -1n);
    const partition = number < 0n ? -1 : Number(BigInt.asIntN(32, number));
    const offset = toNumber(element.offset, toInt64, BigInt(OFFSET_INVALID));
    return [{ topic, partition, offset }];
  });
}

function toTopic({ topic }: PartitionArgument): string {
  return topic === undefined || topic === null ? "" : `${topic}`;
}

function toNumber<T>(value: unknown, convert: (value: number) => T, absent: T): T {
  return typeof value === "number" ? convert(value) : absent;
}
