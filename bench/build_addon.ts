/**
 * Building the npm client's native addon for Node, as its developers do: to be compared with.
 *
 * @module
 */

import { openLibrary } from "../src/librdkafka/library.ts";
import { has, run } from "../src/setup/commands.ts";
import { packageFolder } from "../src/setup/package_folder.ts";

/** A folder that has the package, addon and all, in `node_modules`; and what Node needs to load it. */
export interface AddonFolder {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const NAME = "@confluentinc/kafka-javascript";

/**
 * The folder that `KAFKA_JAVASCRIPT_NODE` names, else one that is built: librdkafka with its C++ half from the sources
 * in the package (two minutes), then the addon by `node-gyp`. It is kept.
 *
 * @throws {Error} If it can't be built here.
 */
export async function addonFolder(): Promise<AddonFolder> {
  const given = Deno.env.get("KAFKA_JAVASCRIPT_NODE");
  const work = new URL("build/", import.meta.url).pathname;
  const path = given ?? `${work}addon`, prefix = `${work}librdkafka`;
  const env = { LD_LIBRARY_PATH: [`${prefix}/lib`, Deno.env.get("LD_LIBRARY_PATH")].filter(Boolean).join(":") };
  const version = async () =>
    (await run("node", ["-p", `require("${NAME}").librdkafkaVersion`], { cwd: path, env })).trim();
  const lacking = ["node", "npx", "make", "c++", "bash"].filter((command) => !has(command));
  if (lacking.length > 0) throw new Error(`there is no ${lacking.join(", no ")}`);
  if (
    given === undefined && !await exists(`${path}/node_modules/${NAME}/build/Release/confluent-kafka-javascript.node`)
  ) {
    await build(path, prefix);
  }
  const [theirs, ours] = [await version(), openLibrary().version];
  if (theirs !== ours) throw new Error(`it runs on librdkafka ${theirs}, the binding on ${ours}`);
  return { path, env };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function build(path: string, prefix: string): Promise<void> {
  console.error("bench: building librdkafka and the native addon for Node; a few minutes, once");
  const deps = `${await packageFolder()}/deps/librdkafka`;
  const source = await Deno.makeTempDir();
  try {
    await run("cp", ["-R", `${deps}/.`, source]);
    await run("chmod", ["-R", "u+rwX", source]);
    await run("bash", ["./configure", `--prefix=${prefix}`], { cwd: source });
    const jobs = String(navigator.hardwareConcurrency);
    for (const part of ["src", "src-cpp"]) {
      await run("make", ["-j", jobs, "-C", part], { cwd: source });
      await run("make", ["-C", part, "install"], { cwd: source });
    }
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(`${path}/package.json`, "{}");
    // Its install script would fetch a finished addon.
    const version = JSON.parse(await Deno.readTextFile(`${deps}/../../package.json`)).version;
    await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", `${NAME}@${version}`], { cwd: path });
    const include = `${prefix}/include`;
    await run("npx", ["--yes", "node-gyp", "rebuild"], {
      cwd: `${path}/node_modules/${NAME}`,
      env: {
        CKJS_LINKING: "dynamic",
        BUILD_LIBRDKAFKA: "0",
        CPLUS_INCLUDE_PATH: `${include}:${include}/librdkafka`,
        LIBRARY_PATH: `${prefix}/lib`,
      },
    });
  } finally {
    await Deno.remove(source, { recursive: true });
  }
}
