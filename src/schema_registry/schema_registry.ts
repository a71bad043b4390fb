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
import {
  type AvroCodecOptions,
  checkOptions,
  DEFAULTS,
  type JsonCodecOptions,
  type ProtobufCodecOptions,
  type RegistryCodecOptions,
} from "./codec_options.ts";
import { FirstCalls } from "./first_calls.ts";
import { withoutRequest } from "./schema_registry_error.ts";

/**
 * Options of a `SchemaRegistry`: the settings of the package's client, such as `basicAuthCredentials`, `maxRetries` and
 * `createAxiosDefaults`. By default the package tries a request four times.
 */
export type SchemaRegistryOptions = Omit<ClientConfig, "baseURLs">;

type NewSerializer = (conf: { autoRegisterSchemas: boolean; useSchemaId?: number }) => Serializer;

/**
 * Makes codecs over a Confluent Schema Registry. They use the serializers of `npm:@confluentinc/schemaregistry`, so they
 * exchange values with every client of the registry, in any language.
 *
 * - **Requests**: a codec fetches each schema once and keeps it. The first value of a schema waits for the registry, and the
 *   values after it wait for the first.
 * - **Order**: the codecs are asynchronous. A Topic writes in the order of the calls all the same.
 * - **Wire format**: the id of the schema goes before the bytes of the value. Ids in headers are not supported.
 * - **Failures**: if the registry does not answer, encoding and decoding reject with a `SchemaRegistryError`, and the next
 *   value asks again.
 *
 * Needs `--allow-net` for the registry, and `--allow-env` and `--allow-sys` for the package.
 *
 * @example
 * ```ts
 * import { SchemaRegistry } from "@slipstream/slipstream/schema-registry";
 *
 * // A registry in this process, for tests. A real one: "http://localhost:8081".
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
  /** The registry, for error messages. */
  readonly #name: string;

  /**
   * Connects to nothing: the codecs do.
   *
   * @param url the URL of the registry, or several URLs of one registry, which are tried in turn
   * @param options settings of the package's client
   * @throws {TypeError} If there is no URL, or one is invalid or contains credentials.
   */
  constructor(url: string | readonly string[], options: SchemaRegistryOptions = {}) {
    const baseURLs = [url].flat();
    if (baseURLs.length === 0) throw new TypeError("SchemaRegistry needs a URL, such as http://localhost:8081");
    for (const one of baseURLs) {
      if (!URL.canParse(one)) {
        throw new TypeError("SchemaRegistry: a URL is invalid; it must look like http://localhost:8081");
      }
      const { username, password } = new URL(one);
      if (username !== "" || password !== "") {
        throw new TypeError("SchemaRegistry: set credentials in the option basicAuthCredentials, not in the URL");
      }
    }
    this.#name = `Schema registry ${baseURLs.join(", ")}`;
    this.#client = SchemaRegistryClient.newClient({ ...options, baseURLs });
  }

  /** The package's client, for subjects, versions and compatibility. */
  get client(): Client {
    return this.#client;
  }

  /**
   * Makes a codec for Avro.
   *
   * @typeParam T the type that the schema describes; not checked
   * @param topic the topic whose keys or values the codec is for
   * @throws {TypeError} If the topic or options are wrong or contradict each other. The message lists all problems.
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
   * Makes a codec for JSON with a JSON Schema.
   *
   * @typeParam T the type that the schema describes; the package checks values if `serializer.validate` is set
   * @param topic the topic whose keys or values the codec is for
   * @throws {TypeError} If the topic or options are wrong or contradict each other. The message lists all problems.
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
   * Makes a codec for Protobuf. Values are messages of `@bufbuild/protobuf`.
   *
   * @typeParam D the type of the descriptor
   * @param topic the topic whose keys or values the codec is for
   * @param message the descriptor of the message, which `protoc-gen-es` generates, such as `EmojiSchema`
   * @throws {TypeError} If the topic or options are wrong or contradict each other. The message lists all problems.
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
    let serializerPromise: Promise<Serializer> | undefined;
    const newSerializer = async (): Promise<Serializer> => {
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
        this.#call(async () => {
          // After a failure the next value tries again: the registry may have come back.
          serializerPromise ??= newSerializer().catch((error) => {
            serializerPromise = undefined;
            throw error;
          });
          const ready = await serializerPromise;
          return await encoding.run("encode", () => ready.serialize(topic, value));
        }),
      decode: (bytes) =>
        this.#call(async () => {
          if (bytes.length === 0) throw new TypeError("the bytes are empty: they have no schema id");
          // A copy, because the package may return views of it, and these bytes are a view of memory of many messages.
          const copy = Buffer.from(bytes);
          return await decoding.run(schemaIdOf(copy), () => deserializer.deserialize(topic, copy)) as T;
        }),
    };
  }

  /** Makes a call of the package, whose errors must not show the credentials of a request. */
  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw withoutRequest(this.#name, error);
    }
  }

  /** Closes the package's client and drops the schemas that it keeps. */
  async close(): Promise<void> {
    await this.#client.close();
  }
}

function serdeType({ part = DEFAULTS.part }: RegistryCodecOptions): SerdeType {
  return part === "key" ? SerdeType.KEY : SerdeType.VALUE;
}

/**
 * Gives avsc a copy of the `registry` of types for each schema that it parses. avsc adds the types of a schema to the registry,
 * and fails if a type is there already: for another version of a record, or for the same schema parsed again.
 */
function withOwnTypes<C extends { readonly registry?: Readonly<Record<string, unknown>> }>(conf: C): C {
  const { registry } = conf;
  if (registry === undefined) return { ...conf };
  // The package copies its settings each time it parses a schema, and so calls the getter.
  return Object.defineProperty({ ...conf }, "registry", { enumerable: true, get: () => ({ ...registry }) });
}

/** The schema id that precedes a value: a number after a byte 0, or a GUID after a byte 1. */
function schemaIdOf(bytes: Buffer): string | number {
  return bytes[0] === 0 && bytes.length >= 5 ? bytes.readUInt32BE(1) : bytes.toString("hex", 0, 17);
}
