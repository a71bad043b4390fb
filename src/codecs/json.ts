import type { Codec } from "./codec.ts";
import { checkSchema, type StandardSchema, validated } from "./standard_schema.ts";
import { text } from "./text.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Encodes values as JSON, in UTF-8. With a schema, values are checked when they are read and when they are written, and
 * their type is the schema's output type. Without one, nothing is checked, and the type is the caller's claim.
 *
 * - **Reading**: the parsed JSON must fit the schema. The codec returns what the schema makes of it, with its defaults and
 *   transforms applied. A value that doesn't fit fails to decode, and its message goes to `onError` of `handle()`.
 * - **Writing**: the JSON of the value must fit the schema too, so that a reader with the same schema can read what is
 *   written. The bytes are the JSON of the value as passed: the schema's transforms are not applied to it. A value that
 *   doesn't fit is not written: `Topic.send` rejects, and in `handle()` the message that led to it goes to `onError`.
 * - **Transforms**: since values have the output type, the JSON of the output must be a valid input. A schema that makes a
 *   `Date` of an ISO string passes, because the JSON of a `Date` is that string; so does one that adds defaults. A schema
 *   whose output is not also a valid input can only decode: one that turns `"1"` into 1 refuses to encode 1. Let it accept
 *   numbers too.
 * - **Asynchronous schemas** work. Order is kept; each value waits for its check.
 * - **Tombstones** (`null` values) reach neither the codec nor the schema.
 *
 * @typeParam T the type of a value
 * @param schema a Standard Schema of version 1, such as one of zod, valibot or arktype
 * @throws {TypeError} If the schema is not a Standard Schema.
 *
 * @example Without a schema
 * ```ts
 * import { json } from "@slipstream/slipstream";
 *
 * const codec = json<{ name: string }>();
 * console.assert((await codec.decode(await codec.encode({ name: "fish" }))).name === "fish");
 * ```
 *
 * @example With a schema
 * ```ts
 * import { json } from "@slipstream/slipstream";
 * import { z } from "npm:zod@^4.1.0";
 *
 * const codec = json(z.object({ name: z.string(), price: z.number() }));
 * const order = await codec.decode(new TextEncoder().encode('{"name":"fish","price":3}'));
 * console.assert(order.price.toFixed(2) === "3.00");
 * ```
 */
export function json<T = unknown>(schema?: StandardSchema<T>): Codec<T> {
  if (schema === undefined) {
    return {
      name: "json",
      encode: (value) => text.encode(stringify(value)),
      decode: (bytes) => parse(bytes) as T,
      encodeInto: (value, target) => text.encodeInto!(stringify(value), target),
    };
  }
  checkSchema(schema);
  return {
    name: "json",
    encode(value) {
      const json = stringify(value);
      const checked = validated(schema, JSON.parse(json));
      return checked instanceof Promise ? checked.then(() => text.encode(json)) : text.encode(json);
    },
    decode: (bytes) => validated(schema, parse(bytes)),
  };
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes));
}

function stringify(value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`The json codec can't encode ${typeof value}: JSON has no form for it`);
  return json;
}
