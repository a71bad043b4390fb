/**
 * Commits of offsets, and the callbacks that receive their results.
 *
 * @module
 */

import { callAndReport } from "./call_and_report.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import {
  callbackPartitions,
  type PartitionInput,
  type PartitionResult,
  readList,
  withList,
} from "../ffi/topic_partitions.ts";
import type { TopicPartition } from "../ffi/topic_partitions.ts";

/**
 * Receives the result of a commit: the code of the whole commit, and each partition with its own code. The group may
 * refuse some of the partitions although the commit as a whole succeeds.
 */
export type CommitResultCallback = (code: number, partitions: readonly PartitionResult[]) => void;

/**
 * `offset_commit_cb`, called after each commit, also after automatic ones. The native addon passes no errors of single
 * partitions. A callback with the property `results` gets them: `results` is called in its place.
 */
export interface CommitCallback {
  (code: number | undefined, partitions: TopicPartition[]): void;
  results?: CommitResultCallback;
}

/** The commits of one consumer. */
export class Commits {
  /** Callbacks of commits that are not answered yet, by the number that goes to librdkafka with each commit. */
  readonly #callbacks = new Map<number, CommitResultCallback>();
  #lastNumber = 0;
  readonly #offsetCommitCb: () => CommitCallback | undefined;
  readonly #serveLater: (event: Pointer) => void;

  /**
   * @param offsetCommitCb The program's `offset_commit_cb`, if it has one.
   * @param serveLater Passes an event to `serve` when the program consumes.
   */
  constructor(offsetCommitCb: () => CommitCallback | undefined, serveLater: (event: Pointer) => void) {
    this.#offsetCommitCb = offsetCommitCb;
    this.#serveLater = serveLater;
  }

  /** Sends a commit; its result arrives as an event on `queue`. (`rd_kafka_commit` would call a C callback instead.) */
  send(rk: Pointer, list: Pointer, queue: Pointer): number {
    return openLibrary().symbols.rd_kafka_commit_queue(rk, list, queue, null, null);
  }

  /** Sends a commit and waits for its result. `offset_commit_cb` receives the result, too, when the program consumes. */
  sendAndWait(rk: Pointer, list: Pointer): number {
    const { symbols } = openLibrary();
    if (this.#offsetCommitCb() === undefined) return symbols.rd_kafka_commit(rk, list, 0);
    const queue = symbols.rd_kafka_queue_new(rk);
    try {
      const refused = this.send(rk, list, queue);
      if (refused !== ErrorCode.NO_ERROR) return refused;
      const event = symbols.rd_kafka_queue_poll(queue, -1);
      const code = symbols.rd_kafka_event_error(event);
      this.#serveLater(event);
      return code;
    } finally {
      symbols.rd_kafka_queue_destroy(queue);
    }
  }

  /** Sends a commit whose result goes to `callback`, and not to `offset_commit_cb`. */
  sendWithResult(
    rk: Pointer,
    partitions: readonly PartitionInput[],
    queue: Pointer,
    callback: CommitResultCallback,
  ): void {
    const number = ++this.#lastNumber;
    const code = withList(partitions, (list) => {
      const opaque = Deno.UnsafePointer.create(BigInt(number));
      return openLibrary().symbols.rd_kafka_commit_queue(rk, list, queue, null, opaque);
    });
    if (code === ErrorCode.NO_ERROR) this.#callbacks.set(number, callback);
    else callback(code, []);
  }

  /** Passes the result of a commit to its callback. */
  serve(code: number, event: Pointer): void {
    const { symbols } = openLibrary();
    const partitions = readList(symbols.rd_kafka_event_topic_partition_list(event));
    const opaque = symbols.rd_kafka_event_opaque(event);
    if (opaque === null) {
      this.#callOffsetCommitCb(code, partitions);
      return;
    }
    const number = Number(Deno.UnsafePointer.value(opaque)), callback = this.#callbacks.get(number);
    this.#callbacks.delete(number);
    if (callback !== undefined) callAndReport(() => callback(code, partitions));
  }

  #callOffsetCommitCb(code: number, partitions: PartitionResult[]): void {
    const callback = this.#offsetCommitCb();
    if (callback?.results !== undefined) callAndReport(() => callback.results!(code, partitions));
    else {callAndReport(() =>
        callback?.(code === ErrorCode.NO_ERROR ? undefined : code, callbackPartitions(partitions))
      );}
  }

  /** Answers `DESTROY` to all commits that are not answered yet: the handle goes. */
  close(): void {
    for (const callback of this.#callbacks.values()) callAndReport(() => callback(ErrorCode.DESTROY, []));
    this.#callbacks.clear();
  }
}
