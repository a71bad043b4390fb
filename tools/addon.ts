/**
 * The npm client's native addon for Node, to be compared with.
 *
 * @module
 */

import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { cachedLibraryPath, openLibrary } from "../src/ffi/library.ts";
import { has, run } from "../src/setup/commands.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/** What an addon is made of, beside the sources in the package. */
export interface AddonParts {
  /** The path of the librdkafka that setup has built. */
  readonly library: string;
  /** The folder of Node's headers. */
  readonly headers: string;
  /** The version of Node's binary interface. */
  readonly modules: string;
}

/** What an addon for the `node` that is there would be made of; else why it can't be. */
export async function addonParts(): Promise<AddonParts | { readonly reason: string }> {
  const lacking = ["node", "c++"].filter((command) => !has(command));
  if (lacking.length > 0) return { reason: `there is no ${lacking.join(" and no ")}` };
  const library = openLibrary().path;
  if (library !== cachedLibraryPath()) return { reason: "librdkafka is not the one that setup builds" };
  const [node, modules] = JSON.parse(
    await run("node", ["-p", "JSON.stringify([process.execPath, process.versions.modules])"]),
  );
  const headers = `${dirname(dirname(await Deno.realPath(node)))}/include/node`;
  if (!await exists(`${headers}/node.h`)) return { reason: `Node's headers are not in ${headers}` };
  return { library, headers, modules };
}

/** Whether there is such a file or folder. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/**
 * Compiles the native addon and librdkafka's C++ half, and links them to the librdkafka that Deno uses. Takes a quarter of
 * a minute on 2 cores without optimising; node-gyp, which builds the same, takes longer and wants more.
 *
 * @param path the file to make
 * @param optimization the compiler's level, such as `-O0`
 */
export async function buildAddon(path: string, { library, headers }: AddonParts, optimization: string): Promise<void> {
  const folder = await packageFolder(), deps = `${folder}/deps/librdkafka`;
  const nan = dirname(createRequire(`${folder}/package.json`).resolve("nan/nan.h"));
  const work = await Deno.makeTempDir({ prefix: "addon-" });
  try {
    // It looks for librdkafka's configuration beside its own folder, and needs nothing of it.
    await run("cp", ["-R", `${deps}/src-cpp`, work]);
    await Deno.mkdir(`${work}/src`);
    await Deno.copyFile(`${deps}/src/rdkafka.h`, `${work}/src/rdkafka.h`);
    await Deno.writeTextFile(`${work}/config.h`, "");
    const sources: string[] = [];
    for (const place of [`${work}/src-cpp`, `${folder}/src`]) {
      for await (const { name } of Deno.readDir(place)) {
        if (/\.(?:cc|cpp)$/.test(name)) sources.push(`${place}/${name}`);
      }
    }
    const include = [headers, nan, folder, `${work}/src`, `${work}/src-cpp`].map((place) => `-I${place}`);
    const objectOf = (source: string) => `${work}/${basename(source)}.o`;
    const objects = sources.map(objectOf);
    const compile = async () => {
      for (let source; (source = sources.pop()) !== undefined;) {
        const output = ["-c", source, "-o", objectOf(source)];
        await run("c++", ["-std=c++20", optimization, "-fPIC", "-w", ...include, ...output]);
      }
    };
    await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, compile));
    const shared = Deno.build.os === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];
    await run("c++", [...shared, "-o", `${work}/addon.node`, ...objects, library, `-Wl,-rpath,${dirname(library)}`]);
    await Deno.mkdir(dirname(path), { recursive: true });
    // Moved whole: another test run may be looking.
    await run("mv", [`${work}/addon.node`, path]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
