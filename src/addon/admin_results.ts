/**
 * What results of several admin requests have in common: brokers, errors, authorized operations.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readCString, viewOf } from "../ffi/memory.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";

/** A broker. */
export interface Node {
  id: number;
  host: string;
  port: number;
  rack?: string;
}

/** Reads the operations that the client is authorized to do; `undefined` if the request did not ask for them. */
export function readOperations(call: (count: BigUint64Array<ArrayBuffer>) => Pointer): number[] | undefined {
  const count = new BigUint64Array(1);
  const first = call(count);
  if (first === null) return undefined;
  const view = viewOf(first);
  return Array.from({ length: Number(count[0]) }, (_, index) => view.getInt32(index * 4));
}

/** Reads an `rd_kafka_error_t` without freeing it; `undefined` for NULL. */
export function readError(error: Pointer): NativeError | undefined {
  if (error === null) return undefined;
  const { symbols } = openLibrary();
  return nativeError(symbols.rd_kafka_error_code(error), readCString(symbols.rd_kafka_error_string(error)));
}

/** Reads a broker; NULL becomes a broker with the id −1. */
export function readNode(node: Pointer): Node {
  if (node === null) return { id: -1, host: "", port: -1 };
  const { symbols } = openLibrary();
  const read: Node = {
    id: symbols.rd_kafka_Node_id(node),
    host: readCString(symbols.rd_kafka_Node_host(node)),
    port: symbols.rd_kafka_Node_port(node),
  };
  const rack = symbols.rd_kafka_Node_rack(node);
  if (rack !== null) read.rack = readCString(rack);
  return read;
}
