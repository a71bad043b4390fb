/**
 * How codecs of a registry are made.
 *
 * @module
 */

import type {
  AvroDeserializerConfig,
  AvroSerializerConfig,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/avro.js";
import type {
  JsonDeserializerConfig,
  JsonSerializerConfig,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/json.js";
import type {
  ProtobufDeserializerConfig,
  ProtobufSerializerConfig,
} from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/protobuf.js";
import type { RuleRegistry } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/rule-registry.js";
import { HeaderSchemaIdSerializer } from "npm:@confluentinc/schemaregistry@1.10.1/dist/serde/serde.js";

/** What the codecs of all formats have in common. */
export interface RegistryCodecOptions {
  /**
   * Whether keys or values are meant: the subject is `<topic>-key` or `<topic>-value`, unless a strategy says otherwise.
   * @default {"value"}
   */
  readonly part?: "key" | "value";
  /**
   * Whether a schema that the registry does not have is registered; else encoding fails.
   * @default {false}
   */
  readonly register?: boolean;
  /** Rules of data contracts, such as encryption of fields: the package's own registry of them. */
  readonly rules?: RuleRegistry;
}

/** The defaults of the codecs of all formats. */
export const DEFAULTS = { part: "value", register: false } as const satisfies RegistryCodecOptions;

/** Options of `SchemaRegistry.avro()`. */
export interface AvroCodecOptions extends RegistryCodecOptions {
  /**
   * The schema to write with, as JSON or an object. When left out, what `serializer` says, else one that is derived
   * from each value.
   */
  readonly schema?: string | Readonly<Record<string, unknown>>;
  /** Settings of the package's serializer, such as `useLatestVersion` and avsc's own. */
  readonly serializer?: Omit<AvroSerializerConfig, "autoRegisterSchemas">;
  /** Settings of the package's deserializer. */
  readonly deserializer?: AvroDeserializerConfig;
}

/** Options of `SchemaRegistry.json()`. */
export interface JsonCodecOptions extends RegistryCodecOptions {
  /** The schema to write with, as in `AvroCodecOptions.schema`. */
  readonly schema?: string | Readonly<Record<string, unknown>>;
  /** Settings of the package's serializer, such as `useLatestVersion`, `validate` and ajv's own. */
  readonly serializer?: Omit<JsonSerializerConfig, "autoRegisterSchemas">;
  /** Settings of the package's deserializer. */
  readonly deserializer?: JsonDeserializerConfig;
}

/** Options of `SchemaRegistry.protobuf()`. */
export interface ProtobufCodecOptions extends RegistryCodecOptions {
  /** Settings of the package's serializer. */
  readonly serializer?: Omit<ProtobufSerializerConfig, "autoRegisterSchemas" | "registry">;
  /** Settings of the package's deserializer. */
  readonly deserializer?: ProtobufDeserializerConfig;
}

const OTHER_SCHEMAS = ["useSchemaId", "useLatestVersion", "useLatestWithMetadata"] as const;

/**
 * Checks what a codec is to be made of.
 *
 * @throws {TypeError} If options are wrong or contradict each other; says all that is wrong.
 */
export function checkOptions(topic: string, options: AvroCodecOptions | JsonCodecOptions | ProtobufCodecOptions): void {
  const problems: string[] = [];
  const { part = DEFAULTS.part, serializer = {} } = options;
  if (typeof topic !== "string" || topic === "") problems.push(`the topic must be a name: ${JSON.stringify(topic)}`);
  if (part !== "key" && part !== "value") problems.push(`part must be "key" or "value": ${part}`);
  if ("autoRegisterSchemas" in serializer) problems.push("serializer.autoRegisterSchemas is called register here");
  if (serializer.schemaIdSerializer === HeaderSchemaIdSerializer) {
    problems.push("a codec sees no headers: the schema's id goes before the bytes, not into a header");
  }
  if ("schema" in options && options.schema !== undefined) {
    for (const name of OTHER_SCHEMAS) {
      if (serializer[name] !== undefined) problems.push(`schema and serializer.${name} name a schema each`);
    }
    if (typeof options.schema === "string") {
      try {
        JSON.parse(options.schema);
      } catch (error) {
        problems.push(`schema is no JSON: ${(error as Error).message}`);
      }
    }
  }
  if (problems.length > 0) throw new TypeError(`Codec of ${JSON.stringify(topic)}: ${problems.join("; ")}`);
}
