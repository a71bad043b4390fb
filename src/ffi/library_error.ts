/**
 * Why librdkafka can't be used, and what to do about it.
 *
 * @module
 */

import { FLOOR_VERSION } from "./versions.ts";

/** A librdkafka that was found, and is older than the oldest that is used. */
export interface OldLibrary {
  /** The path or name it was found by. */
  readonly path: string;
  /** Its version. */
  readonly version: string;
}

/** Thrown when there is no librdkafka that can be used. The message says where was looked and what to do. */
export class LibraryError extends Error {
  /** The class's name. */
  override readonly name = "LibraryError";
  /** No client can be made: it ends a run under every error policy. */
  readonly fatal = true;
  /** What was found and is too old. */
  readonly tooOld: readonly OldLibrary[];

  /**
   * Words the message, with the remedy for this system.
   *
   * @param summary what can't be done
   * @param findings what was wrong where
   * @param options a cause, and what was found and is too old
   */
  constructor(
    summary: string,
    findings: readonly string[],
    options: ErrorOptions & { readonly tooOld?: readonly OldLibrary[] } = {},
  ) {
    const { tooOld = [], ...errorOptions } = options;
    const looked = findings.length === 0 ? "" : `\nLooked at:\n${findings.map((line) => `  - ${line}`).join("\n")}`;
    super(`${summary}${looked}${findings.length === 0 ? "" : `\n${remedy()}`}`, errorOptions);
    this.tooOld = tooOld;
  }
}

function remedy(): string {
  const package_ = Deno.build.os === "darwin"
    ? "brew install librdkafka"
    : "apt-get install librdkafka1 (Debian, Ubuntu) or apk add librdkafka (Alpine)";
  return "Build it with: deno run -A jsr:@slipstream/slipstream/setup (in a checkout: deno task setup)\n" +
    `or install the system's, if it is ${FLOOR_VERSION} or newer: ${package_}\n` +
    "or set LIBRDKAFKA_PATH to the file, and allow it to be read: --allow-env=LIBRDKAFKA_PATH";
}

/** Says what is wrong with a library that the system could not open, or that is not librdkafka. */
export function whyUnusable(path: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /Failed to register symbol (\w+)/.exec(text)?.[1];
  if (missing === "rd_kafka_version") return "is not librdkafka";
  if (missing !== undefined) return `lacks ${missing}: not a librdkafka that this module can use`;
  // Also what is said of a library that it needs and that is not there; then the file itself is.
  const itself = text.includes(path) && !/needed by|not loaded/i.test(text);
  if (itself && /no such file|cannot open shared object/i.test(text)) return "not found";
  return text.replace(/^(Could not open library: )+/, "");
}
