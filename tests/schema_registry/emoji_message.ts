/**
 * A message of Protobuf for tests.
 *
 * @module
 */

import { create, createFileRegistry, type DescMessage } from "npm:@bufbuild/protobuf@^2.11.0";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "npm:@bufbuild/protobuf@^2.11.0/wkt";

/** The descriptor that protoc-gen-es would generate of `message Other {}` and `message Emoji {…}`. */
export function emojiMessage(): DescMessage {
  const field = (name: string, number: number, type: FieldDescriptorProto_Type) => ({
    name,
    jsonName: name,
    number,
    type,
    label: FieldDescriptorProto_Label.OPTIONAL,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "emoji.proto",
    package: "demo",
    syntax: "proto3",
    messageType: [{ name: "Other" }, {
      name: "Emoji",
      field: [field("msg", 1, FieldDescriptorProto_Type.STRING), field("seen", 2, FieldDescriptorProto_Type.INT32)],
    }],
  });
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getMessage("demo.Emoji")!;
}
