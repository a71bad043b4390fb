/**
 * Keys of messages as keys of a `Map`.
 *
 * @module
 */

/** Decodes each byte to one character. (The web's latin1 is windows-1252, which has a character for each byte as well.) */
const latin1 = new TextDecoder("latin1");

/**
 * Makes a key comparable by `Map`: bytes and objects with equal content get equal keys.
 *
 * @returns `undefined` if there is no key
 */
export function comparableKey(key: unknown): unknown {
  if (key === null || key === undefined) return undefined;
  if (key instanceof Uint8Array) return `bytes:${latin1.decode(key)}`;
  return typeof key === "object" ? `json:${JSON.stringify(key)}` : key;
}
