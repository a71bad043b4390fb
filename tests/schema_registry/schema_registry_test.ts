import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { create, createFileRegistry, createMutableRegistry } from "npm:@bufbuild/protobuf@^2.11.0";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "npm:@bufbuild/protobuf@^2.11.0/wkt";
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
import { newTopic, registryTest } from "./real_registry.ts";
import { startRegistryProxy } from "./registry_proxy.ts";

/** The schema's id as four bytes, as they are in what a codec writes. */
async function idBytes(registry: SchemaRegistry, subject: string): Promise<number[]> {
  const { id } = await registry.client.getLatestSchemaMetadata(subject);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, id!);
  return [...bytes];
}

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

/** The descriptor of `message Order { demo.Emoji emoji = 1; }`, in a file that imports that of Emoji. */
function messageWithReference() {
  const emoji = emojiMessage();
  const order = create(FileDescriptorProtoSchema, {
    name: "order.proto",
    package: "demo",
    syntax: "proto3",
    dependency: ["emoji.proto"],
    messageType: [{
      name: "Order",
      field: [{
        name: "emoji",
        jsonName: "emoji",
        number: 1,
        type: FieldDescriptorProto_Type.MESSAGE,
        typeName: ".demo.Emoji",
        label: FieldDescriptorProto_Label.OPTIONAL,
      }],
    }],
  });
  const files = create(FileDescriptorSetSchema, { file: [emoji.file.proto, order] });
  const registry = createFileRegistry(files);
  return { order: registry.getMessage("demo.Order")!, emoji: registry.getMessage("demo.Emoji")! };
}

/** The codec writes what the package's own serializer writes, and each reads what the other wrote. */
async function sameAs(
  codec: Codec<unknown>,
  theirs: { readonly serializer: Serializer; readonly deserializer: Deserializer },
  value: unknown,
  topic: string,
): Promise<Uint8Array> {
  const bytes = await codec.encode(value), own = await theirs.serializer.serialize(topic, value);
  assert.deepEqual([...bytes], [...own]);
  const plain = (one: unknown) => JSON.parse(JSON.stringify(one));
  const expected = plain(value);
  // A view into the memory of others, as a Topic hands it over.
  const slab = Buffer.concat([Buffer.from("before"), own, Buffer.from("after")]);
  assert.deepEqual(plain(await codec.decode(slab.subarray(6, 6 + own.length))), expected);
  assert.deepEqual(plain(await theirs.deserializer.deserialize(topic, Buffer.from(bytes))), expected);
  return bytes;
}

for (const part of ["key", "value"] as const) {
  const type = part === "key" ? SerdeType.KEY : SerdeType.VALUE;
  const idOf = (url: string, topic: string) => idBytes(new SchemaRegistry(url), `${topic}-${part}`);

  registryTest(`avro() has the wire bytes of the package's own serializer, as a ${part}`, async (registryUrl) => {
    const topic = newTopic();
    await using server = startRegistryProxy(registryUrl);
    const codec = new SchemaRegistry(server.url).avro<Emoji>(topic, { part, schema: AVRO, register: true });
    await codec.encode(EMOJI);
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const bytes = await sameAs(
      codec as Codec<unknown>,
      {
        serializer: new AvroSerializer(client, type, { useLatestVersion: true }),
        deserializer: new AvroDeserializer(client, type, {}),
      },
      EMOJI,
      topic,
    );
    // Magic byte, schema id, zigzag length 9 … : the format as it is documented, not as the package has it.
    assert.deepEqual([...bytes.subarray(0, 6)], [0, ...await idOf(server.url, topic), 18]);
    assert.ok(server.requests.includes(`POST /subjects/${topic}-${part}/versions`));
  });

  registryTest(`json() has the wire bytes of the package's own serializer, as a ${part}`, async (registryUrl) => {
    const topic = newTopic();
    await using server = startRegistryProxy(registryUrl);
    const codec = new SchemaRegistry(server.url).json<Emoji>(topic, { part, schema: JSON_SCHEMA, register: true });
    await codec.encode(EMOJI);
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const bytes = await sameAs(
      codec as Codec<unknown>,
      {
        serializer: new JsonSerializer(client, type, { useLatestVersion: true }),
        deserializer: new JsonDeserializer(client, type, {}),
      },
      EMOJI,
      topic,
    );
    assert.deepEqual([...bytes.subarray(0, 5)], [0, ...await idOf(server.url, topic)]);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes.subarray(5))), EMOJI);
  });

  registryTest(`protobuf() has the wire bytes of the package's own serializer, as a ${part}`, async (registryUrl) => {
    const topic = newTopic();
    await using server = startRegistryProxy(registryUrl);
    const message = emojiMessage();
    const codec = new SchemaRegistry(server.url).protobuf(topic, message, { part, register: true });
    const client = SchemaRegistryClient.newClient({ baseURLs: [server.url] });
    const registry = createMutableRegistry(message);
    const bytes = await sameAs(
      codec as Codec<unknown>,
      {
        serializer: new ProtobufSerializer(client, type, { autoRegisterSchemas: true, registry }),
        deserializer: new ProtobufDeserializer(client, type, {}),
      },
      create(message, { ...EMOJI }),
      topic,
    );
    // After the id the indexes of the message in its file: one of them, the second (zigzag 1 and 1); then field 1.
    assert.deepEqual([...bytes.subarray(0, 8)], [0, ...await idOf(server.url, topic), 2, 2, 10]);
  });
}

