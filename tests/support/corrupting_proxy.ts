/** A proxy before a broker that corrupts one text, so that the record batch with it fails its checksum. */

import { type BrokerProxy, startBrokerProxy, visitFrames } from "./broker_proxy.ts";

const HOST = "127.0.0.1";

/**
 * Starts a proxy before a broker on 127.0.0.1. In the broker's responses it changes the first letter of `text`, and the
 * broker's port to its own, so that clients keep using the proxy.
 */
export function startCorruptingProxy(bootstrapServers: string, text: string): BrokerProxy {
  const port = Number(bootstrapServers.split(":")[1]);
  const encoder = new TextEncoder(), marker = encoder.encode(text), host = encoder.encode(HOST);
  return startBrokerProxy(bootstrapServers, async (client, server, ownPort) => {
    const answers = server.readable.pipeThrough(visitFrames((frame) => {
      for (const at of indicesOf(marker, frame)) frame.setUint8(at, frame.getUint8(at) ^ 1);
      for (const at of indicesOf(host, frame)) {
        if (frame.getInt32(at + host.length) === port) frame.setInt32(at + host.length, ownPort);
      }
    })).pipeTo(client.writable);
    await Promise.allSettled([client.readable.pipeTo(server.writable), answers]);
  });
}

/** The indices at which `wanted` begins in a frame. */
function indicesOf(wanted: Uint8Array, frame: DataView<ArrayBuffer>): number[] {
  const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength), indices: number[] = [];
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, n) => bytes[at + n] === byte) && at + wanted.length + 4 <= bytes.length) indices.push(at);
  }
  return indices;
}
