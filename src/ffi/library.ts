/**
 * Finding librdkafka and opening it.
 *
 * @module
 */

import { emitNotice } from "../notices/notice.ts";
import { LibraryError, type OldLibrary, whyUnusable } from "./library_error.ts";
import { cString, libc } from "./memory.ts";
import { whyNotOpened } from "./shared_object.ts";
import { SYMBOLS } from "./symbols.ts";
import { BUILD_VERSION, FLOOR_VERSION } from "./versions.ts";

/** An open librdkafka. */
export interface Library {
  /** Its functions. */
  readonly symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** Its version, such as `"2.15.1"`. */
  readonly version: string;
  /** The path or name it was opened by. */
  readonly path: string;
}

/** What is asked before librdkafka is used; the second is OpenSSL's, which is found where librdkafka links to it. */
const PROBED = {
  rd_kafka_version: SYMBOLS.rd_kafka_version,
  // int OPENSSL_init_crypto(uint64_t opts, const OPENSSL_INIT_SETTINGS *settings)
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32", optional: true },
} as const;
/**
 * `OPENSSL_INIT_NO_ATEXIT`: librdkafka's threads run until the process is over, and one that asks for a random number
 * after OpenSSL has cleaned up would end an orderly exit with SIGSEGV.
 */
const NO_ATEXIT = 0x00080000n;

/** The same on Linux and macOS. */
const RTLD_NOW = 2;
/** Deno's machines that are 64-bit and little-endian. */
const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

let opened: Library | undefined;

/** What is read of the environment to find the library. */
const VARIABLES = "LIBRDKAFKA_PATH,HOME,XDG_CACHE_HOME";

/**
 * Where `setup` puts its build: `slipstream/librdkafka/…` in the user's cache folder. `undefined` where the folder is
 * unknown: no HOME, or no permission to read it. Never prompts.
 */
export function cachedLibraryPath(): string | undefined {
  const darwin = Deno.build.os === "darwin";
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/${darwin ? "Library/Caches" : ".cache"}`);
  const file = darwin ? "librdkafka.1.dylib" : "librdkafka.so.1";
  return cache && `${cache}/slipstream/librdkafka/${BUILD_VERSION}/${Deno.build.os}-${Deno.build.arch}/${file}`;
}

/** The names under which the system's librdkafka may be found. */
function systemNames(): string[] {
  if (Deno.build.os !== "darwin") return ["librdkafka.so.1"];
  const name = "librdkafka.1.dylib";
  return [name, "librdkafka.dylib", `/opt/homebrew/lib/${name}`, `/usr/local/lib/${name}`];
}

/** Reads a variable if that needs no prompt; an empty one counts as unset. */
function environment(variable: string): string | undefined {
  return mayRead(variable) ? Deno.env.get(variable) || undefined : undefined;
}

function mayRead(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

/**
 * Opens librdkafka, once, for as long as the process lives.
 *
 * Looks at `LIBRDKAFKA_PATH`, which is final when set; then at the build of `setup` in the user's cache folder; then
 * for the system's. The first that can be used is taken.
 *
 * @throws {LibraryError} If none can be used: says where it looked, what is wrong there, and what to do.
 */
export function openLibrary(): Library {
  return opened ??= findLibrary();
}

function findLibrary(): Library {
  if (Deno.build.os !== "linux" && Deno.build.os !== "darwin") {
    throw new LibraryError(`Kafka topics work on Linux and macOS, not yet on ${Deno.build.os}.`, []);
  }
  // What layout.ts says holds on 64-bit little-endian machines.
  if (!ARCHITECTURES.includes(Deno.build.arch)) {
    throw new LibraryError(`Kafka topics work on ${ARCHITECTURES.join(" and ")}, not on ${Deno.build.arch}.`, []);
  }
  // Asked for as a whole: with a scoped permission librdkafka opens, and the first use of a pointer fails.
  if (Deno.permissions.requestSync({ name: "ffi" }).state !== "granted") throw ffiRefused();
  const named = environment("LIBRDKAFKA_PATH");
  const cached = cachedLibraryPath();
  const places = named !== undefined ? [named] : [...(cached === undefined ? [] : [cached]), ...systemNames()];
  const findings: string[] = [], tooOld: OldLibrary[] = [];
  for (const place of places) {
    const found = tryOpen(place);
    if (typeof found !== "string" && "symbols" in found) {
      if (cached === undefined && named === undefined && !mayRead("HOME")) {
        emitNotice({
          code: "system-library",
          text: `uses the system's librdkafka ${found.version} (${place}): without --allow-env=${VARIABLES} ` +
            "LIBRDKAFKA_PATH and the build of `setup` are not looked at",
          isOver: false,
        });
      }
      return found;
    }
    if (typeof found !== "string") tooOld.push(found);
    const why = typeof found === "string" ? found : `version ${found.version} is older than ${FLOOR_VERSION}`;
    findings.push(`${place}${place === named ? " (LIBRDKAFKA_PATH)" : ""}: ${why}`);
  }
  if (!mayRead("LIBRDKAFKA_PATH")) findings.push("LIBRDKAFKA_PATH: not read, since --allow-env is missing");
  if (cached === undefined && named === undefined) {
    findings.push("the user's cache folder: unknown, since HOME is not set or --allow-env is missing");
  }
  throw new LibraryError(`No librdkafka ${FLOOR_VERSION} or newer can be used.`, findings, { tooOld });
}

/** Opens a file if it is a librdkafka that can be used; else says why not, or that it is too old. */
function tryOpen(path: string): Library | OldLibrary | string {
  const refused = whyNotOpened(path);
  if (refused !== undefined) return refused;
  try {
    const probe = Deno.dlopen(path, PROBED);
    const version = versionText(probe.symbols.rd_kafka_version());
    const usable = compare(version, FLOOR_VERSION) >= 0;
    if (usable) {
      keepMapped(path);
      probe.symbols.OPENSSL_init_crypto?.(NO_ATEXIT, null);
    }
    probe.close();
    if (!usable) return { path, version };
    const { symbols } = Deno.dlopen(path, SYMBOLS);
    return { symbols: symbols as Library["symbols"], version, path };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied) {
      throw ffiRefused(error);
    }
    return whyUnusable(path, error);
  }
}

/**
 * Opens a library once more, never to be closed. A program that ends with an uncaught error has its libraries closed
 * by Deno while librdkafka's threads still run: their code must stay where it is, or the process dies of SIGSEGV
 * before the error is printed.
 */
function keepMapped(path: string): void {
  // Before glibc 2.34 the function is in another library; nothing is lost there but the error's text.
  libc().dlopen?.(cString(path), RTLD_NOW);
}

function ffiRefused(cause?: unknown): LibraryError {
  return new LibraryError(
    "Kafka topics need --allow-ffi to open librdkafka: run with --allow-ffi (it must be unscoped, without a path).",
    [],
    cause === undefined ? {} : { cause },
  );
}

/** From `0xMMmmrrpp`. */
function versionText(hex: number): string {
  return `${(hex >>> 24) & 0xff}.${(hex >>> 16) & 0xff}.${(hex >>> 8) & 0xff}`;
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  return left!.reduce((order, part, index) => order || part - right![index]!, 0);
}
