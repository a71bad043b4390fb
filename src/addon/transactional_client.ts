/**
 * The transactions of the addon's `Producer`.
 *
 * @module
 */

import { requireArray, requireCount, requireFunction, requireNumber } from "./arguments.ts";
import type { Callback } from "./client_handle.ts";
import { KafkaConsumer } from "./kafka_consumer.ts";
import { NativeClient } from "./native_client.ts";
import { toPartitions } from "./partition_arguments.ts";
import type { ConfObject } from "../ffi/client_conf.ts";
import { Semaphore } from "../ffi/semaphore.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, nativeError, takeError, takeTransactionError, type TransactionError } from "../ffi/native_error.ts";
import { type TopicPartition, withList } from "../ffi/topic_partitions.ts";

/**
 * How many calls of `rd_kafka_send_offsets_to_transaction` may run at a time. It is the one transactional call that
 * librdkafka can't resume, so it holds a thread until it is answered or its time is over. The limit for each cluster lets
 * the calls to other clusters go on while one cluster does not answer.
 */
const MAX_SENDS = { inAll: 12, toCluster: 4 } as const;
const sends = new Semaphore(MAX_SENDS.inAll);
const sendsToCluster = new Map<string, Semaphore>();

/** librdkafka's default of `transaction.timeout.ms`. */
const DEFAULT_TRANSACTION_TIMEOUT_MS = 60_000;

/** librdkafka's names of its transactional calls, which appear in its errors. */
type CallName =
  | "init_transactions"
  | "begin_transaction"
  | "send_offsets_to_transaction"
  | "commit_transaction"
  | "abort_transaction";

/** A client that has transactions. */
export abstract class TransactionalClient extends NativeClient {
  readonly #transactionTimeoutMs: number;
  readonly #cluster: string;
  /**
   * The transactional call that is under way. A call is made in slices, and between two of them librdkafka takes any other
   * call: so the check against simultaneous calls is made here.
   */
  #underWay: CallName | undefined;

  constructor(globalConf: unknown, topicConf: unknown) {
    super("producer", globalConf, topicConf);
    const conf = globalConf as ConfObject;
    this.#transactionTimeoutMs = Number(conf["transaction.timeout.ms"] ?? DEFAULT_TRANSACTION_TIMEOUT_MS);
    this.#cluster = `${conf["bootstrap.servers"] ?? conf["metadata.broker.list"]}`;
  }

  /** Runs work that waits for delivery reports to be served, and serves them meanwhile. */
  protected abstract whileServingReports<T>(work: () => Promise<T>): Promise<T>;
  /** Serves the reports that are there. */
  protected abstract serveReports(): Promise<void>;

  initTransactions(timeoutMs: number, callback: Callback): null {
    requireTimeoutAndCallback(timeoutMs, callback);
    // librdkafka's own time-out, where the program sets none.
    const waitMs = (timeoutMs | 0) < 0 ? 2 * this.#transactionTimeoutMs : timeoutMs | 0;
    return this.#resume("init_transactions", waitMs, callback, openLibrary().symbols.rd_kafka_init_transactions_async);
  }

  beginTransaction(callback: Callback): null {
    requireFunction(callback, "Need to specify a callback");
    return this.call(callback, async (rk) => {
      // The errors of this transactional call have no flags (isFatal and so on), as in the native addon.
      const conflict = this.#conflict("begin_transaction");
      if (conflict !== undefined) return nativeError(conflict.code, conflict.message);
      const error = await this.blocking.run(() => openLibrary().symbols.rd_kafka_begin_transaction_async(rk));
      return takeError(error) ?? { result: undefined };
    });
  }

  commitTransaction(timeoutMs: number, callback: Callback): null {
    requireTimeoutAndCallback(timeoutMs, callback);
    const { symbols } = openLibrary();
    return this.#resume("commit_transaction", timeoutMs | 0, callback, symbols.rd_kafka_commit_transaction_async);
  }

  abortTransaction(timeoutMs: number, callback: Callback): null {
    requireTimeoutAndCallback(timeoutMs, callback);
    const { symbols } = openLibrary();
    return this.#resume("abort_transaction", timeoutMs | 0, callback, symbols.rd_kafka_abort_transaction_async);
  }

