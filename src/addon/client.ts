/**
 * What consumer, producer and admin client have in common: the addon's `Connection`.
 *
 * @module
 */

import { BlockingCalls, hasBroker } from "../ffi/blocking_calls.ts";
import { type ConfObject, confValue, newClient, newConf } from "../ffi/client_conf.ts";
import { partitionsOf } from "./partition_arguments.ts";
import { guarded } from "./guarded.ts";
import { openLibrary } from "../ffi/library.ts";
import { cString, OutPointer, type Pointer, readCString, viewOf } from "../ffi/memory.ts";
import { type Metadata, readMetadata } from "../ffi/metadata.ts";
import { ErrorCode } from "../ffi/error_codes.ts";
import { err2str, type NativeError, nativeError } from "../ffi/native_error.ts";
import { intOf, isObject } from "./arguments.ts";
import {
  enableSaslQueue,
  refreshInBackground,
  serveRefreshes,
  setCredentials,
  setToken,
  setTokenFailure,
  TOKEN_REFRESH,
} from "./sasl.ts";
import { listenForThrottles, pollHearingThrottles, releaseThrottles, type Throttle } from "./throttle.ts";
import { partitionsOrErrors, readList, type TopicPartition, withList } from "../ffi/topic_partitions.ts";
import { type IoEventListener, ioEvents } from "../ffi/io_events.ts";

/** A callback of the npm client: an error or `null` first. */
export type Callback<T = unknown> = (error: NativeError | Error | null, result?: T) => void;
// deno-lint-ignore ban-types -- the npm client's own callbacks, of any signature
type Callbacks = Record<string, Function>;
/** Calls a callback of the program, now or later. */
type Runner = (call: () => unknown) => void;

/** librdkafka's kinds of event. */
export const EVENT = {
  DR: 0x1,
  LOG: 0x4,
  ERROR: 0x8,
  REBALANCE: 0x10,
  OFFSET_COMMIT: 0x20,
  STATS: 0x40,
} as const;

const GLOBAL_CALLBACKS = new Set(["rebalance_cb", "offset_commit_cb", "oauthbearer_token_refresh_cb"]);
/** `RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE`: the consumer is closed already. */
const NO_CONSUMER_CLOSE = 0x8;

const NO_CALLBACKS: Readonly<Callbacks> = {};

/** A connection to Kafka: made in `connect`, gone after `disconnect`, and then to be made again. */
export abstract class Client implements IoEventListener {
  readonly #type: "producer" | "consumer";
  readonly #globalConf: ConfObject;
  readonly #topicConf: ConfObject | null;
  readonly #calls = new Set<Promise<unknown>>();
  /** The calls that wait inside librdkafka. */
  protected readonly blocking: BlockingCalls = new BlockingCalls(() => hasBroker(this.rk), () => this.closing);
  /** Whose handle this client uses, if it has none of its own. */
  readonly #lender: Client | undefined;
  #rk: Pointer = null;
  #logQueue: Pointer = null;
  #saslQueue: Pointer = null;
  /** The handle's name, also while it closes. */
  #name = "";
  #ioEventId = 0;
  /** Whether the handle tells of throttling. */
  #throttles = false;
  #closing = false;
  /** No broker has answered yet. */
  #connecting = false;
  #disconnecting: Promise<void> | undefined;
  /** What is left of a close goes on by itself; see `Client.closeAlone`. */
  #isAlone = false;
  #leftAlone = Promise.withResolvers<void>();
  /** All callbacks that were added and not taken away, by name. */
  readonly #added = new Map<string, Callbacks[string][]>();
  /** The callbacks that are configured now, by name: what calls all that were added. */
  readonly #callbacks: Callbacks = {};

