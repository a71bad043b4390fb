/**
 * Codecs over a Confluent Schema Registry: Avro, JSON Schema and Protobuf, on the wire as
 * `npm:@confluentinc/schemaregistry` has them.
 *
 * Nothing of that package (150 MB, with the clouds' SDKs it depends on) is fetched unless this subpath is imported.
 *
 * @module
 */

export type { AvroCodecOptions, JsonCodecOptions, ProtobufCodecOptions, RegistryCodecOptions } from "./options.ts";
export { SchemaRegistry, SchemaRegistryError, type SchemaRegistryOptions } from "./schema_registry.ts";
