/** A way to a broker on which one text is damaged: what holds it fails its check sum. */

import { frames } from "./throttling_proxy.ts";

/** A proxy of one broker. */
export interface CorruptingProxy extends Disposable {
  /** For the property `bootstrap.servers`. */
  readonly bootstrapServers: string;
}

const HOST = "127.0.0.1";

/**
 * Starts a proxy of a broker on 127.0.0.1: in what the broker answers, the first letter of `text` is another one, and
 * the broker's own address is that of the proxy.
 */
export function corrupting(bootstrapServers: string, text: string): CorruptingProxy {
  const port = Number(bootstrapServers.split(":")[1]);
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const ownPort = (listener.addr as Deno.NetAddr).port;
  const connections = new Set<Deno.Conn>();
  const encoder = new TextEncoder(), marker = encoder.encode(text), host = encoder.encode(HOST);
  const serve = async (client: Deno.Conn) => {
    const server = await Deno.connect({ hostname: HOST, port });
    for (const connection of [client, server]) connections.add(connection);
    const answers = server.readable.pipeThrough(frames((frame) => {
      for (const at of placesOf(marker, frame)) frame.setUint8(at, frame.getUint8(at) ^ 1);
      for (const at of placesOf(host, frame)) {
        if (frame.getInt32(at + host.length) === port) frame.setInt32(at + host.length, ownPort);
      }
    })).pipeTo(client.writable);
    await Promise.allSettled([client.readable.pipeTo(server.writable), answers]);
  };
  void (async () => {
    for await (const client of listener) void serve(client).catch(() => client.close());
  })();
  return {
    bootstrapServers: `${HOST}:${ownPort}`,
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

/** Where some bytes are in a frame. */
function placesOf(wanted: Uint8Array, frame: DataView<ArrayBuffer>): number[] {
  const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength), places: number[] = [];
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, n) => bytes[at + n] === byte) && at + wanted.length + 4 <= bytes.length) places.push(at);
  }
  return places;
}
