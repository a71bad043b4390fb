/**
 * Runs a schema registry on this machine without Docker: Apicurio Registry from Maven Central, in memory, which has the
 * REST API of Confluent's Schema Registry.
 *
 * As a module, it exports `startSchemaRegistry()`. As a program:
 *
 * - `deno run -A tools/schema_registry.ts` starts it, prints its URL, and stops it on SIGINT;
 * - `deno run -A tools/schema_registry.ts -- COMMAND ARGS…` runs the command with `SCHEMA_REGISTRY_URL` set, stops the
 *   registry, and exits with the command's code. If Java 17 or Maven is not installed, it prints a line and runs the
 *   command without a registry; in CI that is an error.
 *
 * Needs Java 17 or later, and Maven for the first run. The download (110 MB) is kept in the user's cache folder.
 *
 * @module
 */

import { join } from "node:path";
import { cacheFolder, freePort, INSTALL_JAVA, javaVersion, kill, outputOf, runCommand } from "./servers.ts";

/** The newest version that runs on Java 17. */
const VERSION = "3.0.9";
const START_MS = 120_000;

/** A running registry. */
export interface SchemaRegistryServer extends AsyncDisposable {
  /** The URL for `new SchemaRegistry(url)`. */
  readonly url: string;
  /** Stops the registry, whose schemas are lost. Idempotent. */
  stop(): Promise<void>;
}

/** Thrown if Java 17 or Maven is not installed. */
export class NotInstalledError extends Error {}

/**
 * Starts a registry and resolves when it answers.
 *
 * @throws {NotInstalledError} If Java 17, or Maven for the first run, is not installed.
 */
export async function startSchemaRegistry(): Promise<SchemaRegistryServer> {
  const java = await javaVersion();
  if (java === undefined || java < 17) {
    throw new NotInstalledError(`A schema registry needs Java 17, found ${java ?? "none"}; ${INSTALL_JAVA}`);
  }
  const folder = await download();
  const port = freePort();
  const child = new Deno.Command("java", {
    args: ["-Xmx512m", "-jar", `apicurio-registry-app-${VERSION}-runner.jar`],
    cwd: folder,
    env: { QUARKUS_HTTP_PORT: `${port}`, QUARKUS_HTTP_HOST: "127.0.0.1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null", // it logs to stdout
  }).spawn();
  let log = "", exited = false;
  const logged = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) log = (log + text).slice(-4_000);
    exited = true;
  })();
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      kill(child, "SIGKILL"); // its data is in memory
      await Promise.all([child.status, logged]);
    })();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  for (const deadline = Date.now() + START_MS; !await answers(`${url}/subjects`);) {
    if (!exited && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      continue;
    }
    await stop();
    throw new Error(`Cannot start a schema registry within ${START_MS / 1000} s. The end of its log:\n${log}`);
  }
  return { url, stop, [Symbol.asyncDispose]: stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // the port is not open yet
  }
}

/** The folder of the program, which is downloaded the first time. The file `complete` marks a finished download. */
async function download(): Promise<string> {
  const folder = join(cacheFolder(), "schema_registry", VERSION);
  const complete = join(folder, "complete");
  if (await Deno.stat(complete).then(() => true, () => false)) return folder;
  await Deno.mkdir(folder, { recursive: true });
  const command = new Deno.Command(Deno.build.os === "windows" ? "mvn.cmd" : "mvn", {
    args: [
      "-B",
      "-q",
      // Later versions of the plugin need the parent of the artifact's POM, which is not on Maven Central.
      "org.apache.maven.plugins:maven-dependency-plugin:2.10:unpack",
      `-Dartifact=io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`,
      `-DoutputDirectory=${folder}`,
    ],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const result = await outputOf(command);
  if (result === undefined) {
    throw new NotInstalledError(
      "A schema registry is fetched with Maven, which is not installed (apt-get install maven, brew install maven)",
    );
  }
  if (!result.success) throw new Error(`Cannot fetch the schema registry:\n${new TextDecoder().decode(result.stdout)}`);
  await Deno.writeTextFile(complete, "");
  return folder;
}

async function main(args: string[]): Promise<number> {
  try {
    return await runCommand(args, {
      name: "A schema registry",
      start: startSchemaRegistry,
      print: ({ url }) => url,
      env: ({ url }) => ({ SCHEMA_REGISTRY_URL: url }),
    });
  } catch (error) {
    if (!(error instanceof NotInstalledError) || Deno.env.get("CI") === "true" || args.length < 2) throw error;
    console.error(`${error.message}. Tests that need a registry are skipped.`);
    const [command, ...rest] = args.slice(1);
    return (await new Deno.Command(command === "deno" ? Deno.execPath() : command!, { args: rest }).spawn().status)
      .code;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
