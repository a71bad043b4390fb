/** A way to a broker on which the cluster's first description says that the client is throttled. */

import { frames, type Proxy, startProxy } from "./proxy.ts";

const METADATA = 3;
/** The first version of Metadata whose answer begins with a throttle time, and of those whose header has tags. */
const THROTTLES = 3, FLEXIBLE = 9;

/** Starts a proxy: the first description of the cluster on each connection says `throttleMs`, what follows 0. */
export function throttling(bootstrapServers: string, throttleMs: number): Proxy {
  return startProxy(bootstrapServers, async (client, server) => {
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
  });
}
