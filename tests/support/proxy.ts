/** A way to a broker on which what is sent can be looked at and changed. */

/** A proxy of one broker. */
export interface Proxy extends Disposable {
  /** For the property `bootstrap.servers`. */
  readonly bootstrapServers: string;
}

/**
 * Starts a proxy on loopback.
 *
 * @param bootstrapServers the broker's address
 * @param pass passes on what comes from either side of a connection, until one of them closes it
 */
export function startProxy(
  bootstrapServers: string,
  pass: (client: Deno.Conn, server: Deno.Conn, ownPort: number) => Promise<unknown>,
): Proxy {
  const [hostname, port] = bootstrapServers.split(",")[0]!.split(":");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ownPort = (listener.addr as Deno.NetAddr).port;
  const connections = new Set<Deno.Conn>();
  const serve = async (client: Deno.Conn) => {
    const server = await Deno.connect({ hostname: hostname!, port: Number(port) });
    for (const connection of [client, server]) connections.add(connection);
    await pass(client, server, ownPort);
  };
  void (async () => {
    for await (const client of listener) void serve(client).catch(() => client.close());
  })();
  return {
    bootstrapServers: `127.0.0.1:${ownPort}`,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch (error) {
          // The other side has closed it.
          if (!(error instanceof Deno.errors.BadResource)) throw error;
        }
      }
    },
  };
}

/** Passes a stream on frame by frame, a length of four bytes and as many bytes, when each was looked at or changed. */
export function frames(
  look: (frame: DataView<ArrayBuffer>) => void,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  return new TransformStream({
    transform(chunk, controller) {
      const bytes = new Uint8Array(rest.length + chunk.length);
      bytes.set(rest);
      bytes.set(chunk, rest.length);
      rest = bytes;
      while (rest.length >= 4) {
        const size = 4 + new DataView(rest.buffer, rest.byteOffset).getInt32(0);
        if (rest.length < size) return;
        look(new DataView(rest.buffer, rest.byteOffset, size));
        controller.enqueue(rest.slice(0, size));
        rest = rest.subarray(size);
      }
    },
  });
}
