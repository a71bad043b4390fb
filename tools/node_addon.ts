/**
 * Builds the npm client's native addon for Node, with which this module's addon is compared.
 *
 * @module
 */

import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { cachedLibraryPath, openLibrary } from "../src/ffi/library.ts";
import { has, run } from "../src/setup/commands.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/** What the build needs besides the sources in the package. */
export interface AddonParts {
  /** The path of the librdkafka that setup has built. */
  readonly library: string;
  /** The folder of Node's headers. */
  readonly headers: string;
  /** The version of Node's binary interface, `process.versions.modules`. */
  readonly modules: string;
}

/** What the build needs, for the `node` on the PATH; if something is missing, the reason why no addon can be built. */
export async function addonParts(): Promise<AddonParts | { readonly reason: string }> {
  const missing = ["node", "c++"].filter((command) => !has(command));
  if (missing.length > 0) return { reason: `there is no ${missing.join(" and no ")}` };
  const library = openLibrary().path;
  if (library !== cachedLibraryPath()) return { reason: "librdkafka is not the one that `setup` builds" };
  const [node, modules] = JSON.parse(
    await run("node", ["-p", "JSON.stringify([process.execPath, process.versions.modules])"]),
  );
  const headers = `${dirname(dirname(await Deno.realPath(node)))}/include/node`;
  if (!await exists(`${headers}/node.h`)) return { reason: `Node's headers are not in ${headers}` };
  return { library, headers, modules };
}

/** Whether a file or folder exists. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/**
 * Compiles the addon and librdkafka's C++ half, and links them to the library that this module opens. Takes 15 s on 2 cores
 * without optimization; node-gyp builds the same, takes longer and needs more.
 *
 * @param path the path of the built addon
 * @param optimization the compiler's level, such as `-O0`
 */
export async function buildAddon(path: string, { library, headers }: AddonParts, optimization: string): Promise<void> {
  const folder = await packageFolder(), deps = `${folder}/deps/librdkafka`;
  const nan = dirname(createRequire(`${folder}/package.json`).resolve("nan/nan.h"));
  const work = await Deno.makeTempDir({ prefix: "addon-" });
  try {
    // The C++ half includes librdkafka's config.h, and uses nothing of it.
    await run("cp", ["-R", `${deps}/src-cpp`, work]);
    await Deno.mkdir(`${work}/src`);
    await Deno.copyFile(`${deps}/src/rdkafka.h`, `${work}/src/rdkafka.h`);
    await Deno.writeTextFile(`${work}/config.h`, "");
    const sources: string[] = [];
    for (const sourceFolder of [`${work}/src-cpp`, `${folder}/src`]) {
      for await (const { name } of Deno.readDir(sourceFolder)) {
        if (/\.(?:cc|cpp)$/.test(name)) sources.push(`${sourceFolder}/${name}`);
      }
    }
    const include = [headers, nan, folder, `${work}/src`, `${work}/src-cpp`].map((include) => `-I${include}`);
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
    // Moved in one step: another test run may look for the file.
    await run("mv", [`${work}/addon.node`, path]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
