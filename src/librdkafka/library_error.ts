/**
 * Why librdkafka can't be used, and what to do about it.
 *
 * @module
 */

/** Thrown when there is no librdkafka that can be used. The message says where was looked and what to do. */
export class LibraryError extends Error {
  /** The class's name. */
  override readonly name = "LibraryError";

  /**
   * Words the message, with the remedy for this system.
   *
   * @param summary what can't be done
   * @param findings what was wrong where
   */
  constructor(summary: string, findings: readonly string[], options?: ErrorOptions) {
    const looked = findings.length === 0 ? "" : `\nLooked at:\n${findings.map((line) => `  - ${line}`).join("\n")}`;
    super(`${summary}${looked}${findings.length === 0 ? "" : `\n${remedy()}`}`, options);
  }
}

function remedy(): string {
  const package_ = Deno.build.os === "darwin"
    ? "brew install librdkafka"
    : "apt-get install librdkafka1 (Debian, Ubuntu) or apk add librdkafka (Alpine)";
  return "Build it with: deno run -A jsr:@slipstream/slipstream/setup (in a checkout: deno task setup)\n" +
    `or install the system's: ${package_}\n` +
    "or set LIBRDKAFKA_PATH to the file, and allow it to be read: --allow-env=LIBRDKAFKA_PATH";
}

const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: "x86",
  40: "arm",
  62: "x86_64",
  183: "aarch64",
  243: "riscv",
};
const MACH_CPUS: Readonly<Record<number, string>> = { 0x01000007: "x86_64", 0x0100000c: "aarch64" };

/** Says what is wrong with a file that could not be opened as librdkafka. */
export function whyUnusable(path: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/undefined symbol|symbol not found|Failed to register symbol/i.test(text)) {
    return "is not librdkafka, or lacks functions of it";
  }
  const header = path.includes("/") ? readHeader(path) : undefined;
  if (header === "missing") return "no such file";
  if (header instanceof Uint8Array) {
    const built = architecture(header);
    if (built === undefined) return "is not a shared library";
    if (built !== Deno.build.arch) return `is built for ${built}, and this is ${Deno.build.arch}`;
  }
  if (/no such file|cannot open shared object/i.test(text)) return "not found";
  return text.replace(/^Could not open library: /, "");
}

function readHeader(path: string): Uint8Array | "missing" | undefined {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    using file = Deno.openSync(path);
    const header = new Uint8Array(20);
    file.readSync(header);
    return header;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "missing" : undefined;
  }
}

/** The machine a shared library is built for; `undefined` for a file that is none. */
function architecture(header: Uint8Array): string | undefined {
  const view = new DataView(header.buffer);
  if (view.getUint32(0) === 0x7f454c46) {
    const machine = view.getUint16(18, true);
    return ELF_MACHINES[machine] ?? `ELF machine ${machine}`;
  }
  if (view.getUint32(0, true) === 0xfeedfacf) {
    const cpu = view.getUint32(4, true);
    return MACH_CPUS[cpu] ?? `Mach-O CPU ${cpu}`;
  }
  // A universal binary holds several.
  return view.getUint32(0) === 0xcafebabe ? Deno.build.arch : undefined;
}
