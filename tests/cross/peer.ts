/**
 * What the cross-checks share: which peers are here, the records that go both ways, and our side of it.
 *
 * @module
 */

import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { bytes, Topic } from "../../mod.ts";

/** A record with its bytes as they are on the wire. */
export interface WireRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
  readonly partition: number;
  readonly timestamp: number;
}

/** The real broker; the cross-checks are ignored without. */
export const bootstrapServers: string | undefined = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** Every compression there is. */
export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

const utf8 = (text: string | null) => text === null ? null : new TextEncoder().encode(text);

/** What clients get wrong: nothing and emptiness, text that isn't ASCII, bytes that aren't text, repeated headers. */
export const RECORDS: readonly WireRecord[] = ([
  ["a", "plain"],
  ["clé", "grüße 🚀", [["trace", "1"], ["trace", "2"], ["empty", ""], ["naïve", "é"]]],
  ["a", null],
  ["a", ""],
  [null, "no key"],
  ["", "an empty key"],
  ["a", null, [["why", "a tombstone with a header"]]],
  // Long and repetitive enough for every codec to compress, in more than one of its blocks.
  ["large", "abcdefgh".repeat(25_000)],
] as [string | null, string | null, [string, string][]?][]).map(([key, value, headers = []], i) => ({
  key: utf8(key),
  value: utf8(value),
  headers: headers.map(([name, value]) => [name, utf8(value)!] as const),
  partition: 0,
  timestamp: 1_700_000_000_000 + i,
}));

/** How to ignore a test when there is no broker, or no such peer; in CI a missing peer is a failure. */
export function unless(peer: string, present: boolean): { ignore: boolean; reason: string } {
  if (bootstrapServers === undefined) return { ignore: true, reason: " (ignored: no KAFKA_BOOTSTRAP_SERVERS)" };
  if (present) return { ignore: false, reason: "" };
  if (Deno.env.get("CI") === "true") throw new Error(`${peer} is not installed: CI must run the cross-checks with it`);
  return { ignore: true, reason: ` (ignored: ${peer} is not installed)` };
}

/** A topic's name of its own, with the test's name in it. */
export function topicName(test: string): string {
  return `cross-${test.replace(/[^\w.-]+/g, "-")}-${crypto.randomUUID().slice(0, 8)}`;
}

/** How to ignore a test of a compression that our library was built without; in CI it has them all. */
export async function unlessCompression(
  compression: string,
  peer: ReturnType<typeof unless>,
): Promise<{ ignore: boolean; reason: string }> {
  if (peer.ignore || compression === "none") return peer;
  return (await loadKafkaJavascript()).features.includes(compression)
    ? peer
    : unless(`librdkafka with ${compression}`, false);
}

/** Sends the records with our client, in order, and waits for their delivery. */
export async function sendOurs(name: string, records: readonly WireRecord[], compression = "none"): Promise<void> {
  await using topic = new Topic(
    name,
    { "bootstrap.servers": bootstrapServers!, "compression.type": compression as "none", "linger.ms": 50 },
    { key: bytes, value: bytes },
  );
  await Promise.all(records.map(({ key, value, ...options }) => topic.send(key, value, options)));
}

/** Reads the topic from its beginning to its present end with our client. */
export async function readOurs(name: string): Promise<WireRecord[]> {
  await using topic = new Topic(
    name,
    { "bootstrap.servers": bootstrapServers!, "auto.offset.reset": "earliest" },
    { key: bytes, value: bytes, until: "end" },
  );
  const records: WireRecord[] = [];
  for await (const { key, value, headers, partition, timestamp } of topic) {
    records.push({
      // Copies: the bytes may be a view of a buffer that many messages share.
      key: key && key.slice(),
      value: value && value.slice(),
      headers: headers.map(([name, value]) => [name, value!.slice()] as const),
      partition,
      timestamp: timestamp!,
    });
  }
  return records;
}

/** Runs a peer's command and returns what it printed. */
export async function runPeer(command: string, args: readonly string[], input = ""): Promise<string> {
  const child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  // A peer that dies early breaks the pipe; what it says on stderr is the better error.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await output;
  if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Whether a command can be run, and succeeds. */
export async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
