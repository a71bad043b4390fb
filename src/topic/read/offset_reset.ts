/**
 * Offset resets: a partition does not have the offset that was to be read next.
 *
 * @module
 */

import type { TopicPartitionOffset, Watermarks } from "../../kafka/port.ts";
import { partitionText } from "../../kafka/partition_map.ts";

/** A partition whose offset was reset, since it does not have that offset; `auto.offset.reset` says where to. */
export interface OffsetReset extends TopicPartitionOffset {
  /** Whether reading goes on at the end of the partition; else at its beginning. */
  readonly toEnd: boolean;
}

/** librdkafka reports a reset only as a line in its log. */
const LOG_LINE = /(\S+) \[(\d+)\]: offset reset \(at offset (\d+)\b.*\) to (?:cached BEGINNING )?offset (\w+)/;

/** The reset that a line of a consumer's log reports; `undefined` if the line is about something else. */
export function parseOffsetReset(line: string): OffsetReset | undefined {
  const found = LOG_LINE.exec(line);
  if (found === null) return undefined;
  const [, topic, partition, offset, target] = found;
  return { topic: topic!, partition: Number(partition), offset: Number(offset), toEnd: target === "END" };
}

/** Describes which messages were lost to the reader, and where reading goes on. */
export function describeOffsetReset(reset: OffsetReset, { lowOffset, highOffset }: Watermarks): string {
  const { offset, toEnd } = reset, name = partitionText(reset);
  if (offset > highOffset) {
    const has = highOffset > lowOffset ? `it has ${rangeText(lowOffset, highOffset)}` : "it is empty";
    const target = toEnd ? "end" : "beginning";
    return `${name} has no offset ${offset}: ${has}; was the topic made anew? Reading goes on at its ${target}`;
  }
  const deleted = `${name}: deleted before it was read: ${rangeText(offset, lowOffset)}`;
  if (!toEnd) return `${deleted}; reading goes on at ${lowOffset}`;
  if (highOffset === lowOffset) return `${deleted}; reading goes on at the end, ${highOffset}`;
  return `${deleted}; skipped: ${
    rangeText(lowOffset, highOffset)
  }, since auto.offset.reset is latest (earliest reads them)`;
}

/** The offsets from `first` to the one before `end`. */
function rangeText(first: number, end: number): string {
  return end - first === 1 ? `offset ${first}` : `offsets ${first} to ${end - 1}`;
}
