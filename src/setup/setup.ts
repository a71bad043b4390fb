/**
 * Makes sure that a usable librdkafka is installed.
 *
 * @module
 */

import { cachedLibraryPath, type Library, openLibrary } from "../ffi/library.ts";
import { LibraryError } from "../ffi/library_error.ts";
import { BUILD_VERSION, FLOOR_VERSION } from "../ffi/versions.ts";
import { build, canBuild } from "./build.ts";
import { say } from "./commands.ts";
import { install, type Installer, installer } from "./install.ts";

/** Options of `setup()`. */
export interface SetupOptions {
  /**
   * Whether to build librdkafka even if a usable one is found.
   * @default {false}
   */
  readonly build?: boolean;
}

const DEFAULTS = { build: false } as const satisfies SetupOptions;

/** The result of `setup()`. */
export interface SetupResult {
  /** The path or the name by which the library is opened. */
  readonly path: string;
  /** Its version. */
  readonly version: string;
  /** Whether the library was found, has been built, or has been installed with a package manager. */
  readonly how: "found" | "built" | "installed";
}

/** The steps of `setup()`. Tests replace them. */
export interface SetupSteps {
  /** Opens the library, or throws a `LibraryError`. */
  readonly open: () => Pick<Library, "path" | "version">;
  /** Whether a compiler is installed. */
  readonly canBuild: () => boolean;
  /** Builds the library and returns its path. */
  readonly build: () => Promise<string>;
  /** The package manager that may be used; `undefined` for none. */
  readonly installer: () => Installer | undefined;
  /** Installs the system's library. */
  readonly install: (installer: Installer) => Promise<void>;
}

/**
 * Makes sure that a usable librdkafka is installed. Takes the first step that is possible: uses the library that is found,
 * unless it is too old; builds it, if there is a C compiler; installs the system's package, if the user may. Prints what it
 * does on stderr.
 *
 * @throws {Error} If no step is possible, if one fails, or if the system's package is too old. The message says what to do.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  return await setupWith({ open: openLibrary, canBuild, build, installer, install }, options);
}

/** `setup()` with replaceable steps. */
export async function setupWith(steps: SetupSteps, options: SetupOptions = {}): Promise<SetupResult> {
  const { build = DEFAULTS.build } = options, named = Deno.env.get("LIBRDKAFKA_PATH") || undefined;
  let tooOld = "";
  if (!build) {
    const found = usable(steps);
    if (!(found instanceof LibraryError)) {
      if (named === undefined && found.path !== cachedLibraryPath()) {
        say(`the system's librdkafka ${found.version} is used as it is; setup --build builds ${BUILD_VERSION}`);
      }
      return { path: found.path, version: found.version, how: "found" };
    }
    // The user has chosen this file: a build elsewhere would not be opened.
    if (named !== undefined) throw found;
    tooOld = oldOnes(found);
    if (tooOld !== "") say(`${tooOld} is older than ${FLOOR_VERSION}, so it is not used`);
  }
  if (steps.canBuild()) {
    const path = await steps.build();
    if (named !== undefined) say(`LIBRDKAFKA_PATH is set, so ${named} is still opened: unset it to use the build`);
    return { path, version: BUILD_VERSION, how: "built" };
  }
  if (build) {
    throw new Error("To build librdkafka, make, bash and a C compiler (cc) must be on the PATH");
  }
  const manager = steps.installer();
  if (manager === undefined) {
    throw new Error(
      `There is no librdkafka ${FLOOR_VERSION} or newer${tooOld === "" ? "" : ` (${tooOld} is too old)`}, no C ` +
        "compiler to build it with (cc, make and bash), and no package manager that may install it (apt-get or apk " +
        `as root, brew).\n${REMEDY}`,
    );
  }
  say(`there is no C compiler here (cc, make and bash): installing the system's librdkafka with ${manager.command}`);
  await steps.install(manager);
  const installed = usable(steps);
  if (!(installed instanceof LibraryError)) {
    return { path: installed.path, version: installed.version, how: "installed" };
  }
  const packaged = oldOnes(installed);
  if (packaged === "") throw installed;
  throw new Error(`${packaged}, as ${manager.command} has installed it, is older than ${FLOOR_VERSION}.\n${REMEDY}`, {
    cause: installed,
  });
}

/** What the user can do if no step is possible. */
const REMEDY =
  "Install a compiler and run setup again (Debian: apt-get install gcc libc6-dev make), or install a librdkafka " +
  `${FLOOR_VERSION} or newer (brew install librdkafka; Debian 13's librdkafka1 is too old), or set LIBRDKAFKA_PATH to one.`;

/** A list of the libraries that were found and are too old; empty for none. */
function oldOnes({ tooOld }: LibraryError): string {
  return tooOld.map(({ path, version }) => `librdkafka ${version} (${path})`).join(", ");
}

function usable(steps: SetupSteps): Pick<Library, "path" | "version"> | LibraryError {
  try {
    return steps.open();
  } catch (error) {
    if (error instanceof LibraryError) return error;
    throw error;
  }
}
