import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, createMutableRegistry } from "npm:@bufbuild/protobuf@^2.11.0";
import { SchemaRegistryClient } from "npm:@confluentinc/schemaregistry@1.10.1/dist/schemaregistry-client.js";
import { AvroDeserializer, AvroSerializer } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/avro.js";
import { JsonDeserializer, JsonSerializer } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/json.js";
import {
  ProtobufDeserializer,
  ProtobufSerializer,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/protobuf.js";
import {
  type Deserializer,
  HeaderSchemaIdSerializer,
  SerdeType,
  type Serializer,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/serde.js";
import { type Codec, Topic } from "@slipstream/slipstream";
import { SchemaRegistry, SchemaRegistryError } from "@slipstream/slipstream/schema-registry";
import { LocalBroker } from "@slipstream/slipstream/testing";
import { emojiMessage } from "./emoji_message.ts";
import { RegistryServer } from "./registry_server.ts";

interface Emoji {
  readonly msg: string;
  readonly seen: number;
}

const EMOJI: Emoji = { msg: "🐟 fish", seen: 300 };
const AVRO = {
  type: "record",
  name: "Emoji",
  fields: [{ name: "msg", type: "string" }, { name: "seen", type: "int" }],
};
const JSON_SCHEMA = {
  type: "object",
  properties: { msg: { type: "string" }, seen: { type: "integer" } },
  required: ["msg", "seen"],
};

/** The codec writes what the package's own serializer writes, and each reads what the other wrote. */
async function sameAs(
  codec: Codec<unknown>,
  theirs: { readonly serializer: Serializer; readonly deserializer: Deserializer },
  value: unknown,
): Promise<Uint8Array> {
  const bytes = await codec.encode(value), own = await theirs.serializer.serialize("emoji", value);
  assert.deepEqual([...bytes], [...own]);
  const plain = (one: unknown) => JSON.parse(JSON.stringify(one));
  const expected = plain(value);
  // A view into the memory of others, as a Topic hands it over.
  const slab = Buffer.concat([Buffer.from("before"), own, Buffer.from("after")]);
  assert.deepEqual(plain(await codec.decode(slab.subarray(6, 6 + own.length))), expected);
  assert.deepEqual(plain(await theirs.deserializer.deserialize("emoji", Buffer.from(bytes))), expected);
  return bytes;
}

for (const part of ["key", "value"] as const) {
  const type = part === "key" ? SerdeType.KEY : SerdeType.VALUE;

  Deno.test(`avro() has the wire bytes of the package's own serializer, as a ${part}`, async () => {
    await using server = new RegistryServer();
    const codec = new SchemaRegistry(server.url).avro<Emoji>("emoji", { part, schema: AVRO, register: true });
    await codec.encode(EMOJI);
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const bytes = await sameAs(codec as Codec<unknown>, {
      serializer: new AvroSerializer(client, type, { useLatestVersion: true }),
      deserializer: new AvroDeserializer(client, type, {}),
    }, EMOJI);
    // Magic byte, schema id 100001, zigzag length 9 … : the format as it is documented, not as the package has it.
    assert.deepEqual([...bytes.subarray(0, 6)], [0, 0, 1, 0x86, 0xa1, 18]);
    assert.ok(server.requests.includes(`POST /subjects/emoji-${part}/versions`));
  });

  Deno.test(`json() has the wire bytes of the package's own serializer, as a ${part}`, async () => {
    await using server = new RegistryServer();
    const codec = new SchemaRegistry(server.url).json<Emoji>("emoji", { part, schema: JSON_SCHEMA, register: true });
    await codec.encode(EMOJI);
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const bytes = await sameAs(codec as Codec<unknown>, {
      serializer: new JsonSerializer(client, type, { useLatestVersion: true }),
      deserializer: new JsonDeserializer(client, type, {}),
    }, EMOJI);
    assert.deepEqual([...bytes.subarray(0, 5)], [0, 0, 1, 0x86, 0xa1]);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes.subarray(5))), EMOJI);
  });

  Deno.test(`protobuf() has the wire bytes of the package's own serializer, as a ${part}`, async () => {
    await using server = new RegistryServer();
    const message = emojiMessage();
    const codec = new SchemaRegistry(server.url).protobuf("emoji", message, { part, register: true });
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const registry = createMutableRegistry(message);
    const bytes = await sameAs(codec as Codec<unknown>, {
      serializer: new ProtobufSerializer(client, type, { autoRegisterSchemas: true, registry }),
      deserializer: new ProtobufDeserializer(client, type, {}),
    }, create(message, { ...EMOJI }));
    // After the id the indexes of the message in its file: one of them, the second (zigzag 1 and 1); then field 1.
    assert.deepEqual([...bytes.subarray(0, 8)], [0, 0, 1, 0x86, 0xa1, 2, 2, 10]);
  });
}

Deno.test("a codec of the registry asks for a schema once", async () => {
  await using server = new RegistryServer();
  const codec = new SchemaRegistry(server.url).avro<Emoji>("emoji", { schema: AVRO, register: true });
  await Promise.all([codec.encode(EMOJI), codec.encode(EMOJI)]);
  const asked = server.requests.length;
  for (let n = 0; n < 100; n++) await codec.decode(await codec.encode({ msg: "more", seen: n }));
  assert.ok(server.requests.length <= asked + 2, server.requests.join("\n"));
});

