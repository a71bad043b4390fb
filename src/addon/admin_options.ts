/**
 * Options of admin requests: read from the program's options object as the native addon does, and set in librdkafka's
 * `rd_kafka_AdminOptions_t`.
 *
 * @module
 */

import { toInt32, toInt64 } from "./arguments.ts";
import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readText } from "../ffi/memory.ts";
import { type NativeError, nativeError, takeError } from "../ffi/native_error.ts";

/** An options object of the program, with unknown content. */
export type Options = Readonly<Record<string, unknown>>;

const ERROR_TEXT_BYTES = 512;
const DEFAULT_TIMEOUT_MS = 5000;
/** How much longer than the addon librdkafka waits for an answer. */
const EXTRA_TIMEOUT_MS = 500;
/** The longest request time-out that librdkafka takes. */
const MAX_TIMEOUT_MS = 3_600_000;

/** An option as an `int`; `absent` if it is not a number. */
export function intOption(options: Options, name: string, absent: number): number {
  const value = options[name];
  return typeof value === "number" ? toInt32(value) : absent;
}

/** An option as an `int64_t`; `absent` if it is not a number. */
export function int64Option(options: Options, name: string, absent: bigint): bigint {
  const value = options[name];
  return typeof value === "number" ? toInt64(value) : absent;
}

/** Whether an option is `true`. */
export function flagOption(options: Options, name: string): boolean {
  return options[name] === true;
}

/** The option `timeout` in milliseconds: 5,000 by default. */
export function timeoutOption(options: Options): number {
  return intOption(options, "timeout", DEFAULT_TIMEOUT_MS);
}

/** A C array of `int`. */
export interface IntArray {
  readonly buffer: Int32Array<ArrayBuffer>;
  readonly count: bigint;
}

/** An option that is an array of numbers, without those that are not `isKnown`; `undefined` if the option is absent. */
export function intsOption(options: Options, name: string, isKnown: (value: number) => boolean): IntArray | undefined {
  if (!(name in options)) return undefined;
  const value = options[name];
  const numbers = (Array.isArray(value) ? value : []).map((element) => Math.trunc(Number(element)) || 0).filter(
    isKnown,
  );
  const buffer = new Int32Array(Math.max(1, numbers.length));
  buffer.set(numbers);
  return { buffer, count: BigInt(numbers.length) };
}

/**
 * Sets how long librdkafka waits for a broker's answer: longer than the addon itself does. With the same time-out, the two
 * would race, and some requests report librdkafka's time-out for each element and not for the whole.
 *
 * A time-out near 0 must not reach librdkafka (seen in 2.15.1). The events: ListOffsets or DeleteRecords starts the
 * timer, and looks for the leaders on the calling thread; the timer fires, and its thread frees what the calling thread
 * still uses ("double free or corruption").
 */
export function setRequestTimeout(options: Pointer, timeoutMs: number): NativeError | undefined {
  const longer = timeoutMs < 0
    ? timeoutMs
    : Math.max(timeoutMs, Math.min(timeoutMs + EXTRA_TIMEOUT_MS, MAX_TIMEOUT_MS));
  return setTimeoutOption("rd_kafka_AdminOptions_set_request_timeout", options, longer);
}

/** Sets how long the broker may take for the operation itself. */
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

/** Asks for the operations that the client is authorized to do. */
export function setAuthorizedOperations(options: Pointer): NativeError | undefined {
  return takeError(openLibrary().symbols.rd_kafka_AdminOptions_set_include_authorized_operations(options, 1));
}
