/**
 * Keys of Deno KV as bytes, one in each unit of a string, so that these strings compare as KV orders keys.
 *
 * @module
 */

const encoder = new TextEncoder();
const float = new DataView(new ArrayBuffer(8));

/** The bytes of a key. They begin with the bytes of another key only if the key begins with its parts. */
export function encodeKey(key: Deno.KvKey): string {
  let encoded = "";
  for (const part of key) encoded += encodePart(part);
  return encoded;
}

function encodePart(part: Deno.KvKeyPart): string {
  switch (typeof part) {
    case "string":
      // deno-lint-ignore no-control-regex -- text that is its own UTF-8, and has no zero byte
      return /^[\x01-\x7f]*$/.test(part) ? `\x02${part}\0` : `\x02${escaped(encoder.encode(part))}\0`;
    case "number":
      return `\x21${encodeFloat(part)}`;
    case "bigint":
      return encodeInteger(part);
    case "boolean":
      return part ? "\x27" : "\x26";
    case "object":
      if (part instanceof Uint8Array) return `\x01${escaped(part)}\0`;
  }
  throw new TypeError("expected string, number, bigint, ArrayBufferView, boolean");
}

/** Escapes zero bytes, which would end the part. */
function escaped(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte === 0 ? "\0\xff" : String.fromCharCode(byte);
  return text;
}

/** Flips every bit of a negative number, and the first bit of others, so that bytes compare as the numbers do. */
function encodeFloat(number: number): string {
  float.setFloat64(0, number);
  const negative = float.getUint8(0) >= 0x80;
  let text = "";
  for (let n = 0; n < 8; n++) {
    const byte = float.getUint8(n);
    text += String.fromCharCode(negative ? byte ^ 0xff : n === 0 ? byte | 0x80 : byte);
  }
  return text;
}

/** The number of bytes comes first; up to eight, it is part of the tag. Every bit of a negative number is flipped. */
function encodeInteger(number: bigint): string {
  if (number === 0n) return "\x14";
  const negative = number < 0n;
  const hex = (negative ? -number : number).toString(16);
  const bytes = Uint8Array.fromHex(hex.length % 2 === 0 ? hex : `0${hex}`);
  const { length } = bytes;
  const head = negative
    ? length <= 8 ? [0x14 - length] : [0x0b, length ^ 0xff]
    : length <= 8
    ? [0x14 + length]
    : [0x1d, length];
  return String.fromCharCode(...head, ...bytes.map((byte) => negative ? byte ^ 0xff : byte));
}
