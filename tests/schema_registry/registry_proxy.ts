/**
 * A proxy before the schema registry that counts what is asked for, and lets in only who has credentials: the registry
 * that is started here has no users.
 *
 * @module
 */

/** A proxy that is running. */
export interface RegistryProxy extends AsyncDisposable {
  /** For `new SchemaRegistry(url)`. */
  readonly url: string;
  /** What was asked for: method and path. */
  readonly requests: readonly string[];
}

/** Starts it before the registry of a URL; `credentials` are `"user:password"`, and left out let everybody in. */
export function startRegistryProxy(registryUrl: string, credentials?: string): RegistryProxy {
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    if (credentials !== undefined && request.headers.get("authorization") !== `Basic ${btoa(credentials)}`) {
      return Response.json({ error_code: 40101, message: "Unauthorized" }, { status: 401 });
    }
    const answer = await fetch(registryUrl + pathname + search, {
      method: request.method,
      headers: { "content-type": request.headers.get("content-type") ?? "application/json" },
      ...(request.body !== null && { body: await request.bytes() }),
    });
    return new Response(await answer.bytes(), {
      status: answer.status,
      headers: { "content-type": "application/json" },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
