/**
 * The life cycle of a client's handle, librdkafka's `rd_kafka_t`: made by `connect()`, destroyed by `disconnect()`, and
 * in use by calls in between.
 *
 * @module
 */

import { isObject, requireFunction } from "./arguments.ts";
import { callAndReport } from "./call_and_report.ts";
import { CallbackRegistry, type Callbacks } from "./callback_registry.ts";
import { EVENT, readErrorEvent, readLogEvent, readStatistics } from "./events.ts";
import { enableSaslQueue, refreshInBackground, serveTokenRefreshes } from "./sasl.ts";
import { disableThrottleEvents, enableThrottleEvents, pollWithThrottles } from "./throttle_events.ts";
import { BlockingCalls, hasBroker } from "../ffi/blocking_calls.ts";
import { type ConfObject, confValue, newClient, newConf } from "../ffi/client_conf.ts";
import { openLibrary } from "../ffi/library.ts";
import { type Pointer, readCString } from "../ffi/memory.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { type NativeError, nativeError } from "../ffi/native_error.ts";
import { type IoEventListener, ioEvents } from "../ffi/io_events.ts";

/** A callback of the npm client: an error or `null` first. */
export type Callback<T = unknown> = (error: NativeError | Error | null, result?: T) => void;
/** Calls a callback of the program, now or later. */
export type Caller = (call: () => unknown) => void;

/** `RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE`: the consumer is closed before its handle is destroyed. */
const NO_CONSUMER_CLOSE = 0x8;
const NO_CALLBACKS: Readonly<Callbacks> = {};

/** A client with a handle of its own, or with the handle of another client. */
export abstract class ClientHandle implements IoEventListener {
  readonly #type: "producer" | "consumer";
  readonly #globalConf: ConfObject;
  readonly #topicConf: ConfObject | null;
  /** The calls that use the handle. */
  readonly #calls = new Set<Promise<unknown>>();
  /** The calls that wait inside librdkafka. */
  protected readonly blocking: BlockingCalls = new BlockingCalls(() => hasBroker(this.rk), () => this.closing);
  /** The client whose handle this one uses; `undefined` if it has its own. */
  readonly #lender: ClientHandle | undefined;
  readonly #callbacks = new CallbackRegistry();
  #rk: Pointer = null;
  #logQueue: Pointer = null;
  #saslQueue: Pointer = null;
  /** librdkafka's name for the handle; log lines carry it, also while the handle closes. */
  #name = "";
  #ioEventId = 0;
  #hasThrottleEvents = false;
  #closing = false;
  #connecting = false;
  #disconnecting: Promise<void> | undefined;
  /** The rest of a close continues in the background; see `detachClose`. */
  #isCloseDetached = false;
  #closeDetached = Promise.withResolvers<void>();

