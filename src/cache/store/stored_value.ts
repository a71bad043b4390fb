/**
 * Values of a Cache as they are stored in Deno KV: primitives as they are, everything else serialised. A value is
 * serialised when the Cache accepts it, so a caller can change its object afterwards.
 *
 * @module
 */

import { Deserializer, Serializer } from "node:v8";
import { showKey } from "../cache_key.ts";

/** A value as it is stored. */
export interface StoredValue {
  /** A primitive, or the serialised bytes; undefined while the bytes are in chunks that have not been read. */
  readonly data: Primitive | Uint8Array | undefined;
  /** The chunks of a large value: one that does not fit into one entry. */
  readonly chunks?: ChunkList;
  /** When the entry expires, in milliseconds since the epoch; 0 for never. */
  readonly expiresAt: number;
  /** About how many bytes the value takes in memory. */
  readonly bytes: number;
}

/** The chunks of one value. */
export interface ChunkList {
  readonly id: string;
  readonly count: number;
}

/** Stands for the value of a key that does not exist. */
export const ABSENT: unique symbol = Symbol("absent") as never;

/** What a read of a key finds. */
export type ValueOrAbsent = StoredValue | typeof ABSENT;

type Primitive = string | number | bigint | boolean | null;

/** Deno KV takes values of 65,536 bytes. The rest is for what it adds to them. */
export const CHUNK_BYTES = 65_000;
/** The types of views of bytes. A stored view names its type by the index here, so new types go to the end. */
const VIEWS = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
  DataView,
  Float16Array,
] as const;
/** Built-in classes whose objects V8 serialises as what they are. */
const BUILT_IN = [Date, RegExp, Error, ArrayBuffer, Boolean, Number, String, BigInt] as const;
/** Strings up to this length are stored as they are, longer ones serialised. */
const SHORT_STRING = 4_096;
let chunkIds = 0;

/**
 * Makes a value ready to be stored.
 *
 * @param key the key of the value, for errors
 * @param expiresAt when the entry expires, in milliseconds since the epoch; 0 for never
 * @throws {TypeError} If the value is undefined, or structured clone refuses it.
 */
export function encode(value: unknown, key: unknown, expiresAt = 0): StoredValue {
  switch (typeof value) {
    case "undefined":
      throw new TypeError(
        `A value must not be undefined: get() returns that for a key that does not exist. The key is ${showKey(key)}`,
      );
    case "number":
    case "boolean":
      return { data: value, expiresAt, bytes: 16 };
    case "string":
      if (value.length <= SHORT_STRING) return { data: value, expiresAt, bytes: 2 * value.length + 16 };
  }
  if (value === null) return { data: null, expiresAt, bytes: 16 };
  const data = serialise(value, key);
  if (data.length <= CHUNK_BYTES) return { data, expiresAt, bytes: data.length };
  // The id begins with the time, so that ChunkStore.recover() can tell which chunks are old.
  const id = `${Date.now()}-${crypto.randomUUID().slice(0, 8)}-${chunkIds++}`;
  return { data, chunks: { id, count: Math.ceil(data.length / CHUNK_BYTES) }, expiresAt, bytes: data.length };
}

/** The value again: a new copy each time. */
export function decode({ data }: StoredValue): unknown {
  if (!(data instanceof Uint8Array)) return data;
  const deserializer = new ViewReader(data);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** The value of the entry in KV: an array only if it needs more than the value itself. */
export function toEntry({ data, chunks, expiresAt }: StoredValue): unknown {
  if (chunks !== undefined) return [expiresAt, undefined, chunks.id, chunks.count];
  return expiresAt > 0 ? [expiresAt, data] : data;
}

/** The stored value of an entry in KV, without the bytes in chunks. */
export function fromEntry(entry: unknown): StoredValue {
  if (!Array.isArray(entry)) return { data: entry as Primitive | Uint8Array, expiresAt: 0, bytes: sizeOf(entry) };
  const [expiresAt, data, id, count] = entry;
  return id === undefined
    ? { data, expiresAt, bytes: sizeOf(data) }
    : { data: undefined, chunks: { id, count }, expiresAt, bytes: 0 };
}

/** Whether an entry has expired. KV removes expired entries late, so a Cache checks the time itself. */
export function isExpired({ expiresAt }: StoredValue): boolean {
  return expiresAt > 0 && expiresAt <= Date.now();
}

function sizeOf(data: unknown): number {
  return data instanceof Uint8Array ? data.length : typeof data === "string" ? 2 * data.length + 16 : 16;
}

function serialise(value: unknown, key: unknown): Uint8Array {
  try {
    const serializer = typeof value === "object" && hasPartialView(value!) ? new ViewWriter() : new Serializer();
    serializer.writeHeader();
    serializer.writeValue(value);
    return serializer.releaseBuffer();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`The value of ${showKey(key)} can't be stored: ${reason}`, { cause });
  }
}

/**
 * Whether a value contains a view of only a part of a buffer.
 *
 * @throws {TypeError} If the value contains an object that V8's serialiser takes for an empty object though structured
 *   clone refuses it, such as a Response, or one that lives only as long as the program, such as a Blob.
 */
function hasPartialView(value: object): boolean {
  let isPartial = false;
  const found = new Set([value]);
  const visit = (item: unknown) => typeof item === "object" && item !== null && found.add(item);
  // The set grows while it is iterated: this needs no recursion, and cycles end.
  for (const some of found) {
    if (ArrayBuffer.isView(some)) {
      isPartial ||= some.byteLength < some.buffer.byteLength;
      continue;
    }
    if (some instanceof Map) some.forEach((item, name) => (visit(item), visit(name)));
    else if (some instanceof Set) some.forEach(visit);
    else if (!BUILT_IN.some((type) => some instanceof type)) {
      // Objects of the platform have a toStringTag. Few others do.
      if (!Array.isArray(some) && Object.prototype.toString.call(some) !== "[object Object]") {
        if (Object.getPrototypeOf(structuredClone(some)) !== Object.prototype) {
          throw new TypeError(`a ${some.constructor?.name} does not outlive the program`);
        }
      }
      Object.values(some).forEach(visit);
    }
  }
  return isPartial;
}

/**
 * Serialises of each view only its own bytes. V8 would serialise its whole buffer, such as that of a batch of messages.
 */
class ViewWriter extends Serializer {
  constructor() {
    super();
    (this as unknown as { _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void })
      ._setTreatArrayBufferViewsAsHostObjects(true);
  }

  /** Called by V8. */
  _writeHostObject(view: ArrayBufferView): void {
    const type = VIEWS.findIndex((some) => view instanceof some);
    if (type < 0) throw new TypeError(`${Object.prototype.toString.call(view)} could not be cloned`);
    this.writeUint32(type);
    this.writeUint32(view.byteLength);
    this.writeRawBytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }
}

/** Deserialises what `ViewWriter` writes. Each view gets a buffer of its own. */
class ViewReader extends Deserializer {
  /** Called by V8. */
  _readHostObject(): ArrayBufferView {
    const type = VIEWS[this.readUint32()]! as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new type(new Uint8Array(this.readRawBytes(this.readUint32())).buffer);
  }
}
