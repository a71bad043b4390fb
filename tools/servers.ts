/**
 * What the programs that start a real server for tests have in common.
 *
 * @module
 */

import { join } from "node:path";

/** The folder of this project in the user's cache folder. */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const cache = Deno.build.os === "darwin"
    ? join(home, "Library", "Caches")
    : Deno.build.os === "windows"
    ? Deno.env.get("LOCALAPPDATA") ?? home
    : Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache");
  return join(cache, "slipstream");
}

/** A port on loopback that is free now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Signals the process unless it is gone already. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

/** What to do when there is no Java, or too old a one. */
export const INSTALL_JAVA =
  "install Java 17 or later (apt-get install openjdk-17-jre-headless, brew install openjdk@17)";

/**
 * The version of Java that is installed; undefined when there is none.
 *
 * @returns the major version, such as 17
 */
export async function javaVersion(): Promise<number | undefined> {
  const command = new Deno.Command("java", { args: ["-version"], stdout: "piped", stderr: "piped" });
  const result = await outputOf(command);
  if (!result?.success) return undefined;
  const found = /version "(\d+)/.exec(new TextDecoder().decode(result.stderr));
  return found === null ? undefined : Number(found[1]);
}

/** Runs a command to its end; undefined when its program is not installed. */
export async function outputOf(command: Deno.Command): Promise<Deno.CommandOutput | undefined> {
  try {
    return await command.output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A server that a program starts. */
export interface ServerProgram<S extends AsyncDisposable> {
  /** What it is called. */
  readonly name: string;
  readonly start: () => Promise<S>;
  /** What is printed when there is no command. */
  readonly print: (server: S) => string;
  /** What the command finds in its environment. */
  readonly env: (server: S) => Record<string, string>;
}

/**
 * Starts a server for the length of a command, or until SIGINT when there is none.
 *
 * @param args the command, after `--`
 * @returns the code to exit with
 */
export async function runCommand<S extends AsyncDisposable>(
  args: readonly string[],
  { name, start, print, env }: ServerProgram<S>,
): Promise<number> {
  const command = args[0] === "--" ? args.slice(1) : args;
  const startedAt = performance.now();
  // Listening from the start: a SIGINT while the server is starting must not leave its process behind.
  const interrupted = Promise.withResolvers<number>();
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    if (Deno.build.os !== "windows" || signal === "SIGINT") {
      Deno.addSignalListener(signal, () => interrupted.resolve(code));
    }
  }
  await using server = await start();
  console.error(`${name} runs (up in ${Math.round(performance.now() - startedAt)} ms)`);
  if (command.length === 0) {
    console.log(print(server));
    await interrupted.promise;
    return 0;
  }
  // The Deno that runs this, which need not be on the PATH.
  const child = new Deno.Command(command[0] === "deno" ? Deno.execPath() : command[0]!, {
    args: command.slice(1),
    env: env(server),
  }).spawn();
  const status = child.status.then(({ code }) => code);
  const code = await Promise.race([status, interrupted.promise.then((code) => (kill(child, "SIGTERM"), code))]);
  await status;
  return code;
}
