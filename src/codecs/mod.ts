/**
 * Codecs turn keys and values into bytes and back: `text`, `bytes` and `json()`. A `Topic` takes one for its keys and one
 * for its values.
 *
 * `Codec` says how to write one of your own. To add one to this module: put it into a file of its own, export it here and
 * from the front door, and test it in `tests/codecs`.
 *
 * @module
 */

export type { Codec } from "./codec.ts";
export { bytes } from "./bytes.ts";
export { json } from "./json.ts";
export { SchemaError, type SchemaIssue, type SchemaResult, type StandardSchema } from "./standard_schema.ts";
export { text } from "./text.ts";
