/**
 * Installs librdkafka: `deno run -A jsr:@slipstream/slipstream/setup`.
 *
 * Takes the one that is there, unless it is older than 2.13.2; else builds it from the sources in the npm package,
 * where there is a C compiler; else installs the system's package, where it may (root with apt-get or apk; brew), and
 * fails if that is too old. With `--print-path` the only thing on standard output is the path it is opened by.
 * Importing the module does nothing.
 *
 * @module
 */

export { setup, type SetupOptions, type SetupResult } from "./setup.ts";
import { say } from "./commands.ts";
import { setup } from "./setup.ts";

const USAGE = `Usage: setup [--build] [--print-path]

  --build        build librdkafka although one can be used already
  --print-path   print the path of the library, and nothing else, on standard output`;

async function main(args: readonly string[]): Promise<number> {
  const known = ["--build", "--print-path", "--help"];
  const unknown = args.find((arg) => !known.includes(arg));
  if (unknown !== undefined || args.includes("--help")) {
    console.error(unknown === undefined ? USAGE : `setup: there is no option ${unknown}\n${USAGE}`);
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
