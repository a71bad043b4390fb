/**
 * Finds librdkafka and opens it.
 *
 * @module
 */

import { emitNotice } from "../notices/notice.ts";
import { LibraryError, type OldLibrary, openProblem } from "./library_error.ts";
import { cString, libc } from "./memory.ts";
import { sharedObjectProblem } from "./shared_object.ts";
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

/** The functions that are called before librdkafka is used. The second is OpenSSL's, which is found if librdkafka links to it. */
const PROBE = {
  rd_kafka_version: SYMBOLS.rd_kafka_version,
  // int OPENSSL_init_crypto(uint64_t opts, const OPENSSL_INIT_SETTINGS *settings)
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32", optional: true },
} as const;
/**
 * `OPENSSL_INIT_NO_ATEXIT`: OpenSSL must not clean up at exit. librdkafka's threads run until the process is gone, and one
 * that asks for a random number after the clean-up ends an orderly exit with SIGSEGV.
 */
const NO_ATEXIT = 0x00080000n;

/** `dlopen()`'s flag, the same on Linux and macOS. */
const RTLD_NOW = 2;
/** The 64-bit little-endian machines that Deno runs on. */
const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

let opened: Library | undefined;

/** The environment variables that say where the library is. */
const VARIABLES = "LIBRDKAFKA_PATH,HOME,XDG_CACHE_HOME";

/**
 * The path of the library that `setup` builds: `slipstream/librdkafka/…` in the user's cache folder. `undefined` if the
 * folder is unknown, because HOME is not set or may not be read. Never prompts.
 */
export function cachedLibraryPath(): string | undefined {
  const darwin = Deno.build.os === "darwin";
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/${darwin ? "Library/Caches" : ".cache"}`);
  const file = darwin ? "librdkafka.1.dylib" : "librdkafka.so.1";
  return cache && `${cache}/slipstream/librdkafka/${BUILD_VERSION}/${Deno.build.os}-${Deno.build.arch}/${file}`;
}

/** The names of the system's librdkafka. */
function systemNames(): string[] {
  if (Deno.build.os !== "darwin") return ["librdkafka.so.1"];
  const name = "librdkafka.1.dylib";
  return [name, "librdkafka.dylib", `/opt/homebrew/lib/${name}`, `/usr/local/lib/${name}`];
}

/** The value of a variable, if it may be read without a prompt. An empty one counts as unset. */
function environment(variable: string): string | undefined {
  return mayRead(variable) ? Deno.env.get(variable) || undefined : undefined;
}

function mayRead(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

/**
 * Opens librdkafka at the first call. It stays open as long as the process lives.
 *
 * If `LIBRDKAFKA_PATH` is set, that file is opened or none. Otherwise the first usable library is opened: the one that
 * `setup` has built in the user's cache folder, or the system's.
 *
 * @throws {LibraryError} If none can be used. The message lists what was looked at, why each can't be used, and what to do.
 */
export function openLibrary(): Library {
  return opened ??= findLibrary();
}

function findLibrary(): Library {
  if (Deno.build.os !== "linux" && Deno.build.os !== "darwin") {
    throw new LibraryError(`Kafka topics work on Linux and macOS, not yet on ${Deno.build.os}.`, []);
  }
  // The offsets in layout.ts are those of 64-bit little-endian machines.
  if (!ARCHITECTURES.includes(Deno.build.arch)) {
    throw new LibraryError(`Kafka topics work on ${ARCHITECTURES.join(" and ")}, not on ${Deno.build.arch}.`, []);
  }
  // The permission must be unscoped: with a scoped one librdkafka opens, and the first use of a pointer fails.
  if (Deno.permissions.requestSync({ name: "ffi" }).state !== "granted") throw ffiRefused();
  const named = environment("LIBRDKAFKA_PATH");
  const cached = cachedLibraryPath();
  const paths = named !== undefined ? [named] : [...(cached === undefined ? [] : [cached]), ...systemNames()];
  const findings: string[] = [], tooOld: OldLibrary[] = [];
  for (const path of paths) {
    const found = tryOpen(path);
    if (typeof found !== "string" && "symbols" in found) {
      if (cached === undefined && named === undefined && !mayRead("HOME")) {
        emitNotice({
          code: "system-library",
          text: `uses the system's librdkafka ${found.version} (${path}): without --allow-env=${VARIABLES} ` +
            "LIBRDKAFKA_PATH and the build of `setup` are not looked at",
          isOver: false,
        });
      }
      return found;
    }
    if (typeof found !== "string") tooOld.push(found);
    const why = typeof found === "string" ? found : `version ${found.version} is older than ${FLOOR_VERSION}`;
    findings.push(`${path}${path === named ? " (LIBRDKAFKA_PATH)" : ""}: ${why}`);
  }
  if (!mayRead("LIBRDKAFKA_PATH")) findings.push("LIBRDKAFKA_PATH: not read, since --allow-env is missing");
  if (cached === undefined && named === undefined) {
    findings.push("the user's cache folder: unknown, since HOME is not set or --allow-env is missing");
  }
  throw new LibraryError(`No librdkafka ${FLOOR_VERSION} or newer can be used.`, findings, { tooOld });
}

/** Opens a library. If it can't be used, returns why, or that it is too old. */
function tryOpen(path: string): Library | OldLibrary | string {
  const refused = sharedObjectProblem(path);
  if (refused !== undefined) return refused;
  try {
    const probe = Deno.dlopen(path, PROBE);
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
    return openProblem(path, error);
  }
}

/**
 * Opens a library once more and never closes it. When a program ends with an uncaught error, Deno closes the program's
 * libraries while librdkafka's threads still run. Their code must stay mapped, or the process dies of SIGSEGV before the
 * error is printed.
 */
function keepMapped(path: string): void {
  // Before glibc 2.34 the function is in another library. Without it only the error's text is lost.
  libc().dlopen?.(cString(path), RTLD_NOW);
}

function ffiRefused(cause?: unknown): LibraryError {
  return new LibraryError(
    "Kafka topics need --allow-ffi to open librdkafka: run with --allow-ffi (it must be unscoped, without a path).",
    [],
    cause === undefined ? {} : { cause },
  );
}

/** The text of a version that is coded as `0xMMmmrrpp`. */
function versionText(hex: number): string {
  return `${(hex >>> 24) & 0xff}.${(hex >>> 16) & 0xff}.${(hex >>> 8) & 0xff}`;
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  return left!.reduce((order, part, index) => order || part - right![index]!, 0);
}
