/**
 * Server-Sent Events: a source as the body of a `Response`, for a browser's `EventSource`.
 *
 * @module
 */

import { toJson } from "./json.ts";
import { servingNow } from "./serving.ts";

/** What `sse()` reads from. */
export type SseSource<T> = ResumableSource<T> | ReadableStream<T> | AsyncIterable<T> | Iterable<T>;

/** A source that can go on where a client left it, such as a Cache with a log. */
export interface ResumableSource<T> {
  /** Whether updates are numbered and can be read again. */
  readonly resumable: boolean;
  /** Reads updates on from a number. */
  updates(options: { readonly from?: number }): ReadableStream<T>;
}

/** How a source becomes events. */
export interface SseOptions<T> {
  /** The request that is answered: its `Last-Event-ID` says where to resume, its signal when to end. */
  readonly request?: Request;
  /** The event's name, or what makes one of a message. @default {none, which EventSource calls "message"} */
  readonly event?: string | ((message: T) => string | undefined);
  /** What makes the event's id. @default {the sequence number of a Cache's update} */
  readonly id?: (message: T) => string | number | undefined;
  /**
   * What makes the event's data. By default a string stays as it is, and `[key, value]` of a Cache and everything else
   * become JSON: a removed value is null, a bigint a string, a Map its entries, a Set and bytes are arrays.
   */
  readonly data?: (message: T) => string;
  /** How long it may be silent before a comment is sent, in milliseconds. @default {15_000} */
  readonly keepAliveMs?: number;
  /** How long a client is to wait before it connects again, in milliseconds. @default {the client's choice} */
  readonly retryMs?: number;
  /** Headers to add. */
  readonly headers?: HeadersInit;
  /** Ends the response. */
  readonly signal?: AbortSignal;
}

const KEEP_ALIVE_MS = 15_000;
/** The longest time that a timer takes. */
const MAX_MS = 2 ** 31 - 1;

/**
 * Answers with the messages of a source as Server-Sent Events.
 *
 * - A message is taken from the source when the client takes it: a slow client holds up nobody, and costs no memory.
 * - It ends when the source ends, the client goes, the signal aborts, or `shutdown()` of the `Deno.serve()` that it
 *   answers under is called; the source is then cancelled. For the last of these, loading this module wraps
 *   `Deno.serve`, which tells nobody of it: a `Deno.serve` that was kept aside before does not end it.
 * - With a Cache that has a log, a client that comes back with `Last-Event-ID` gets what follows, without a gap (as far
 *   as the log reaches) and without a duplicate.
 * - Nothing in a message can end an event or add a field to it: line breaks in data make several data lines, and are
 *   taken out of ids and names.
 *
 * @throws {RangeError} If a time is none.
 *
 * @example
 * ```ts
 * import { sse } from "@slipstream/slipstream";
 * import assert from "node:assert/strict";
 *
 * const response = sse(["hello", "two\nlines"]);
 * assert.equal(await response.text(), ":\n\ndata: hello\n\ndata: two\ndata: lines\n\n");
 * ```
 */
export function sse<T>(source: SseSource<T>, options: SseOptions<T> = {}): Response {
  const { request, event, id, keepAliveMs = KEEP_ALIVE_MS, retryMs, signal } = options;
  for (const [name, ms] of Object.entries({ keepAliveMs, retryMs })) {
    if (ms !== undefined && !(Number.isSafeInteger(ms) && ms > 0 && ms <= MAX_MS)) {
      throw new RangeError(`${name} must be a whole number of milliseconds above 0: ${ms}`);
    }
  }
  const updates = isResumable(source);
  const resumable = updates && source.resumable;
  // A Cache's update has its number as the id.
  const data = options.data ??
    ((message: T) => dataOf(updates ? (message as readonly unknown[]).slice(0, 2) : message));
  const idOf = id ?? (resumable ? ((message: T) => (message as readonly unknown[])[2] as number) : () => undefined);
  const format = (message: T) =>
    frame(data(message), typeof event === "function" ? event(message) : event, idOf(message));
  const headers = new Headers(options.headers);
  headers.set("content-type", "text/event-stream; charset=utf-8");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  // For proxies such as nginx, which would collect events before they pass them on.
  headers.set("x-accel-buffering", "no");
  const first = `${retryMs === undefined ? ":" : `retry: ${retryMs}`}\n\n`;
  const serving = servingNow();
  // That of a request as it came from Deno.serve() says nothing that the response is not told as well, and asking for it
  // makes Deno warn that it will abort later.
  const gone = serving?.request === request ? undefined : request?.signal;
  const signals = [signal, gone, serving?.closing];
  return new Response(body(open(source, request), format, first, keepAliveMs, signals), { headers });
}

