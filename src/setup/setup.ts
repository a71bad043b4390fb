/**
 * Making sure that there is a librdkafka.
 *
 * @module
 */

import { type Library, openLibrary } from "../librdkafka/library.ts";
import { LibraryError } from "../librdkafka/library_error.ts";
import { build, canBuild } from "./build.ts";
import { say } from "./commands.ts";
import { install, installer } from "./install.ts";

/** How {@linkcode setup} goes about it. */
export interface SetupOptions {
  /**
   * Whether to build librdkafka although one can be used already.
   * @default {false}
   */
  readonly build?: boolean;
}

/** What {@linkcode setup} came to. */
export interface SetupResult {
  /** The path or name that the library is opened by. */
  readonly path: string;
  /** Its version. */
  readonly version: string;
  /** Whether it was there already, built, or installed with the system's package manager. */
  readonly how: "found" | "built" | "installed";
}

/**
 * Makes sure that there is a librdkafka: takes the one that is there; else builds it, where there is a C compiler;
 * else installs the system's package, where it may. Says on stderr what it does.
 *
 * @throws {Error} If none of these can be done, or one fails: says what to do.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  if (options.build !== true) {
    const found = usable();
    if (!(found instanceof LibraryError)) return { path: found.path, version: found.version, how: "found" };
    // A path that someone has set is theirs to mend.
    if (Deno.env.get("LIBRDKAFKA_PATH")) throw found;
  }
  if (canBuild()) {
    const path = await build();
    return { ...checked(), path, how: "built" };
  }
  if (options.build === true) {
    throw new Error("To build librdkafka, make, bash and a C compiler (cc) must be on the PATH");
  }
  const manager = installer();
  if (manager === undefined) {
    throw new Error(
      "There is no librdkafka, no C compiler to build it with (cc, make and bash), and no package manager that may " +
        "install it (apt-get or apk as root, brew).\nInstall a compiler (Debian: apt-get install gcc make) or " +
        "librdkafka (Debian: apt-get install librdkafka1), or set LIBRDKAFKA_PATH to a librdkafka 2.0.2 or newer.",
    );
  }
  say(`there is no C compiler here (cc, make and bash): installing the system's librdkafka with ${manager.command}`);
  await install(manager);
  return { ...checked(), how: "installed" };
}

function usable(): Library | LibraryError {
  try {
    return openLibrary();
  } catch (error) {
    if (error instanceof LibraryError) return error;
    throw error;
  }
}

function checked(): { path: string; version: string } {
  const { path, version } = openLibrary();
  return { path, version };
}
