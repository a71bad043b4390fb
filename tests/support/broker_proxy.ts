/** A TCP proxy before a broker, which can read and change what passes it. */

/** A proxy of one broker; disposing of it closes its connections. */
export interface BrokerProxy extends Disposable {
  /** The address of the proxy, for the property `bootstrap.servers`. */
  readonly bootstrapServers: string;
}

/**
 * Starts a proxy on loopback.
 *
 * @param bootstrapServers The broker's address.
 * @param pass Copies bytes in both directions between a client and the broker, until one of them closes its connection.
 */
export function startBrokerProxy(
  bootstrapServers: string,
  pass: (client: Deno.Conn, server: Deno.Conn, ownPort: number) => Promise<unknown>,
): BrokerProxy {
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
          // The other side has closed the connection already.
          if (!(error instanceof Deno.errors.BadResource)) throw error;
        }
      }
    },
  };
}

/**
 * Makes a stream that passes Kafka's frames on, each when `visit` has read or changed it. A frame is a length of four bytes,
 * and as many bytes.
 */
export function visitFrames(
  visit: (frame: DataView<ArrayBuffer>) => void,
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
        visit(new DataView(rest.buffer, rest.byteOffset, size));
        controller.enqueue(rest.slice(0, size));
        rest = rest.subarray(size);
      }
    },
  });
}
