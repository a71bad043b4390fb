/**
 * What consumers and producers of a cluster in memory have in common.
 *
 * @module
 */

import { type ClientEvents, ErrorCode, type PortClient, type TopicPartition } from "../../kafka/port.ts";
import { type Cluster, codedError, type RequestKind } from "./cluster.ts";

interface Request {
  readonly kind: RequestKind;
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** A client: its requests are answered in order. */
export abstract class MemoryClient implements PortClient {
  protected readonly cluster: Cluster;
  protected readonly conf: Readonly<Record<string, unknown>>;
  readonly #events: ClientEvents;
  readonly #requests: Request[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #connected = false;
  #crashed = false;
  #disconnected: Promise<void> | undefined;

  constructor(cluster: Cluster, conf: Readonly<Record<string, unknown>>, events: ClientEvents) {
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

  /** Whether its process is gone: nothing of it happens any more. */
  get isCrashed(): boolean {
    return this.#crashed;
  }

  /** What a consumer reads. */
  get assigned(): TopicPartition[] {
    return [];
  }

  /** How many records of a producer are not reported yet. */
  get onTheirWay(): number {
    return 0;
  }

  /** Whether it was disconnected, or is crashed. */
  get isGone(): boolean {
    return this.#crashed || (this.isDisconnecting && !this.#connected);
  }

  /** After how long without its heartbeats a group takes it for dead. */
  get sessionTimeoutMs(): number {
    return Number(this.conf["session.timeout.ms"] ?? 45_000);
  }

  /** Tells of an error of the client as a whole, as librdkafka does. */
  report(code: number, message?: string): void {
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
    // Whoever called is not called back within the call.
    await Promise.resolve();
    if (this.#connected) await this.leave();
    this.#connected = false;
    this.#end();
    for (const { fail } of this.#requests.splice(0)) fail(codedError(ErrorCode.DESTROY));
  }

  /** The process of the client is gone: what waits for it waits for ever. */
  crash(): void {
    this.#crashed = true;
    this.#requests.length = 0;
    this.#end();
  }

  #end(): void {
    for (const timer of this.#timers) globalThis.clearTimeout(timer);
    this.#timers.clear();
  }

  /** What a client does before it is gone. */
  protected abstract leave(): void | Promise<void>;

  /** Calls later, unless the client is gone by then. */
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
   * Asks the brokers.
   *
   * @throws An error with a code: what a fault says, −185 when the time is out, −197 when the client was disconnected.
   */
  protected request<T>(kind: RequestKind, timeoutMs: number, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#crashed) return;
      if (kind !== "connect" && !this.isConnected) return reject(codedError(ErrorCode.STATE));
      if (this.isDisconnecting && !this.#connected) return reject(codedError(ErrorCode.DESTROY));
      let over = false, forget = () => {};
      const once = (act: () => void) => {
        if (over) return;
        over = true;
        forget();
        act();
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
      const waits = !this.cluster.isUp || this.#requests.length > 1 || this.cluster.delayOf(kind) > 0;
      if (waits && timeoutMs < Infinity) {
        forget = this.after(timeoutMs, () => request.fail(codedError(ErrorCode.TIMED_OUT)));
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
      const delayMs = this.cluster.delayOf(request.kind);
      if (delayMs > 0) this.after(delayMs, serve);
      else queueMicrotask(serve);
    });
  }
}
