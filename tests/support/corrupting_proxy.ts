/** A way to a broker on which one text is damaged: what holds it fails its check sum. */

import { frames, type Proxy, startProxy } from "./proxy.ts";

const HOST = "127.0.0.1";

/**
 * Starts a proxy of a broker on 127.0.0.1: in what the broker answers, the first letter of `text` is another one, and
 * the broker's own address is that of the proxy.
 */
export function corrupting(bootstrapServers: string, text: string): Proxy {
  const port = Number(bootstrapServers.split(":")[1]);
  const encoder = new TextEncoder(), marker = encoder.encode(text), host = encoder.encode(HOST);
  return startProxy(bootstrapServers, async (client, server, ownPort) => {
    const answers = server.readable.pipeThrough(frames((frame) => {
      for (const at of placesOf(marker, frame)) frame.setUint8(at, frame.getUint8(at) ^ 1);
      for (const at of placesOf(host, frame)) {
        if (frame.getInt32(at + host.length) === port) frame.setInt32(at + host.length, ownPort);
      }
    })).pipeTo(client.writable);
    await Promise.allSettled([client.readable.pipeTo(server.writable), answers]);
  });
}

/** Where some bytes are in a frame. */
function placesOf(wanted: Uint8Array, frame: DataView<ArrayBuffer>): number[] {
  const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength), places: number[] = [];
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, n) => bytes[at + n] === byte) && at + wanted.length + 4 <= bytes.length) places.push(at);
  }
  return places;
}
