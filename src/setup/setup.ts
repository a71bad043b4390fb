/**
 * Making sure that there is a librdkafka.
 *
 * @module
 */

import { cachedLibraryPath, type Library, openLibrary } from "../ffi/library.ts";
import { LibraryError } from "../ffi/library_error.ts";
import { BUILD_VERSION, FLOOR_VERSION } from "../ffi/versions.ts";
import { build, canBuild } from "./build.ts";
import { say } from "./commands.ts";
import { install, type Installer, installer } from "./install.ts";

/** How `setup` goes about it. */
export interface SetupOptions {
  /**
   * Whether to build librdkafka although one can be used already.
   * @default {false}
   */
  readonly build?: boolean;
}

const DEFAULTS = { build: false } as const satisfies SetupOptions;

/** What `setup` came to. */
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
 * Makes sure that there is a librdkafka that can be used: takes the one that is there, unless it is too old; else
 * builds it, where there is a C compiler; else installs the system's package, where it may. Says on stderr what it
 * does.
 *
 * @throws {Error} If none of these can be done, or one fails, or the system's package is too old: says what to do.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  return await setupWith({ open: openLibrary, canBuild, build, installer, install }, options);
}

/** `setup`, with given steps. */
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
    // A path that someone has set is theirs to mend.
    if (named !== undefined) throw found;
    tooOld = oldOnes(found);
    if (tooOld !== "") say(`${tooOld} is older than ${FLOOR_VERSION}, so it is not used`);
  }
  if (steps.canBuild()) {
    const path = await steps.build();
    if (named !== undefined) say(`LIBRDKAFKA_PATH is set, so ${named} is opened still: unset it to use the build`);
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

/** What to do where setup can do nothing. */
const REMEDY =
  "Install a compiler and run setup again (Debian: apt-get install gcc libc6-dev make), or install a librdkafka " +
  `${FLOOR_VERSION} or newer (brew install librdkafka; Debian 13's librdkafka1 is too old), or set LIBRDKAFKA_PATH to one.`;

/** Names what was found and is too old; empty if nothing was. */
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
