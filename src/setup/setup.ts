/**
 * Making sure that there is a librdkafka.
 *
 * @module
 */

import { BUILD_VERSION, cachedLibraryPath, FLOOR_VERSION, type Library, openLibrary } from "../librdkafka/library.ts";
import { LibraryError } from "../librdkafka/library_error.ts";
import { build, canBuild } from "./build.ts";
import { say } from "./commands.ts";
import { install, type Installer, installer } from "./install.ts";

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

/** What setup does its work with. Tests put other ones in their place. */
export interface SetupSteps {
  /** Opens the library that is there. */
  readonly open: () => Pick<Library, "path" | "version">;
  /** Whether there is a compiler. */
  readonly canBuild: () => boolean;
  /** Builds the library; its path. */
  readonly build: () => Promise<string>;
  /** The package manager that may be used. */
  readonly installer: () => Installer | undefined;
  /** Installs the system's library. */
  readonly install: (installer: Installer) => Promise<void>;
}

/**
 * Makes sure that there is a librdkafka: takes the one that is there; else builds it, where there is a C compiler;
 * else installs the system's package, where it may. Says on stderr what it does.
 *
 * @throws {Error} If none of these can be done, or one fails: says what to do.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  return await setupWith({ open: openLibrary, canBuild, build, installer, install }, options);
}

/** {@linkcode setup}, with given steps. */
export async function setupWith(steps: SetupSteps, options: SetupOptions = {}): Promise<SetupResult> {
  const named = Deno.env.get("LIBRDKAFKA_PATH") || undefined;
  if (options.build !== true) {
    const found = usable(steps);
    if (!(found instanceof LibraryError)) {
      if (named === undefined && found.path !== cachedLibraryPath()) {
        say(`the system's librdkafka ${found.version} is used as it is; setup --build builds ${BUILD_VERSION}`);
      }
      return { path: found.path, version: found.version, how: "found" };
    }
    // A path that someone has set is theirs to mend.
    if (named !== undefined) throw found;
  }
  if (steps.canBuild()) {
    const path = await steps.build();
    if (named !== undefined) say(`LIBRDKAFKA_PATH is set, so ${named} is opened still: unset it to use the build`);
    return { path, version: BUILD_VERSION, how: "built" };
  }
  if (options.build === true) {
    throw new Error("To build librdkafka, make, bash and a C compiler (cc) must be on the PATH");
  }
  const manager = steps.installer();
  if (manager === undefined) {
    throw new Error(
      "There is no librdkafka, no C compiler to build it with (cc, make and bash), and no package manager that may " +
        "install it (apt-get or apk as root, brew).\nInstall a compiler (Debian: apt-get install gcc libc6-dev make) " +
        "or librdkafka (Debian: apt-get install librdkafka1), or set LIBRDKAFKA_PATH to a librdkafka " +
        `${FLOOR_VERSION} or newer.`,
    );
  }
  say(`there is no C compiler here (cc, make and bash): installing the system's librdkafka with ${manager.command}`);
  await steps.install(manager);
  const { path, version } = steps.open();
  return { path, version, how: "installed" };
}

function usable(steps: SetupSteps): Pick<Library, "path" | "version"> | LibraryError {
  try {
    return steps.open();
  } catch (error) {
    if (error instanceof LibraryError) return error;
    throw error;
  }
}
