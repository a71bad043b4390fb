/**
 * Server-Sent Events: a source as the body of a `Response`, for a browser's `EventSource`.
 *
 * @module
 */

import type { BatchSource } from "../stream/protocol.ts";
import { toJson } from "./to_json.ts";
import { mapped, type OpenSource, openSource } from "./open_source.ts";
import { servingNow } from "./serving.ts";

/** What `sse()` reads from. */
export type SseSource<T> = ChangeSource<T> | BatchSource<T> | ReadableStream<T> | AsyncIterable<T> | Iterable<T>;

/** A source that a client can go on with where it left it, such as a Cache. */
export interface ChangeSource<T> {
  /** Whether changes have ids, and can be read again. */
  readonly resumable: boolean;
  /** Reads changes. */
  changes(
    options: { readonly prefix?: SsePrefix; readonly after?: string; readonly snapshot?: boolean },
  ): ReadableStream<SseChange<T>>;
}

/** What a `ChangeSource` reads; `CacheChange` says what each means. */
export type SseChange<T> =
  | { readonly type: "entry" | "update"; readonly update: T; readonly id?: string | undefined }
  | { readonly type: "gap"; readonly reason: string; readonly id?: string | undefined }
  | { readonly type: "snapshot" | "live"; readonly id?: string | undefined };

/** What keys begin with: a part of a key, or several. */
export type SsePrefix = SseKeyPart | readonly SseKeyPart[];

/** One part of a key. */
export type SseKeyPart = Uint8Array | string | number | bigint | boolean;

/** How a source becomes events. */
export interface SseOptions<T> {
  /** The request that is answered: its `Last-Event-ID` says where to go on, its signal when to end. */
  readonly request?: Request;
  /**
   * Sends the entries of a Cache first, so that a new page is not empty, and then the updates; after a gap as well. A
   * client that goes on where it was gets the updates alone. @default {false}
   */
  readonly snapshot?: boolean;
  /** Sends only what a Cache has under keys that begin with these parts, or are this key. @default {all} */
  readonly prefix?: SsePrefix;
  /** The event's name, or what makes one of a message. @default {none, which EventSource calls "message"} */
  readonly event?: string | ((message: T) => string | undefined);
  /**
   * What makes the event's id. With ids of your own, a client that comes back does not go on where it was.
   * @default {that of a Cache's update}
   */
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
 * - It ends when the source ends, the client goes, the signal aborts, the Cache is closed, or `shutdown()` of the
 *   `Deno.serve()` that it answers under is called; the source is released at once. For the last of these, loading this
 *   module wraps `Deno.serve`, which tells nobody of it: a `Deno.serve` that was kept aside before does not end it. There,
 *   end the responses first: `await cache.close(); await server.shutdown()`.
 * - With a Cache that has a log, a client that comes back with `Last-Event-ID` gets what follows, each update once. An
 *   id says of which log it is, so it holds in every process that uses the store, and in no other store.
 * - Where updates are missing, such as when the log no longer reaches back to the client's id, the client gets an event
 *   `gap`, and what there is. It is not refused: an EventSource that gets an error status never comes back.
 * - With `snapshot`, the entries of a Cache come first.
 * - Nothing in a message can end an event or add a field to it: line breaks in data make several data lines, and are
 *   taken out of ids and names.
 *
 * Beside the messages, a Cache makes these events, for `addEventListener()`; `data` is JSON:
 *
 * - `snapshot`, `{}`: all entries follow, as messages. The page forgets what it has.
 * - `live`, `{}`: what there was when the client came has been sent. After a snapshot, it has everything.
 * - `gap`, `{ "reason": "trimmed" | "other-log" | "behind" }`: updates are missing.
 *
 * @throws {RangeError} If a time is none.
 * @throws {TypeError} If `snapshot` or `prefix` is given for what is no Cache, or a stream is locked.
 * @throws {KafkaError} If a Topic is closed, or being read by someone else. Who has just left is waited for.
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
  const { request, keepAliveMs = KEEP_ALIVE_MS, retryMs, signal } = options;
  for (const [name, ms] of Object.entries({ keepAliveMs, retryMs })) {
    if (ms !== undefined && !(Number.isSafeInteger(ms) && ms > 0 && ms <= MAX_MS)) {
      throw new RangeError(`${name} must be a whole number of milliseconds above 0: ${ms}`);
    }
  }
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
  return new Response(body(openEvents(source, options), first, keepAliveMs, signals), { headers });
}

/** Opens a source, and makes events of what it reads. */
function openEvents<T>(source: SseSource<T>, options: SseOptions<T>): OpenSource<string> {
  const { request, event, id, snapshot, prefix } = options;
  const isCache = isChangeSource(source);
  const data = options.data ??
    ((message: T) => dataOf(isCache ? (message as readonly unknown[]).slice(0, 2) : message));
  const name = (message: T) => typeof event === "function" ? event(message) : event;
  if (!isCache) {
    if (snapshot || prefix !== undefined) {
      throw new TypeError("sse() has snapshot and prefix for a Cache: give it the Cache itself");
    }
    return mapped(openSource(source), (message) => frame(data(message), name(message), id?.(message)));
  }
  const after = source.resumable && id === undefined ? request?.headers.get("last-event-id") : undefined;
  const changes = source.changes({
    ...(after && { after }),
    ...(prefix !== undefined && { prefix }),
    ...(snapshot !== undefined && { snapshot }),
  });
  return mapped(openSource(changes), (change) => {
    if ("update" in change) {
      const { update } = change;
      return frame(data(update), name(update), id === undefined ? change.id : id(update));
    }
    const { type } = change;
    return frame(
      toJson("reason" in change ? { reason: change.reason } : {}),
      type,
      id === undefined ? change.id : undefined,
    );
  });
}

function body(
  { next, end }: OpenSource<string>,
  first: string,
  keepAliveMs: number,
  signals: readonly (AbortSignal | undefined)[],
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let started = false;
  let over = false;
  /** What the source has answered; a question that nobody waits for any more is still asked. */
  let answer: { result: IteratorResult<string, unknown> } | { error: unknown } | undefined;
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
        // As if the Cache were closed a moment later: the client comes back when the server is there again.
        if (isClosed(given.error)) return controller.close();
        throw given.error;
      }
      if (given.result.done) {
        finish();
        return controller.close();
      }
      controller.enqueue(encoder.encode(given.result.value));
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

function isChangeSource<T>(source: SseSource<T>): source is ChangeSource<T> {
  return typeof (source as Partial<ChangeSource<T>>).changes === "function";
}

/** Whether an error says that a Cache is closed. */
function isClosed(error: unknown): boolean {
  return error instanceof Error && error.name === "CacheError" && (error as { code?: unknown }).code === "closed";
}
