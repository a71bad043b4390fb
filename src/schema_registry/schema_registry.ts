/**
 * A Confluent Schema Registry, and codecs over it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createMutableRegistry, type DescMessage, type MessageShape } from "npm:@bufbuild/protobuf@^2.11.0";
import type { ClientConfig } from "npm:@confluentinc/schemaregistry@1.10.1/dist/rest-service.js";
import {
  type Client,
  SchemaRegistryClient,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/schemaregistry-client.js";
import { AvroDeserializer, AvroSerializer } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/avro.js";
import { JsonDeserializer, JsonSerializer } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/json.js";
import {
  ProtobufDeserializer,
  ProtobufSerializer,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/protobuf.js";
import {
  type Deserializer,
  SerdeType,
  type Serializer,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/serde.js";
import type { Codec } from "../codecs/codec.ts";
import { FirstCalls } from "./first_calls.ts";
import {
  type AvroCodecOptions,
  checkOptions,
  DEFAULTS,
  type JsonCodecOptions,
  type ProtobufCodecOptions,
  type RegistryCodecOptions,
} from "./options.ts";

/** How a registry is reached: the package's own settings, but for the addresses. Retries three times by default. */
export type SchemaRegistryOptions = Omit<ClientConfig, "baseURLs">;

/** The registry did not answer, or refused. Holds nothing of the request, which carries credentials. */
export class SchemaRegistryError extends Error {
  /** The error's name. */
  override readonly name = "SchemaRegistryError";
  /** The status of its answer, when there was one. */
  readonly status?: number;
  /** The registry's own code, such as 40401 for a subject it does not know. */
  readonly code?: number;

  /** Made by a codec. */
  constructor(message: string, { status, code }: { readonly status?: number; readonly code?: number } = {}) {
    super(message);
    if (status !== undefined) this.status = status;
    if (code !== undefined) this.code = code;
  }
}

type NewSerializer = (conf: { autoRegisterSchemas: boolean; useSchemaId?: number }) => Serializer;

/**
 * A Confluent Schema Registry. Its codecs write and read what the serializers of `npm:@confluentinc/schemaregistry`
 * write and read: any of its clients can be at the other end.
 *
 * - **Schemas are fetched once** and kept: the first value of a schema waits for the registry, and others for the first;
 *   then none waits.
 * - **Order** is kept all the same: codecs are asynchronous, a Topic writes in the order of the calls.
 * - Schema ids go before the bytes; a codec sees no headers.
 *
 * Needs `--allow-net` for the registry, and `--allow-env` and `--allow-sys` for the package.
 *
 * @example
 * ```ts
 * import { SchemaRegistry } from "@slipstream/slipstream/schema-registry";
 *
 * // A registry within the process, for tests; else "http://localhost:8081".
 * const registry = new SchemaRegistry("mock://");
 * const codec = registry.avro<{ msg: string }>("emoji", {
 *   schema: { type: "record", name: "Emoji", fields: [{ name: "msg", type: "string" }] },
 *   register: true,
 * });
 * const bytes = await codec.encode({ msg: "🐟" });
 * console.assert(bytes[0] === 0 && (await codec.decode(bytes)).msg === "🐟");
 * ```
 */
export class SchemaRegistry {
  readonly #client: Client;
  readonly #where: string;

  /**
   * Opens nothing yet.
   *
   * @param url the registry's address, or several that stand in for each other
   * @throws {TypeError} If an address is none, or carries credentials: they belong into `basicAuthCredentials`.
   */
  constructor(url: string | readonly string[], options: SchemaRegistryOptions = {}) {
    const baseURLs = [url].flat();
    if (baseURLs.length === 0) throw new TypeError("SchemaRegistry needs an address");
    for (const one of baseURLs) {
      if (!URL.canParse(one)) throw new TypeError("SchemaRegistry: an address is no URL; one is http://localhost:8081");
      const { username, password } = new URL(one);
      if (username !== "" || password !== "") {
        throw new TypeError("SchemaRegistry: credentials belong into basicAuthCredentials, not into the address");
      }
    }
    this.#where = `Schema registry ${baseURLs.join(", ")}`;
    this.#client = SchemaRegistryClient.newClient({ ...options, baseURLs });
  }

  /** The package's own client: subjects, versions, compatibility. */
  get client(): Client {
    return this.#client;
  }

  /**
   * Values as Avro.
   *
   * @typeParam T what the schema describes; not checked
   * @param topic the topic whose keys or values these are
   * @throws {TypeError} If options are wrong or contradict each other.
   */
  avro<T = unknown>(topic: string, options: AvroCodecOptions = {}): Codec<T> {
    checkOptions(topic, options);
    const { deserializer = {}, rules } = options;
    const type = serdeType(options);
    return this.#codec(topic, "AVRO", options, {
      serializer: (conf) =>
        new AvroSerializer(this.#client, type, withOwnTypes({ ...options.serializer, ...conf }), rules),
      deserializer: new AvroDeserializer(this.#client, type, withOwnTypes(deserializer), rules),
    });
  }

