/**
 * Common parts of the tests against other Kafka clients: which of them are installed, the records to exchange, and
 * reading and writing with Topic.
 *
 * @module
 */

import { loadKafkaJavascript } from "../../src/addon/load_kafka_javascript.ts";
import { bytes, Topic } from "../../mod.ts";

/** A record, with its key, value and headers as bytes. */
export interface WireRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[];
  readonly partition: number;
  readonly timestamp: number;
}

/** The real broker. Without one, the tests are ignored. */
export const bootstrapServers: string | undefined = Deno.env.get("KAFKA_BOOTSTRAP_SERVERS");

/** All compression codecs of Kafka. */
export const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

const utf8 = (text: string | null) => text === null ? null : new TextEncoder().encode(text);

/** Records that clients get wrong: null and empty keys and values, text that is not ASCII, and repeated headers. */
export const RECORDS: readonly WireRecord[] = ([
  ["a", "plain"],
  ["clé", "grüße 🚀", [["trace", "1"], ["trace", "2"], ["empty", ""], ["naïve", "é"]]],
  ["a", null],
  ["a", ""],
  [null, "no key"],
  ["", "an empty key"],
  ["a", null, [["why", "a tombstone with a header"]]],
  // Long and repetitive enough that every codec compresses it, in more than one block.
  ["large", "abcdefgh".repeat(25_000)],
] as [string | null, string | null, [string, string][]?][]).map(([key, value, headers = []], i) => ({
  key: utf8(key),
  value: utf8(value),
  headers: headers.map(([name, value]) => [name, utf8(value)!] as const),
  partition: 0,
  timestamp: 1_700_000_000_000 + i,
}));

/** Whether to ignore a test, and why: if there is no broker, or if the peer is not installed. In CI a missing peer throws. */
export function unless(peer: string, present: boolean): { ignore: boolean; reason: string } {
  if (bootstrapServers === undefined) return { ignore: true, reason: " (ignored: no KAFKA_BOOTSTRAP_SERVERS)" };
  if (present) return { ignore: false, reason: "" };
  if (Deno.env.get("CI") === "true") throw new Error(`${peer} is not installed: CI must run the cross-checks with it`);
  return { ignore: true, reason: ` (ignored: ${peer} is not installed)` };
}

/** A unique topic name that contains the test's name. */
export function topicName(test: string): string {
  return `cross-${test.replace(/[^\w.-]+/g, "-")}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Whether to ignore a test of a compression codec: also if librdkafka was built without it. In CI that throws. */
export async function unlessCompression(
  compression: string,
  peer: ReturnType<typeof unless>,
): Promise<{ ignore: boolean; reason: string }> {
  if (peer.ignore || compression === "none") return peer;
  return (await loadKafkaJavascript()).features.includes(compression)
    ? peer
    : unless(`librdkafka with ${compression}`, false);
}

/** Sends records with Topic, in order, and waits for their delivery. */
export async function sendOurs(name: string, records: readonly WireRecord[], compression = "none"): Promise<void> {
  await using topic = new Topic(
    name,
    { "bootstrap.servers": bootstrapServers!, "compression.type": compression as "none", "linger.ms": 50 },
    { key: bytes, value: bytes },
  );
  await Promise.all(records.map(({ key, value, ...options }) => topic.send(key, value, options)));
}

/** Reads a topic with Topic, from its beginning to its present end. */
export async function readOurs(name: string): Promise<WireRecord[]> {
  await using topic = new Topic(
    name,
    { "bootstrap.servers": bootstrapServers!, "auto.offset.reset": "earliest" },
    { key: bytes, value: bytes, until: "end" },
  );
  const records: WireRecord[] = [];
  for await (const { key, value, headers, partition, timestamp } of topic) {
    records.push({
      // Copied, since the bytes may be a view of a buffer that many messages share.
      key: key && key.slice(),
      value: value && value.slice(),
      headers: headers.map(([name, value]) => [name, value!.slice()] as const),
      partition,
      timestamp: timestamp!,
    });
  }
  return records;
}

/** Runs a peer's command and returns its output. */
export async function runPeer(command: string, args: readonly string[], input = ""): Promise<string> {
  const child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  // If a peer dies early, the pipe breaks. Its stderr is the better error.
  await writer.write(new TextEncoder().encode(input)).then(() => writer.close()).catch(() => {});
  const { success, stdout, stderr } = await output;
  if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Whether a command exists and succeeds. */
export async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
