/**
 * Calls that wait inside librdkafka for a broker, so that nobody waits for another one's broker.
 *
 * They run on Deno's 32 blocking threads, which file reads and DNS need too, in lanes:
 *
 * - A call with a long time-out is made of short ones, slices, so that a client can be closed at once.
 * - A client whose broker does not answer has its calls in other lanes than those whose broker does. One slice, of a
 *   tenth of a second, is what it costs them until that is known.
 * - While no broker is connected, nobody waits on a thread to ask one: the client is asked now and then whether one is.
 * - A broker that is connected and does not answer gets longer slices, so that a slow one's answer fits one some time,
 *   with pauses between, in which others have the lane.
 *
 * @module
 */

import { Lanes } from "./lanes.ts";
import { openLibrary } from "./library.ts";
import { OutPointer, type Pointer } from "./memory.ts";
import { ErrorCode } from "./error_codes.ts";

const ANSWERED = new Lanes(8);
const UNANSWERED = new Lanes(8);

/** The first slice, of a client whose broker is thought to answer. */
const FIRST_SLICE_MS = 100;
/** Also the longest that a close waits for a slice. */
const MOST_SLICE_MS = 1600;
/** A slice of a client that has no broker, or of a call that goes on between its slices. */
const SHORT_SLICE_MS = 20;
const PAUSE_MS = { first: 10, most: 100, mostAfterLong: 400 };

/** No broker is connected; what needs a partition's leader says the latter. */
const NOBODY: ReadonlySet<number> = new Set([ErrorCode.TRANSPORT, ErrorCode.ALL_BROKERS_DOWN]);

/** What a slice says: an answer, or that there was none in its time. */
export interface Slice<T> {
  readonly answer: T;
  readonly isAnswered: boolean;
}

/** The calls of one client. */
export class BlockingCalls {
  readonly #hasBroker: () => boolean;
  readonly #closing: () => boolean;
  /** Whether the last call was answered. */
  #answers = true;
  /** How long a slice was in which a broker has answered. */
  #sliceMs = FIRST_SLICE_MS;

  /**
   * @param hasBroker says at once whether a broker is connected
   * @param closing whether the client closes, which ends all waits
   */
  constructor(hasBroker: () => boolean, closing: () => boolean) {
    this.#hasBroker = hasBroker;
    this.#closing = closing;
  }

  /** Makes a call that waits for librdkafka's own threads, and for a broker at most for a moment. */
  run<T>(call: () => Promise<T>): Promise<T> {
    return (this.#answers ? ANSWERED : UNANSWERED).run(call);
  }

  /**
   * Asks something, in slices, until it is answered, time is out or the client closes.
   *
   * @param timeoutMs a negative one is librdkafka's way to say: for ever
   * @returns librdkafka's code for the last slice
   */
  ask(timeoutMs: number, call: (sliceMs: number) => Promise<number>): Promise<number> {
    let code: number | undefined, nextMs = this.#sliceMs;
    return this.#sliced(timeoutMs, async (mostMs) => {
      const isThere = this.#answers || this.#hasBroker();
      if (!isThere && code !== undefined) return { answer: code, isAnswered: false };
      const sliceMs = Math.min(isThere ? nextMs : SHORT_SLICE_MS, mostMs);
      code = await this.run(() => call(sliceMs));
      if (code === ErrorCode.TIMED_OUT) {
        nextMs = Math.min(Math.max(this.#sliceMs, sliceMs * 2), MOST_SLICE_MS);
        return { answer: code, isAnswered: false };
      }
      // A leader that is away is looked for with others there.
      nextMs = code === ErrorCode.TRANSPORT ? this.#sliceMs : SHORT_SLICE_MS;
      if (NOBODY.has(code)) return { answer: code, isAnswered: false };
      this.#sliceMs = Math.max(this.#sliceMs, sliceMs);
      return { answer: code, isAnswered: true };
    });
  }

  /**
   * Makes a call that goes on by itself when its time is out, and is resumed by calling again.
   *
   * @param timeoutMs a negative one is for ever
   */
  resume<T>(timeoutMs: number, call: (sliceMs: number) => Promise<Slice<T>>): Promise<T> {
    let nextMs = this.#answers ? FIRST_SLICE_MS : SHORT_SLICE_MS;
    return this.#sliced(timeoutMs, (mostMs) => {
      const sliceMs = Math.min(nextMs, mostMs);
      nextMs = SHORT_SLICE_MS;
      return this.run(() => call(sliceMs));
    });
  }

  /** Waits until a broker is thought to answer, the client closes or time is out; says how much of it is left. */
  async untilConnected(timeoutMs: number): Promise<number> {
    if (this.#answers) return timeoutMs;
    const began = performance.now();
    await this.#sliced(timeoutMs, () => Promise.resolve({ answer: undefined, isAnswered: this.#hasBroker() }));
    return timeoutMs < 0 ? timeoutMs : Math.max(0, Math.ceil(timeoutMs - (performance.now() - began)));
  }

  async #sliced<T>(timeoutMs: number, slice: (mostMs: number) => Promise<Slice<T>>): Promise<T> {
    const wholeMs = Math.trunc(timeoutMs) || 0;
    const deadline = wholeMs < 0 ? Infinity : performance.now() + wholeMs;
    for (let pauseMs = PAUSE_MS.first;; pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most)) {
      const began = performance.now();
      // A time-out of 0 stays one: librdkafka then answers from what it knows.
      const { answer, isAnswered } = await slice(wholeMs === 0 ? 0 : Math.max(1, Math.ceil(deadline - began)));
      const now = performance.now();
      // Who does not wait learns nothing of a broker.
      if (isAnswered || wholeMs !== 0) this.#answers = isAnswered;
      if (isAnswered || this.#closing() || now >= deadline) return answer;
      const asLongMs = Math.min(now - began, PAUSE_MS.mostAfterLong);
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(pauseMs, asLongMs), deadline - now)));
      if (this.#closing()) return answer;
    }
  }
}

/** Whether a client is connected to a broker; has it look for one, if not. */
export function hasBroker(rk: Pointer): boolean {
  const { symbols } = openLibrary(), out = new OutPointer();
  // Without one it says so at once; else it asks, and this does not wait for the answer.
  const code = symbols.rd_kafka_metadata(rk, 0, null, out.buffer, 0);
  if (code === ErrorCode.NO_ERROR) symbols.rd_kafka_metadata_destroy(out.value);
  return !NOBODY.has(code);
}
