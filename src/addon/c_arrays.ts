/**
 * C arrays of pointers and strings.
 *
 * @module
 */

import { addressOf, cString, type Pointer, viewOf } from "../ffi/memory.ts";

/** Makes a C array of pointers. */
export function pointerArray(pointers: readonly Pointer[]): BigUint64Array<ArrayBuffer> {
  // At least one element: an empty buffer has no address.
  const array = new BigUint64Array(Math.max(1, pointers.length));
  pointers.forEach((pointer, index) => array[index] = BigInt(Deno.UnsafePointer.value(pointer)));
  return array;
}

/** Makes a C array of strings: one buffer with the pointers, and behind them the strings. */
export function stringArray(texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const strings = texts.map(cString);
  let end = 8 * Math.max(1, texts.length);
  const array = new Uint8Array(end + strings.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(array.buffer), address = addressOf(array);
  strings.forEach((bytes, index) => {
    view.setBigUint64(8 * index, address + BigInt(end), true);
    array.set(bytes, end);
    end += bytes.length;
  });
  return array;
}

/** Reads the C array of pointers that `call` returns; it writes their number into its argument. */
export function pointersOf(call: (count: BigUint64Array<ArrayBuffer>) => Pointer): Pointer[] {
  const count = new BigUint64Array(1);
  const first = call(count);
  if (first === null) return [];
  const view = viewOf(first);
  return Array.from({ length: Number(count[0]) }, (_, index) => view.getPointer(index * 8));
}
