/**
 * One admin request: it is sent to librdkafka with a queue of its own, on which the event with its result arrives.
 *
 * @module
 */

import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";
import { type IoEventListener, ioEvents } from "../ffi/io_events.ts";

/** The result of a request, or why there is none. */
export type Answer<T> = NativeError | { readonly result: T };

type Symbols = ReturnType<typeof openLibrary>["symbols"];

/** librdkafka's `rd_kafka_admin_op_t`. */
export const ADMIN_OP = {
  CREATE_TOPICS: 1,
  DELETE_TOPICS: 2,
  CREATE_PARTITIONS: 3,
  DELETE_RECORDS: 6,
  DELETE_GROUPS: 7,
  LIST_CONSUMER_GROUPS: 12,
  DESCRIBE_CONSUMER_GROUPS: 13,
  LIST_CONSUMER_GROUP_OFFSETS: 14,
  DESCRIBE_TOPICS: 19,
  LIST_OFFSETS: 21,
} as const;

/** librdkafka's event types of results, `RD_KAFKA_EVENT_…_RESULT`. */
export const ADMIN_EVENT = {
  CREATE_TOPICS: 100,
  DELETE_TOPICS: 101,
  CREATE_PARTITIONS: 102,
  DELETE_RECORDS: 105,
  DELETE_GROUPS: 106,
  LIST_CONSUMER_GROUPS: 0x2000,
  DESCRIBE_CONSUMER_GROUPS: 0x4000,
  LIST_CONSUMER_GROUP_OFFSETS: 0x8000,
  DESCRIBE_TOPICS: 0x100000,
  LIST_OFFSETS: 0x400000,
} as const;

/** A request with everything that is needed to send it and to read its result. */
export interface AdminRequest<T> {
  /** Its name in `ADMIN_OP` and `ADMIN_EVENT`. */
  readonly kind: keyof typeof ADMIN_OP;
  /** How long to wait for the result, in milliseconds; negative for as long as librdkafka waits. */
  readonly timeoutMs: number;
  /** Sets the request's options; returns librdkafka's error if it refuses one. */
  readonly configure?: (options: Pointer) => NativeError | undefined;
  /** Passes the request to librdkafka, which copies it. */
  readonly send: (rk: Pointer, options: Pointer, queue: Pointer) => void;
  /** Reads the result from an event that has no error. */
  readonly read: (event: Pointer) => Answer<T>;
}

/**
 * Sends a request.
 *
 * @param isClosing Whether the client is being disconnected. A request without a time-out ends then.
 * @throws What `configure` throws; nothing is sent then.
 */
export function sendRequest<T>(rk: Pointer, request: AdminRequest<T>, isClosing: () => boolean): Promise<Answer<T>> {
  const { symbols } = openLibrary();
  const options = symbols.rd_kafka_AdminOptions_new(rk, ADMIN_OP[request.kind]);
  try {
    const error = request.configure?.(options);
    if (error !== undefined) return Promise.resolve(error);
    return new Promise((resolve) => new PendingRequest(request, rk, options, isClosing, resolve));
  } finally {
    symbols.rd_kafka_AdminOptions_destroy(options);
  }
}

/** A request that waits for its result. */
class PendingRequest<T> implements IoEventListener {
  readonly #request: AdminRequest<T>;
  readonly #isClosing: () => boolean;
  readonly #resolve: (answer: Answer<T>) => void;
  readonly #queue: Pointer;
  readonly #ioEventId: number;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #settled = false;

  constructor(
    request: AdminRequest<T>,
    rk: Pointer,
    options: Pointer,
    isClosing: () => boolean,
    resolve: (answer: Answer<T>) => void,
  ) {
    this.#request = request;
    this.#isClosing = isClosing;
    this.#resolve = resolve;
    const { symbols } = openLibrary();
    const queue = this.#queue = symbols.rd_kafka_queue_new(rk);
    const { id, fd, payload } = ioEvents.register(this);
    this.#ioEventId = id;
    symbols.rd_kafka_queue_io_event_enable(queue, fd, payload, 4n);
    try {
      request.send(rk, options, queue);
    } catch (error) {
      this.#settle(nativeError(ErrorCode.INVALID_ARG, (error as Error).message));
      return;
    }
    // With a time-out of 0, only an error that librdkafka has found before sending is a result.
    if (request.timeoutMs === 0) this.#serve();
    if (request.timeoutMs >= 0 && !this.#settled) this.#timer = setTimeout(() => this.#timeOut(), request.timeoutMs);
  }

  wake(): void {
    // A time-out of 0 always ends in TIMED_OUT, as a whole; librdkafka would report it for each element.
    if (this.#request.timeoutMs !== 0) this.#serve();
  }

  #serve(): void {
    if (this.#settled) return;
    const { symbols } = openLibrary();
    for (let event; (event = symbols.rd_kafka_queue_poll(this.#queue, 0)) !== null;) {
      try {
        if (symbols.rd_kafka_event_type(event) !== ADMIN_EVENT[this.#request.kind]) continue;
        const code = symbols.rd_kafka_event_error(event);
        if (code === ErrorCode.NO_ERROR && this.#request.timeoutMs === 0) continue;
        return this.#settle(code === ErrorCode.NO_ERROR ? this.#request.read(event) : nativeError(code));
      } finally {
        symbols.rd_kafka_event_destroy(event);
      }
    }
    // disconnect() waits for requests: one without a time-out could hold it up for ever.
    if (this.#request.timeoutMs < 0 && this.#isClosing()) this.#settle(nativeError(ErrorCode.STATE));
  }

  #timeOut(): void {
    // While the program was busy, the result may have arrived.
    this.wake();
    this.#settle(nativeError(ErrorCode.TIMED_OUT));
  }

  #settle(answer: Answer<T>): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    ioEvents.unregister(this.#ioEventId);
    // librdkafka drops a result that arrives after this.
    openLibrary().symbols.rd_kafka_queue_destroy(this.#queue);
    this.#resolve(answer);
  }
}
