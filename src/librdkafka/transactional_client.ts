/**
 * The transactional half of the addon's `Producer`.
 *
 * @module
 */

import { blocking } from "./blocking.ts";
import { type Callback, Client } from "./client.ts";
import { partitionsOf } from "./given_partitions.ts";
import { KafkaConsumer } from "./kafka_consumer.ts";
import { openLibrary } from "./library.ts";
import type { Pointer } from "./memory.ts";
import { CODES, err2str, nativeError, takeError, takeTransactionError, type TransactionError } from "./native_error.ts";
import { type TopicPartition, withList } from "./topic_partitions.ts";

/** A client that can have transactions. */
export abstract class TransactionalClient extends Client {
  /** Runs what waits for reports to be taken, and takes them meanwhile. */
  protected abstract flushing<T>(work: () => Promise<T>): Promise<T>;
  /** Takes and tells the reports that are there. */
  protected abstract takeReports(): Promise<void>;

  initTransactions(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_init_transactions_async(rk, timeoutMs | 0));
  }

  beginTransaction(callback: Callback): null {
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    return this.call(callback, async (rk) => {
      const error = await blocking(() => openLibrary().symbols.rd_kafka_begin_transaction_async(rk));
      // The one transactional call whose error has no marks.
      return takeError(error) ?? { result: undefined };
    });
  }

  commitTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_commit_transaction_async(rk, timeoutMs | 0));
  }

  abortTransaction(timeoutMs: number, callback: Callback): null {
    checkWait(timeoutMs, callback);
    return this.#transact(callback, (rk) => openLibrary().symbols.rd_kafka_abort_transaction_async(rk, timeoutMs | 0));
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
    return this.#transact(callback, (rk) =>
      this.borrow(consumer, async (group) => {
        const { symbols } = openLibrary();
        const metadata = group === null ? null : await symbols.rd_kafka_consumer_group_metadata_async(group);
        if (metadata === null) return notConnected(err2str(CODES.STATE));
        try {
          return await withList(
            partitions,
            (list) => symbols.rd_kafka_send_offsets_to_transaction_async(rk, list, metadata, timeoutMs | 0),
          );
        } finally {
          symbols.rd_kafka_consumer_group_metadata_destroy(metadata);
        }
      }));
  }

  /** A call is made whole, not in slices: another call between two slices would take its place. */
  #transact(callback: Callback, call: (rk: Pointer) => Promise<Pointer | TransactionError>): null {
    if (!this.connected) {
      setImmediate(() => callback(notConnected("")));
      return null;
    }
    // A commit flushes, and librdkafka then waits for the reports to be taken.
    return this.call(callback, (rk) =>
      this.flushing(async () => {
        const error = await blocking(() => call(rk));
        const taken = error !== null && "code" in error ? error : takeTransactionError(error);
        await this.takeReports();
        return taken ?? { result: undefined };
      }));
  }
}

function checkWait(timeoutMs: number, callback: Callback): void {
  if (typeof timeoutMs !== "number" || typeof callback !== "function") {
    throw new Error("Need to specify a timeout and a callback");
  }
}

/** As the addon answers transactional calls of a producer that is not connected: without a word. */
function notConnected(message: string): TransactionError {
  return { ...nativeError(CODES.STATE, message), isFatal: false, isRetriable: false, isTxnRequiresAbort: false };
}