  sendOffsetsToTransaction(
    offsets: TopicPartition[],
    consumer: KafkaConsumer,
    timeoutMs: number,
    callback: Callback,
  ): null {
    requireCount(
      arguments.length,
      4,
      "Need to specify offsets, consumer, timeout for 'send offsets to transaction', and callback",
    );
    requireArray(offsets, "First argument to 'send offsets to transaction' has to be a consumer object");
    if (!(consumer instanceof KafkaConsumer)) throw new Error("Kafka consumer must be provided");
    requireNumber(timeoutMs, "Timeout must be provided");
    requireFunction(callback, "Need to specify a callback");
    const partitions = this.connected ? toPartitions(offsets) : [];
    return this.#transact("send_offsets_to_transaction", callback, (rk) =>
      this.borrow(consumer, async (group) => {
        const { symbols } = openLibrary();
        const remainingMs = group === null ? 0 : await this.blocking.untilConnected(timeoutMs | 0);
        const metadata = group === null
          ? null
          : await this.blocking.run(() => symbols.rd_kafka_consumer_group_metadata_async(group));
        if (metadata === null) return notConnected(err2str(ErrorCode.STATE));
        try {
          return await withList(
            partitions,
            async (list) =>
              takeTransactionError(
                await this.#limitSends(() =>
                  symbols.rd_kafka_send_offsets_to_transaction_async(rk, list, metadata, remainingMs)
                ),
              ),
          );
        } finally {
          symbols.rd_kafka_consumer_group_metadata_destroy(metadata);
        }
      }));
  }

  #limitSends<T>(call: () => Promise<T>): Promise<T> {
    let ofCluster = sendsToCluster.get(this.#cluster);
    if (ofCluster === undefined) sendsToCluster.set(this.#cluster, ofCluster = new Semaphore(MAX_SENDS.toCluster));
    return ofCluster.run(() => sends.run(call));
  }

  /** Makes a call in slices. When the time of a slice is over, librdkafka continues, and the next slice waits for it. */
  #resume(
    name: CallName,
    timeoutMs: number,
    callback: Callback,
    call: (rk: Pointer, sliceMs: number) => Promise<Pointer>,
  ): null {
    return this.#transact(name, callback, (rk) =>
      this.blocking.resume(timeoutMs, async (sliceMs) => {
        const began = performance.now();
        const answer = takeTransactionError(await call(rk, sliceMs));
        // A retriable error that comes before the time is over is an answer: the program decides about a retry.
        const isOutOfTime = answer?.isRetriable === true && performance.now() - began > sliceMs - 2;
        return { answer, isAnswered: !isOutOfTime };
      }));
  }

  #transact(name: CallName, callback: Callback, call: (rk: Pointer) => Promise<TransactionError | undefined>): null {
    if (!this.connected) {
      setImmediate(() => callback(notConnected("")));
      return null;
    }
    // A commit flushes: librdkafka waits until the program has taken the delivery reports.
    return this.call(callback, (rk) =>
      this.whileServingReports(async () => {
        const conflict = this.#conflict(name);
        if (conflict !== undefined) return conflict;
        this.#underWay = name;
        try {
          const error = await call(rk);
          await this.serveReports();
          return error ?? { result: undefined };
        } finally {
          this.#underWay = undefined;
        }
      }));
  }

  /** The error of librdkafka for a call that is made while another one, or the same one, is under way. */
  #conflict(name: CallName): TransactionError | undefined {
    const underWay = this.#underWay;
    if (underWay === undefined) return undefined;
    const error = underWay === name
      ? nativeError(ErrorCode.PREV_IN_PROGRESS, `Simultaneous ${underWay} API calls not allowed`)
      : nativeError(ErrorCode.CONFLICT, `Conflicting ${underWay} API call is already in progress`);
    return { ...error, isFatal: false, isRetriable: true, isTxnRequiresAbort: false };
  }
}

/**
 * Checks the two arguments of the calls that wait for a broker.
 *
 * @throws {Error} If they are not a number and a function.
 */
export function requireTimeoutAndCallback(timeoutMs: number, callback: Callback): void {
  requireNumber(timeoutMs, "Need to specify a timeout and a callback");
  requireFunction(callback, "Need to specify a timeout and a callback");
}

/** The error of a transactional call of a producer that is not connected; the native addon leaves the text empty. */
function notConnected(message: string): TransactionError {
  return { ...nativeError(ErrorCode.STATE, message), isFatal: false, isRetriable: false, isTxnRequiresAbort: false };
}
