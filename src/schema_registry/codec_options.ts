/**
 * Options of the codecs of a schema registry.
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

/** The options that the codecs of all formats have. */
export interface RegistryCodecOptions {
  /**
   * Whether the codec is for keys or values. The subject is `<topic>-key` or `<topic>-value`, unless a strategy of the
   * `serializer` names another.
   * @default {"value"}
   */
  readonly part?: "key" | "value";
  /**
   * Whether encoding registers a schema that the registry does not have. If not, encoding fails.
   * @default {false}
   */
  readonly register?: boolean;
  /**
   * The rules of data contracts, such as the encryption of fields: a registry of the package.
   * @default {none}
   */
  readonly rules?: RuleRegistry;
}

/** The defaults of the codecs of all formats. */
export const DEFAULTS = { part: "value", register: false } as const satisfies RegistryCodecOptions;

/** Options of `SchemaRegistry.avro()`. */
export interface AvroCodecOptions extends RegistryCodecOptions {
  /**
   * The schema to write with: JSON, or an object.
   * @default {that of `serializer`, such as `useLatestVersion`; otherwise a schema derived from each value}
   */
  readonly schema?: string | Readonly<Record<string, unknown>>;
  /**
   * Settings of the package's serializer, such as `useLatestVersion`, and those of avsc.
   * @default {the package's}
   */
  readonly serializer?: Omit<AvroSerializerConfig, "autoRegisterSchemas">;
  /**
   * Settings of the package's deserializer.
   * @default {the package's}
   */
  readonly deserializer?: AvroDeserializerConfig;
}

/** Options of `SchemaRegistry.json()`. */
export interface JsonCodecOptions extends RegistryCodecOptions {
  /**
   * The schema to write with: JSON, or an object.
   * @default {that of `serializer`, such as `useLatestVersion`; otherwise a schema derived from each value}
   */
  readonly schema?: string | Readonly<Record<string, unknown>>;
  /**
   * Settings of the package's serializer, such as `useLatestVersion`, `validate`, and those of ajv.
   * @default {the package's}
   */
  readonly serializer?: Omit<JsonSerializerConfig, "autoRegisterSchemas">;
  /**
   * Settings of the package's deserializer.
   * @default {the package's}
   */
  readonly deserializer?: JsonDeserializerConfig;
}

/** Options of `SchemaRegistry.protobuf()`. */
export interface ProtobufCodecOptions extends RegistryCodecOptions {
  /**
   * Settings of the package's serializer.
   * @default {the package's}
   */
  readonly serializer?: Omit<ProtobufSerializerConfig, "autoRegisterSchemas" | "registry">;
  /**
   * Settings of the package's deserializer.
   * @default {the package's}
   */
  readonly deserializer?: ProtobufDeserializerConfig;
}

/** Settings of a serializer that name a schema, as the option `schema` does. */
const SCHEMA_SETTINGS = ["useSchemaId", "useLatestVersion", "useLatestWithMetadata"] as const;

/**
 * Checks the topic and the options of a codec.
 *
 * @throws {TypeError} If they are wrong or contradict each other. The message lists all problems.
 */
export function checkOptions(topic: string, options: AvroCodecOptions | JsonCodecOptions | ProtobufCodecOptions): void {
  const problems: string[] = [];
  const { part = DEFAULTS.part, serializer = {} } = options;
  if (typeof topic !== "string" || topic === "") {
    problems.push(`the topic must be a non-empty string: got ${JSON.stringify(topic)}`);
  }
  if (part !== "key" && part !== "value") problems.push(`part must be "key" or "value": got ${part}`);
  if ("autoRegisterSchemas" in serializer) {
    problems.push("set the option register instead of serializer.autoRegisterSchemas");
  }
  if (serializer.schemaIdSerializer === HeaderSchemaIdSerializer) {
    problems.push(
      "serializer.schemaIdSerializer can't be HeaderSchemaIdSerializer: a codec has no headers, so the id goes before the bytes",
    );
  }
  if ("schema" in options && options.schema !== undefined) {
    for (const name of SCHEMA_SETTINGS) {
      if (serializer[name] !== undefined) {
        problems.push(`schema and serializer.${name} each name a schema: leave one of them out`);
      }
    }
    if (typeof options.schema === "string") {
      try {
        JSON.parse(options.schema);
      } catch (error) {
        problems.push(`schema is not JSON: ${(error as Error).message}`);
      }
    }
  }
  if (problems.length > 0) throw new TypeError(`Codec of ${JSON.stringify(topic)}: ${problems.join("; ")}`);
}
