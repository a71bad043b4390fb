/**
 * Brokers that slow a client down, which librdkafka tells by a C callback and by no event.
 *
 * The callback runs inside `rd_kafka_queue_poll`, on whatever thread polls: `pollHearingThrottles` does so
 * on JavaScript's. Nothing else may serve those queues: `rd_kafka_flush` would, on a thread of its own, if delivery
 * reports were not taken as events.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readCString } from "../ffi/memory.ts";
import { err2str } from "../ffi/native_error.ts";

/** What `event.throttle` carries. */
export interface Throttle {
  /** librdkafka's text for "no error", as in the addon. */
  readonly message: string;
  /** How long the broker makes the client wait, in milliseconds; 0 when it is over. */
  readonly throttleTime: number;
  /** The broker's address. */
  readonly brokerName: string;
  /** The broker's number. */
  readonly brokerId: number;
}

const SIGNATURE = { parameters: ["pointer", "pointer", "i32", "i32", "pointer"], result: "void" } as const;

/** What came while a queue was polled. The program hears of it after C has returned. */
const heard: Throttle[] = [];
/** One for all clients, as long as there is one: they tell each other apart by who polls. */
let shared: Deno.UnsafeCallback<typeof SIGNATURE> | undefined;
let clients = 0;

/** Lets a client's configuration hear of throttling; to be released when its handle is gone, or was not made. */
export function listenForThrottles(conf: Pointer): void {
  clients++;
  shared ??= new Deno.UnsafeCallback(SIGNATURE, (_rk, name, brokerId, throttleTime) => {
    heard.push({ message: err2str(0), throttleTime, brokerName: readCString(name), brokerId });
  });
  openLibrary().symbols.rd_kafka_conf_set_throttle_cb(conf, shared.pointer);
}

/** Undoes `listenForThrottles`. */
export function releaseThrottles(): void {
  if (--clients > 0) return;
  shared?.close();
  shared = undefined;
}

/** Takes an event from a queue, and hands on what brokers said of throttling before it, now or later. */
export function pollHearingThrottles(
  queue: Pointer,
  tell: (throttle: Throttle) => void,
  run: (call: () => unknown) => void,
): Pointer {
  const event = openLibrary().symbols.rd_kafka_queue_poll(queue, 0);
  if (heard.length > 0) { for (const throttle of heard.splice(0)) run(() => tell(throttle)); }
  return event;
}
