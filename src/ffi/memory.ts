/**
 * C's memory in JavaScript: strings, addresses and the few functions of the C library that are needed.
 *
 * @module
 */

/** An address in C's memory; `null` is NULL. */
export type Pointer = Deno.PointerValue;

const encoder = new TextEncoder();
// To C a byte order mark is text like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The value of the high word of a 64-bit number: 2³². Addresses and offsets are read as two words, and fit a double. */
export const HIGH_WORD = 4294967296;

/**
 * Bytes in C's memory that lie at most this far apart are copied together with the gap between them. It is less than a
 * page, so that the gap contains no unmapped page.
 */
export const MAX_GAP_BYTES = 1024;

/**
 * Encodes a text as a NUL-terminated UTF-8 string, for a `const char *` parameter.
 *
 * @throws {TypeError} If the text contains a NUL character, at which C would end it.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError(`A string for librdkafka can't contain a NUL character: ${JSON.stringify(text)}`);
  }
  return encoder.encode(text + "\0") as Uint8Array<ArrayBuffer>;
}

/** Reads a `const char *`; `""` for NULL. */
export function readCString(pointer: Pointer): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** Reads the string that C has written to a buffer: the bytes before the first NUL. */
export function readText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return decoder.decode(end < 0 ? buffer : buffer.subarray(0, end));
}

/** The address of a buffer's first byte. The caller must keep the buffer alive while C uses the address. */
export function addressOf(view: ArrayBufferView<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view as Uint8Array<ArrayBuffer>));
}

/** The pointer for an address, such as one that was read from a struct. */
export function pointerAt(address: number | bigint): Pointer {
  return Deno.UnsafePointer.create(BigInt(address));
}

/** A view of the memory at a pointer. */
export function viewOf(pointer: NonNullable<Pointer>): Deno.UnsafePointerView {
  return new Deno.UnsafePointerView(pointer);
}

/** An "out" parameter: a buffer to which C writes an address. */
export class OutPointer {
  /** The argument for C. */
  readonly buffer: BigUint64Array<ArrayBuffer> = new BigUint64Array(1);

  /** The address that C has written. */
  get value(): Pointer {
    return Deno.UnsafePointer.create(this.buffer[0]!);
  }
}

const LIBC = {
  /** void *calloc(size_t nmemb, size_t size) */
  calloc: { parameters: ["usize", "usize"], result: "pointer" },
  /** void *dlopen(const char *filename, int flags) */
  dlopen: { parameters: ["buffer", "i32"], result: "pointer", optional: true },
  /** void *memcpy(void *dest, const void *src, size_t n) */
  memcpy: { parameters: ["u64", "u64", "usize"], result: "void" },
  /** int pipe(int pipefd[2]) */
  pipe: { parameters: ["buffer"], result: "i32" },
  /** int poll(struct pollfd *fds, nfds_t nfds, int timeout) */
  poll_async: { name: "poll", parameters: ["pointer", "u64", "i32"], result: "i32", nonblocking: true },
  /** ssize_t read(int fd, void *buf, size_t count) */
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  /** ssize_t write(int fd, const void *buf, size_t count) */
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions of the C library that are needed. */
export type Libc = Deno.DynamicLibrary<typeof LIBC>["symbols"];

let opened: Libc | undefined;

/**
 * Opens the C library, once.
 *
 * @throws {Error} If it is not found under its names on Linux (glibc and musl) or macOS.
 */
export function libc(): Libc {
  if (opened !== undefined) return opened;
  const names = Deno.build.os === "darwin"
    ? ["libSystem.dylib"]
    : ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`, `/lib/ld-musl-${Deno.build.arch}.so.1`];
  let cause: unknown;
  for (const name of names) {
    try {
      return opened = Deno.dlopen(name, LIBC).symbols;
    } catch (error) {
      cause = error;
    }
  }
  throw new Error(`Can't open the C library, which was looked for as ${names.join(", ")}`, { cause });
}
