/**
 * The transactional half of the addon's `Producer`.
 *
 * @module
 */

import { type Callback, Client } from "./client.ts";
import type { ConfObject } from "../ffi/client_conf.ts";
import { partitionsOf } from "./partition_arguments.ts";
import { KafkaConsumer } from "./kafka_consumer.ts";
import { Semaphore } from "../ffi/semaphore.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, nativeError, takeError, takeTransactionError, type TransactionError } from "../ffi/native_error.ts";
import { type TopicPartition, withList } from "../ffi/topic_partitions.ts";

/**
 * Limits of the one transactional call that can't be resumed, and so holds a thread until it is answered or its time is
 * out. Each cluster has few of all, so that one that hangs keeps no other waiting.
 */
const SENDING_OFFSETS = { all: 12, ofCluster: 4 } as const;
const sendingOffsets = new Semaphore(SENDING_OFFSETS.all);
const sendingOffsetsTo = new Map<string, Semaphore>();

/** librdkafka's own default. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/** librdkafka's names for its transactional calls. */
type Call =
  | "init_transactions"
  | "begin_transaction"
  | "send_offsets_to_transaction"
  | "commit_transaction"
  | "abort_transaction";

/** A client that can have transactions. */
export abstract class TransactionalClient extends Client {
  readonly #transactionTimeoutMs: number;
  readonly #cluster: string;
  /** The call that is being made. librdkafka knows of none between its slices. */
  #making: Call | undefined;

  constructor(globalConf: unknown, topicConf: unknown) {
    super("producer", globalConf, topicConf);
    const conf = globalConf as ConfObject;
    this.#transactionTimeoutMs = Number(conf["transaction.timeout.ms"] ?? TRANSACTION_TIMEOUT_MS);
    this.#cluster = `${conf["bootstrap.servers"] ?? conf["metadata.broker.list"]}`;
  }

  /** Runs what waits for reports to be taken, and takes them meanwhile. */
  protected abstract flushing<T>(work: () => Promise<T>): Promise<T>;
  /** Takes and tells the reports that are there. */
  protected abstract takeReports(): Promise<void>;

  initTransactions(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    // librdkafka's own bound of a call without one.
    const waitMs = (timeoutMs | 0) < 0 ? 2 * this.#transactionTimeoutMs : timeoutMs | 0;
    return this.#resume("init_transactions", waitMs, callback, openLibrary().symbols.rd_kafka_init_transactions_async);
  }

  beginTransaction(callback: Callback): null {
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    return this.call(callback, async (rk) => {
      // The one transactional call whose error has no marks.
      const conflict = this.#conflict("begin_transaction");
      if (conflict !== undefined) return nativeError(conflict.code, conflict.message);
      const error = await this.blocking.run(() => openLibrary().symbols.rd_kafka_begin_transaction_async(rk));
      return takeError(error) ?? { result: undefined };
    });
  }

  commitTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    const { symbols } = openLibrary();
    return this.#resume("commit_transaction", timeoutMs | 0, callback, symbols.rd_kafka_commit_transaction_async);
  }

  abortTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    const { symbols } = openLibrary();
    return this.#resume("abort_transaction", timeoutMs | 0, callback, symbols.rd_kafka_abort_transaction_async);
  }

  sendOffsetsToTransaction(
    offsets: TopicPartition[],
    consumer: KafkaConsumer,
    timeoutMs: number,
    callback: Callback,
  ): null {
    if (arguments.length < 4) {
      throw new Error("Need to specify offsets, consumer, timeout for 'send offsets to transaction', and callback");
    }
    if (!Array.isArray(offsets)) {
      throw new Error("First argument to 'send offsets to transaction' has to be a consumer object");
    }
    if (!(consumer instanceof KafkaConsumer)) throw new Error("Kafka consumer must be provided");
    if (typeof timeoutMs !== "number") throw new Error("Timeout must be provided");
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    const partitions = this.connected ? partitionsOf(offsets) : [];
    return this.#transact("send_offsets_to_transaction", callback, (rk) =>
      this.borrow(consumer, async (group) => {
        const { symbols } = openLibrary();
        const leftMs = group === null ? 0 : await this.blocking.untilConnected(timeoutMs | 0);
        const metadata = group === null
          ? null
          : await this.blocking.run(() => symbols.rd_kafka_consumer_group_metadata_async(group));
        if (metadata === null) return notConnected(err2str(ErrorCode.STATE));
        try {
          return await withList(
            partitions,
            async (list) =>
              takeTransactionError(
                await this.#sendingOffsets(() =>
                  symbols.rd_kafka_send_offsets_to_transaction_async(rk, list, metadata, leftMs)
                ),
              ),
          );
        } finally {
          symbols.rd_kafka_consumer_group_metadata_destroy(metadata);
        }
      }));
  }

  #sendingOffsets<T>(call: () => Promise<T>): Promise<T> {
    let own = sendingOffsetsTo.get(this.#cluster);
    if (own === undefined) sendingOffsetsTo.set(this.#cluster, own = new Semaphore(SENDING_OFFSETS.ofCluster));
    return own.run(() => sendingOffsets.run(call));
  }

  /** Makes a call in slices: when its time is out librdkafka goes on, and the same call waits on. */
  #resume(
    name: Call,
    timeoutMs: number,
    callback: Callback,
    call: (rk: Pointer, sliceMs: number) => Promise<Pointer>,
  ): null {
    return this.#transact(name, callback, (rk) =>
      this.blocking.resume(timeoutMs, async (sliceMs) => {
        const began = performance.now();
        const answer = takeTransactionError(await call(rk, sliceMs));
        // An error that comes before the time is out is the program's to retry.
        const isOutOfTime = answer?.isRetriable === true && performance.now() - began > sliceMs - 2;
        return { answer, isAnswered: !isOutOfTime };
      }));
  }

  #transact(name: Call, callback: Callback, call: (rk: Pointer) => Promise<TransactionError | undefined>): null {
    if (!this.connected) {
      setImmediate(() => callback(notConnected("")));
      return null;
    }
    // A commit flushes, and librdkafka then waits for the reports to be taken.
    return this.call(callback, (rk) =>
      this.flushing(async () => {
        const conflict = this.#conflict(name);
        if (conflict !== undefined) return conflict;
        this.#making = name;
        try {
          const error = await call(rk);
          await this.takeReports();
          return error ?? { result: undefined };
        } finally {
          this.#making = undefined;
        }
      }));
  }

  /** What librdkafka answers while another call, or the same one, is made. */
  #conflict(name: Call): TransactionError | undefined {
    const making = this.#making;
    if (making === undefined) return undefined;
    const error = making === name
      ? nativeError(ErrorCode.PREV_IN_PROGRESS, `Simultaneous ${making} API calls not allowed`)
      : nativeError(ErrorCode.CONFLICT, `Conflicting ${making} API call is already in progress`);
    return { ...error, isFatal: false, isRetriable: true, isTxnRequiresAbort: false };
  }
}

function checkWait(timeoutMs: number, callback: Callback): void {
  if (typeof timeoutMs !== "number" || typeof callback !== "function") {
    throw new Error("Need to specify a timeout and a callback");
  }
}

/** As the addon answers transactional calls of a producer that is not connected: without a word. */
function notConnected(message: string): TransactionError {
  return { ...nativeError(ErrorCode.STATE, message), isFatal: false, isRetriable: false, isTxnRequiresAbort: false };
}