registryTest("a schema that refers to another is read with it: Avro, JSON Schema and Protobuf", async (registryUrl) => {
  const registry = new SchemaRegistry(registryUrl);
  const topic = newTopic();
  const refersTo = async (name: string, subject: string, schemaType: string, schema: unknown) => {
    await registry.client.register(subject, { schemaType, schema: JSON.stringify(schema) }, false);
    return [{ name, subject, version: 1 }];
  };
  const order = { emoji: EMOJI, count: 2 };
  const fields = [{ name: "emoji", type: "Emoji" }, { name: "count", type: "int" }];
  await registry.client.register(`${topic}-avro-value`, {
    schemaType: "AVRO",
    schema: JSON.stringify({ type: "record", name: "Order", fields }),
    references: await refersTo("Emoji", `${topic}-avro-emoji`, "AVRO", AVRO),
  }, false);
  const avro = () => registry.avro<typeof order>(`${topic}-avro`, { serializer: { useLatestVersion: true } });
  assert.deepEqual(JSON.parse(JSON.stringify(await avro().decode(await avro().encode(order)))), order);

  await registry.client.register(`${topic}-json-value`, {
    schemaType: "JSON",
    schema: JSON.stringify({
      type: "object",
      properties: { emoji: { $ref: "https://demo.test/emoji.json" }, count: { type: "integer" } },
    }),
    references: await refersTo("https://demo.test/emoji.json", `${topic}-json-emoji`, "JSON", {
      ...JSON_SCHEMA,
      $id: "https://demo.test/emoji.json",
    }),
  }, false);
  const json = () =>
    registry.json<typeof order>(`${topic}-json`, { serializer: { useLatestVersion: true, validate: true } });
  assert.deepEqual(await json().decode(await json().encode(order)), order);
  await assert.rejects(async () => await json().encode({ emoji: { msg: "no count of them" } as Emoji, count: 2 }));

  const { order: message, emoji } = messageWithReference();
  const protobuf = () => registry.protobuf(`${topic}-protobuf`, message, { register: true });
  const value = create(message, { emoji: create(emoji, { ...EMOJI }) } as never);
  const read = await protobuf().decode(await protobuf().encode(value)) as unknown as { emoji: Emoji };
  assert.deepEqual([read.emoji.msg, read.emoji.seen], [EMOJI.msg, EMOJI.seen]);
  const { references } = await registry.client.getLatestSchemaMetadata(`${topic}-protobuf-value`);
  assert.deepEqual(references?.map(({ name }) => name), ["emoji.proto"]);
});

registryTest(
  "a schema that has changed compatibly is read by old and new; one that has not is refused",
  async (registryUrl) => {
    const registry = new SchemaRegistry(registryUrl);
    const kinds = [
      {
        old: AVRO,
        wider: { ...AVRO, fields: [...AVRO.fields, { name: "by", type: "string", default: "nobody" }] },
        broken: { ...AVRO, fields: [{ name: "msg", type: "int" }] },
        codec: (topic: string, schema: Record<string, unknown>) =>
          registry.avro<Emoji & { by?: string }>(topic, {
            schema,
            register: true,
            deserializer: { useLatestVersion: true },
          }),
        written: { ...EMOJI, by: "me" },
        filledIn: { by: "nobody" },
      },
      {
        old: JSON_SCHEMA,
        wider: { ...JSON_SCHEMA, required: ["msg"] },
        broken: { ...JSON_SCHEMA, properties: { msg: { type: "integer" }, seen: { type: "integer" } } },
        codec: (topic: string, schema: Record<string, unknown>) =>
          registry.json<Emoji & { by?: string }>(topic, { schema, register: true, serializer: { validate: true } }),
        written: { msg: "of which none was seen" } as Emoji,
        filledIn: {},
      },
    ];
    for (const { old, wider, broken, codec, written, filledIn } of kinds) {
      const topic = newTopic();
      const before = codec(topic, old);
      const oldBytes = await before.encode(EMOJI);
      await registry.client.updateCompatibility(`${topic}-value`, "BACKWARD" as never);
      const after = codec(topic, wider);
      const newBytes = await after.encode(written);
      // Each is written with its own schema, and what is new in the schema has its default in old bytes.
      assert.notDeepEqual(oldBytes.subarray(0, 5), newBytes.subarray(0, 5));
      const read = async (bytes: Uint8Array) => JSON.parse(JSON.stringify(await after.decode(bytes)));
      assert.deepEqual(await read(oldBytes), { ...EMOJI, ...filledIn });
      assert.deepEqual(await read(newBytes), written);
      assert.equal((await before.decode(newBytes)).msg, written.msg);
      await assert.rejects(
        async () => await codec(topic, broken).encode(EMOJI),
        (error) =>
          error instanceof SchemaRegistryError && error.status === 409 && /[Ii]ncompatible/.test(error.message) &&
          error.message.includes(registryUrl),
      );
    }
  },
);

