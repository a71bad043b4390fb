/** Exchanges records between Topic and aiokafka, which shares no code with librdkafka. */

import { deepEqual, equal } from "node:assert/strict";
import { fileURLToPath } from "node:url";
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

const python = Deno.env.get("SLIPSTREAM_PYTHON") ?? "python3";
const peerState = unless("aiokafka", await succeeds(python, "-c", "import aiokafka, cramjam"));
const script = fileURLToPath(new URL("aiokafka_peer.py", import.meta.url));
const peer = (command: string, topic: string, argument: string, input?: string) =>
  runPeer(python, [script, command, bootstrapServers!, topic, argument], input);

const toBase64 = (data: Uint8Array | null) => data && data.toBase64();
const fromBase64 = (text: string | null) => text === null ? null : Uint8Array.fromBase64(text);

async function sendTheirs(topic: string, records: readonly WireRecord[], compression: string): Promise<void> {
  const lines = records.map(({ key, value, headers, ...rest }) =>
    JSON.stringify({
      ...rest,
      key: toBase64(key),
      value: toBase64(value),
      headers: headers.map(([name, value]) => [name, toBase64(value)]),
    })
  );
  await peer("produce", topic, compression, lines.join("\n"));
}

async function readTheirs(topic: string, count: number): Promise<WireRecord[]> {
  const lines = (await peer("consume", topic, String(count))).trim().split("\n");
  return lines.map((line) => {
    const { key, value, headers, ...rest } = JSON.parse(line);
    return {
      ...rest,
      key: fromBase64(key),
      value: fromBase64(value),
      headers: headers.map(([name, value]: [string, string]) => [name, fromBase64(value)]),
    };
  });
}

for (const compression of COMPRESSIONS) {
  const { ignore, reason } = await unlessCompression(compression, peerState);

  Deno.test({
    name: `Topic's records are read by aiokafka, compression ${compression}${reason}`,
    ignore,
    fn: async () => {
      const topic = topicName(`ours-aiokafka-${compression}`);
      await sendOurs(topic, RECORDS, compression);
      deepEqual(await readTheirs(topic, RECORDS.length), RECORDS);
    },
  });

  Deno.test({
    name: `aiokafka's records are read by Topic, compression ${compression}${reason}`,
    ignore,
    fn: async () => {
      const topic = topicName(`aiokafka-ours-${compression}`);
      await peer("create", topic, "1");
      await sendTheirs(topic, RECORDS, compression);
      deepEqual(await readOurs(topic), RECORDS);
    },
  });
}

Deno.test({
  name: `Topic and aiokafka exchange every byte in keys, values and headers${peerState.reason}`,
  ignore: peerState.ignore,
  fn: async () => {
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    const records: WireRecord[] = [
      { key: every, value: every.toReversed(), headers: [["every", every]], partition: 0, timestamp: 1 },
    ];
    const topic = topicName("every-byte");
    await sendOurs(topic, records);
    deepEqual(await readTheirs(topic, 1), records);
    await sendTheirs(topic, records, "none");
    deepEqual(await readOurs(topic), [...records, ...records]);
  },
});

Deno.test({
  name: `Topic sends to the given partition, as aiokafka sees it, and reads all partitions${peerState.reason}`,
  ignore: peerState.ignore,
  fn: async () => {
    const records = Array.from({ length: 30 }, (_, i) => ({
      key: null,
      value: new TextEncoder().encode(String(i)),
      headers: [],
      partition: i % 3,
      timestamp: 1_700_000_000_000 + i,
    }));
    const topic = topicName("partitions");
    await peer("create", topic, "3");
    await sendOurs(topic, records);
    const [theirs, ours] = [await readTheirs(topic, records.length), await readOurs(topic)];
    for (const read of [theirs, ours]) {
      equal(read.length, records.length);
      for (const partition of [0, 1, 2]) {
        // Within a partition, in the order sent; there is no order between partitions.
        const of = (all: readonly WireRecord[]) => all.filter((record) => record.partition === partition);
        deepEqual(of(read), of(records));
      }
    }
  },
});
