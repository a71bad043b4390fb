/** A way to a broker on which the cluster's first description says that the client is throttled. */

const METADATA = 3;
/** The first version of Metadata whose answer begins with a throttle time, and of those whose header has tags. */
const THROTTLES = 3, FLEXIBLE = 9;

/** A proxy of one broker. */
export interface ThrottlingProxy extends Disposable {
  /** For the property `bootstrap.servers`. */
  readonly bootstrapServers: string;
}

/** Starts a proxy: the first description of the cluster on each connection says `throttleMs`, what follows 0. */
export function throttling(bootstrapServers: string, throttleMs: number): ThrottlingProxy {
  const [hostname, port] = bootstrapServers.split(",")[0]!.split(":");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<Deno.Conn>();
  const serve = async (client: Deno.Conn) => {
    const server = await Deno.connect({ hostname: hostname!, port: Number(port) });
    for (const connection of [client, server]) connections.add(connection);
    const asked = new Map<number, number>();
    let said = false;
    const requests = client.readable.pipeThrough(frames((frame) => {
      if (frame.getInt16(4) === METADATA) asked.set(frame.getInt32(8), frame.getInt16(6));
    })).pipeTo(server.writable);
    const answers = server.readable.pipeThrough(frames((frame) => {
      const version = asked.get(frame.getInt32(4)) ?? 0;
      if (version < THROTTLES || said) return;
      said = true;
      frame.setInt32(version < FLEXIBLE ? 8 : 9, throttleMs);
    })).pipeTo(client.writable);
    await Promise.allSettled([requests, answers]);
  };
  void (async () => {
    for await (const client of listener) void serve(client).catch(() => client.close());
  })();
  return {
    bootstrapServers: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
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