registryTest("bytes with the id of no schema say which", async (registryUrl) => {
  const codec = new SchemaRegistry(registryUrl, { maxRetries: 0 }).avro<Emoji>(newTopic());
  await assert.rejects(
    async () => await codec.decode(Uint8Array.of(0, 0x7f, 0, 0, 1, 2)),
    (error) =>
      error instanceof SchemaRegistryError && error.status === 404 && /2130706433|not found|No /.test(error.message),
  );
});

registryTest("a codec of the registry asks for a schema once", async (registryUrl) => {
  const topic = newTopic();
  await using server = startRegistryProxy(registryUrl);
  const codec = new SchemaRegistry(server.url).avro<Emoji>(topic, { schema: AVRO, register: true });
  await Promise.all([codec.encode(EMOJI), codec.encode(EMOJI)]);
  const asked = server.requests.length;
  for (let n = 0; n < 100; n++) await codec.decode(await codec.encode({ msg: "more", seen: n }));
  assert.ok(server.requests.length <= asked + 2, server.requests.join("\n"));
});

registryTest(
  "a codec that may not register fails on a schema the registry does not have, and goes on when it has it",
  async (registryUrl) => {
    const topic = newTopic();
    await using server = startRegistryProxy(registryUrl);
    const registry = new SchemaRegistry(server.url);
    const codec = registry.avro<Emoji>(topic, { schema: AVRO });
    await assert.rejects(
      async () => await codec.encode(EMOJI),
      (error) => error instanceof SchemaRegistryError && error.code === 40401 && error.status === 404,
    );
    await registry.client.register(`${topic}-value`, { schemaType: "AVRO", schema: JSON.stringify(AVRO) }, false);
    assert.deepEqual({ ...await codec.decode(await codec.encode(EMOJI)) }, EMOJI);
  },
);

registryTest(
  "a codec of the registry refuses what does not fit the schema, and bytes that are not of its form",
  async (registryUrl) => {
    const topic = newTopic();
    await using server = startRegistryProxy(registryUrl);
    const codec = new SchemaRegistry(server.url).avro<Emoji>(topic, { schema: AVRO, register: true });
    await assert.rejects(async () => await codec.encode({ msg: 1 as never, seen: 0 }), /Invalid message at msg/);
    await assert.rejects(async () => await codec.decode(new TextEncoder().encode("🐟")), /Unknown magic byte/);
    await assert.rejects(async () => await codec.decode(new Uint8Array()), /the bytes are empty/);
  },
);

Deno.test("SchemaRegistry refuses options that are wrong or contradict each other, and lists all of them", () => {
  const registry = new SchemaRegistry("http://localhost:8081");
  assert.throws(
    () =>
      registry.avro("", {
        part: "neither" as never,
        schema: "{",
        serializer: { useLatestVersion: true, schemaIdSerializer: HeaderSchemaIdSerializer },
      }),
    /the topic must be a non-empty string.*part must be.*no headers.*schema and serializer\.useLatestVersion.*is not JSON/,
  );
  assert.throws(() => new SchemaRegistry("localhost"), /a URL is invalid/);
  assert.throws(
    () => new SchemaRegistry("http://me:hunter2@localhost:8081"),
    (error) => error instanceof TypeError && !error.message.includes("hunter2"),
  );
});

registryTest("credentials reach the registry, and neither errors nor inspectors", async (registryUrl) => {
  const topic = newTopic();
  await using server = startRegistryProxy(registryUrl, "me:hunter2");
  const credentials = (userInfo: string) => ({
    basicAuthCredentials: { credentialsSource: "USER_INFO" as const, userInfo },
    maxRetries: 0,
  });
  const registry = new SchemaRegistry(server.url, credentials("me:hunter2"));
  const codec = registry.avro<Emoji>(topic, { schema: AVRO, register: true });
  assert.deepEqual({ ...await codec.decode(await codec.encode(EMOJI)) }, EMOJI);
  const wrong = new SchemaRegistry(server.url, credentials("me:hunter3")).avro(topic);
  const gone = new SchemaRegistry("http://127.0.0.1:1", credentials("me:hunter2")).avro(topic);
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

registryTest("a Topic reads and writes through the registry, in order, tombstones included", async (registryUrl) => {
  await using server = startRegistryProxy(registryUrl);
  await using broker = await LocalBroker.start();
  const registry = new SchemaRegistry(server.url);
  const name = newTopic();
  await using topic = new Topic(name, { "bootstrap.servers": broker.bootstrapServers }, {
    key: registry.json<string>(name, {
      part: "key",
      schema: { $schema: "http://json-schema.org/draft-07/schema#", type: "string" },
      register: true,
    }),
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
