/**
 * Reads consumed messages, a batch at a time.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { ErrorCode } from "./error_codes.ts";
import { openLibrary } from "./library.ts";
import type { Pointer } from "./memory.ts";
import {
  BATCH_MESSAGES,
  codeOf,
  copyBatch,
  headersOf,
  isSamePartitionAs,
  keyOf,
  leaderEpochOf,
  offsetOf,
  partitionOf,
  pointers,
  timestampOf,
  topicHandleOf,
  valueOf,
  valueSizeOf,
} from "./message_batch.ts";
import type { NativeHeader } from "./message_headers.ts";
import { err2str } from "./native_error.ts";
import { TopicHandleNames } from "./topic_handle_names.ts";

/** A consumed message, as the npm client expects it. */
export interface NativeMessage {
  value: Buffer | null;
  /** Absent for none. */
  headers?: NativeHeader[];
  /** The length of the value, in bytes. */
  size: number;
  key: Buffer | null;
  topic: string;
  offset: number;
  partition: number;
  /** In milliseconds since 1970; −1 for none. */
  timestamp: number;
  /** Absent for none. */
  leaderEpoch?: number;
}

/** The consumer has reached the end of a partition. */
export interface PartitionEof {
  topic: string;
  /** The offset that the next message will have. */
  offset: number;
  partition: number;
  /** The index, in the same batch, of the last message before the end; −1 for none. */
  messageIndex: number;
}

/** Why a partition, a topic or the group can't be read. */
export interface ConsumeError {
  readonly code: number;
  /** librdkafka's text, after the topic and the partition that it concerns: `emoji[0]: Fetch failed`. */
  readonly message: string;
  /** The consumer is of no further use. */
  readonly isFatal?: true;
}

/** An error, or something that follows an error in its batch and is held back until the error has been reported. */
export type HeldBack =
  | { readonly message: NativeMessage }
  | { readonly end: Omit<PartitionEof, "messageIndex"> }
  | { readonly error: ConsumeError };

/** Reads the messages of one client. */
export class MessageReader {
  readonly #topics = new TopicHandleNames();

  /**
   * Takes at most `max` messages from a queue, without waiting, and appends them to the arrays. An error has a place in the
   * order of its partition's messages: it and everything after it goes to `heldBack`.
   *
   * @returns the number of messages taken, with ends of partitions and errors; 0 if the queue is empty
   */
  take(queue: Pointer, max: number, messages: NativeMessage[], ends: PartitionEof[], heldBack: HeldBack[]): number {
    const { symbols } = openLibrary();
    const count = Number(
      symbols.rd_kafka_consume_batch_queue(queue, 0, pointers, BigInt(Math.min(max, BATCH_MESSAGES))),
    );
    if (count <= 0) return 0;
    this.#read(count, messages, ends, heldBack);
    for (let i = 0; i < count; i++) symbols.rd_kafka_message_destroy(pointers[i]!);
    return count;
  }

  #read(count: number, messages: NativeMessage[], ends: PartitionEof[], heldBack: HeldBack[]): void {
    const slab = copyBatch(count, true);
    let runEnd = 0, epoch: number | undefined;
    for (let i = 0; i < count; i++) {
      const code = codeOf(i);
      if (code === ErrorCode.NO_ERROR) {
        if (i >= runEnd) {
          runEnd = endOfRun(i, count);
          epoch = epochOfRun(i, runEnd);
        }
        const message = this.#message(i, slab, epoch ?? leaderEpochOf(i));
        if (heldBack.length === 0) messages.push(message);
        else heldBack.push({ message });
      } else if (code === ErrorCode.PARTITION_EOF) {
        const topic = this.#topics.of(topicHandleOf(i)), offset = offsetOf(i), partition = partitionOf(i);
        if (heldBack.length === 0) ends.push({ topic, offset, partition, messageIndex: messages.length - 1 });
        else heldBack.push({ end: { topic, offset, partition } });
      } else heldBack.push({ error: { code, message: this.#errorText(i, slab) } });
    }
  }

  /** The text of an error, which librdkafka stores as the message's value. */
  #errorText(index: number, slab: Buffer): string {
    const text = valueOf(index, slab)?.toString() || err2str(codeOf(index));
    const handle = topicHandleOf(index), partition = partitionOf(index);
    if (handle === 0) return text;
    const topic = this.#topics.of(handle);
    return partition < 0 ? `${topic}: ${text}` : `${topic}[${partition}]: ${text}`;
  }

  #message(index: number, slab: Buffer, epoch: number): NativeMessage {
    const value = valueOf(index, slab), size = valueSizeOf(index), key = keyOf(index, slab);
    const topic = this.#topics.of(topicHandleOf(index)), offset = offsetOf(index), partition = partitionOf(index);
    const timestamp = timestampOf(index), headers = headersOf(index);
    // Each object is made with all its properties, because a property that is added later costs another allocation.
    if (epoch < 0) {
      return headers === undefined
        ? { value, size, key, topic, offset, partition, timestamp }
        : { value, headers, size, key, topic, offset, partition, timestamp };
    }
    return headers === undefined
      ? { value, size, key, topic, offset, partition, timestamp, leaderEpoch: epoch }
      : { value, headers, size, key, topic, offset, partition, timestamp, leaderEpoch: epoch };
  }
}

/** The index behind the last of the consecutive messages that are of one partition, from `first` on. */
function endOfRun(first: number, count: number): number {
  let end = first + 1;
  while (end < count && isSamePartitionAs(first, end)) end++;
  return end;
}

/**
 * The leader epoch of all messages of a run; `undefined` if they differ. A partition's epoch never falls, so the epochs of
 * the first and the last message suffice.
 */
function epochOfRun(first: number, end: number): number | undefined {
  const epoch = leaderEpochOf(first);
  return end - first === 1 || epoch === leaderEpochOf(end - 1) ? epoch : undefined;
}
