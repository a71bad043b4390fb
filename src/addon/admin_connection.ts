/**
 * The connection of the addon's `AdminClient`, and the way its requests take.
 *
 * @module
 */

import { type AdminRequest, sendRequest } from "./admin_request.ts";
import { requireCount } from "./arguments.ts";
import { type Callback, ClientHandle } from "./client_handle.ts";
import { NativeClient } from "./native_client.ts";
import { openLibrary } from "../ffi/library.ts";
import type { Pointer } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";

/** An admin client's connection: a handle of its own, or that of a connected producer or consumer. */
export abstract class AdminConnection extends NativeClient {
  readonly #borrows: boolean;
  #mainQueue: Pointer = null;
  /** A connection that is made as soon as the one before it is closed. */
  #reconnecting: Promise<void> | undefined;

  /**
   * @param existing A connected producer or consumer, whose handle is used. There is nothing to connect then, and when
   * that client disconnects, this one is disconnected, too.
   * @throws {Error} With librdkafka's text, if it refuses the configuration.
   */
  constructor(...args: [globalConf?: unknown, topicConf?: unknown, existing?: unknown]) {
    requireCount(args.length, 1, "You must supply a global configuration or a preexisting client");
    const [globalConf, , existing] = args;
    const borrows = existing !== undefined && existing !== null;
    if (borrows && !(existing instanceof ClientHandle)) {
      throw new Error("Third argument, if provided, must be a client object");
    }
    super("producer", borrows ? {} : globalConf, null, borrows ? existing as ClientHandle : undefined);
    this.#borrows = borrows;
  }

  /**
   * Connects, and returns librdkafka's code at once, unlike the other clients. While an earlier connection is being
   * closed, it returns 0, connects afterwards, and requests wait for that.
   */
  override connect(): number {
    if (this.connected || this.#reconnecting !== undefined) return ErrorCode.NO_ERROR;
    // The handle of another client can't be made anew.
    if (this.#borrows) return ErrorCode.STATE;
    if (this.closing) {
      const reconnecting = this.#reconnecting = this.free().then(() => {
        // disconnect() may have been called meanwhile.
        if (this.#reconnecting !== reconnecting) return;
        this.#reconnecting = undefined;
        this.connectNow();
      });
      return ErrorCode.NO_ERROR;
    }
    const refused = this.connectNow();
    if (refused === undefined) return ErrorCode.NO_ERROR;
    return "code" in refused ? refused.code : ErrorCode.STATE;
  }

  /** Returns at once, and disconnects when the requests under way are answered. */
  override disconnect(): number {
    this.#reconnecting = undefined;
    if (!this.#borrows) void this.free();
    return ErrorCode.NO_ERROR;
  }

  protected override events(): number {
    return 0;
  }

  protected override open(rk: Pointer, listen: (queue: Pointer) => void): void {
    this.#mainQueue = openLibrary().symbols.rd_kafka_queue_get_main(rk);
    listen(this.#mainQueue);
  }

  protected override closeQueues(): Promise<void> {
    openLibrary().symbols.rd_kafka_queue_destroy(this.#mainQueue);
    this.#mainQueue = null;
    return Promise.resolve();
  }

  protected override serve(): void {
    const { symbols } = openLibrary();
    for (let event; this.#mainQueue !== null && (event = this.nextEvent(this.#mainQueue)) !== null;) {
      this.emitEvent(symbols.rd_kafka_event_type(event), event);
      symbols.rd_kafka_event_destroy(event);
    }
  }

  /**
   * Sends a request, if connected, and passes its result to the callback.
   *
   * @param free Frees what the request was made of, as soon as librdkafka has copied it.
   */
  protected request<T>(callback: Callback<T>, request: AdminRequest<T>, free?: () => void): null {
    const send = () => {
      try {
        return this.call(callback, (rk) => sendRequest(rk, request, () => this.closing));
      } finally {
        free?.();
      }
    };
    if (this.#reconnecting === undefined) return send();
    this.#reconnecting.then(send).catch(reportError);
    return null;
  }
}
