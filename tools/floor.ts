/**
 * Builds the oldest librdkafka that this module opens, if it is not built yet, and prints its path:
 * `LIBRDKAFKA_PATH=$(deno run -A tools/floor.ts) deno task test`.
 *
 * The sources are in an older version of the npm client. Needs npm, make, bash and a C compiler. The library is kept in the
 * user's cache folder.
 *
 * @module
 */

import { dirname } from "node:path";
import { cachedLibraryPath } from "../src/ffi/library.ts";
import { BUILD_VERSION, FLOOR_VERSION } from "../src/ffi/versions.ts";
import { run, say } from "../src/setup/commands.ts";
import { verify } from "../src/setup/verify.ts";

/** The package that contains the sources of `FLOOR_VERSION`. */
const PACKAGE = "@confluentinc/kafka-javascript@1.8.2";

/** Builds the library if it is not in the cache folder. Returns its path. */
export async function floorLibrary(): Promise<string> {
  const built = cachedLibraryPath();
  if (built === undefined) throw new Error("The cache folder is unknown: set HOME or XDG_CACHE_HOME");
  const target = built.replace(`/${BUILD_VERSION}/`, `/${FLOOR_VERSION}/`);
  if (await Deno.stat(target).then(() => true, () => false)) return target;
  say(`building librdkafka ${FLOOR_VERSION} from the sources in ${PACKAGE}; about a minute`);
  const work = await Deno.makeTempDir({ prefix: "librdkafka-" });
  try {
    const archive = (await run("npm", ["pack", "--silent", PACKAGE], { cwd: work })).trim();
    const source = "package/deps/librdkafka";
    await run("tar", ["xzf", archive, source], { cwd: work });
    await run("bash", ["./configure"], { cwd: `${work}/${source}` });
    await run("make", ["-j", String(navigator.hardwareConcurrency), "-C", "src"], { cwd: `${work}/${source}` });
    await Deno.mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.${crypto.randomUUID()}`;
    await Deno.copyFile(`${work}/${source}/src/${target.split("/").at(-1)}`, temporary);
    const version = await verify(temporary);
    if (version !== FLOOR_VERSION) throw new Error(`${PACKAGE} contains librdkafka ${version}, not ${FLOOR_VERSION}`);
    await Deno.rename(temporary, target);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return target;
}

if (import.meta.main) console.log(await floorLibrary());