  /** @throws {Error} With librdkafka's text, if it refuses the configuration. */
  constructor(type: "producer" | "consumer", globalConf: unknown, topicConf: unknown, lender?: ClientHandle) {
    this.#lender = lender;
    if (!isObject(globalConf)) throw new Error("Global configuration data must be specified");
    this.#type = type;
    this.#globalConf = { ...globalConf };
    this.#topicConf = typeof topicConf === "object" && topicConf !== null ? { ...topicConf } : null;
    if (lender === undefined) openLibrary().symbols.rd_kafka_conf_destroy(newConf(this.#globalConf, this.#topicConf));
  }

  /** The event types that librdkafka is to report, beside those of every client. */
  protected abstract events(): number;
  /** Makes the client's queues on its new handle. `listen` lets a queue wake the client. */
  protected abstract open(rk: Pointer, listen: (queue: Pointer) => void): void;
  /** Closes what `open` made, before the handle is destroyed. */
  protected abstract closeQueues(rk: Pointer): Promise<void>;
  /** Serves the client's queues. */
  protected abstract serve(): void;
  /** Called when `disconnect()` begins, before anything is closed. */
  protected onDisconnecting(): void {}

  /** The handle, while connected or closing; NULL otherwise. */
  protected get rk(): Pointer {
    return this.#lender === undefined ? this.#rk : this.#lender.rk;
  }

  protected get connected(): boolean {
    return this.rk !== null && !this.closing;
  }

  /**
   * Whether the program still waits for the first broker to answer. Errors reach `event_cb` meanwhile although the
   * program neither polls nor consumes: they say why no broker answers.
   */
  protected get connecting(): boolean {
    return this.#connecting;
  }

  protected get closing(): boolean {
    return this.#lender === undefined ? this.#closing : this.#lender.closing;
  }

  /** The first metadata has come: a broker has answered. */
  protected onMetadata(): void {
    this.#connecting = false;
  }

  // Connecting

  connect(callback: Callback<{ name: string }>): unknown {
    requireFunction(callback, "Need to specify a callback");
    // A connect() during a disconnect() waits for its end. A detached close lets the program end; this wait does not.
    const keepAlive = this.#disconnecting === undefined ? undefined : setInterval(() => {}, 1000);
    const closed = Promise.resolve(this.#disconnecting).finally(() => clearInterval(keepAlive));
    closed.then(() => this.connected ? undefined : this.connectNow()).then((error) =>
      setImmediate(() => {
        if (error !== undefined) callback(error);
        else callback(null, { name: this.name() });
      })
    ).catch(reportError);
    return null;
  }

  /** Makes the handle and its queues. Returns the error if librdkafka refuses. */
  protected connectNow(): NativeError | Error | undefined {
    const { symbols } = openLibrary();
    const conf = newConf({ ...this.#globalConf, "log.queue": true }, this.#topicConf);
    // librdkafka would make a consumer without a consumer queue. Text and type of the error are the native addon's.
    if (this.#type === "consumer" && confValue(conf, "group.id") === "") {
      symbols.rd_kafka_conf_destroy(conf);
      return new Error('"group.id" must be configured');
    }
    const hasSaslQueue = enableSaslQueue(conf);
    const refresh = hasSaslQueue && this.callbacks.oauthbearer_token_refresh_cb !== undefined
      ? EVENT.OAUTHBEARER_TOKEN_REFRESH
      : 0;
    symbols.rd_kafka_conf_set_events(conf, this.events() | refresh | EVENT.LOG | EVENT.ERROR | EVENT.STATS);
    this.#hasThrottleEvents = this.callbacks.event_cb !== undefined;
    if (this.#hasThrottleEvents) enableThrottleEvents(conf);
    const made = newClient(this.#type, conf);
    if ("error" in made) {
      if (this.#hasThrottleEvents) disableThrottleEvents();
      return this.#toConnectError(nativeError(ErrorCode.STATE, made.error));
    }
    this.#rk = made.rk;
    this.#name = readCString(symbols.rd_kafka_name(made.rk));
    this.#closing = false;
    this.#connecting = true;
    const { id, fd, payload } = ioEvents.register(this);
    this.#ioEventId = id;
    const listen = (queue: Pointer) => symbols.rd_kafka_queue_io_event_enable(queue, fd, payload, 4n);
    this.#logQueue = symbols.rd_kafka_queue_new(made.rk);
    listen(this.#logQueue);
    symbols.rd_kafka_set_log_queue(made.rk, this.#logQueue);
    this.open(made.rk, listen);
    // Token refreshes have a queue of their own, so that they are served although the program neither polls nor consumes.
    if (refresh !== 0) listen(this.#saslQueue = symbols.rd_kafka_queue_get_sasl(made.rk));
    else if (hasSaslQueue) {
      const error = refreshInBackground(made.rk);
      if (error !== undefined) return this.#toConnectError(error);
    }
    return undefined;
  }

  /** A consumer answers with an Error that has no code, as in the native addon. */
  #toConnectError(error: NativeError): NativeError | Error {
    return this.#type === "consumer" ? new Error(error.message) : error;
  }

  /** librdkafka's name for the client; empty when it is not connected. */
  name(): string {
    if (!this.connected) return "";
    return this.#lender === undefined ? this.#name : this.#lender.name();
  }

  // Disconnecting

  /**
   * Closes the client. The callback comes when the handle is destroyed and nothing of the client runs any more. If no
   * broker answers that a consumer leaves its group, it comes after a few seconds: the rest of the close then continues in
   * the background, calls nothing back, lets the program end, and only a new `connect()` waits for it.
   */
  disconnect(callback: Callback<true>): unknown {
    requireFunction(callback, "Need to specify a callback");
    const freed = this.free();
    Promise.race([freed, this.#closeDetached.promise]).then(
      () => callAndReport(() => callback(null, true)),
      reportError,
    );
    return null;
  }

  /** Lets the rest of a close continue in the background, where it no longer keeps the program alive. */
  protected detachClose(): void {
    this.#isCloseDetached = true;
    ioEvents.unregister(this.#ioEventId);
    this.#closeDetached.resolve();
  }

  /** Closes the client, and resolves when its handle is destroyed. */
  protected free(): Promise<void> {
    return this.#disconnecting ??= this.#free().finally(() => this.#disconnecting = undefined);
  }

  async #free(): Promise<void> {
    const rk = this.#rk;
    if (rk === null) return;
    this.#closing = true;
    this.#closeDetached = Promise.withResolvers();
    this.onDisconnecting();
    const { symbols } = openLibrary();
    await Promise.allSettled([...this.#calls]);
    await this.closeQueues(rk);
    this.#serveLogs();
    ioEvents.unregister(this.#ioEventId);
    if (this.#saslQueue !== null) symbols.rd_kafka_queue_destroy(this.#saslQueue);
    this.#saslQueue = null;
    symbols.rd_kafka_set_log_queue(rk, null);
    symbols.rd_kafka_queue_destroy(this.#logQueue);
    this.#logQueue = null;
    await this.blocking.run(() => symbols.rd_kafka_destroy_flags_async(rk, NO_CONSUMER_CLOSE));
    if (this.#hasThrottleEvents) disableThrottleEvents();
    this.#rk = null;
    this.#closing = this.#isCloseDetached = false;
  }

  // Calls that use the handle

  /**
   * Makes a call that uses the handle, and passes its result to the callback; `disconnect()` waits for it. Without a
   * connection the callback gets `STATE`, with the text `unconnected`.
   */
  protected call<T>(
    callback: Callback<T>,
    work: (rk: Pointer) => Promise<NativeError | Error | { readonly result: T }>,
    unconnected?: string,
  ): null {
    // The handle is the lender's, so it is the lender's disconnect() that has to wait.
    if (this.#lender !== undefined) return this.#lender.call(callback, work, unconnected);
    const running = this.connected ? work(this.#rk) : Promise.resolve(nativeError(ErrorCode.STATE, unconnected));
    const answered = running.then((answer) => {
      if (!("result" in answer)) callback(answer);
      else if (answer.result === undefined) callback(null);
      else callback(null, answer.result);
    });
    this.#calls.add(running);
    const ended = () => void this.#calls.delete(running);
    running.then(ended, ended);
    // An error that the callback throws is the program's, and is reported as on Node.
    answered.catch((error) => reportError(error));
    return null;
  }

  /** Runs `work` with the handle of another client, which keeps it until then; with NULL if it is not connected. */
  protected async borrow<T>(lender: ClientHandle, work: (rk: Pointer) => Promise<T>): Promise<T> {
    if (!lender.connected) return await work(null);
    const running = work(lender.rk);
    lender.#calls.add(running);
    try {
      return await running;
    } finally {
      lender.#calls.delete(running);
    }
  }

  // Callbacks and events

  configureCallbacks(add: boolean, configs: Record<string, Callbacks | undefined>): true {
    this.#callbacks.configure(add, configs);
    return true;
  }

  /** The program's callbacks; there are none during a detached close. */
  protected get callbacks(): Readonly<Callbacks> {
    return this.#isCloseDetached ? NO_CALLBACKS : this.#callbacks.current;
  }

  /**
   * Serves the client's queues; the ioEvents calls this.
   *
   * @internal
   */
  wake(): void {
    // Without a log queue the client is not open yet, or its handle is being destroyed.
    if (this.#logQueue === null) return;
    this.#serveLogs();
    if (this.#saslQueue !== null) {
      serveTokenRefreshes(
        this.#saslQueue,
        (config) => callAndReport(() => this.callbacks.oauthbearer_token_refresh_cb?.(config)),
      );
    }
    this.serve();
  }

  #serveLogs(): void {
    const { symbols } = openLibrary();
    for (let event; (event = symbols.rd_kafka_queue_poll(this.#logQueue, 0)) !== null;) {
      const log = readLogEvent(event, this.#name);
      if (log !== undefined) callAndReport(() => this.#emit("log", log));
      symbols.rd_kafka_event_destroy(event);
    }
  }

  /** Takes the next event of a queue. Throttle events that are reported meanwhile go to `event_cb`, through `caller`. */
  protected nextEvent(queue: Pointer, caller: Caller = callAndReport): Pointer {
    if (!this.#hasThrottleEvents) return openLibrary().symbols.rd_kafka_queue_poll(queue, 0);
    return pollWithThrottles(queue, (throttle) => caller(() => this.#emit("throttle", throttle)));
  }

  /** Passes an error or statistics event to `event_cb`, through `caller`. */
  protected emitEvent(type: number, event: Pointer, caller: Caller = callAndReport): void {
    if (type === EVENT.ERROR) {
      const error = readErrorEvent(event);
      caller(() => this.#emit("error", error));
    } else if (type === EVENT.STATS) {
      const statistics = readStatistics(event);
      caller(() => this.#emit("stats", statistics));
    }
  }

  #emit(kind: string, data: unknown): void {
    this.callbacks.event_cb?.(kind, data);
  }
}
