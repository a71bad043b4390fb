/**
 * The error for a missing or unusable librdkafka.
 *
 * @module
 */

import { FLOOR_VERSION } from "./versions.ts";

/** A librdkafka that was found and is too old to be used. */
export interface OldLibrary {
  /** The path or the name by which it was found. */
  readonly path: string;
  /** Its version. */
  readonly version: string;
}

/** Thrown if no usable librdkafka is found. The message lists what was looked at, and says what to do on this system. */
export class LibraryError extends Error {
  /** The class's name. */
  override readonly name = "LibraryError";
  /** Without the library no client can be made: the error ends a run whatever `onError` is. */
  readonly fatal = true;
  /** The libraries that were found and are too old. */
  readonly tooOld: readonly OldLibrary[];

  /**
   * Makes the error, with a remedy for this system if there are findings.
   *
   * @param summary the first line of the message
   * @param findings a line for each library that was looked at: its path, and why it can't be used
   * @param options the cause, and the libraries that are too old
   */
  constructor(
    summary: string,
    findings: readonly string[],
    options: ErrorOptions & { readonly tooOld?: readonly OldLibrary[] } = {},
  ) {
    const { tooOld = [], ...errorOptions } = options;
    const looked = findings.length === 0
      ? ""
      : `\nLooked at:\n${findings.map((finding) => `  - ${finding}`).join("\n")}`;
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

/** Returns why a library can't be used, from the error with which it was opened. */
export function openProblem(path: string, error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /Failed to register symbol (\w+)/.exec(text)?.[1];
  if (missing === "rd_kafka_version") return "is not librdkafka";
  if (missing !== undefined) return `lacks ${missing}: not a librdkafka that this module can use`;
  // The same words are used if a library that it needs is missing. Then the file itself exists.
  const itself = text.includes(path) && !/needed by|not loaded/i.test(text);
  if (itself && /no such file|cannot open shared object/i.test(text)) return "not found";
  return text.replace(/^(Could not open library: )+/, "");
}