Deno.test("a codec that may not register fails on a schema the registry does not have, and goes on when it has it", async () => {
  await using server = new RegistryServer();
  const registry = new SchemaRegistry(server.url);
  const codec = registry.avro<Emoji>("emoji", { schema: AVRO });
  await assert.rejects(
    async () => await codec.encode(EMOJI),
    (error) => error instanceof SchemaRegistryError && error.code === 40401 && error.status === 404,
  );
  await registry.client.register("emoji-value", { schemaType: "AVRO", schema: JSON.stringify(AVRO) }, false);
  assert.deepEqual({ ...await codec.decode(await codec.encode(EMOJI)) }, EMOJI);
});

Deno.test("a codec of the registry refuses what does not fit the schema, and bytes that are not of its form", async () => {
  await using server = new RegistryServer();
  const codec = new SchemaRegistry(server.url).avro<Emoji>("emoji", { schema: AVRO, register: true });
  await assert.rejects(async () => await codec.encode({ msg: 1 as never, seen: 0 }), /Invalid message at msg/);
  await assert.rejects(async () => await codec.decode(new TextEncoder().encode("🐟")), /Unknown magic byte/);
  await assert.rejects(async () => await codec.decode(new Uint8Array()), /no bytes/);
});

Deno.test("the registry's codecs contradict contradictions, all at once", () => {
  const registry = new SchemaRegistry("http://localhost:8081");
  assert.throws(
    () =>
      registry.avro("", {
        part: "neither" as never,
        schema: "{",
        serializer: { useLatestVersion: true, schemaIdSerializer: HeaderSchemaIdSerializer },
      }),
    /the topic must be a name.*part must be.*no headers.*schema and serializer\.useLatestVersion.*is no JSON/,
  );
  assert.throws(() => new SchemaRegistry("localhost"), /is no URL/);
  assert.throws(
    () => new SchemaRegistry("http://me:hunter2@localhost:8081"),
    (error) => error instanceof TypeError && !error.message.includes("hunter2"),
  );
});

Deno.test("credentials reach the registry, and neither errors nor inspectors", async () => {
  await using server = new RegistryServer("me:hunter2");
  const credentials = (userInfo: string) => ({
    basicAuthCredentials: { credentialsSource: "USER_INFO" as const, userInfo },
    maxRetries: 0,
  });
  const registry = new SchemaRegistry(server.url, credentials("me:hunter2"));
  const codec = registry.avro<Emoji>("emoji", { schema: AVRO, register: true });
  assert.deepEqual({ ...await codec.decode(await codec.encode(EMOJI)) }, EMOJI);
  const wrong = new SchemaRegistry(server.url, credentials("me:hunter3")).avro("emoji");
  const gone = new SchemaRegistry("http://127.0.0.1:1", credentials("me:hunter2")).avro("emoji");
  const errors = await Promise.all(
    [wrong, gone].map((codec) => (codec.encode(EMOJI) as Promise<unknown>).catch((error) => error)),
  );
  assert.deepEqual(errors.map((error) => error instanceof SchemaRegistryError), [true, true], String(errors));
  assert.equal((errors[0] as SchemaRegistryError).status, 401);
  for (const shown of [registry, codec, ...errors]) {
    const text = Deno.inspect(shown, { depth: 20 });
    assert.ok(!/hunter|bWU6aHVudGVy/.test(text), text);
  }
});

Deno.test("a Topic reads and writes through the registry, in order, tombstones included", async () => {
  await using server = new RegistryServer();
  await using broker = await LocalBroker.start();
  const registry = new SchemaRegistry(server.url);
  const name = "registry-topic";
  await using topic = new Topic(name, { "bootstrap.servers": broker.bootstrapServers }, {
    key: registry.json<string>(name, { part: "key", schema: { type: "string" }, register: true }),
    value: registry.avro<Emoji>(name, { schema: AVRO, register: true }),
    offset: "beginning",
    until: "end",
  });
  const sent = Array.from({ length: 20 }, (_, seen) => topic.send("fish", seen === 7 ? null : { msg: "🐟", seen }));
  await Promise.all(sent);
  const read = await Array.fromAsync(topic, ({ key, value }) => [key, value?.seen ?? null]);
  assert.deepEqual(read, Array.from({ length: 20 }, (_, n) => ["fish", n === 7 ? null : n]));
});

Deno.test("deno.lock is free of the registry's package: Deno fetches all of a lock file, needed or not", async () => {
  const lock = await Deno.readTextFile(new URL("../../deno.lock", import.meta.url));
  assert.ok(
    !lock.includes('"@confluentinc/schemaregistry@'),
    "deno.lock has taken in what belongs into tests/schema_registry/deno.lock: take deno.lock back, and use the tasks",
  );
});

Deno.test("nothing of the registry's package is in the graph of the other subpaths", async () => {
  const graphOf = async (entry: string): Promise<string> => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-lock", entry],
      cwd: new URL("../../", import.meta.url),
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return JSON.stringify(JSON.parse(new TextDecoder().decode(stdout)).modules);
  };
  const { exports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  for (const [subpath, entry] of Object.entries<string>(exports)) {
    const graph = await graphOf(entry);
    assert.equal(graph.includes("schemaregistry"), subpath === "./schema-registry", subpath);
  }
});
