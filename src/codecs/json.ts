import type { Codec } from "./codec.ts";
import { text } from "./text.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Values as JSON.
 *
 * @typeParam T what the JSON holds; not checked
 *
 * @example
 * ```ts
 * import { json } from "@slipstream/slipstream";
 *
 * const codec = json<{ name: string }>();
 * console.assert((await codec.decode(await codec.encode({ name: "fish" }))).name === "fish");
 * ```
 */
export function json<T = unknown>(): Codec<T> {
  return {
    name: "json",
    encode: (value) => text.encode(stringify(value)),
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as T,
    encodeInto: (value, target) => text.encodeInto!(stringify(value), target),
  };
}

function stringify(value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`The json codec can't encode ${typeof value}: JSON has no form for it`);
  return json;
}
