/**
 * Building librdkafka from the sources in the npm package.
 *
 * @module
 */

import { BUILD_VERSION, cachedLibraryPath } from "../librdkafka/library.ts";
import { has, run, say } from "./commands.ts";
import { packageFolder } from "./package_folder.ts";

/** Headers that add features, and Debian's packages of them. */
const EXTRAS = [
  { header: "zstd.h", feature: "zstd compression", debian: "libzstd-dev" },
  { header: "sasl/sasl.h", feature: "Kerberos (GSSAPI)", debian: "libsasl2-dev" },
  { header: "curl/curl.h", feature: "OIDC", debian: "libcurl4-openssl-dev" },
  { header: "openssl/ssl.h", feature: "TLS and SCRAM", debian: "libssl-dev" },
] as const;

/** Whether librdkafka can be built here: its configure is a bash script. */
export function canBuild(): boolean {
  return has("make") && has("bash") && (has("cc") || has("gcc") || has("clang"));
}

/**
 * Builds librdkafka and puts it into the user's cache folder. Takes about 45 s on 2 cores.
 *
 * Builds side by side do not disturb each other: the finished file is moved into place.
 *
 * @returns the path of the library
 * @throws {Error} If the cache folder is unknown, or the build fails: with the last lines of its log.
 */
export async function build(): Promise<string> {
  const target = cachedLibraryPath();
  if (target === undefined) throw new Error("The cache folder is unknown: set HOME or XDG_CACHE_HOME");
  say(`building librdkafka ${BUILD_VERSION} from the sources in the npm package; about a minute`);
  const work = await Deno.makeTempDir({ prefix: "librdkafka-" });
  try {
    const sources = await packageFolder();
    // configure takes every file named configure.* in its folder for a module: nothing of ours goes there.
    await run("cp", ["-R", `${sources}/deps/librdkafka`, `${work}/source`]);
    await run("chmod", ["-R", "u+rwX", `${work}/source`]);
    const cwd = `${work}/source`;
    await run("bash", ["./configure", `--prefix=${work}/installed`], { cwd });
    await run("make", ["-j", String(navigator.hardwareConcurrency), "-C", "src"], { cwd });
    const file = target.split("/").at(-1)!;
    if (has("strip") && Deno.build.os === "linux") await run("strip", ["--strip-debug", `${cwd}/src/${file}`]);
    const folder = target.slice(0, -file.length - 1);
    await Deno.mkdir(folder, { recursive: true });
    const temporary = `${target}.${crypto.randomUUID()}`;
    await Deno.copyFile(`${cwd}/src/${file}`, temporary);
    await Deno.rename(temporary, target);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  await sayMissing();
  return target;
}

/** Says which features the build lacks, and what would add them. */
async function sayMissing(): Promise<void> {
  const compiler = ["cc", "gcc", "clang"].find(has)!;
  for (const { header, feature, debian } of EXTRAS) {
    const probe = await Deno.makeTempFile({ suffix: ".c" });
    await Deno.writeTextFile(probe, `#include <stdio.h>\n#include <${header}>\n`);
    const found = await run(compiler, ["-E", probe]).then(() => true, () => false);
    await Deno.remove(probe);
    if (!found) say(`built without ${feature}: <${header}> is not here (Debian: ${debian}; then setup --build)`);
  }
}
