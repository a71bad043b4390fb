/**
 * The server that a response is for, and its end.
 *
 * `shutdown()` of `Deno.serve()` waits until every response has been sent, and tells neither the handler nor the
 * response of it: no signal aborts, no stream is cancelled (Deno 2.9). One that streams for ever would hold it up for
 * ever. So `Deno.serve` is wrapped when this module is loaded: `shutdown()` first ends the responses that `sse()` has
 * made under the same server. Nothing else about it changes.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

/** What is being served by the code running now. */
export interface Serving {
  /** The request as `Deno.serve()` gave it to the handler. */
  readonly request: Request | undefined;
  /** Aborts when the server begins to shut down. */
  readonly closing: AbortSignal;
}

type Handler = (...args: unknown[]) => unknown;

const serving = new AsyncLocalStorage<Serving>();

/** What the code running now answers, if it runs under `Deno.serve()`. */
export function servingNow(): Serving | undefined {
  return serving.getStore();
}

/** Wraps `Deno.serve`, or what has been put in its place. */
function wrap(serve: typeof Deno.serve): typeof Deno.serve {
  return new Proxy(serve, {
    apply(target, self, args: unknown[]) {
      const closing = new AbortController();
      const server: Deno.HttpServer = Reflect.apply(target, self, args.map((arg) => watched(arg, closing.signal)));
      const { shutdown } = server;
      server.shutdown = () => {
        closing.abort();
        return shutdown.call(server);
      };
      return server;
    },
  });
}

/** The handler, or options with one, so that what it calls knows what it answers. */
function watched(arg: unknown, closing: AbortSignal): unknown {
  if (typeof arg === "function") {
    const handler = arg as Handler;
    const known = (...args: [Request?, unknown?]) => serving.run({ request: args[0], closing }, handler, ...args);
    // Deno looks at how many parameters a handler has.
    return Object.defineProperty(known, "length", { value: handler.length });
  }
  const handler = (arg as { handler?: unknown } | undefined)?.handler;
  return typeof handler === "function" ? { ...arg as object, handler: watched(handler, closing) } : arg;
}

// Where there is no such function, or it can't be replaced, a response ends by its client, its source or its signal.
if (typeof globalThis.Deno?.serve === "function") Reflect.set(Deno, "serve", wrap(Deno.serve));
