/**
 * Reads the headers of a message.
 *
 * The name and the value of a header are adjacent in C's memory: one call copies both. The messages of a topic tend to have
 * the same headers, so a name is decoded again only if it differs from the last name at the same index.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { openLibrary } from "./library.ts";
import { addressOf, HIGH_WORD, libc, MAX_GAP_BYTES, readCString } from "./memory.ts";
import { NULL_HEADER } from "./null_header.ts";

/** A header as the npm client expects it: an object with one property, the name and the value. */
export type NativeHeader = Record<string, Buffer>;

const nameOut = new BigUint64Array(1), valueOut = new BigUint64Array(1), lengthOut = new BigUint64Array(1);
const nameWords = new Uint32Array(nameOut.buffer), valueWords = new Uint32Array(valueOut.buffer);
const lengthWords = new Uint32Array(lengthOut.buffer);
/** The copy of a name and its value. */
const copy = Buffer.allocUnsafeSlow(8192);
let copyAddress: bigint | undefined;
/** The last name at each index among the headers of a message, and its bytes. */
const lastNames: { readonly name: string; readonly bytes: Uint8Array }[] = [];
/** The number of headers whose names are remembered. */
const MAX_LAST_NAMES = 64;

/** Copies headers out of C. */
export function readHeaders(headers: bigint): NativeHeader[] {
  const { symbols } = openLibrary();
  const read: NativeHeader[] = [];
  while (symbols.rd_kafka_header_get_all(headers, BigInt(read.length), nameOut, valueOut, lengthOut) === 0) {
    read.push(readHeader(read.length));
  }
  return read;
}

function readHeader(index: number): NativeHeader {
  const length = lengthWords[0]! + lengthWords[1]! * HIGH_WORD;
  const gap = (valueWords[1]! - nameWords[1]!) * HIGH_WORD + valueWords[0]! - nameWords[0]!;
  if (gap > 0 && gap <= MAX_GAP_BYTES && gap + length <= copy.length) {
    const { memcpy } = libc();
    memcpy(copyAddress ??= addressOf(copy), nameOut[0]!, BigInt(gap + length));
    const value = Buffer.allocUnsafe(length);
    copy.copy(value, 0, gap, gap + length);
    return { [nameAt(index)]: value };
  }
  const name = readCString(Deno.UnsafePointer.create(nameOut[0]!));
  const pointer = Deno.UnsafePointer.create(valueOut[0]!);
  if (pointer === null) return { [name]: NULL_HEADER };
  return { [name]: Buffer.from(Deno.UnsafePointerView.getArrayBuffer(pointer, length).slice(0)) };
}

/** The C string at the beginning of `copy`, which is the name of the header at this index. */
function nameAt(index: number): string {
  const last = lastNames[index];
  if (last !== undefined) {
    const { bytes } = last;
    let at = 0;
    while (at < bytes.length && bytes[at] === copy[at]) at++;
    if (at === bytes.length) return last.name;
  }
  const end = copy.indexOf(0);
  const name = copy.toString("utf8", 0, end);
  // The NUL is kept, to end the comparison.
  if (index < MAX_LAST_NAMES) lastNames[index] = { name, bytes: Uint8Array.prototype.slice.call(copy, 0, end + 1) };
  return name;
}