  /** @throws {Error} With librdkafka's text, if it refuses the configuration. */
  constructor(type: "producer" | "consumer", globalConf: unknown, topicConf: unknown, lender?: Client) {
    this.#lender = lender;
    if (!isObject(globalConf)) {
      throw new Error("Global configuration data must be specified");
    }
    this.#type = type;
    this.#globalConf = { ...globalConf };
    this.#topicConf = typeof topicConf === "object" && topicConf !== null ? { ...topicConf } : null;
    if (lender === undefined) openLibrary().symbols.rd_kafka_conf_destroy(newConf(this.#globalConf, this.#topicConf));
  }

  /** The kinds of event that the client asks for. */
  protected abstract events(): number;
  /** Makes the queues, when the handle is there. */
  protected abstract open(rk: Pointer, listen: (queue: Pointer) => void): void;
  /** Closes what `Client.open` made, before the handle goes. */
  protected abstract closeQueues(rk: Pointer): Promise<void>;
  /** Serves the client's queues. */
  protected abstract serve(): void;

  /** The callbacks to call. */
  protected get callbacks(): Readonly<Callbacks> {
    return this.#isAlone ? NO_CALLBACKS : this.#callbacks;
  }

  /** The handle, while connected or closing. */
  protected get rk(): Pointer {
    return this.#lender === undefined ? this.#rk : this.#lender.rk;
  }

  /** Runs something with another client's handle, which stays until then; NULL when it is not connected. */
  protected async borrow<T>(from: Client, work: (rk: Pointer) => Promise<T>): Promise<T> {
    if (!from.connected) return await work(null);
    const running = work(from.rk);
    from.#calls.add(running);
    try {
      return await running;
    } finally {
      from.#calls.delete(running);
    }
  }

  protected get connected(): boolean {
    return this.rk !== null && !this.closing;
  }

  /**
   * Whether no broker has answered yet. Errors are handed on meanwhile although nobody polls or consumes: they are
   * why no broker answers, and who waits for one polls nothing.
   */
  protected get connecting(): boolean {
    return this.#connecting;
  }

  protected get closing(): boolean {
    return this.#lender === undefined ? this.#closing : this.#lender.closing;
  }

  configureCallbacks(add: boolean, configs: Record<string, Callbacks | undefined>): true {
    if (typeof add !== "boolean" || !isObject(configs)) {
      throw new Error("Need to specify a callbacks object");
    }
    for (const [name, callback] of Object.entries({ ...configs.global, ...configs.topic })) {
      if (typeof callback === "function" && !GLOBAL_CALLBACKS.has(name)) throw new Error("Invalid callback type");
    }
    for (const group of [configs.global, configs.topic, configs.event]) {
      for (const [name, callback] of Object.entries(group ?? {})) {
        if (typeof callback === "function") this.#configure(name, callback, add);
      }
    }
    return true;
  }

  /** As in the addon, several may be added under one name, and are called in that order. */
  #configure(name: string, callback: Callbacks[string], add: boolean): void {
    const added = this.#added.get(name) ?? [];
    const all = add ? [...added, callback] : added.toSpliced(added.indexOf(callback) >>> 0, 1);
    this.#added.set(name, all);
    const [first, ...others] = all;
    if (first === undefined) delete this.#callbacks[name];
    else this.#callbacks[name] = others.length === 0 ? first : together(all);
  }

  connect(callback: Callback<{ name: string }>): unknown {
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    // Whoever connects while an earlier connection is being closed gets the next one.
    // A close that goes on by itself keeps no program alive, but who waits for it does.
    const waiting = this.#disconnecting === undefined ? undefined : setInterval(() => {}, 1000);
    const closed = Promise.resolve(this.#disconnecting).finally(() => clearInterval(waiting));
    closed.then(() => this.connected ? undefined : this.connectNow()).then((error) =>
      setImmediate(() => {
        if (error !== undefined) callback(error);
        else callback(null, { name: this.name() });
      })
    ).catch(reportError);
    return null;
  }

  /** Makes the handle and its queues; says why that is refused. */
  protected connectNow(): NativeError | Error | undefined {
    const { symbols } = openLibrary();
    const conf = newConf({ ...this.#globalConf, "log.queue": true }, this.#topicConf);
    // librdkafka would make a consumer that has no queue. (The words and the kind of error are the addon's.)
    if (this.#type === "consumer" && confValue(conf, "group.id") === "") {
      symbols.rd_kafka_conf_destroy(conf);
      return new Error('"group.id" must be configured');
    }
    const tokens = enableSaslQueue(conf);
    const refresh = tokens && this.callbacks.oauthbearer_token_refresh_cb !== undefined ? TOKEN_REFRESH : 0;
    symbols.rd_kafka_conf_set_events(conf, this.events() | refresh | EVENT.LOG | EVENT.ERROR | EVENT.STATS);
    this.#throttles = this.callbacks.event_cb !== undefined;
    if (this.#throttles) listenForThrottles(conf);
    const made = newClient(this.#type, conf);
    if ("error" in made) {
      if (this.#throttles) releaseThrottles();
      return this.#refused(nativeError(ErrorCode.STATE, made.error));
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
    // Tokens are asked for on a queue of their own, so that they come although nobody polls or consumes.
    if (refresh !== 0) listen(this.#saslQueue = symbols.rd_kafka_queue_get_sasl(made.rk));
    else if (tokens) return this.#refused(refreshInBackground(made.rk));
    return undefined;
  }

  /** Why no connection is made. A consumer of the addon leaves the code out. */
  #refused(error: NativeError | undefined): NativeError | Error | undefined {
    return error !== undefined && this.#type === "consumer" ? new Error(error.message) : error;
  }

  /**
   * Frees everything. The callback comes when the handle is gone and nothing of the client runs any more; or after some
   * seconds, when no broker answers that a consumer leaves its group. The rest then goes on by itself: it tells nothing,
   * keeps no program from its end, and a connect() waits for it.
   */
  disconnect(callback: Callback<true>): unknown {
    if (typeof callback !== "function") throw new Error("Need to specify a callback");
    const freed = this.freed();
    Promise.race([freed, this.#leftAlone.promise]).then(() => guarded(() => callback(null, true)), reportError);
    return null;
  }

  /** Lets what is left of a close go on by itself. What waits in it from here on keeps no program alive. */
  protected closeAlone(): void {
    this.#isAlone = true;
    ioEvents.unregister(this.#ioEventId);
    this.#leftAlone.resolve();
  }

  /** Frees everything, and resolves when it is. */
  protected freed(): Promise<void> {
    return this.#disconnecting ??= this.#disconnect().finally(() => this.#disconnecting = undefined);
  }

  async #disconnect(): Promise<void> {
    const rk = this.#rk;
    if (rk === null) return;
    this.#closing = true;
    this.#leftAlone = Promise.withResolvers();
    const { symbols } = openLibrary();
    // Whatever waits inside librdkafka uses the handle.
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
    if (this.#throttles) releaseThrottles();
    this.#rk = null;
    this.#closing = this.#isAlone = false;
  }

  /** librdkafka's name for the client; empty when it is not connected. */
  name(): string {
    if (!this.connected) return "";
    return this.#lender === undefined ? this.#name : this.#lender.name();
  }

  /**
   * Serves what librdkafka has for this client; `ioEvents` calls it.
   *
   * @internal
   */
  wake(): void {
    // Before it is open, and while it is being freed, there is nothing to serve.
    if (this.#logQueue === null) return;
    this.#serveLogs();
    if (this.#saslQueue !== null) {
      serveRefreshes(
        this.#saslQueue,
        (config) => guarded(() => this.callbacks.oauthbearer_token_refresh_cb?.(config)),
      );
    }
    this.serve();
  }

  #serveLogs(): void {
    const { symbols } = openLibrary();
    for (let event; (event = symbols.rd_kafka_queue_poll(this.#logQueue, 0)) !== null;) {
      const facility = new OutPointer(), text = new OutPointer(), level = new Int32Array(1);
      if (symbols.rd_kafka_event_log(event, facility.buffer, text.buffer, level) === 0) {
        const log = {
          severity: level[0]!,
          fac: readCString(facility.value),
          message: readCString(text.value),
          name: this.#name,
        };
        guarded(() => this.#emit("log", log));
      }
      symbols.rd_kafka_event_destroy(event);
    }
  }

  #emit(kind: string, data: unknown): void {
    this.callbacks.event_cb?.(kind, data);
  }

  readonly #tellThrottle = (throttle: Throttle): void => this.#emit("throttle", throttle);

  /** Takes an event from a queue that tells of throttling, too. */
  protected nextEvent(queue: Pointer, run: Runner = guarded): Pointer {
    if (!this.#throttles) return openLibrary().symbols.rd_kafka_queue_poll(queue, 0);
    return pollHearingThrottles(queue, this.#tellThrottle, run);
  }

  /** Hands an error or statistics event to `event_cb`. */
  protected emitEvent(type: number, event: Pointer, run: Runner = guarded): void {
    const { symbols } = openLibrary();
    if (type === EVENT.ERROR) {
      const code = symbols.rd_kafka_event_error(event);
      if (symbols.rd_kafka_event_error_is_fatal(event) === 0) {
        run(() => this.#emit("error", Object.assign(new Error(err2str(code)), { code })));
      } else {
        const text = readCString(symbols.rd_kafka_event_error_string(event));
        run(() => this.#emit("error", Object.assign(new Error(text), { code, isFatal: true })));
      }
    } else if (type === EVENT.STATS) {
      const message = readCString(symbols.rd_kafka_event_stats(event));
      run(() => this.#emit("stats", { message }));
    }
  }

  /** Runs a call that uses the handle; `disconnect` waits for it. Without a handle it is refused in the given words. */
  protected call<T>(
    callback: Callback<T>,
    work: (rk: Pointer) => Promise<NativeError | Error | { readonly result: T }>,
    unconnected?: string,
  ): null {
    // The lender's disconnect must wait for it.
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
    // What a callback throws is the program's error, as on Node: it must surface.
    answered.catch((error) => reportError(error));
    return null;
  }

  /** Sets user and password for the authentications to come. */
  setSaslCredentials(username: string, password: string): null {
    if (typeof username !== "string") throw new Error("1st parameter must be a username string");
    if (typeof password !== "string") throw new Error("2nd parameter must be a password string");
    return this.#orThrow((rk) => setCredentials(rk, username, password));
  }

  setOAuthBearerToken(token: string, lifetimeMs: number, principal: string, extensions?: string[] | null): null {
    if (typeof token !== "string") throw new Error("1st parameter must be a token string");
    if (typeof lifetimeMs !== "number") throw new Error("2nd parameter must be a lifetime_ms number");
    if (typeof principal !== "string") throw new Error("3rd parameter must be a principal_name string");
    if (extensions !== null && extensions !== undefined && !Array.isArray(extensions)) {
      throw new Error("4th parameter must be an extensions array or null");
    }
    return this.#orThrow((rk) => setToken(rk, token, lifetimeMs, principal, (extensions ?? []).map(String)));
  }

  setOAuthBearerTokenFailure(reason: string): null {
    if (typeof reason !== "string") throw new Error("1st parameter must be an error string");
    return this.#orThrow((rk) => setTokenFailure(rk, reason));
  }

  #orThrow(work: (rk: Pointer) => NativeError | undefined): null {
    const error = this.connected ? work(this.rk) : nativeError(ErrorCode.STATE);
    // The addon throws plain objects here, and the npm client reads their code.
    if (error !== undefined) throw error;
    return null;
  }

  getMetadata(
    options: { topic?: string; allTopics?: boolean; timeout?: number } | null,
    callback: Callback<Metadata>,
  ): null {
    if (typeof callback !== "function") throw new Error("Second parameter must be a callback");
    const topic = String(options?.topic ?? "");
    const allTopics = typeof options?.allTopics === "boolean" ? options.allTopics : true;
    const timeout = typeof options?.timeout === "number" ? intOf(options.timeout) : 30_000;
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      const rkt = topic === "" ? null : symbols.rd_kafka_topic_new(rk, cString(topic), null);
      const out = new OutPointer();
      const code = await this.blocking.request(
        timeout,
        (slice) => symbols.rd_kafka_metadata_async(rk, allTopics ? 1 : 0, rkt, out.buffer, slice),
      );
      if (rkt !== null) symbols.rd_kafka_topic_destroy(rkt);
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      this.#connecting = false;
      const result = readMetadata(viewOf(out.value!));
      symbols.rd_kafka_metadata_destroy(out.value);
      return { result };
    });
  }

  /** Answers the cluster's name for itself, which a client hears with its first metadata. */
  clusterId(timeoutMs: number, callback: Callback<string>): null {
    if (typeof timeoutMs !== "number") throw new Error("1st parameter must be a number of milliseconds");
    if (typeof callback !== "function") throw new Error("2nd parameter must be a callback");
    return this.call(callback, async (rk) => {
      const { symbols } = openLibrary();
      let text: Pointer = null;
      const code = await this.blocking.request(timeoutMs, async (slice) => {
        text = await symbols.rd_kafka_clusterid_async(rk, slice);
        return text === null ? ErrorCode.TIMED_OUT : ErrorCode.NO_ERROR;
      });
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      const result = readCString(text);
      symbols.rd_kafka_mem_free(rk, text);
      return { result };
    });
  }

  queryWatermarkOffsets(
    topic: string,
    partition: number,
    timeoutMs: number,
    callback: Callback<{ lowOffset: number; highOffset: number }>,
  ): null {
    if (typeof topic !== "string") throw new Error("1st parameter must be a topic string");
    if (typeof partition !== "number") throw new Error("2nd parameter must be a partition number");
    if (typeof timeoutMs !== "number") throw new Error("3rd parameter must be a number of milliseconds");
    if (typeof callback !== "function") throw new Error("4th parameter must be a callback");
    return this.call(callback, async (rk) => {
      const low = new BigInt64Array(1), high = new BigInt64Array(1), name = cString(topic);
      const code = await this.blocking.request(
        timeoutMs | 0,
        (slice) =>
          openLibrary().symbols.rd_kafka_query_watermark_offsets_async(rk, name, partition | 0, low, high, slice),
      );
      if (code !== ErrorCode.NO_ERROR) return nativeError(code);
      return { result: { lowOffset: Number(low[0]), highOffset: Number(high[0]) } };
    });
  }

  offsetsForTimes(partitions: TopicPartition[], timeoutMs: number, callback: Callback<unknown[]>): null {
    if (arguments.length < 3 || !Array.isArray(partitions)) {
      throw new Error("Need to specify an array of topic partitions");
    }
    return this.askOffsets("rd_kafka_offsets_for_times_async", partitions, timeoutMs, callback);
  }

  /** Asks brokers to fill in the offsets of a list. */
  protected askOffsets(
    name: "rd_kafka_offsets_for_times_async" | "rd_kafka_committed_async",
    given: readonly unknown[],
    timeoutMs: number,
    callback: Callback<unknown[]>,
    unconnected?: string,
  ): null {
    return this.call(callback, (rk) => {
      const partitions = partitionsOf(given);
      return withList(partitions, async (list) => {
        const code = await this.blocking.request(
          timeoutMs | 0,
          (slice) => openLibrary().symbols[name](rk, list, slice),
        );
        return code === ErrorCode.NO_ERROR
          ? { result: partitionsOrErrors(readList(list), partitions) }
          : nativeError(code);
      });
    }, unconnected);
  }
}

/** One callback that calls several. */
function together(callbacks: readonly Callbacks[string][]): Callbacks[string] {
  const all = (...args: unknown[]) => {
    for (const callback of callbacks) guarded(() => callback(...args));
  };
  // A producer's reports carry the payload if one of its listeners wants it.
  return Object.assign(all, { dr_msg_cb: callbacks.some((callback) => "dr_msg_cb" in callback && callback.dr_msg_cb) });
}
