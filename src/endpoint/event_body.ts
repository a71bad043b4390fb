/**
 * The body of a response with Server-Sent Events.
 *
 * @module
 */

import { type OpenMessages, releaseQuietly } from "./open_messages.ts";

/** The read of the next event, which goes on while keep-alive comments are sent. */
type NextEvent =
  | { readonly state: "none" | "reading" }
  | { readonly state: "read"; readonly result: IteratorResult<string, unknown> }
  | { readonly state: "failed"; readonly error: unknown };

const KEEP_ALIVE = ":\n\n";

/**
 * Makes a body of events. It reads one when the client takes one, and ends when the events end, a signal aborts or the
 * client leaves.
 *
 * @param events the events, as `eventText()` writes them
 * @param first what is sent before the first event
 * @param keepAliveMs how long to wait for an event before a comment is sent
 */
export function eventBody(
  { next, end }: OpenMessages<string>,
  first: string,
  keepAliveMs: number,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let isStarted = false;
  let isOver = false;
  let nextEvent: NextEvent = { state: "none" };
  /** Ends the wait for the next event. */
  let wake = () => {};
  const finish = () => {
    if (isOver) return;
    isOver = true;
    signal?.removeEventListener("abort", abort);
    wake();
  };
  const abort = () => {
    if (isOver) return;
    finish();
    controller.close();
    releaseQuietly(end);
  };
  const startReading = () => {
    nextEvent = { state: "reading" };
    next().then((result) => {
      nextEvent = { state: "read", result };
    }, (error) => {
      nextEvent = { state: "failed", error };
    }).then(() => wake());
  };
  /** The event, or "reading" if there is none within `keepAliveMs`. */
  const waitForEvent = async (): Promise<NextEvent> => {
    if (nextEvent.state === "none") startReading();
    if (nextEvent.state === "reading") {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, keepAliveMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return nextEvent;
  };
  return new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
    },
    pull: async () => {
      if (!isStarted) {
        isStarted = true;
        // The client learns at once that it is connected. It also keeps a byte order mark in the data from being the
        // first character of the body, where the client would drop it.
        return controller.enqueue(encoder.encode(first));
      }
      const event = await waitForEvent();
      if (isOver) return;
      if (event.state === "reading") return controller.enqueue(encoder.encode(KEEP_ALIVE));
      nextEvent = { state: "none" };
      if (event.state === "read" && !event.result.done) {
        return controller.enqueue(encoder.encode(event.result.value));
      }
      finish();
      // A Cache that was closed before the first read ends the response like one that is closed later: the client
      // reconnects, and may find the server restarted.
      if (event.state === "failed" && !isClosed(event.error)) throw event.error;
      controller.close();
    },
    cancel: () => {
      finish();
      releaseQuietly(end);
    },
  }, { highWaterMark: 0 });
}

/**
 * An event as text. Line breaks can't end it: in data they make further data lines; from names and ids they are
 * removed.
 */
export function eventText(data: string, event: string | undefined, id: string | number | undefined): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  return `${event === undefined ? "" : `event: ${oneLine(event)}\n`}${
    id === undefined ? "" : `id: ${oneLine(`${id}`)}\n`
  }${lines}\n`;
}

/** Clients ignore an id with a NUL, so that is removed too. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, "");
}

/** Whether an error says that a Cache is closed. This room does not import CacheError. */
function isClosed(error: unknown): boolean {
  return error instanceof Error && error.name === "CacheError" && (error as { code?: unknown }).code === "closed";
}
