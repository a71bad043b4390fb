/**
 * Proxies in front of a real HTTP server that spoil some of its answers, as networks and busy servers do. The server
 * has handled the request by then.
 *
 * @module
 */

/** A running proxy. */
export interface SpoilingProxy extends AsyncDisposable {
  /** The URL of the server through the proxy. */
  readonly url: string;
}

/** Starts an HTTP proxy. For each answer, `isRefused(path)` says whether the proxy answers 503 instead. */
export function startHttpProxy(url: string, isRefused: (path: string) => boolean): SpoilingProxy {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const answer = await fetch(new URL(pathname, url), {
      method: request.method,
      headers: request.headers,
      body: await request.bytes(),
    });
    const body = await answer.bytes();
    if (isRefused(pathname)) return new Response("later", { status: 503 });
    return new Response(body, { status: answer.status, headers: answer.headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Starts a TCP proxy. For each piece of an answer, `isCut()` says whether the connection is cut instead. */
export function startTcpProxy(url: string, isCut: () => boolean): SpoilingProxy {
  const { hostname, port } = new URL(url);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const close = (...connections: Deno.TcpConn[]) => {
    for (const connection of connections) if (open.delete(connection)) connection.close();
  };
  /** Passes on bytes until either side ends or `isOver()`. */
  const pass = async (from: Deno.TcpConn, to: Deno.TcpConn, isOver = () => false) => {
    const buffer = new Uint8Array(65_536);
    try {
      for (let read = await from.read(buffer); read !== null && !isOver(); read = await from.read(buffer)) {
        for (let at = 0; at < read;) at += await to.write(buffer.subarray(at, read));
      }
    } catch { /* Either side may end at any moment. */ }
    close(from, to);
  };
  const serve = async (client: Deno.TcpConn) => {
    const server = await Deno.connect({ hostname, port: Number(port) });
    open.add(client).add(server);
    await Promise.all([pass(client, server), pass(server, client, isCut)]);
  };
  const serving = (async () => {
    const connections: Promise<void>[] = [];
    for await (const client of listener) connections.push(serve(client));
    await Promise.all(connections);
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      close(...open);
      await serving;
    },
  };
}
