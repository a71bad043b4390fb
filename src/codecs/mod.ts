/**
 * How keys and values become bytes and back.
 *
 * @module
 */

export type { Codec } from "./codec.ts";
export { bytes } from "./bytes.ts";
export { json } from "./json.ts";
export { text } from "./text.ts";
