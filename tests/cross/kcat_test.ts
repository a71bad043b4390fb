/** Exchanges records between Topic and kcat, a command-line client in C on the same librdkafka. */

import { deepEqual } from "node:assert/strict";
import {
  bootstrapServers,
  COMPRESSIONS,
  readOurs,
  RECORDS,
  runPeer,
  sendOurs,
  succeeds,
  topicName,
  unless,
  unlessCompression,
  type WireRecord,
} from "./peer.ts";

const peerState = unless("kcat", await succeeds("kcat", "-V"));
const kcat = (args: readonly string[], input?: string) => runPeer("kcat", ["-b", bootstrapServers!, ...args], input);

/** A record as kcat prints it. */
interface Printed {
  readonly key: string | null;
  readonly payload: string | null;
  readonly headers?: readonly string[];
  readonly partition: number;
  readonly ts: number;
}

const textOf = (data: Uint8Array | null) => data && new TextDecoder().decode(data);

const asText = ({ key, value, headers, partition, timestamp }: WireRecord) => ({
  key: textOf(key),
  value: textOf(value),
  headers: headers.map(([name, value]) => [name, textOf(value)]),
  partition,
  timestamp,
});

async function readKcat(topic: string): Promise<ReturnType<typeof asText>[]> {
  const lines = (await kcat(["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"])).trim().split("\n");
  return lines.map((line) => {
    const { key, payload, headers = [], partition, ts } = JSON.parse(line) as Printed;
    const pairs = Array.from({ length: headers.length / 2 }, (_, i) => headers.slice(2 * i, 2 * i + 2) as string[]);
    return { key, value: payload, headers: pairs, partition, timestamp: ts };
  });
}

/** Runs kcat once for each record, since all records of a run get the same headers. */
async function sendKcat(topic: string, records: readonly WireRecord[], compression: string): Promise<void> {
  for (const { key, value, headers } of records) {
    const args = ["-P", "-t", topic, "-p", "0", "-z", compression];
    for (const [name, value] of headers) args.push("-H", `${name}=${textOf(value)}`);
    if (key !== null) args.push("-K", "\t");
    if (value === null) args.push("-Z"); // Sends empty values as null.
    await kcat(args, `${key === null ? "" : `${textOf(key)}\t`}${textOf(value) ?? ""}\n`);
  }
}

for (const compression of COMPRESSIONS) {
  const { ignore, reason } = await unlessCompression(compression, peerState);

  Deno.test({
    name: `Topic's records are read by kcat, compression ${compression}${reason}`,
    ignore,
    fn: async () => {
      const topic = topicName(`ours-kcat-${compression}`);
      await sendOurs(topic, RECORDS, compression);
      deepEqual(await readKcat(topic), RECORDS.map(asText));
    },
  });

  Deno.test({
    name: `kcat's records are read by Topic, compression ${compression}${reason}`,
    ignore,
    fn: async () => {
      const topic = topicName(`kcat-ours-${compression}`);
      await sendKcat(topic, RECORDS, compression);
      // kcat stamps its records itself.
      const timeless = (record: WireRecord) => ({ ...asText(record), timestamp: 0 });
      deepEqual((await readOurs(topic)).map(timeless), RECORDS.map(timeless));
    },
  });
}
