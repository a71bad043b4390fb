/**
 * Server-Sent Events: a source as the body of a `Response`, for a browser's `EventSource`.
 *
 * @module
 */

import { LONGEST_TIMER_MS } from "../async/longest_timer.ts";
import { assertNoProblems, unknownOptions } from "../options/problems.ts";
import type { BatchSource } from "../protocol/protocol.ts";
import { eventBody, eventText } from "./event_body.ts";
import { mapMessages, type OpenMessages, openMessages } from "./open_messages.ts";
import { toJson } from "./to_json.ts";

/**
 * What `sse()` reads.
 *
 * @typeParam T the messages
 * @typeParam P what the keys of a Cache can begin with
 */
export type SseSource<T, P = SsePrefix> =
  | ChangeSource<T, P>
  | BatchSource<T>
  | ReadableStream<T>
  | AsyncIterable<T>
  | Iterable<T>;

/**
 * A source that a client can resume, such as a Cache.
 *
 * @typeParam T the updates
 * @typeParam P what keys can begin with
 */
export interface ChangeSource<T, P = SsePrefix> {
  /** Whether changes have ids, and reading can resume behind an id. */
  readonly resumable: boolean;
  /** Reads changes. */
  changes(
    options: { readonly prefix?: P; readonly after?: string; readonly snapshot?: boolean },
  ): ReadableStream<SseChange<T>>;
}

/** A change that a `ChangeSource` reads. `CacheChange` says what each type means. */
export type SseChange<T> =
  | { readonly type: "entry" | "update"; readonly update: T; readonly id?: string | undefined }
  | { readonly type: "gap"; readonly reason: string; readonly id?: string | undefined }
  | { readonly type: "snapshot" | "live"; readonly id?: string | undefined };

/** The first part of a key, or an array of its first parts. */
export type SsePrefix = SseKeyPart | readonly SseKeyPart[];

/** One part of a key. */
export type SseKeyPart = Uint8Array | string | number | bigint | boolean;

/**
 * The options of `sse()`.
 *
 * @typeParam T the messages
 * @typeParam P what the keys of a Cache can begin with
 */
export interface SseOptions<T, P = SsePrefix> {
  /**
   * The request to answer. Its `Last-Event-ID` header says where a client resumes.
   * @default {none: from now on}
   */
  readonly request?: Request;
  /**
   * For a Cache: sends its entries before the updates, and again after a gap, so that a new page is not empty. A client
   * that resumes gets updates only.
   * @default {false}
   */
  readonly snapshot?: boolean;
  /**
   * For a Cache: sends only keys that begin with these parts, or are exactly these parts.
   * @default {all keys}
   */
  readonly prefix?: P;
  /**
   * The name of the events, or a function that returns it for a message.
   * @default {none: EventSource calls it "message"}
   */
  readonly event?: string | ((message: T) => string | undefined);
  /**
   * Returns the id of the event. With ids of your own, a client that reconnects does not resume.
   * @default {the id of the update in the log of a Cache; none for other sources}
   */
  readonly id?: (message: T) => string | number | undefined;
  /**
   * Returns the data of the event.
   * @default {a string as it is; of a Cache, [key, value] as JSON; everything else as JSON, in which a removed value is
   * null, a bigint a string, a Map its entries, a Set or bytes an array}
   */
  readonly data?: (message: T) => string;
  /**
   * After how many milliseconds without an event to send a comment, which keeps the connection open.
   * @default {15_000}
   */
  readonly keepAliveMs?: number;
  /**
   * How many milliseconds a client waits before it reconnects.
   * @default {the client's own default}
   */
  readonly retryMs?: number;
  /**
   * Headers to add to the response.
   * @default {none}
   */
  readonly headers?: HeadersInit;
  /**
   * Ends the response when it aborts.
   * @default {none}
   */
  readonly signal?: AbortSignal;
}

const OPTIONS = [
  "request",
  "snapshot",
  "prefix",
  "event",
  "id",
  "data",
  "keepAliveMs",
  "retryMs",
  "headers",
  "signal",
] as const satisfies (keyof SseOptions<unknown>)[];
const DEFAULTS = { snapshot: false, keepAliveMs: 15_000 } as const satisfies SseOptions<never>;

