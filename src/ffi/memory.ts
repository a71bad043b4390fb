/**
 * C memory as JavaScript sees it: strings, addresses, copies.
 *
 * @module
 */

/** An address that C gave or takes; `null` is NULL. */
export type Pointer = Deno.PointerValue;

const encoder = new TextEncoder();
// A byte order mark is text, as it is to C.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** 2³²: two u32 halves make an address or an offset that fits a double. */
export const HIGH_WORD = 4294967296;

/**
 * Things in C memory that lie at most this far apart are copied together, with what is between them. Less than a page,
 * so that no page that is not mapped lies between.
 */
export const MAX_GAP_BYTES = 1024;

/**
 * A NUL-terminated UTF-8 string for a `const char *` parameter.
 *
 * @throws {TypeError} If the text holds a NUL, which C would take for its end.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError(`A string for librdkafka can't hold a NUL character: ${JSON.stringify(text)}`);
  }
  return encoder.encode(text + "\0") as Uint8Array<ArrayBuffer>;
}

/** What a `const char *` says; `""` for NULL. */
export function readCString(pointer: Pointer): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** The text in a buffer that C has written a string to: what comes before a NUL. */
export function readText(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return decoder.decode(end < 0 ? buffer : buffer.subarray(0, end));
}

/** The address of a buffer's first byte. The buffer must be kept alive as long as C uses the address. */
export function addressOf(view: ArrayBufferView<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view as Uint8Array<ArrayBuffer>));
}

/** A pointer from an address that was read out of a struct. */
export function pointerAt(address: number | bigint): Pointer {
  return Deno.UnsafePointer.create(BigInt(address));
}

/** A view of what a pointer points to. */
export function viewOf(pointer: NonNullable<Pointer>): Deno.UnsafePointerView {
  return new Deno.UnsafePointerView(pointer);
}

/** A place for C to write an address to. */
export class OutPointer {
  /** What is passed to C. */
  readonly buffer: BigUint64Array<ArrayBuffer> = new BigUint64Array(1);

  /** What C has written. */
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

/** The few functions of the C library that are needed. */
export type Libc = Deno.DynamicLibrary<typeof LIBC>["symbols"];

let opened: Libc | undefined;

/**
 * Opens the C library, once.
 *
 * @throws {Error} If none is found under the names it has on Linux (glibc, musl) and macOS.
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
  throw new Error(`Can't open the C library under any of its names: ${names.join(", ")}`, { cause });
}
