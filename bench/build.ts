/**
 * Building `peer.c`, against the librdkafka that slipstream opens.
 *
 * @module
 */

import { openLibrary } from "../src/ffi/library.ts";
import { run } from "../src/setup/commands.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/**
 * Builds the program.
 *
 * @returns its path
 * @throws {Error} If it can't be built, or gets hold of another librdkafka than slipstream.
 */
export async function buildPeer(): Promise<string> {
  const { path, version } = openLibrary();
  const folder = new URL("build/", import.meta.url).pathname;
  await Deno.mkdir(folder, { recursive: true });
  const program = `${folder}peer`;
  const headers = `${await packageFolder()}/deps/librdkafka/src`;
  const source = new URL("peer.c", import.meta.url).pathname;
  await run("cc", ["-O2", "-Wall", "-Wextra", `-I${headers}`, "-o", program, source, ...link(path)]);
  const theirs = (await run(program, ["version"])).trim();
  // A file of another name than its soname would be linked, and another one loaded.
  if (theirs !== version) throw new Error(`peer.c runs on librdkafka ${theirs}, slipstream on ${version} (${path})`);
  return program;
}

/** The file itself where there is a path; else what the linker finds by the name, as the loader does. */
function link(path: string): string[] {
  const slash = path.lastIndexOf("/");
  if (slash >= 0) return [path, `-Wl,-rpath,${path.slice(0, slash)}`];
  return [Deno.build.os === "darwin" ? "-lrdkafka" : `-l:${path}`];
}
