/**
 * Values of a Cache as they lie in Deno KV: primitives as they are, everything else serialised once, when it is
 * given, so that what a caller changes afterwards changes nothing here.
 *
 * @module
 */

import { Deserializer, Serializer } from "node:v8";
import { showKey } from "../cache_key.ts";

/** A value at rest. */
export interface StoredValue {
  /** A primitive, or the serialised bytes; undefined when the bytes lie in chunks and have not been read. */
  readonly data: Primitive | Uint8Array | undefined;
  /** Where the chunks are, of a value that is too large for one entry. */
  readonly chunks?: ChunkList;
  /** When it ends, in ms since the epoch; 0 for never. */
  readonly expiresAt: number;
  /** About how many bytes it takes. */
  readonly bytes: number;
}

/** The chunks of one value. */
export interface ChunkList {
  readonly id: string;
  readonly count: number;
}

type Primitive = string | number | bigint | boolean | null;

/** Deno KV takes 65,536 bytes; the rest is for the wrapping. */
export const CHUNK_BYTES = 65_000;
/** What can be views of bytes, by the number that they are stored with. */
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
/** Objects that are neither plain nor someone's class, and that V8 serialises as what they are. */
const BUILT_IN = [Date, RegExp, Error, ArrayBuffer, Boolean, Number, String, BigInt] as const;
/** Strings up to this length go in as they are. */
const SHORT_STRING = 4_096;
let chunkIds = 0;

/**
 * Makes a value ready to be stored.
 *
 * @throws {TypeError} If it is undefined, or nothing that structured clone takes.
 */
export function encode(value: unknown, key: unknown, expiresAt = 0): StoredValue {
  switch (typeof value) {
    case "undefined":
      throw new TypeError(
        `A value must not be undefined, which is what get() says of a key that is not there: ${showKey(key)}`,
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
  // The time leads, for those who look for what was left behind long ago.
  const id = `${Date.now()}-${crypto.randomUUID().slice(0, 8)}-${chunkIds++}`;
  return { data, chunks: { id, count: Math.ceil(data.length / CHUNK_BYTES) }, expiresAt, bytes: data.length };
}

/** The value again, each time a copy of its own. */
export function decode({ data }: StoredValue): unknown {
  if (!(data instanceof Uint8Array)) return data;
  const deserializer = new ViewReader(data);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** What KV is given. Only what needs more than the value itself is an array. */
export function toEntry({ data, chunks, expiresAt }: StoredValue): unknown {
  if (chunks !== undefined) return [expiresAt, undefined, chunks.id, chunks.count];
  return expiresAt > 0 ? [expiresAt, data] : data;
}

/** What KV has given, without the bytes of chunks. */
export function fromEntry(entry: unknown): StoredValue {
  if (!Array.isArray(entry)) return { data: entry as Primitive | Uint8Array, expiresAt: 0, bytes: sizeOf(entry) };
  const [expiresAt, data, id, count] = entry;
  return id === undefined
    ? { data, expiresAt, bytes: sizeOf(data) }
    : { data: undefined, chunks: { id, count }, expiresAt, bytes: 0 };
}

/** Whether a value has ended: KV forgets lazily, a Cache exactly. */
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
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`The value of ${showKey(key)} can't be stored: ${why}`, { cause });
  }
}

/**
 * Whether something in a value is a view of a part of a buffer.
 *
 * @throws {TypeError} If something is what structured clone refuses and V8's serializer takes for an empty object, such
 *   as a Response, or lives only as long as the program, such as a Blob.
 */
function hasPartialView(value: object): boolean {
  let partial = false;
  const found = new Set([value]);
  const look = (some: unknown) => typeof some === "object" && some !== null && found.add(some);
  // It grows while it is walked over, so that depth and circles do no harm.
  for (const some of found) {
    if (ArrayBuffer.isView(some)) {
      partial ||= some.byteLength < some.buffer.byteLength;
      continue;
    }
    if (some instanceof Map) some.forEach((item, name) => (look(item), look(name)));
    else if (some instanceof Set) some.forEach(look);
    else if (!BUILT_IN.some((type) => some instanceof type)) {
      // The platform's own objects have a tag, as hardly any others do.
      if (!Array.isArray(some) && Object.prototype.toString.call(some) !== "[object Object]") {
        if (Object.getPrototypeOf(structuredClone(some)) !== Object.prototype) {
          throw new TypeError(`a ${some.constructor?.name} does not outlive the program`);
        }
      }
      Object.values(some).forEach(look);
    }
  }
  return partial;
}

/** Writes of a view the bytes that it shows; V8 would write its whole buffer, such as that of a batch of messages. */
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

/** Gives each view a buffer of its own. */
class ViewReader extends Deserializer {
  /** Called by V8. */
  _readHostObject(): ArrayBufferView {
    const type = VIEWS[this.readUint32()]! as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new type(new Uint8Array(this.readRawBytes(this.readUint32())).buffer);
  }
}