/**
 * Answers a request with the messages of a source, as Server-Sent Events.
 *
 * - **Pace.** A message is read from the source when the client takes it. A slow client costs no memory and slows no
 *   other client.
 * - **End.** The response ends when the source ends, the Cache is closed, `signal` aborts, or the client leaves. The
 *   source is released at once.
 * - **Shutdown.** `shutdown()` of `Deno.serve()` waits for every response and ends none. So first end the responses, by
 *   closing the Cache that they read or aborting their `signal`, then shut down the server:
 *   `await cache.close(); await server.shutdown()`. In the other order, the shutdown waits until all clients have left.
 *   `deno serve` shuts down in the same way at SIGTERM: close the Cache in a listener of that signal.
 * - **Resuming.** With a Cache that has a log, a client that reconnects with `Last-Event-ID` gets the updates that
 *   follow, each once, from any process that uses the store.
 * - **Gaps.** If updates are missing, for example because the log no longer holds them, the client gets an event `gap`
 *   and what there is. It is not refused: an `EventSource` never reconnects after an error status.
 * - **Safety.** No message can end an event or add a field to it. A line break in data begins another data line; line
 *   breaks in ids and names are removed.
 *
 * For a Cache, these events come beside the messages. Their `data` is JSON:
 *
 * - `snapshot`, `{}`: all entries follow as messages. The page discards what it has.
 * - `live`, `{}`: everything that the Cache held when the client connected has been sent.
 * - `gap`, `{ "reason": "trimmed" | "other-log" | "behind" }`: updates are missing.
 *
 * @param source what to read
 * @throws {TypeError} If an option is unknown or wrong, `snapshot` or `prefix` is given for a source that is not a
 *   Cache, or a stream is locked.
 * @throws {KafkaError} If a Topic is closed, or another reader has it. A reader that is just leaving is awaited.
 *
 * @example
 * ```ts
 * import { sse } from "@slipstream/slipstream";
 * import assert from "node:assert/strict";
 *
 * const response = sse(["hello", "two\nlines"]);
 * assert.equal(await response.text(), ":\n\ndata: hello\n\ndata: two\ndata: lines\n\n");
 * ```
 *
 * @example Shutdown: the Cache first, then the server
 * ```ts
 * import { Cache, sse } from "@slipstream/slipstream";
 *
 * const cache = new Cache<number, string>(":memory:");
 * const server = Deno.serve({ port: 0, onListen() {} }, (request) => sse(cache, { request, snapshot: true }));
 *
 * await cache.close(); // ends the responses
 * await server.shutdown();
 * ```
 */
export function sse<T, P = SsePrefix>(source: SseSource<T, P>, options: SseOptions<T, NoInfer<P>> = {}): Response {
  assertNoProblems("sse()", problemsOf(source, options));
  const { keepAliveMs = DEFAULTS.keepAliveMs, retryMs, signal } = options;
  const headers = new Headers(options.headers);
  headers.set("content-type", "text/event-stream; charset=utf-8");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  // Proxies such as nginx would collect events before they pass them on.
  headers.set("x-accel-buffering", "no");
  const first = `${retryMs === undefined ? ":" : `retry: ${retryMs}`}\n\n`;
  // The signal of the request is left alone: under Deno.serve() reading it prints a warning (Deno 2.9), and a client
  // that leaves cancels the body in any case.
  return new Response(eventBody(openEvents(source, options), first, keepAliveMs, signal), { headers });
}

function problemsOf<T, P>(source: SseSource<T, P>, options: SseOptions<T, P>): string[] {
  const problems = unknownOptions(options, OPTIONS);
  for (const name of ["keepAliveMs", "retryMs"] as const) {
    const ms = options[name];
    if (ms !== undefined && !(Number.isSafeInteger(ms) && ms > 0 && ms <= LONGEST_TIMER_MS)) {
      problems.push(`${name} must be a whole number of milliseconds from 1 to ${LONGEST_TIMER_MS}: got ${ms}`);
    }
  }
  if (!isChangeSource(source)) {
    if (options.snapshot) problems.push("snapshot is for a Cache: pass the Cache itself as the source");
    if (options.prefix !== undefined) problems.push("prefix is for a Cache: pass the Cache itself as the source");
  }
  return problems;
}

/** Opens a source, and makes an event of each message or change. */
function openEvents<T, P>(source: SseSource<T, P>, options: SseOptions<T, P>): OpenMessages<string> {
  const { request, event, id, snapshot = DEFAULTS.snapshot, prefix } = options;
  const nameOf = (message: T) => typeof event === "function" ? event(message) : event;
  if (!isChangeSource(source)) {
    const dataOf = options.data ?? defaultData;
    return mapMessages(openMessages(source), (message) => eventText(dataOf(message), nameOf(message), id?.(message)));
  }
  // The number of an update is in its id, so the data are the key and the value.
  const dataOf = options.data ?? ((update: T) => defaultData((update as readonly unknown[]).slice(0, 2)));
  const after = source.resumable && id === undefined ? request?.headers.get("last-event-id") : undefined;
  const changes = source.changes({
    ...(after && { after }),
    ...(prefix !== undefined && { prefix }),
    snapshot,
  });
  return mapMessages(openMessages(changes), (change) => {
    if ("update" in change) {
      const { update } = change;
      return eventText(dataOf(update), nameOf(update), id === undefined ? change.id : id(update));
    }
    const data = toJson("reason" in change ? { reason: change.reason } : {});
    return eventText(data, change.type, id === undefined ? change.id : undefined);
  });
}

function defaultData(message: unknown): string {
  return typeof message === "string" ? message : toJson(message);
}

function isChangeSource<T, P>(source: SseSource<T, P>): source is ChangeSource<T, P> {
  return typeof (source as Partial<ChangeSource<T, P>>).changes === "function";
}
