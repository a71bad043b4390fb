/**
 * Building librdkafka from the sources in the npm package.
 *
 * @module
 */

import { cachedLibraryPath } from "../ffi/library.ts";
import { BUILD_VERSION } from "../ffi/versions.ts";
import { has, run, say } from "./commands.ts";
import { packageFolder } from "./package_folder.ts";
import { verify } from "./verify.ts";

/** Features that hang on headers, by the name in Makefile.config, and Debian's packages of them. */
const FEATURES = [
  { name: "WITH_SSL", feature: "TLS and SCRAM", debian: "libssl-dev" },
  { name: "WITH_ZLIB", feature: "gzip", debian: "zlib1g-dev" },
  { name: "WITH_ZSTD", feature: "zstd", debian: "libzstd-dev" },
  { name: "WITH_SASL_CYRUS", feature: "Kerberos (GSSAPI)", debian: "libsasl2-dev" },
  { name: "WITH_CURL", feature: "OIDC", debian: "libcurl4-openssl-dev" },
] as const;

const compiler = (): string | undefined => ["cc", "gcc", "clang"].find(has);

/** Whether librdkafka can be built here: its configure is a bash script. */
export function canBuild(): boolean {
  return has("make") && has("bash") && compiler() !== undefined;
}

/**
 * Builds librdkafka and puts it into the user's cache folder. Takes about 45 s on 2 cores.
 *
 * Builds side by side do not disturb each other, and a build that can't be used replaces nothing: the finished file
 * is tried, then moved into place. When a step fails, all that was printed is kept in a file.
 *
 * @returns the path of the library
 * @throws {Error} If the cache folder is unknown, or the build fails: with the last lines of its log.
 */
export async function build(): Promise<string> {
  const target = cachedLibraryPath();
  if (target === undefined) throw new Error("The cache folder is unknown: set HOME or XDG_CACHE_HOME");
  say(`building librdkafka ${BUILD_VERSION} from the sources in the npm package; about a minute`);
  const work = await Deno.makeTempDir({ prefix: "librdkafka-" });
  const log: string[] = [];
  try {
    await make(`${work}/source`, log);
    const file = target.split("/").at(-1)!;
    await put(`${work}/source/src/${file}`, target);
    say(features(await Deno.readTextFile(`${work}/source/Makefile.config`)));
  } catch (error) {
    const kept = await Deno.makeTempFile({ prefix: "librdkafka-build-", suffix: ".log" });
    await Deno.writeTextFile(kept, log.join("\n"));
    throw new Error(`${error instanceof Error ? error.message : error}\nThe whole log: ${kept}`, { cause: error });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return target;
}

/** Makes the library in a new folder. */
async function make(source: string, log: string[]): Promise<void> {
  const cc = compiler()!;
  // configure asks for a C++ compiler too, which the C library has no use for: any answer will do.
  const env = {
    ...(cc === "cc" ? {} : { CC: cc }),
    ...(["c++", "g++", "clang++"].some(has) ? {} : { CXX: cc }),
  };
  const options = { cwd: source, env, log };
  await run("cp", ["-R", `${await packageFolder()}/deps/librdkafka`, source], { log });
  await run("chmod", ["-R", "u+rwX", source], { log });
  // configure takes every file named configure.* in its folder for a module: nothing of ours goes there.
  await run("bash", ["./configure"], options);
  await run("make", ["-j", String(navigator.hardwareConcurrency), "-C", "src"], options);
}

/** Tries a finished library, and moves it to where it is looked for. */
async function put(built: string, target: string): Promise<void> {
  await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  const temporary = `${target}.${crypto.randomUUID()}`;
  try {
    await Deno.copyFile(built, temporary);
    if (has("strip") && Deno.build.os === "linux") await run("strip", ["--strip-debug", temporary]);
    const version = await verify(temporary);
    if (version !== BUILD_VERSION) throw new Error(`The build is ${version}, which is not ${BUILD_VERSION}`);
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // it may not have come to be
    throw error;
  }
}

/** Says which features configure has found the headers of, and what would add the others. */
export function features(makefileConfig: string): string {
  const isIn = ({ name }: { name: string }): boolean => new RegExp(`^${name}=\\s*y`, "m").test(makefileConfig);
  const [present, absent] = [FEATURES.filter(isIn), FEATURES.filter((one) => !isIn(one))];
  const having = `built with ${["lz4", "snappy", ...present.map(({ feature }) => feature)].join(", ")}`;
  if (absent.length === 0) return having;
  const lacking = absent.map(({ feature }) => feature).join(", ");
  const packages = absent.map(({ debian }) => debian).join(" ");
  return `${having}; without ${lacking} (on Debian: apt-get install ${packages}, then setup --build)`;
}
