/**
 * Values that admin requests and their answers share: options as the addon reads them, lists, nodes, errors.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { addressOf, cString, type Pointer, readCString, readText, viewOf } from "../ffi/memory.ts";
import { type NativeError, nativeError, takeError } from "../ffi/native_error.ts";
import { int64Of, intOf } from "./arguments.ts";

/** An options object of the npm client, of unknown content. */
export type Options = Readonly<Record<string, unknown>>;

/** A broker. */
export interface Node {
  id: number;
  host: string;
  port: number;
  rack?: string;
}

const ERROR_TEXT_BYTES = 512;
const DEFAULT_TIMEOUT_MS = 5000;
/** How much longer librdkafka waits than we do. */
const LONGER_MS = 500;
/** The longest request time-out that librdkafka takes. */
const MOST_TIMEOUT_MS = 3_600_000;

/** An option that is a number, as an `int`; the default for anything else. */
export function intOption(options: Options, name: string, otherwise: number): number {
  const value = options[name];
  return typeof value === "number" ? intOf(value) : otherwise;
}

/** An option that is a number, as an `int64_t`; the default for anything else. */
export function int64Option(options: Options, name: string, otherwise: bigint): bigint {
  const value = options[name];
  return typeof value === "number" ? int64Of(value) : otherwise;
}

/** An option that is true. */
export function flagOption(options: Options, name: string): boolean {
  return options[name] === true;
}

/** The option `timeout`: 5 seconds unless said. */
export function timeoutOption(options: Options): number {
  return intOption(options, "timeout", DEFAULT_TIMEOUT_MS);
}

/**
 * Sets how long librdkafka itself waits for a broker's answer: a little longer than we do. Else its own time-out,
 * which some requests report element by element, would race with ours.
 *
 * And a time-out near 0 must never reach librdkafka (seen in 2.15.1): ListOffsets and DeleteRecords start the timer,
 * then look the leaders up on the calling thread, and a timer that fires meanwhile frees what that thread still uses
 * ("double free or corruption").
 */
export function setRequestTimeout(options: Pointer, timeoutMs: number): NativeError | undefined {
  const longer = timeoutMs < 0 ? timeoutMs : Math.max(timeoutMs, Math.min(timeoutMs + LONGER_MS, MOST_TIMEOUT_MS));
  return setTimeoutOption("rd_kafka_AdminOptions_set_request_timeout", options, longer);
}

/** Sets how long the broker may take to do what is asked. */
export function setOperationTimeout(options: Pointer, timeoutMs: number): NativeError | undefined {
  return setTimeoutOption("rd_kafka_AdminOptions_set_operation_timeout", options, timeoutMs);
}

function setTimeoutOption(
  name: "rd_kafka_AdminOptions_set_request_timeout" | "rd_kafka_AdminOptions_set_operation_timeout",
  options: Pointer,
  timeoutMs: number,
): NativeError | undefined {
  const text = new Uint8Array(ERROR_TEXT_BYTES);
  const code = openLibrary().symbols[name](options, timeoutMs, text, BigInt(text.length));
  if (code === 0) return undefined;
  return nativeError(code, readText(text));
}

/** Asks for the operations that this client may do. */
export function setAuthorizedOperations(options: Pointer): NativeError | undefined {
  return takeError(openLibrary().symbols.rd_kafka_AdminOptions_set_include_authorized_operations(options, 1));
}

/** A C array of pointers. */
export function pointerArray(pointers: readonly Pointer[]): BigUint64Array<ArrayBuffer> {
  // One element at least: an empty buffer has no address.
  const array = new BigUint64Array(Math.max(1, pointers.length));
  pointers.forEach((pointer, index) => array[index] = BigInt(Deno.UnsafePointer.value(pointer)));
  return array;
}

/** A C array of strings: the pointers, and behind them in the same buffer what they point to. */
export function stringArray(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const strings = texts.map(cString);
  let end = 8 * Math.max(1, texts.length);
  const array = new Uint8Array(end + strings.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(array.buffer), address = addressOf(array);
  strings.forEach((bytes, index) => {
    view.setBigUint64(8 * index, address + BigInt(end), true);
    array.set(bytes, end);
    end += bytes.length;
  });
  return array;
}

/** Reads a C array of pointers whose length the function writes. */
export function pointersOf(call: (count: BigUint64Array<ArrayBuffer>) => Pointer): Pointer[] {
  const count = new BigUint64Array(1);
  const first = call(count);
  if (first === null) return [];
  const view = viewOf(first);
  return Array.from({ length: Number(count[0]) }, (_, index) => view.getPointer(index * 8));
}

/** Reads the operations that this client may do; `undefined` when they were not asked for. */
export function operationsOf(call: (count: BigUint64Array<ArrayBuffer>) => Pointer): number[] | undefined {
  const count = new BigUint64Array(1);
  const first = call(count);
  if (first === null) return undefined;
  const view = viewOf(first);
  return Array.from({ length: Number(count[0]) }, (_, index) => view.getInt32(index * 4));
}

/** Reads a `const rd_kafka_error_t *`, which stays whose it was. */
export function readError(error: Pointer): NativeError | undefined {
  if (error === null) return undefined;
  const { symbols } = openLibrary();
  return nativeError(symbols.rd_kafka_error_code(error), readCString(symbols.rd_kafka_error_string(error)));
}

/** Reads a broker. */
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