/** Pulled one message at a time. */
interface Opened<T> {
  next(): Promise<IteratorResult<T, unknown>>;
  end(): unknown;
}

function open<T>(source: SseSource<T>, request: Request | undefined): Opened<T> {
  if (isResumable(source)) {
    const last = request?.headers.get("last-event-id") ?? "";
    return open(source.updates(source.resumable && /^\d{1,15}$/.test(last) ? { from: Number(last) + 1 } : {}), request);
  }
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return { next: () => reader.read() as Promise<IteratorResult<T, unknown>>, end: () => reader.cancel() };
  }
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return { next: async () => await iterator.next(), end: async () => await iterator.return?.() };
}

function body<T>(
  { next, end }: Opened<T>,
  format: (message: T) => string,
  first: string,
  keepAliveMs: number,
  signals: readonly (AbortSignal | undefined)[],
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let started = false;
  let over = false;
  /** What the source has answered; a question that nobody waits for any more is still asked. */
  let answer: { result: IteratorResult<T, unknown> } | { error: unknown } | undefined;
  let asking = false;
  let wake = () => {};
  const finish = () => {
    if (over) return;
    over = true;
    for (const signal of signals) signal?.removeEventListener("abort", abort);
    wake();
  };
  const release = () => {
    // A generator that fails in its finally block has no one left to tell.
    Promise.resolve(end()).catch(() => {});
  };
  const abort = () => {
    if (over) return;
    finish();
    controller.close();
    release();
  };
  const ask = () => {
    asking = true;
    next().then((result) => answer = { result }, (error) => answer = { error }).then(() => {
      asking = false;
      wake();
    });
  };
  return new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
      for (const signal of signals) {
        if (signal?.aborted) return abort();
        signal?.addEventListener("abort", abort);
      }
    },
    pull: async () => {
      if (!started) {
        started = true;
        // Tells the client at once that it is connected; and a byte order mark in data is no longer at the start.
        return controller.enqueue(encoder.encode(first));
      }
      if (answer === undefined && !asking) ask();
      if (answer === undefined) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, keepAliveMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      if (over) return;
      const given = answer;
      answer = undefined;
      if (given === undefined) return controller.enqueue(encoder.encode(":\n\n"));
      if ("error" in given) {
        finish();
        throw given.error;
      }
      if (given.result.done) {
        finish();
        return controller.close();
      }
      try {
        controller.enqueue(encoder.encode(format(given.result.value)));
      } catch (error) {
        finish();
        release();
        throw error;
      }
    },
    cancel: () => {
      finish();
      release();
    },
  }, { highWaterMark: 0 });
}

/** One event, as it goes over the wire. */
function frame(data: string, event: string | undefined, id: string | number | undefined): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  // An id with NUL would be ignored by the client; a line break would begin another field.
  return `${event === undefined ? "" : `event: ${oneLine(event)}\n`}${
    id === undefined ? "" : `id: ${oneLine(`${id}`)}\n`
  }${lines}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, "");
}

function dataOf(message: unknown): string {
  return typeof message === "string" ? message : toJson(message);
}

function isResumable<T>(source: SseSource<T>): source is ResumableSource<T> {
  return typeof (source as Partial<ResumableSource<T>>).updates === "function";
}
