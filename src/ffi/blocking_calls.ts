/**
 * Runs librdkafka's blocking calls on Deno's 32 blocking threads, which file reads and DNS use too, so that a client whose
 * broker does not answer hardly delays other clients.
 *
 * - A request with a long time-out is split into calls with short time-outs, called *slices*. A client can be closed between
 *   slices, so closing waits for at most one (1.6 s).
 * - Clients whose broker answered the last call, and the other clients, have 8 threads each. A client that stops answering
 *   holds a thread of the first 8 for one slice: 100 ms, or up to 1.6 s if its broker has needed that before.
 * - A client without a connected broker holds no thread after its first slice: it checks from time to time, without waiting,
 *   whether a broker is connected.
 * - The slices of a connected broker that does not answer double up to 1.6 s, because an answer must arrive within one slice.
 *   Between slices the thread is free for other clients.
 *
 * @module
 */

import { ErrorCode } from "./error_codes.ts";
import { openLibrary } from "./library.ts";
import { OutPointer, type Pointer } from "./memory.ts";
import { Semaphore } from "./semaphore.ts";

/** Threads for clients whose broker responds, and for those whose broker does not. */
const RESPONSIVE = new Semaphore(8);
const UNRESPONSIVE = new Semaphore(8);

/** The first slice of a client whose broker is thought to respond. */
const FIRST_SLICE_MS = 100;
/** The longest slice, and so the longest time that closing a client waits for one. */
const MAX_SLICE_MS = 1600;
/** The slice of a client without a broker, and of a call that continues in librdkafka between its slices. */
const SHORT_SLICE_MS = 20;
/** Pauses between slices grow from `first` to `max`; after a long slice they are as long as the slice, up to `maxAfterLong`. */
const PAUSE_MS = { first: 10, max: 100, maxAfterLong: 400 };

/** The codes for "no broker is connected". A request to a partition's leader answers `ALL_BROKERS_DOWN`. */
const NO_BROKER: ReadonlySet<number> = new Set([ErrorCode.TRANSPORT, ErrorCode.ALL_BROKERS_DOWN]);

/** The result of one slice. */
export interface Slice<T> {
  readonly answer: T;
  /** Whether the broker has answered; `false` if the slice's time ran out. */
  readonly isAnswered: boolean;
}

/** Makes the blocking calls of one client. */
export class BlockingCalls {
  readonly #hasBroker: () => boolean;
  readonly #isClosing: () => boolean;
  /** Whether the broker answered the last call. */
  #isResponsive = true;
  /** The longest slice in which the broker has answered. */
  #sliceMs = FIRST_SLICE_MS;

  /**
   * @param hasBroker returns at once whether a broker is connected
   * @param isClosing returns whether the client is closing, which ends all waits
   */
  constructor(hasBroker: () => boolean, isClosing: () => boolean) {
    this.#hasBroker = hasBroker;
    this.#isClosing = isClosing;
  }

  /** Runs a call that waits for librdkafka's own threads, and only briefly, if at all, for a broker. */
  run<T>(call: () => Promise<T>): Promise<T> {
    return (this.#isResponsive ? RESPONSIVE : UNRESPONSIVE).run(call);
  }

  /**
   * Makes a request in slices, until the broker answers, the time is out or the client closes.
   *
   * @param timeoutMs the time-out of the whole request; a negative one means none, as in librdkafka
   * @param call makes the request with the time-out of one slice
   * @returns librdkafka's code for the last slice
   */
  request(timeoutMs: number, call: (sliceMs: number) => Promise<number>): Promise<number> {
    let code: number | undefined, nextMs = this.#sliceMs;
    return this.#inSlices(timeoutMs, async (maxMs) => {
      const isConnected = this.#isResponsive || this.#hasBroker();
      if (!isConnected && code !== undefined) return { answer: code, isAnswered: false };
      const sliceMs = Math.min(isConnected ? nextMs : SHORT_SLICE_MS, maxMs);
      code = await this.run(() => call(sliceMs));
      if (code === ErrorCode.TIMED_OUT) {
        nextMs = Math.min(Math.max(this.#sliceMs, sliceMs * 2), MAX_SLICE_MS);
        return { answer: code, isAnswered: false };
      }
      // While a partition's leader is away, other brokers may be connected: short slices suffice to find the new leader.
      nextMs = code === ErrorCode.TRANSPORT ? this.#sliceMs : SHORT_SLICE_MS;
      if (NO_BROKER.has(code)) return { answer: code, isAnswered: false };
      this.#sliceMs = Math.max(this.#sliceMs, sliceMs);
      return { answer: code, isAnswered: true };
    });
  }

  /**
   * Makes a call that continues in librdkafka after its time-out, and is resumed by calling it again.
   *
   * @param timeoutMs the time-out of the whole call; a negative one means none
   */
  resume<T>(timeoutMs: number, call: (sliceMs: number) => Promise<Slice<T>>): Promise<T> {
    let nextMs = this.#isResponsive ? FIRST_SLICE_MS : SHORT_SLICE_MS;
    return this.#inSlices(timeoutMs, (maxMs) => {
      const sliceMs = Math.min(nextMs, maxMs);
      nextMs = SHORT_SLICE_MS;
      return this.run(() => call(sliceMs));
    });
  }

  /**
   * Waits until a broker is connected, the time is out or the client closes.
   *
   * @returns what remains of the time-out, in milliseconds
   */
  async untilConnected(timeoutMs: number): Promise<number> {
    if (this.#isResponsive) return timeoutMs;
    const startedAt = performance.now();
    await this.#inSlices(timeoutMs, () => Promise.resolve({ answer: undefined, isAnswered: this.#hasBroker() }));
    return timeoutMs < 0 ? timeoutMs : Math.max(0, Math.ceil(timeoutMs - (performance.now() - startedAt)));
  }

  async #inSlices<T>(timeoutMs: number, slice: (maxMs: number) => Promise<Slice<T>>): Promise<T> {
    const wholeMs = Math.trunc(timeoutMs) || 0;
    const deadline = wholeMs < 0 ? Infinity : performance.now() + wholeMs;
    for (let pauseMs = PAUSE_MS.first;; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.max)) {
      const startedAt = performance.now();
      // A time-out of 0 is passed on as 0: librdkafka then answers from what it knows.
      const { answer, isAnswered } = await slice(wholeMs === 0 ? 0 : Math.max(1, Math.ceil(deadline - startedAt)));
      const now = performance.now();
      // A call that does not wait says nothing about the broker unless it is answered.
      if (isAnswered || wholeMs !== 0) this.#isResponsive = isAnswered;
      if (isAnswered || this.#isClosing() || now >= deadline) return answer;
      const asLongMs = Math.min(now - startedAt, PAUSE_MS.maxAfterLong);
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(pauseMs, asLongMs), deadline - now)));
      if (this.#isClosing()) return answer;
    }
  }
}

/** Returns at once whether a client is connected to a broker. If it is not, librdkafka starts to look for one. */
export function hasBroker(rk: Pointer): boolean {
  const { symbols } = openLibrary(), out = new OutPointer();
  // With a time-out of 0 the call returns "no broker" at once, or sends a request and does not wait for the answer.
  const code = symbols.rd_kafka_metadata(rk, 0, null, out.buffer, 0);
  if (code === ErrorCode.NO_ERROR) symbols.rd_kafka_metadata_destroy(out.value);
  return !NO_BROKER.has(code);
}
