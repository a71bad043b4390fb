/**
 * librdkafka's events, read as `event_cb` of the npm client takes them.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { OutPointer, type Pointer, readCString } from "../ffi/memory.ts";
import { err2str } from "../ffi/native_error.ts";

/** librdkafka's event types, `RD_KAFKA_EVENT_…`. */
export const EVENT = {
  DR: 0x1,
  LOG: 0x4,
  ERROR: 0x8,
  REBALANCE: 0x10,
  OFFSET_COMMIT: 0x20,
  STATS: 0x40,
  OAUTHBEARER_TOKEN_REFRESH: 0x100,
} as const;

/** A line of librdkafka's log. */
export interface LogEvent {
  /** The level, as in syslog: 0 (emergency) to 7 (debug). */
  readonly severity: number;
  /** The facility: librdkafka's name for the part that logs. */
  readonly fac: string;
  readonly message: string;
  /** The client's name. */
  readonly name: string;
}

/** An error of the whole client. */
export type ErrorEvent = Error & { readonly code: number; readonly isFatal?: true };

/** Reads a log event; `undefined` if librdkafka can't. */
export function readLogEvent(event: Pointer, name: string): LogEvent | undefined {
  const facility = new OutPointer(), text = new OutPointer(), level = new Int32Array(1);
  if (openLibrary().symbols.rd_kafka_event_log(event, facility.buffer, text.buffer, level) !== 0) return undefined;
  return { severity: level[0]!, fac: readCString(facility.value), message: readCString(text.value), name };
}

/** Reads an error event. */
export function readErrorEvent(event: Pointer): ErrorEvent {
  const { symbols } = openLibrary();
  const code = symbols.rd_kafka_event_error(event);
  if (symbols.rd_kafka_event_error_is_fatal(event) === 0) return Object.assign(new Error(err2str(code)), { code });
  const text = readCString(symbols.rd_kafka_event_error_string(event));
  return Object.assign(new Error(text), { code, isFatal: true as const });
}

/** Reads a statistics event: librdkafka's JSON text. */
export function readStatistics(event: Pointer): { readonly message: string } {
  return { message: readCString(openLibrary().symbols.rd_kafka_event_stats(event)) };
}
