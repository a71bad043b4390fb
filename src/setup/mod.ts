/**
 * Installs librdkafka: `deno run -A jsr:@slipstream/slipstream/setup`.
 *
 * It takes the first of these steps that is possible:
 *
 * 1. If a librdkafka is found that is 2.13.2 or newer, that one is used as it is.
 * 2. If there is a C compiler, with make and bash, librdkafka is built from the sources in the npm package, in about a
 *    minute.
 * 3. If there is a package manager that the user may run (apt-get or apk as root, or brew), its package is installed. That
 *    fails if the package is older than 2.13.2.
 *
 * `--build` begins with the second step and takes no other. With `--print-path` only the path of the library is printed on
 * standard output. Importing the module has no effect.
 *
 * On its first run Deno warns that it ignored the build scripts of `npm:@confluentinc/kafka-javascript`. The script would
 * build an addon that Deno can't load, in place of which this module uses librdkafka: nothing is missing. To silence the
 * warning, put `"allowScripts": { "deny": ["npm:@confluentinc/kafka-javascript"] }` in deno.json.
 *
 * @module
 */

export { setup, type SetupOptions, type SetupResult } from "./setup.ts";
import { say } from "./commands.ts";
import { setup } from "./setup.ts";

const USAGE = `Usage: setup [--build] [--print-path]

  --build        build librdkafka even if a usable one is found
  --print-path   print the path of the library, and nothing else, on standard output`;

async function main(args: readonly string[]): Promise<number> {
  const known = ["--build", "--print-path", "--help"];
  const unknown = args.find((arg) => !known.includes(arg));
  if (unknown !== undefined || args.includes("--help")) {
    console.error(unknown === undefined ? USAGE : `setup: unknown option ${unknown}\n${USAGE}`);
    return unknown === undefined ? 0 : 2;
  }
  try {
    const { path, version, how } = await setup({ build: args.includes("--build") });
    if (args.includes("--print-path")) console.log(path);
    else say(`librdkafka ${version} is ready (${how}): ${path}`);
    return 0;
  } catch (error) {
    console.error(`setup: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
