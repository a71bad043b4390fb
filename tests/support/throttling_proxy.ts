/** A proxy before a broker that throttles its clients. */

import { type BrokerProxy, startBrokerProxy, visitFrames } from "./broker_proxy.ts";

const METADATA = 3;
/** The first version of Metadata whose response has a throttle time, and the first whose response header has tags. */
const THROTTLES = 3, FLEXIBLE = 9;

/** Starts a proxy that writes `throttleMs` into the first Metadata response of each connection; later ones keep their 0. */
export function startThrottlingProxy(bootstrapServers: string, throttleMs: number): BrokerProxy {
  return startBrokerProxy(bootstrapServers, async (client, server) => {
    const versions = new Map<number, number>();
    let hasThrottled = false;
    const requests = client.readable.pipeThrough(visitFrames((frame) => {
      if (frame.getInt16(4) === METADATA) versions.set(frame.getInt32(8), frame.getInt16(6));
    })).pipeTo(server.writable);
    const answers = server.readable.pipeThrough(visitFrames((frame) => {
      const version = versions.get(frame.getInt32(4)) ?? 0;
      if (version < THROTTLES || hasThrottled) return;
      hasThrottled = true;
      frame.setInt32(version < FLEXIBLE ? 8 : 9, throttleMs);
    })).pipeTo(client.writable);
    await Promise.allSettled([requests, answers]);
  });
}
