/**
 * The headers of a consumed message.
 *
 * A name and its value lie behind one another in C memory: they are copied out together, in one call, and a name that
 * was the last one's in the same place is not decoded again.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { openLibrary } from "./library.ts";
import { addressOf, HIGH_WORD, libc, MAX_GAP_BYTES, readCString } from "./memory.ts";
import { NULL_HEADER } from "./null_header.ts";

/** A header: an object of one property, as the npm client has it. */
export type NativeHeader = Record<string, Buffer>;

const nameOut = new BigUint64Array(1), valueOut = new BigUint64Array(1), lengthOut = new BigUint64Array(1);
const nameWords = new Uint32Array(nameOut.buffer), valueWords = new Uint32Array(valueOut.buffer);
const lengthWords = new Uint32Array(lengthOut.buffer);
const names = Buffer.allocUnsafeSlow(8192);
let namesAt: bigint | undefined;
/** The last name in each place among the headers of a message, and its bytes. */
const known: { readonly name: string; readonly bytes: Uint8Array }[] = [];
/** No message has more headers whose names are worth remembering. */
const KNOWN_PLACES = 64;

/** Reads headers out of C; what is read is JavaScript's own. */
export function readHeaders(headers: bigint): NativeHeader[] {
  const { symbols } = openLibrary();
  const read: NativeHeader[] = [];
  while (symbols.rd_kafka_header_get_all(headers, BigInt(read.length), nameOut, valueOut, lengthOut) === 0) {
    read.push(readHeader(read.length));
  }
  return read;
}

function readHeader(place: number): NativeHeader {
  const length = lengthWords[0]! + lengthWords[1]! * HIGH_WORD;
  const gap = (valueWords[1]! - nameWords[1]!) * HIGH_WORD + valueWords[0]! - nameWords[0]!;
  if (gap > 0 && gap <= MAX_GAP_BYTES && gap + length <= names.length) {
    const { memcpy } = libc();
    memcpy(namesAt ??= addressOf(names), nameOut[0]!, BigInt(gap + length));
    const value = Buffer.allocUnsafe(length);
    names.copy(value, 0, gap, gap + length);
    return { [nameOf(place)]: value };
  }
  const name = readCString(Deno.UnsafePointer.create(nameOut[0]!));
  const pointer = Deno.UnsafePointer.create(valueOut[0]!);
  if (pointer === null) return { [name]: NULL_HEADER };
  return { [name]: Buffer.from(Deno.UnsafePointerView.getArrayBuffer(pointer, length).slice(0)) };
}

/** The C string at the beginning of `names`. */
function nameOf(place: number): string {
  const before = known[place];
  if (before !== undefined) {
    const { bytes } = before;
    let at = 0;
    while (at < bytes.length && bytes[at] === names[at]) at++;
    if (at === bytes.length) return before.name;
  }
  const end = names.indexOf(0);
  const name = names.toString("utf8", 0, end);
  // With its NUL, which ends the comparison.
  if (place < KNOWN_PLACES) known[place] = { name, bytes: Uint8Array.prototype.slice.call(names, 0, end + 1) };
  return name;
}
