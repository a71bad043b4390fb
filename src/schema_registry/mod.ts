/**
 * Codecs over a Confluent Schema Registry: Avro, JSON Schema and Protobuf, in the wire format of
 * `npm:@confluentinc/schemaregistry`.
 *
 * A program fetches that package (150 MB, with the SDKs of three clouds) only if it imports this subpath.
 *
 * @module
 */

export type {
  AvroCodecOptions,
  JsonCodecOptions,
  ProtobufCodecOptions,
  RegistryCodecOptions,
} from "./codec_options.ts";
export { SchemaRegistry, type SchemaRegistryOptions } from "./schema_registry.ts";
export { SchemaRegistryError } from "./schema_registry_error.ts";
