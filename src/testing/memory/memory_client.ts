/**
 * What consumers and producers of a `MemoryKafka` have in common.
 *
 * @module
 */

import { type ClientEvents, ErrorCode, type PortClient, type TopicPartition } from "../../kafka/port.ts";
import type { MemoryCluster } from "./memory_cluster.ts";
import { codedError } from "./memory_errors.ts";
import type { RequestKind } from "./memory_faults.ts";

interface Request {
  readonly kind: RequestKind;
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** A client. Brokers answer its requests in the order in which it sends them. */
export abstract class MemoryClient implements PortClient {
  protected readonly cluster: MemoryCluster;
  protected readonly conf: Readonly<Record<string, unknown>>;
  readonly #events: ClientEvents;
  readonly #requests: Request[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #connected = false;
  #crashed = false;
  #disconnected: Promise<void> | undefined;

  constructor(cluster: MemoryCluster, conf: Readonly<Record<string, unknown>>, events: ClientEvents) {
    this.cluster = cluster;
    this.conf = conf;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#connected && !this.#crashed;
  }

  get isDisconnecting(): boolean {
    return this.#disconnected !== undefined;
  }

  /** Whether the process of the client is gone: the client does nothing any more. */
  get isCrashed(): boolean {
    return this.#crashed;
  }

  /** The partitions that a consumer reads. */
  get assigned(): TopicPartition[] {
    return [];
  }

  /** The number of records that a producer has accepted and not reported. */
  get pending(): number {
    return 0;
  }

  /** Whether it has disconnected or crashed. */
  get isGone(): boolean {
    return this.#crashed || (this.isDisconnecting && !this.#connected);
  }

  /** The time without heartbeats, in milliseconds, after which a group expels a member. */
  get sessionTimeoutMs(): number {
    return Number(this.conf["session.timeout.ms"] ?? 45_000);
  }

  /** Reports an error of the client as a whole, as librdkafka does. */
  reportError(code: number, message?: string): void {
    if (!this.#crashed && !this.isDisconnecting) this.#events.onError(code, message ?? codedError(code).message);
  }

  /** Writes a line of the client's log. */
  log(severity: number, message: string): void {
    if (!this.#crashed && !this.isDisconnecting) this.#events.onLog?.(severity, message);
  }

  async connect(): Promise<void> {
    await this.request("connect", Infinity, () => this.#connected = true);
  }

  disconnect(): Promise<void> {
    return this.#disconnected ??= this.#crashed ? new Promise(() => {}) : this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    // The caller of `disconnect()` is not called back within the call.
    await Promise.resolve();
    if (this.#connected) await this.leave();
    this.#connected = false;
    this.#end();
    for (const { fail } of this.#requests.splice(0)) fail(codedError(ErrorCode.DESTROY));
  }

  /** Ends the client as the end of its process does: its promises stay pending. */
  crash(): void {
    this.#crashed = true;
    this.#requests.length = 0;
    this.#end();
  }

  #end(): void {
    for (const timer of this.#timers) globalThis.clearTimeout(timer);
    this.#timers.clear();
  }

  /** Does what a client has to do before it disconnects. */
  protected abstract leave(): void | Promise<void>;

  /**
   * Calls a function after a time in milliseconds, unless the client has ended by then.
   *
   * @returns a function that cancels the call
   */
  protected after(ms: number, callback: () => void): () => void {
    const timer = globalThis.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, ms);
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
      globalThis.clearTimeout(timer);
    };
  }

  /**
   * Sends a request to the brokers.
   *
   * @throws An error with a code: that of a fault; −185 after the timeout; −197 if the client disconnects first.
   */
  protected request<T>(kind: RequestKind, timeoutMs: number, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#crashed) return;
      if (kind !== "connect" && !this.isConnected) return reject(codedError(ErrorCode.STATE));
      if (this.isDisconnecting && !this.#connected) return reject(codedError(ErrorCode.DESTROY));
      let isAnswered = false, cancelTimeout = () => {};
      const once = (settle: () => void) => {
        if (isAnswered) return;
        isAnswered = true;
        cancelTimeout();
        settle();
      };
      const request: Request = {
        kind,
        answer: () =>
          once(() => {
            try {
              const code = this.cluster.faults.request?.(kind) ?? 0;
              if (code !== 0) throw codedError(code);
              resolve(answer());
            } catch (error) {
              reject(error);
            }
          }),
        fail: (error) => once(() => reject(error)),
      };
      this.#requests.push(request);
      const waits = !this.cluster.isUp || this.#requests.length > 1 || this.cluster.delayMs(kind) > 0;
      if (waits && timeoutMs < Infinity) {
        cancelTimeout = this.after(timeoutMs, () => request.fail(codedError(ErrorCode.TIMED_OUT)));
      }
      if (this.#requests.length === 1) this.#serveNext();
    });
  }

  #serveNext(): void {
    const request = this.#requests[0];
    if (request === undefined) return;
    this.cluster.whenUp(() => {
      const serve = () => {
        if (this.#requests[0] !== request) return;
        if (!this.cluster.isUp) return this.#serveNext();
        this.#requests.shift();
        request.answer();
        this.#serveNext();
      };
      const delayMs = this.cluster.delayMs(request.kind);
      if (delayMs > 0) this.after(delayMs, serve);
      else queueMicrotask(serve);
    });
  }
}
