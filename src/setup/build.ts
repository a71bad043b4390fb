/**
 * Builds librdkafka from the sources in the npm package.
 *
 * @module
 */

import { cachedLibraryPath } from "../ffi/library.ts";
import { BUILD_VERSION } from "../ffi/versions.ts";
import { has, run, say } from "./commands.ts";
import { packageFolder } from "./package_folder.ts";
import { verify } from "./verify.ts";

/** Features that a build has only if their headers are installed: names in Makefile.config, and Debian's packages. */
const FEATURES = [
  { name: "WITH_SSL", feature: "TLS and SCRAM", debian: "libssl-dev" },
  { name: "WITH_ZLIB", feature: "gzip", debian: "zlib1g-dev" },
  { name: "WITH_ZSTD", feature: "zstd", debian: "libzstd-dev" },
  { name: "WITH_SASL_CYRUS", feature: "Kerberos (GSSAPI)", debian: "libsasl2-dev" },
  { name: "WITH_CURL", feature: "OIDC", debian: "libcurl4-openssl-dev" },
] as const;

const compiler = (): string | undefined => ["cc", "gcc", "clang"].find(has);

/** Whether librdkafka can be built here: with make, a C compiler, and bash for its configure script. */
export function canBuild(): boolean {
  return has("make") && has("bash") && compiler() !== undefined;
}

/**
 * Builds librdkafka and moves it to the user's cache folder. Takes about 45 s on 2 cores.
 *
 * Concurrent builds do not disturb each other. The library is opened before it is moved into place, so an unusable build
 * replaces nothing. If a step fails, the whole log is kept in a file.
 *
 * @returns the path of the library
 * @throws {Error} If the cache folder is unknown, or if the build fails: the message has the last lines of the log, and the
 * path of the whole log.
 */
export async function build(): Promise<string> {
  const target = cachedLibraryPath();
  if (target === undefined) throw new Error("The cache folder is unknown: set HOME or XDG_CACHE_HOME");
  say(`building librdkafka ${BUILD_VERSION} from the sources in the npm package; about a minute`);
  const work = await Deno.makeTempDir({ prefix: "librdkafka-" });
  const log: string[] = [];
  try {
    await compile(`${work}/source`, log);
    const file = target.split("/").at(-1)!;
    await moveIntoPlace(`${work}/source/src/${file}`, target);
    say(featureSummary(await Deno.readTextFile(`${work}/source/Makefile.config`)));
  } catch (error) {
    const kept = await Deno.makeTempFile({ prefix: "librdkafka-build-", suffix: ".log" });
    await Deno.writeTextFile(kept, log.join("\n"));
    throw new Error(`${error instanceof Error ? error.message : error}\nThe whole log: ${kept}`, { cause: error });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return target;
}

/** Compiles the library in a new folder. */
async function compile(source: string, log: string[]): Promise<void> {
  const cc = compiler()!;
  // configure demands a C++ compiler too. The C library does not use it, so any compiler serves.
  const env = {
    ...(cc === "cc" ? {} : { CC: cc }),
    ...(["c++", "g++", "clang++"].some(has) ? {} : { CXX: cc }),
  };
  const options = { cwd: source, env, log };
  await run("cp", ["-R", `${await packageFolder()}/deps/librdkafka`, source], { log });
  await run("chmod", ["-R", "u+rwX", source], { log });
  // configure runs every file named configure.* in its folder as a module: write no such file, not even a log.
  await run("bash", ["./configure"], options);
  await run("make", ["-j", String(navigator.hardwareConcurrency), "-C", "src"], options);
}

/** Opens a built library on trial, and moves it to the path where `openLibrary()` looks for it. */
async function moveIntoPlace(built: string, target: string): Promise<void> {
  await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  const temporary = `${target}.${crypto.randomUUID()}`;
  try {
    await Deno.copyFile(built, temporary);
    if (has("strip") && Deno.build.os === "linux") await run("strip", ["--strip-debug", temporary]);
    const version = await verify(temporary);
    if (version !== BUILD_VERSION) {
      throw new Error(`The build is librdkafka ${version}, and should be ${BUILD_VERSION}`);
    }
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // it may not exist
    throw error;
  }
}

/** A line that lists the features of a build, and for those that it lacks the packages that add them. */
export function featureSummary(makefileConfig: string): string {
  const isPresent = ({ name }: { name: string }): boolean => new RegExp(`^${name}=\\s*y`, "m").test(makefileConfig);
  const [present, absent] = [FEATURES.filter(isPresent), FEATURES.filter((feature) => !isPresent(feature))];
  const summary = `built with ${["lz4", "snappy", ...present.map(({ feature }) => feature)].join(", ")}`;
  if (absent.length === 0) return summary;
  const missing = absent.map(({ feature }) => feature).join(", ");
  const packages = absent.map(({ debian }) => debian).join(" ");
  return `${summary}; without ${missing} (on Debian: apt-get install ${packages}, then setup --build)`;
}
