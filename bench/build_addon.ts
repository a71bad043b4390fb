/**
 * A folder that has the npm client with its native addon for Node: to be compared with.
 *
 * @module
 */

import { openLibrary } from "../src/ffi/library.ts";
import { has, run } from "../src/setup/commands.ts";
import { packageFolder } from "../src/setup/package_folder.ts";
import { addonParts, buildAddon, exists } from "../tools/node_addon.ts";

const NAME = "@confluentinc/kafka-javascript";

/**
 * The folder that `KAFKA_JAVASCRIPT_NODE` names, else one that is made, with an addon that is linked to the librdkafka
 * that Deno uses. The build is kept.
 *
 * @throws {Error} If it can't be made here, or runs on another librdkafka.
 */
export async function addonFolder(): Promise<string> {
  const given = Deno.env.get("KAFKA_JAVASCRIPT_NODE");
  const folder = given ?? new URL("build/addon", import.meta.url).pathname;
  if (given === undefined) await makeFolder(folder);
  const theirs = (await run("node", ["-p", `require("${NAME}").librdkafkaVersion`], { cwd: folder })).trim();
  const ours = openLibrary().version;
  if (theirs !== ours) {
    throw new Error(`the native addon runs on librdkafka ${theirs}, Deno on ${ours}: build both from the same sources`);
  }
  return folder;
}

async function makeFolder(folder: string): Promise<void> {
  const addon = `${folder}/node_modules/${NAME}/build/Release/confluent-kafka-javascript.node`;
  if (await exists(addon)) return;
  const parts = await addonParts();
  if ("reason" in parts) throw new Error(parts.reason);
  if (!has("npm")) throw new Error("there is no npm");
  console.error("bench: building the native addon for Node; half a minute, once");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/package.json`, "{}");
  // Its install script would fetch a finished addon.
  const { version } = JSON.parse(await Deno.readTextFile(`${await packageFolder()}/package.json`));
  await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", `${NAME}@${version}`], { cwd: folder });
  await buildAddon(addon, parts, "-O3");
}
