/**
 * Reports that a broker throttles a client, which librdkafka does by a C callback and not by an event.
 *
 * librdkafka calls it inside `rd_kafka_queue_poll`, on the thread that polls. `pollWithThrottles` polls on JavaScript's
 * thread, and no other thread may serve those queues. (`rd_kafka_flush` would, on a thread of its own, if delivery
 * reports were not taken as events.)
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readCString } from "../ffi/memory.ts";
import { err2str } from "../ffi/native_error.ts";

/** The data of `event.throttle`. */
export interface ThrottleEvent {
  /** librdkafka's text for "no error", as in the native addon. */
  readonly message: string;
  /** How long the broker makes the client wait, in milliseconds; 0 when throttling ends. */
  readonly throttleTime: number;
  /** The broker's address. */
  readonly brokerName: string;
  /** The broker's number. */
  readonly brokerId: number;
}

const SIGNATURE = { parameters: ["pointer", "pointer", "i32", "i32", "pointer"], result: "void" } as const;

/** What was reported during the present poll. It reaches the program after C has returned. */
const reported: ThrottleEvent[] = [];
/** The C callback, shared by all clients: what is reported during a poll belongs to the client that polls. */
let shared: Deno.UnsafeCallback<typeof SIGNATURE> | undefined;
let clients = 0;

/** Enables throttle events in a client's configuration. Undo it with `disableThrottleEvents` when its handle is gone. */
export function enableThrottleEvents(conf: Pointer): void {
  clients++;
  shared ??= new Deno.UnsafeCallback(SIGNATURE, (_rk, name, brokerId, throttleTime) => {
    reported.push({ message: err2str(0), throttleTime, brokerName: readCString(name), brokerId });
  });
  openLibrary().symbols.rd_kafka_conf_set_throttle_cb(conf, shared.pointer);
}

/** Undoes `enableThrottleEvents` for one client. */
export function disableThrottleEvents(): void {
  if (--clients > 0) return;
  shared?.close();
  shared = undefined;
}

/** Takes an event from a queue without waiting, and passes the throttle events that were reported meanwhile to `emit`. */
export function pollWithThrottles(queue: Pointer, emit: (event: ThrottleEvent) => void): Pointer {
  const event = openLibrary().symbols.rd_kafka_queue_poll(queue, 0);
  if (reported.length > 0) { for (const throttle of reported.splice(0)) emit(throttle); }
  return event;
}
