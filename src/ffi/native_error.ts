/**
 * librdkafka's errors as the npm client expects them.
 *
 * @module
 */

import { openLibrary } from "./library.ts";
import { type Pointer, readCString } from "./memory.ts";

/** The object that the package's addon passes to callbacks for an error. */
export interface NativeError {
  /** librdkafka's text. */
  readonly message: string;
  /** librdkafka's code (`rd_kafka_resp_err_t`): negative for its own errors, positive for the broker's. */
  readonly code: number;
}

/** librdkafka's text for a code. Opens the library. */
export function err2str(code: number): string {
  return readCString(openLibrary().symbols.rd_kafka_err2str(code));
}

/** The error object for a code. */
export function nativeError(code: number, message: string = err2str(code)): NativeError {
  return { message, code };
}

/** An error of a transactional call, with what the program must do about it. */
export interface TransactionError extends NativeError {
  /** The producer is of no further use: the program must make a new one. */
  readonly isFatal: boolean;
  /** The program may make the same call again. */
  readonly isRetriable: boolean;
  /** The program must abort the transaction, and may begin another. */
  readonly isTxnRequiresAbort: boolean;
}

/** Reads the `rd_kafka_error_t` of a transactional call, and frees it. `undefined` for NULL, which is success. */
export function takeTransactionError(error: Pointer): TransactionError | undefined {
  if (error === null) return undefined;
  const { symbols } = openLibrary();
  // Read before takeError() frees it.
  const isFatal = symbols.rd_kafka_error_is_fatal(error) !== 0;
  const isRetriable = symbols.rd_kafka_error_is_retriable(error) !== 0;
  const isTxnRequiresAbort = symbols.rd_kafka_error_txn_requires_abort(error) !== 0;
  return { ...takeError(error)!, isFatal, isRetriable, isTxnRequiresAbort };
}

/** Reads a `rd_kafka_error_t`, and frees it. `undefined` for NULL, which is success. */
export function takeError(error: Pointer): NativeError | undefined {
  if (error === null) return undefined;
  const { symbols } = openLibrary();
  const taken = nativeError(symbols.rd_kafka_error_code(error), readCString(symbols.rd_kafka_error_string(error)));
  symbols.rd_kafka_error_destroy(error);
  return taken;
}
