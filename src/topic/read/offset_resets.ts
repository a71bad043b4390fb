/**
 * What a reader has not read, since it was deleted before.
 *
 * @module
 */

import type { TopicPartitionOffset, Watermarks } from "../../kafka/port.ts";
import { partitionText } from "../../kafka/partition_map.ts";

/** A partition does not have the offset that was to be read next: `auto.offset.reset` says where reading goes on. */
export interface OffsetReset extends TopicPartitionOffset {
  /** Whether reading goes on at the end, and not at the beginning. */
  readonly toEnd: boolean;
}

/** librdkafka tells of it in its log alone. */
const LINE = /(\S+) \[(\d+)\]: offset reset \(at offset (\d+)\b.*\) to (?:cached BEGINNING )?offset (\w+)/;

/** What a line of a consumer's log tells of an offset that is not there; `undefined` if it tells something else. */
export function offsetResetOf(line: string): OffsetReset | undefined {
  const found = LINE.exec(line);
  if (found === null) return undefined;
  const [, topic, partition, offset, target] = found;
  return { topic: topic!, partition: Number(partition), offset: Number(offset), toEnd: target === "END" };
}

/** What was not read, for people. */
export function offsetResetText(reset: OffsetReset, { lowOffset, highOffset }: Watermarks): string {
  const { offset, toEnd } = reset, place = partitionText(reset);
  const there = highOffset > lowOffset ? `it has ${range(lowOffset, highOffset)}` : "it is empty";
  if (offset > highOffset) {
    const end = toEnd ? "end" : "beginning";
    return `${place} has no offset ${offset}: ${there}; was the topic made anew? Reading goes on at its ${end}`;
  }
  const lost = `${place}: deleted before it was read: ${range(offset, lowOffset)}`;
  if (!toEnd) return `${lost}; reading goes on at ${lowOffset}`;
  if (highOffset === lowOffset) return `${lost}; reading goes on at the end, ${highOffset}`;
  return `${lost}; left out: ${range(lowOffset, highOffset)}, since auto.offset.reset is latest (earliest reads them)`;
}

function range(from: number, behind: number): string {
  return behind - from === 1 ? `offset ${from}` : `offsets ${from} to ${behind - 1}`;
}