  /**
   * Values as JSON with a schema.
   *
   * @typeParam T what the schema describes; not checked
   * @param topic the topic whose keys or values these are
   * @throws {TypeError} If options are wrong or contradict each other.
   */
  json<T = unknown>(topic: string, options: JsonCodecOptions = {}): Codec<T> {
    checkOptions(topic, options);
    const { deserializer = {}, rules } = options;
    const type = serdeType(options);
    return this.#codec(topic, "JSON", options, {
      serializer: (conf) => new JsonSerializer(this.#client, type, { ...options.serializer, ...conf }, rules),
      deserializer: new JsonDeserializer(this.#client, type, { ...deserializer }, rules),
    });
  }

  /**
   * Messages of Protobuf, as `@bufbuild/protobuf` has them.
   *
   * @param topic the topic whose keys or values these are
   * @param message the message's descriptor, as `protoc-gen-es` generates it (`EmojiSchema`)
   * @throws {TypeError} If options are wrong or contradict each other.
   */
  protobuf<D extends DescMessage>(
    topic: string,
    message: D,
    options: ProtobufCodecOptions = {},
  ): Codec<MessageShape<D>> {
    checkOptions(topic, options);
    const { deserializer = {}, rules } = options;
    const type = serdeType(options), registry = createMutableRegistry(message);
    return this.#codec(topic, "PROTOBUF", options, {
      serializer: (conf) =>
        new ProtobufSerializer(this.#client, type, { ...options.serializer, ...conf, registry }, rules),
      deserializer: new ProtobufDeserializer(this.#client, type, { ...deserializer }, rules),
    });
  }

  #codec<T>(
    topic: string,
    schemaType: string,
    options: RegistryCodecOptions & { readonly schema?: string | Readonly<Record<string, unknown>> },
    { serializer, deserializer }: { serializer: NewSerializer; deserializer: Deserializer },
  ): Codec<T> {
    const { schema, register = DEFAULTS.register } = options;
    let ready: Promise<Serializer> | undefined;
    const open = async (): Promise<Serializer> => {
      const plain = serializer({ autoRegisterSchemas: register });
      if (schema === undefined) return plain;
      const info = { schemaType, schema: typeof schema === "string" ? schema : JSON.stringify(schema) };
      const subject = await plain.subjectName(topic, info);
      const normalize = plain.config().normalizeSchemas ?? false;
      const id = register
        ? await this.#client.register(subject, info, normalize)
        : await this.#client.getId(subject, info, normalize);
      return serializer({ autoRegisterSchemas: false, useSchemaId: id });
    };
    const encoding = new FirstCalls<"encode">();
    const decoding = new FirstCalls<string | number>();
    return {
      name: `${schemaType.toLowerCase()} of the schema registry`,
      encode: (value) =>
        this.#plain(async () => {
          // What has failed is tried again with the next value: a registry may come back.
          ready ??= open().catch((error) => {
            ready = undefined;
            throw error;
          });
          const made = await ready;
          return await encoding.run("encode", () => made.serialize(topic, value));
        }),
      decode: (bytes) =>
        this.#plain(async () => {
          if (bytes.length === 0) throw new TypeError("no bytes, and so no schema");
          // A copy: what the package decodes may be views of it, and these bytes are a view of many messages.
          const copy = Buffer.from(bytes);
          return await decoding.run(schemaIdOf(copy), () => deserializer.deserialize(topic, copy)) as T;
        }),
    };
  }

  /** Errors of requests without the requests, whose headers have the credentials. */
  async #plain<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { message, status, errorCode, isAxiosError, request, config } = error as Record<string, never> & Error;
      if (isAxiosError || request !== undefined || config !== undefined) {
        throw new SchemaRegistryError(`${this.#where}: ${message}`, status === undefined ? {} : { status });
      }
      if (errorCode !== undefined) {
        throw new SchemaRegistryError(`${this.#where}: ${message}`, { status: status!, code: errorCode });
      }
      throw error;
    }
  }

  /** Forgets the schemas that it keeps. */
  async close(): Promise<void> {
    await this.#client.close();
  }
}

function serdeType({ part = DEFAULTS.part }: RegistryCodecOptions): SerdeType {
  return part === "key" ? SerdeType.KEY : SerdeType.VALUE;
}

/**
 * Settings of avsc with a registry of types for each schema that is parsed. avsc adds the types of a schema to the
 * registry that it is given, and fails when one is there: with another version of a record, or the same schema again.
 */
function withOwnTypes<C extends { readonly registry?: Readonly<Record<string, unknown>> }>(conf: C): C {
  const { registry } = conf;
  if (registry === undefined) return { ...conf };
  // The package copies its settings whenever it parses a schema.
  return Object.defineProperty({ ...conf }, "registry", { enumerable: true, get: () => ({ ...registry }) });
}

/** What names the schema before a value: a number after a zero byte, or a GUID after a one. */
function schemaIdOf(bytes: Buffer): string | number {
  return bytes[0] === 0 && bytes.length >= 5 ? bytes.readUInt32BE(1) : bytes.toString("hex", 0, 17);
}
