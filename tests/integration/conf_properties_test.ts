import assert from "node:assert/strict";
import { type Conf, Topic } from "@slipstream/slipstream";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { addon } from "../../src/addon/addon.ts";
import { BUILD_VERSION } from "../../src/ffi/versions.ts";
import { PROPERTIES, type Property } from "../../src/topic/conf/properties.ts";
import { readSource } from "../../tools/librdkafka_source.ts";

/** Reasons for which a client may refuse a value, depending on the machine and the build of librdkafka. */
const ELSEWHERE = /not supported in this build|dlopen\(\) failed|No provider for SASL mechanism/;
/** An older librdkafka has fewer properties. */
const TOO_OLD = addon.librdkafkaVersion === BUILD_VERSION ? undefined : /this librdkafka is too old for a property/;
/** Properties that make a client wait for a kind of broker that the local one is not. */
const WAITING = ["broker.address.family=v6", "security.protocol=ssl"];
/** Settings with which a reader does not read earlier messages. */
const READS_NOTHING = ["largest", "latest", "end", "error"].map((word) => `auto.offset.reset=${word}`);
const AT_ONCE = 16, TIME_MS = 20_000;

/** The default of each property, from librdkafka's table. */
async function defaults(): Promise<Map<string, string>> {
  const rows = (await readSource("CONFIGURATION.md")).split("\n").map((row) =>
    row.split(/(?<!\\)\|/).map((cell) => cell.trim())
  );
  return new Map(rows.filter(({ length }) => length >= 6).reverse().map((cells) => [cells[0]!, cells[3]!]));
}

/** Values of a property: its default, its bounds, its words, and values that are easily given by mistake. */
function valuesOf({ type, min, max, values }: Property, standard: string | undefined): unknown[] {
  const all: unknown[] = [standard, min, max, ...(values ?? [])];
  if (type === "boolean") all.push(true, false);
  if (min !== undefined && max !== undefined) all.push(min - 1, max + 1);
  if (!["boolean", "enum"].includes(type)) all.push("x", "");
  return [...new Set(all.filter((value) => value !== undefined && value !== ""))].concat(type === "string" ? [""] : []);
}

/** Sends and reads a message with a property; returns what went wrong. */
async function problem(broker: LocalBroker, name: string, value: unknown, number: number): Promise<string | undefined> {
  const topic = `t${number}`, isReaders = PROPERTIES.get(name)!.scope === "C", setting = `${name}=${value}`;
  broker.createTopic(topic, { partitions: 2 });
  const base = {
    "bootstrap.servers": broker.bootstrapServers,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 10,
  };
  let own: Topic;
  try {
    const group = isReaders ? { "group.id": topic } : {};
    own = new Topic(topic, { ...base, ...group, [name]: value } as Conf, { until: "end" });
  } catch (error) {
    return error instanceof TypeError && error.message.includes(name) ? undefined : `${setting}: ${error}`;
  }
  const use = async () => {
    const report = await own.send("k", "v");
    let count = 0;
    for await (const message of own) if (message.value === "v") count++;
    await own.close();
    const isLost = count === 0 && !READS_NOTHING.includes(setting);
    return isLost ? `${setting}: nothing is read of ${JSON.stringify(report)}` : undefined;
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => timer = setTimeout(() => resolve(`${setting}: hangs`), TIME_MS));
  try {
    return await Promise.race([use(), late]);
  } catch (error) {
    const { message } = error as Error;
    return ELSEWHERE.test(message) || TOO_OLD?.test(message) || READS_NOTHING.includes(setting)
      ? undefined
      : `${setting}: ${message}`;
  } finally {
    clearTimeout(timer);
    await own.close().catch(() => {});
  }
}

Deno.test("every property works, or is refused with a reason when the Topic is made", async () => {
  await using broker = await LocalBroker.start();
  const standards = await defaults();
  const cases = [...PROPERTIES].flatMap(([name, property]) =>
    property.aliasOf === "metadata.broker.list" || name === "metadata.broker.list"
      ? []
      : valuesOf(property, standards.get(name)).map((value) => [name, value] as const)
  ).filter(([name, value]) => !WAITING.includes(`${name}=${value}`));
  assert.ok(cases.length > 500);
  const problems: string[] = [];
  const next = cases.entries();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const [number, [name, value]] of next) {
      const found = await problem(broker, name, value, number);
      if (found !== undefined) problems.push(found);
    }
  }));
  assert.deepEqual(problems, []);
});
